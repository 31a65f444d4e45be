"""The hash-chained log: a recorded vector, and every kind of change that it must notice."""

import json
import math
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from dfworkbench.core.errors import OutputError, ParameterError
from dfworkbench.core.hash_chain import HashChain, canonical, check_chain, plain, utc_now

VECTOR = json.loads((Path(__file__).parent / "hash_chain_vector.json").read_text(encoding="utf-8"))
LINES = [line.encode() for line in VECTOR["lines"]]
LOG = b"\n".join(LINES) + b"\n"


def write(path: Path, *, closed: bool = True) -> bytes:
    log = HashChain(path)
    log.add("opened", case="1", command="dfworkbench report")
    log.add("fit", slope=1.25, bounds=(-0.5, 1e-300))
    if closed:
        log.close(entries=3)
    else:
        log.close("interrupted")
    return path.read_bytes()


def test_recorded_vector_is_intact_and_has_its_head():
    """Made by a separate implementation over the standard library alone."""
    checked = check_chain(LOG)
    assert checked.holds
    assert checked.head == VECTOR["head"] == "d9e3b08a71fd995ec0e1825efdd7b5bd0815294d7cf34b96c0a8a256dbdcaa11"
    assert [entry.event for entry in checked.entries] == ["opened", "input", "result", "closed"]


def test_vector_is_written_again_from_its_entries(tmp_path, monkeypatch):
    first = int(np.datetime64("2026-11-28T12:00:00").astype("int64"))
    log = HashChain(tmp_path / "log.jsonl")
    for n, line in enumerate(LINES):
        monkeypatch.setenv("SOURCE_DATE_EPOCH", str(first + n))
        entry = json.loads(line)
        log.add(entry["event"], **entry["data"])
    assert (tmp_path / "log.jsonl").read_bytes() == LOG


def test_every_small_change_is_found():
    changed = [LOG[:at] + bytes([LOG[at] ^ 1 << bit]) + LOG[at + 1 :] for at in range(len(LOG)) for bit in range(8)]
    changed += [LOG[:at] + LOG[at + 1 :] for at in range(len(LOG))]  # a byte left out
    changed += [LOG[:at] + LOG[at : at + 1] + LOG[at:] for at in range(len(LOG))]  # a byte doubled
    changed += [b"\n".join(LINES[:k] + LINES[k + 1 :]) + b"\n" for k in range(len(LINES))]  # a line left out
    assert len(changed) == VECTOR["mutations"]
    assert not [copy for copy in changed if check_chain(copy).holds]


@pytest.mark.parametrize(
    ("content", "bad_line"),
    [
        (b"", 0),
        (b"\n", 0),
        (LOG[:-1], 0),  # cut off within a line
        (b"\n".join(LINES[:-1]) + b"\n", 3),  # cut off between two lines
        (LOG + LINES[-1] + b"\n", 4),  # continued
        (b"\n".join([LINES[1], LINES[0], *LINES[2:]]) + b"\n", 0),  # exchanged
        (LOG.replace(b'"n":2', b'"n": 2'), 2),  # the same value in another form
        (b'{"n":NaN}\n', 0),
        (b"[" * 5000 + b"\n", 0),
        (b"\xff\n", 0),
    ],
)
def test_first_bad_line_is_named(content, bad_line):
    checked = check_chain(content)
    assert checked.bad_line == bad_line
    assert checked.why


def test_a_true_for_a_number_is_no_number():
    """In Python True equals 1, in JSON it does not."""
    changed = [LINES[0], LINES[1].replace(b'"n":1', b'"n":true'), *LINES[2:]]
    assert check_chain(b"\n".join(changed) + b"\n").bad_line == 1


def test_entries_reach_the_file_at_once(tmp_path):
    log = HashChain(tmp_path / "case" / "log.jsonl")
    head = log.add("opened", case="1")
    assert json.loads((tmp_path / "case" / "log.jsonl").read_bytes())["hash"] == head == log.head
    assert log.close() == check_chain(log.path.read_bytes()).head


def test_interrupted_log_is_intact_up_to_its_end_and_said_to_be_early(tmp_path):
    checked = check_chain(write(tmp_path / "log.jsonl", closed=False))
    assert not checked.holds
    assert checked.bad_line == len(checked.entries) == 3
    assert "interrupted" in checked.why


def test_nothing_is_appended_to_a_closed_log_or_written_over_another(tmp_path):
    log = HashChain(tmp_path / "log.jsonl")
    log.close()
    with pytest.raises(ValueError, match="never appended"):
        log.add("result")
    with pytest.raises(OutputError, match="exists"):
        HashChain(tmp_path / "log.jsonl")


@pytest.mark.skipif(sys.platform == "win32", reason="no limit on the size of files")
def test_a_full_disk_leaves_no_half_line(tmp_path):
    """Two entries fit, the third is refused by a limit on the size of files."""
    code = (
        "import resource, signal, sys\n"
        "from pathlib import Path\n"
        "from dfworkbench.core.errors import OutputError\n"
        "from dfworkbench.core.hash_chain import HashChain\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "log = HashChain(Path(sys.argv[1]))\n"
        "log.add('opened'), log.add('input')\n"
        "size = log.path.stat().st_size\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (size + 100, resource.RLIM_INFINITY))\n"
        "try:\n    log.add('result', text='a' * 500)\nexcept OutputError:\n    assert log.path.stat().st_size == size\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))\n"
        "log.close()\n"
    )
    subprocess.run([sys.executable, "-c", code, tmp_path / "log.jsonl"], check=True, timeout=60)
    checked = check_chain((tmp_path / "log.jsonl").read_bytes())
    assert [entry.event for entry in checked.entries] == ["opened", "input", "closed"]
    assert checked.holds


def test_numbers_are_texts_and_nan_is_none():
    data = {
        "a": 0.1,
        "b": math.nan,
        "c": -math.inf,
        "d": np.float64(2),
        "e": np.arange(2),
        "f": (True, None, Path("x")),
    }
    assert plain(data) == {"a": "0.1", "b": None, "c": "-inf", "d": "2.0", "e": [0, 1], "f": [True, None, "x"]}


def test_undecodable_file_names_can_be_recorded(tmp_path):
    log = HashChain(tmp_path / "log.jsonl")
    log.add("input", path=b"caf\xe9.mp4".decode("utf-8", "surrogateescape"))
    log.close()
    checked = check_chain(log.path.read_bytes())
    assert checked.holds
    assert checked.entries[0].data["path"] == "caf\\udce9.mp4"


def test_canonical_form_does_not_depend_on_the_order_of_keys():
    assert canonical({"b": "é", "a": [1]}) == canonical({"a": [1], "b": "é"}) == '{"a":[1],"b":"é"}'.encode()


def test_times_come_from_the_variable(monkeypatch):
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "0")
    assert utc_now() == "1970-01-01T00:00:00+00:00"
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "yesterday")
    with pytest.raises(ParameterError, match=r"yesterday.*seconds"):
        utc_now()
