"""Damaged files through every reader: only our errors, at most 2 GB beyond the file, and an end within seconds.

    python tests/fuzz/fuzz.py [--count 10000] [--first 0] [READER …]

Each reader runs in a process of its own, which may crash: then the number of the file that did it is known, and the run goes on
behind it. A finding names reader, number and harm; `--first NUMBER --count 1` makes the same file again.
"""

import argparse
import contextlib
import faulthandler
import json
import logging
import os
import subprocess
import sys
import tempfile
import time
import traceback
import warnings
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))
sys.path.insert(0, str(Path(__file__).parent))

import numpy as np
from harms import ALL_HARMS
from readers import READERS

from dfworkbench.core.errors import WorkbenchError

MOST_BYTES = 2_000_000_000
MOST_SECONDS = 20.0
PATIENCE_S = 120.0


def damaged(whole: bytes, number: int) -> tuple[bytes, str]:
    """The file of a number: one to three harms, drawn from the number."""
    rng = np.random.default_rng(number)
    data, names = bytearray(whole), []
    for _ in range(int(rng.integers(1, 4))):
        if len(data) > 1:
            harm = ALL_HARMS[int(rng.integers(len(ALL_HARMS)))]
            harm(data, rng)
            names.append(harm.__name__)
    return bytes(data), "+".join(names)


def fuzz_here(name: str, first: int, count: int, seconds: float = float("inf")) -> tuple[int, list[dict[str, Any]]]:
    """Damage and read in this process. Returns how many files were read, and findings: number, harm, and what escaped."""
    reader, findings = READERS[name], []
    with tempfile.TemporaryDirectory() as scratch, _silence():
        file = Path(scratch) / "set" / reader.name
        file.parent.mkdir(parents=True)
        whole = reader.seed(file.parent)
        file.write_bytes(whole)
        accepted = reader.read(file) is not None if name not in _NOT_WHOLE else True
        assert accepted, f"{name}: the whole file is not read"
        number, end = first, time.monotonic() + seconds
        while number < first + count and time.monotonic() < end:
            data, harm = damaged(whole, number)
            file.write_bytes(data)
            if found := _attempt(reader, file, len(data)):
                findings.append({"number": number, "harm": harm, "found": found})
            number += 1
            _tell({"at": number})
    return number - first, findings


@contextlib.contextmanager
def _silence() -> Iterator[None]:
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)


#: Readers whose small file is refused, or gives nothing, although it is whole.
_NOT_WHOLE = ("hdf5", "resume", "calibrator", "map")


def _attempt(reader: Any, file: Path, size: int) -> str:
    start, before = time.perf_counter(), _peak_bytes(reset=True)
    try:
        reader.read(file)
    except WorkbenchError:
        pass
    except BaseException as error:
        ours = [frame for frame in traceback.extract_tb(error.__traceback__) if "dfworkbench" in frame.filename]
        place = f"{Path(ours[-1].filename).name}:{ours[-1].name}" if ours else ""
        return f"{type(error).__name__} in {place}: {str(error)[:120]}"
    if (grown := _peak_bytes() - before) > MOST_BYTES + size:
        return f"memory: {grown / 1e9:.1f} GB"
    taken = time.perf_counter() - start
    return f"time: {taken:.0f} s" if taken > MOST_SECONDS else ""


def _peak_bytes(reset: bool = False) -> int:
    """The most memory that was in use since the last reset; 0 where Linux's /proc does not tell."""
    try:
        if reset:
            Path("/proc/self/clear_refs").write_text("5")
        lines = Path("/proc/self/status").read_text().splitlines()
        return 1024 * next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))
    except OSError:
        return 0


def _tell(record: dict[str, Any]) -> None:
    if __name__ == "__main__":
        sys.stdout.write(json.dumps(record) + "\n")
        sys.stdout.flush()


def fuzz(name: str, first: int, count: int) -> dict[str, Any]:
    """Damage and read in a process of its own, which is started again behind a crash."""
    start, at, findings, crashes = time.monotonic(), first, [], 0
    while at < first + count and crashes < 50:
        words = [sys.executable, __file__, "--child", name, "--first", str(at), "--count", str(first + count - at)]
        with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as said:
            one_core = {**os.environ, "OMP_NUM_THREADS": "1"}
            child = subprocess.Popen(words, stdout=out, stderr=said, env=one_core)
            reached, told, waited = at, 0, time.monotonic()
            while child.poll() is None and time.monotonic() - waited < PATIENCE_S:
                time.sleep(0.2)
                if (size := out.seek(0, 2)) != told:
                    told, waited = size, time.monotonic()
            hung = child.poll() is None
            child.kill()
            child.wait()
            for file in (out, said):
                file.seek(0)
            error = said.read()
            lines = [json.loads(line) for line in out.read().splitlines() if line.endswith("}")]
        reached = max([line["at"] for line in lines if "at" in line], default=at)
        findings += [line for line in lines if "found" in line]
        if child.returncode == 0 and not hung:
            at = first + count
            continue
        if reached == at and not lines and "Traceback" in error:
            raise RuntimeError(error)
        what = f"hung: {error.strip()[-600:]}" if hung else f"crash ({child.returncode}): {error.strip()[-200:]}"
        findings.append({"number": reached, "harm": "", "found": what})
        at, crashes = reached + 1, crashes + 1
    return {"reader": name, "files": at - first, "seconds": round(time.monotonic() - start, 1), "findings": findings}


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("readers", nargs="*", default=[], metavar="READER", help=", ".join(READERS))
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--child", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.child:
        faulthandler.enable()
        faulthandler.dump_traceback_later(PATIENCE_S / 2, repeat=True)  # shows where a reader hangs
        for finding in fuzz_here(given.child, given.first, given.count)[1]:
            _tell(finding)
        return
    for name in given.readers or READERS:
        result = fuzz(name, given.first, given.count)
        sys.stdout.write(
            f"{name}: {result['files']:,} files in {result['seconds']} s, {len(result['findings'])} findings\n"
        )
        kinds = Counter(finding["found"].partition(": ")[0] for finding in result["findings"])
        for kind, times in kinds.most_common():
            example = next(finding for finding in result["findings"] if finding["found"].startswith(kind))
            sys.stdout.write(f"    {times} x {example['found']} (number {example['number']}, {example['harm']})\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
