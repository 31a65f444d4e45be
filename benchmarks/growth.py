"""How do time and memory grow with the work? Each thing once, ten and a hundred times, every size in a process of its own.

    python benchmarks/growth.py [extraction pictures "long video" crowd scoring batches evaluation report runs] [--most 100]

Times are CPU seconds of the process and its children, without imports and preparation. Memory is how far the peak of the process
rises above what it held before. `report` and `runs` need a run of the demo set in the workspace (`make demo`).
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

#: What is done, its smallest size, and the unit of that.
SIZES = {
    "extraction": (2, "clips of 32 frames"),
    "pictures": (100, "photographs of the trial folder"),
    "long video": (100, "frames, of which 16 are searched"),
    "crowd": (1, "faces in a picture of 1280 px"),
    "scoring": (2, "clips of 32 frames"),
    "batches": (64, "crops"),
    "evaluation": (3_200, "rows"),
    "report": (1, "runs of different detectors"),
    "runs": (1, "runs in checkpoints/"),
}


def cpu_s() -> float:
    """Of this process and of its children that have ended."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


def measure(name: str, size: int) -> None:
    """Do the work of one size and print CPU seconds, wall-clock seconds and megabytes as JSON."""
    from growth_parts.work import WORK  # not at the top: the process that starts the others needs none of it

    with tempfile.TemporaryDirectory() as folder:
        work = WORK[name](Path(folder), size)
        before, start, wall = peak_mb(), cpu_s(), time.perf_counter()
        work()
        print(json.dumps([cpu_s() - start, time.perf_counter() - wall, peak_mb() - before]))


def peak_mb() -> float:
    """Largest resident memory so far, of this process or of a child that has ended."""
    return max(resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)) / 1024


def in_a_process(name: str, size: int) -> list[float] | str:
    """What `measure` prints, or the last line of an error."""
    done = subprocess.run([sys.executable, __file__, "--one", name, str(size)], capture_output=True, text=True)
    if done.returncode:
        return (done.stderr.strip().splitlines() or [f"exit status {done.returncode}"])[-1]
    return json.loads(done.stdout.strip().splitlines()[-1])


def main() -> None:
    """Print a Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("work", nargs="*", help=f"which of {', '.join(SIZES)}; all if nothing is named")
    parser.add_argument("--most", type=int, choices=(10, 100), default=100, help="how many times the smallest size")
    parser.add_argument("--one", nargs=2, metavar=("WORK", "SIZE"), help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.one:
        measure(given.one[0], int(given.one[1]))
        return
    if unknown := set(given.work) - set(SIZES):
        parser.error(f"there is no work {', '.join(sorted(unknown))}; choose from {', '.join(SIZES)}")
    print("| work | size | CPU time | for ten times the work | memory |\n|---|---|---|---|---|", flush=True)
    for name in given.work or SIZES:
        smallest, unit = SIZES[name]
        earlier = None
        for factor in (1, 10, 100):
            if factor > given.most:
                break
            found = in_a_process(name, factor * smallest)
            if isinstance(found, str):
                print(f"| {name} | {factor * smallest:,} {unit} | left out: {found} | | |", flush=True)
                break
            taken, _, memory = found
            times = f"{taken / earlier:.1f} times" if earlier else ""
            print(f"| {name} | {factor * smallest:,} {unit} | {taken:.3g} s | {times} | {memory:,.0f} MB |", flush=True)
            earlier = taken


if __name__ == "__main__":
    main()
