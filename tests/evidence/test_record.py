"""The record of a case: what is logged, sealed and never overwritten; and that a check of it finds every change."""

import errno
import hashlib
import json
import os
import tracemalloc
from pathlib import Path

import pytest

from dfworkbench.__main__ import main
from dfworkbench.core.errors import DataNotFoundError, MediaError, OutputError, ParameterError
from dfworkbench.core.hash_chain import HashChain, check_chain
from dfworkbench.evidence.case_json import hash_results
from dfworkbench.evidence.record.folder import CASE, HEAD, LOG, MANIFEST, PAGE, Record, hash_input, place_of
from dfworkbench.evidence.record.rerun import check_rerun
from dfworkbench.evidence.record.verify import verify_case

RESULTS = {"people": [{"llr": "0.25", "name": "person 1"}]}


@pytest.fixture
def evidence(tmp_path) -> Path:
    path = tmp_path / "clip.mp4"
    path.write_bytes(bytes(range(256)) * 20)
    return path


@pytest.fixture
def weights(tmp_path) -> Path:
    path = tmp_path / "best.safetensors"
    path.write_bytes(b"weights")
    return path


def make_case(tmp_path: Path, evidence: Path, weights: Path) -> Path:
    """A sealed case with all kinds of files, in small."""
    with Record.create(tmp_path / "cases", "2026-017", command="dfworkbench report clip.mp4") as record:
        record.add_input(evidence, "evidence")
        record.add_input(weights, "weights")
        record.add("fit", slope=1.5, offset=-0.25)
        record.add_input(evidence, "evidence, afterwards")
        sha256 = hash_results(RESULTS)
        head = record.examined(results_sha256=sha256)
        (record.folder / PAGE).write_text(f"<html>{head}</html>", encoding="utf-8")
        case = {"results": RESULTS, "results_sha256": sha256, "examination_head": head}
        (record.folder / CASE).write_text(json.dumps(case), encoding="utf-8")
        (record.folder / "c2pa").mkdir()
        (record.folder / "c2pa" / "clip.mp4.json").write_text("{}", encoding="utf-8")
        record.seal()
    return record.folder


@pytest.fixture
def case(tmp_path, evidence, weights) -> Path:
    return make_case(tmp_path, evidence, weights)


def statuses(folder: Path, **named) -> dict[str, str]:
    return {finding.name: finding.status for finding in verify_case(folder, **named).findings}


def test_log_tells_what_was_done_and_has_the_hash_of_every_file(case, evidence):
    checked = check_chain((case / LOG).read_bytes())
    assert checked.holds
    events = [entry.event for entry in checked.entries]
    assert events == ["opened", "input", "input", "fit", "input", "examined", *["output"] * 4, "closed"]
    assert checked.entries[1].data == {
        "path": str(evidence),
        "bytes": evidence.stat().st_size,
        "sha256": hashlib.sha256(evidence.read_bytes()).hexdigest(),
        "role": "evidence",
    }
    outputs = {entry.data["path"]: entry.data["sha256"] for entry in checked.entries if entry.event == "output"}
    assert outputs == {
        name: hashlib.sha256((case / name).read_bytes()).hexdigest()
        for name in (PAGE, CASE, MANIFEST, "c2pa/clip.mp4.json")
    }
    assert events[-2] == "output"
    assert checked.entries[-2].data["path"] == MANIFEST
    assert json.loads((case / MANIFEST).read_text()) == {k: v for k, v in outputs.items() if k != MANIFEST}


def test_heads_are_in_head_txt(case):
    checked = check_chain((case / LOG).read_bytes())
    text = (case / HEAD).read_text()
    assert f"closing head: {checked.head}\n" in text
    assert f"examination head: {checked.entries[5].hash}\n" in text
    assert "Send this to the other side" in text


def test_untouched_case_holds(case, evidence):
    found = verify_case(case)
    assert found.holds
    assert found.closing_head in found.sentence
    assert {finding.status for finding in found.findings} == {"same"}
    assert len(str(found).splitlines()) == len(found.findings) + 1
    assert verify_case(case, [evidence], closing_head=found.closing_head.upper()).holds


def test_any_changed_byte_of_any_file_is_found(case):
    for path in sorted(p for p in case.rglob("*") if p.is_file()):
        name, content = path.relative_to(case).as_posix(), path.read_bytes()
        step = 1 if len(content) < 200 else 41
        for at in range(0, len(content), step):
            path.write_bytes(content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :])
            found = statuses(case)
            assert found[name] == "changed", (name, at)
        path.write_bytes(content)
    assert verify_case(case).holds


def test_with_a_changed_log_the_manifest_tells_which_files_were_changed(case):
    content = (case / LOG).read_bytes()
    (case / LOG).write_bytes(content[:50] + bytes([content[50] ^ 1]) + content[51:])
    found = statuses(case)
    assert (found[LOG], found[MANIFEST], found[PAGE]) == ("changed", "unknown", "same")
    (case / PAGE).write_text("another")
    assert statuses(case)[PAGE] == "changed"


@pytest.mark.parametrize("name", [PAGE, CASE, MANIFEST, HEAD, "c2pa/clip.mp4.json"])
def test_missing_files_are_named(case, name):
    (case / name).unlink()
    assert statuses(case)[name] == "missing"


def test_files_that_were_added_or_replaced_by_links_are_named(case, tmp_path):
    (case / "note.txt").write_text("added")
    moved = tmp_path / "page"
    (case / PAGE).rename(moved)
    (case / PAGE).symlink_to(moved)
    found = statuses(case)
    assert found["note.txt"] == "unknown"
    assert found[PAGE] == "changed"


def test_changed_evidence_is_not_the_file_that_was_examined(case, evidence, tmp_path):
    content = evidence.read_bytes()
    for at in range(0, len(content), 1000):
        evidence.write_bytes(content[:at] + bytes([content[at] ^ 128]) + content[at + 1 :])
        found = verify_case(case, [evidence])
        assert not found.holds
        assert "not the file that was examined" in str(found)
        assert not verify_case(case).holds  # looked for where it lay
    copy = tmp_path / "copy.mp4"
    copy.write_bytes(content)
    assert verify_case(case, [copy]).holds
    assert not verify_case(case, [tmp_path / "none.mp4"]).holds


def test_evidence_in_a_folder_and_evidence_that_is_not_named(tmp_path):
    for name in ("a.mp4", "b.mp4"):
        (tmp_path / name).write_bytes(name.encode())
    with Record.create(tmp_path / "cases", "a") as record:
        for name in ("a.mp4", "b.mp4"):
            record.add_input(tmp_path / name, "evidence")
        record.seal()
    moved = tmp_path / "moved"
    moved.mkdir()
    for name in ("a.mp4", "b.mp4"):
        (tmp_path / name).rename(moved / name)
    (moved / "beside.txt").write_text("not examined")
    assert verify_case(record.folder, [moved]).holds
    only_one = verify_case(record.folder, [moved / "a.mp4"])
    assert only_one.holds
    assert f"not here  {tmp_path / 'b.mp4'} (evidence)" in str(only_one)
    (moved / "b.mp4").write_bytes(b"changed")
    assert not verify_case(record.folder, [moved]).holds


def test_changed_weights_cannot_give_the_results_again(case, weights):
    weights.write_bytes(b"other weights")
    found = verify_case(case)
    assert not found.holds
    assert "cannot be reproduced from here" in str(found)


def test_case_on_another_machine_holds_without_its_inputs(case, evidence, weights):
    """Who is sent the folder has neither the weights nor the evidence, and neither was changed."""
    evidence.unlink()
    weights.unlink()
    found = verify_case(case)
    assert found.holds
    assert {f.status for f in found.findings if "(" in f.name} == {"not here"}
    assert "--evidence" in str(found)


def test_record_that_was_written_anew_is_found_by_the_head_that_was_sent(case, tmp_path, evidence, weights):
    sent = verify_case(case).closing_head
    evidence.write_bytes(b"another clip")
    forged = make_case(tmp_path, evidence, weights)
    assert verify_case(forged).holds
    assert not verify_case(forged, closing_head=sent).holds


def test_page_and_case_of_another_examination_are_found(tmp_path, evidence, weights):
    """All hashes fit, but the report tells other heads and results than the log."""
    with Record.create(tmp_path / "cases", "a") as record:
        record.examined(results_sha256=hash_results(RESULTS))
        (record.folder / PAGE).write_text("<html>" + "0" * 64, encoding="utf-8")
        case = {"results": {"people": []}, "results_sha256": hash_results(RESULTS), "examination_head": "0" * 64}
        (record.folder / CASE).write_text(json.dumps(case), encoding="utf-8")
        record.seal()
    found = statuses(record.folder)
    assert found[PAGE] == found[CASE] == "same"
    for name in (f"examination head in {PAGE}", f"examination head in {CASE}", f"results in {CASE}"):
        assert found[name] == "changed"


def with_results(folder: Path, llrs: dict[str, str | None]) -> Path:
    people = [{"name": name, "lr": None if llr is None else {"llr": llr}} for name, llr in llrs.items()]
    folder.mkdir(parents=True)
    (folder / CASE).write_text(json.dumps({"results": {"files": [{"name": "clip.mp4", "people": people}]}}))
    return folder


@pytest.mark.parametrize(
    ("again", "status", "of_person"),
    [
        ({"person 1": "0.5", "person 2": None}, "same", None),
        ({"person 1": "0.5099", "person 2": None}, "same", "same"),  # another processor
        ({"person 1": "0.4901", "person 2": None}, "same", "same"),
        ({"person 1": "0.5101", "person 2": None}, "changed", "changed"),
        ({"person 1": None, "person 2": None}, "changed", "changed"),
        ({"person 2": None}, "changed", "missing"),
        ({"person 1": "0.5", "person 2": None, "person 3": "0.1"}, "changed", "same"),
    ],
)
def test_results_of_a_rerun_are_compared_person_by_person(tmp_path, again, status, of_person):
    case = with_results(tmp_path / "a", {"person 1": "0.5", "person 2": None})
    rerun = with_results(tmp_path / "b", again)
    found = {finding.name: finding for finding in check_rerun(case, rerun)}
    assert found["results of b"].status == status
    assert (found["person 1 in clip.mp4"].status if of_person else None) == of_person
    if of_person == "changed" and again["person 1"]:
        assert "0.0101" in found["person 1 in clip.mp4"].why


def test_rerun_of_a_real_record(case, tmp_path, evidence, weights):
    again = make_case(tmp_path, evidence, weights)
    assert "results of 2026-017-2" in str(verify_case(case, rerun=again))
    assert verify_case(case, rerun=again).holds
    with pytest.raises(DataNotFoundError, match="none"):
        verify_case(case, rerun=tmp_path / "none")


def test_command_verifies_and_compares(case, tmp_path, evidence, weights, capsys):
    again = str(make_case(tmp_path, evidence, weights))
    head = verify_case(case).closing_head
    named = ["report", "--verify", str(case), "--evidence", str(evidence), "--closing-head", head, "--rerun", again]
    assert main(named) == 0
    lines = capsys.readouterr().out.splitlines()
    assert "same      results of 2026-017-2" in lines
    assert "same      closing head" in lines
    assert main([*named[:-1], str(with_results(tmp_path / "b", {"person 1": "0.5"}))]) == 1
    evidence.write_bytes(b"another")
    assert main(["report", "--verify", str(case)]) == 1
    assert main(["report", "--verify", str(tmp_path / "none")]) == 2
    assert main(["report", str(evidence), "--rerun", again]) == 2


def test_case_that_exists_is_never_overwritten_and_its_head_is_named(case, tmp_path, evidence, weights):
    second = make_case(tmp_path, evidence, weights)
    assert (case.name, second.name) == ("2026-017", "2026-017-2")
    opened = check_chain((second / LOG).read_bytes()).entries[0].data
    assert opened["earlier"] == {"folder": case.name, "head": verify_case(case).closing_head}
    assert opened["case"] == "2026-017"
    assert verify_case(case).holds
    assert make_case(tmp_path, evidence, weights).name == "2026-017-3"


def test_interrupt_ends_the_log_and_keeps_what_is_there(tmp_path, evidence):
    def stop() -> None:
        raise KeyboardInterrupt

    record = Record.create(tmp_path / "cases", "a")
    record.add_input(evidence, "evidence")
    with pytest.raises(KeyboardInterrupt), record:
        stop()
    checked = check_chain((record.folder / LOG).read_bytes())
    assert [entry.event for entry in checked.entries] == ["opened", "input", "interrupted"]
    assert not verify_case(record.folder).holds
    assert "interrupted" in str(verify_case(record.folder))


def test_failure_is_logged(tmp_path):
    with pytest.raises(MediaError), Record.create(tmp_path / "cases", "a") as record:
        record.add_input(tmp_path / "none.mp4", "evidence")
    events = check_chain((record.folder / LOG).read_bytes()).entries
    assert [entry.event for entry in events] == ["opened", "error", "interrupted"]
    assert "none.mp4" in events[1].data["message"]


def test_links_are_hashed_by_what_they_lead_to(tmp_path, evidence):
    link = tmp_path / "link.mp4"
    link.symlink_to(evidence)
    found = hash_input(link)
    assert (found.path, found.target) == (link, evidence.resolve())
    assert found.sha256 == hash_input(evidence).sha256


def test_files_are_hashed_piece_by_piece(tmp_path):
    size = 32 << 20
    with (tmp_path / "long.mp4").open("wb") as file:
        file.truncate(size)
    tracemalloc.start()
    try:
        found = hash_input(tmp_path / "long.mp4")
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert (found.bytes, found.sha256) == (size, hashlib.sha256(bytes(size)).hexdigest())
    assert peak < 4 << 20


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes with names on this system")
def test_pipes_are_never_opened(tmp_path, case):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(MediaError, match="not a regular file"):
        hash_input(tmp_path / "pipe")
    for name in (PAGE, CASE, HEAD, MANIFEST):
        (case / name).unlink()
        os.mkfifo(case / name)
    found = statuses(case)
    assert {found[name] for name in (PAGE, CASE, HEAD, MANIFEST)} == {"changed"}


def test_log_from_elsewhere_cannot_lead_out_of_its_folder(tmp_path):
    folder = tmp_path / "cases" / "a"
    log = HashChain(folder / LOG)
    log.add("opened", format=1, case="a")
    log.add("input", path="//server/share/a.mp4", sha256="0", bytes=1, role="evidence")
    log.add("input", path="a\0b", sha256="0", bytes=1, role="weights")
    log.add("output", path="../../secret", sha256=hashlib.sha256(b"secret").hexdigest())
    log.close()
    (tmp_path / "secret").write_bytes(b"secret")
    found = statuses(folder)
    assert found["../../secret"] == "changed"
    assert found["//server/share/a.mp4 (evidence)"] == "not here"


@pytest.mark.parametrize(
    ("path", "place"),
    [
        ("/home/me/lab/checkpoints/a/best.safetensors", "checkpoints/a/best.safetensors"),
        ("/media/stick/clip.mp4", "clip.mp4"),
        ("/home/me/laboratory/clip.mp4", "clip.mp4"),
        ("incoming/clip.mp4", "incoming/clip.mp4"),
        ("../clip.mp4", "../clip.mp4"),
        ("a_run", "a_run"),
        ("", ""),
    ],
)
def test_inputs_are_named_from_the_workspace(path, place):
    assert place_of(path, Path("/home/me/lab")) == place


def test_no_log_and_a_newer_log(tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataNotFoundError, match="log"):
        verify_case(tmp_path / "empty")
    log = HashChain(tmp_path / "newer" / LOG)
    log.add("opened", format=7, case="a")
    log.close()
    with pytest.raises(ParameterError, match=r"format 7.*up to 1"):
        verify_case(tmp_path / "newer")


def test_folder_that_cannot_be_made(tmp_path):
    (tmp_path / "cases").write_text("a file")
    with pytest.raises(OutputError):
        Record.create(tmp_path / "cases", "a")


def test_full_disk_does_not_make_folder_after_folder(tmp_path, monkeypatch):
    def full(*args):
        raise OutputError(errno.ENOSPC, "the disk is full")

    monkeypatch.setattr("dfworkbench.evidence.record.folder.HashChain", full)
    with pytest.raises(OutputError, match="full"):
        Record.create(tmp_path / "cases", "a")
    assert [path.name for path in (tmp_path / "cases").iterdir()] == ["a"]


def test_wrong_time_is_refused_before_a_folder_is_made(tmp_path, monkeypatch):
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "today")
    with pytest.raises(ParameterError, match="today"):
        Record.create(tmp_path / "cases", "a")
    assert not (tmp_path / "cases").exists()


def test_equal_runs_give_equal_bytes_under_source_date_epoch(tmp_path, evidence, weights, monkeypatch):
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1790000000")
    first = make_case(tmp_path / "1", evidence, weights)
    second = make_case(tmp_path / "2", evidence, weights)
    for name in (LOG, HEAD, MANIFEST):
        assert (first / name).read_bytes() == (second / name).read_bytes()
    assert "2026-09-21T" in (first / LOG).read_text()
