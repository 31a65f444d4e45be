"""How fast is dfworkbench against what people would use instead? Frames, faces, attributions, training batches, bootstrap.

All ways run in one process with one thread each, in turns: one run to warm up, then --runs rounds. The tables give medians of
CPU and wall-clock seconds, and the CPU time of the others over ours, round by round: above 1 ours is faster. A package that is
not installed is left out, with a line that says how to install it.

    pip install -e '.[benchmarks]'
    python benchmarks/peers.py [video faces attributions batches bootstrap] [--runs 5] [--only TEXT] [--folder FOLDER]

With DFWORKBENCH_TRIALS set to a folder of real photographs and clips, these are measured as well.
"""

import argparse
import os
import tempfile
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
os.environ.setdefault("GLOG_minloglevel", "2")  # MediaPipe's log

from importlib import import_module

import cv2
import torch
from peer_parts.packages import versions

PARTS = ("video", "faces", "attributions", "batches", "bootstrap")


def main() -> None:
    """Print the tables of the chosen parts."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("part", nargs="*", help=f"which of {', '.join(PARTS)}; all if none is named")
    parser.add_argument("--runs", type=int, default=5, help="rounds that are measured")
    parser.add_argument(
        "--only", default="", help="measure only what has this text in its title, as 1080p, crowd, mesonet4"
    )
    parser.add_argument("--folder", type=Path, help="where generated clips are kept for the next time")
    given = parser.parse_args()
    if unknown := set(given.part) - set(PARTS):
        parser.error(f"there is no part {', '.join(sorted(unknown))}; choose from {', '.join(PARTS)}")
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    print(versions())
    with tempfile.TemporaryDirectory() as temporary:
        for part in given.part or PARTS:
            print(f"\n## {part}")
            import_module(f"peer_parts.{part}").compare(given.folder or Path(temporary), given.runs, given.only)


if __name__ == "__main__":
    main()
