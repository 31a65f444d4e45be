"""How does extraction scale from one worker process to two? Wall-clock time of whole extractions, start of workers included.

    python benchmarks/scaling.py [--videos 48] [--repeats 1]

The videos are copies of the generated call of `extraction.py` (1280 x 720, 300 frames, three people), 16 frames of each.
Starting and stopping workers takes about 5 s whatever there is to do, so a few videos scale less. The program fails unless
two workers are at least 1.7 times as fast as one; it needs two idle cores.
"""

import argparse
import os
import shutil
import sys
import tempfile
import time
from pathlib import Path

from extraction import make_call

from dfworkbench.core.workspace import Workspace
from dfworkbench.datasets.tables import VIDEOS
from dfworkbench.extraction.extract import extract_table
from dfworkbench.faces import FaceSettings

WANTED = 1.7


def main() -> int:
    """Run the benchmark; 0 if it reaches what is wanted."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--videos", type=int, default=48)
    parser.add_argument("--repeats", type=int, default=1)
    options = parser.parse_args()
    seconds: dict[int, float] = {}
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        make_call(root / "call.mp4")
        names = [f"{number:03d}.mp4" for number in range(options.videos)]
        for name in names:
            os.link(root / "call.mp4", root / name)
        table = VIDEOS.complete([{"video_id": f"x/{n}", "dataset": "x", "path": n, "label": 0} for n in names])
        for repeat in range(options.repeats):
            for workers in (1, 2):  # in turns, so that a busy machine hits both; the best of each counts
                space = root / f"workspace_{workers}_{repeat}"
                start = time.perf_counter()
                extract_table(table, root, "x", Workspace(space), FaceSettings(), workers=workers, progress=False)
                seconds[workers] = min(seconds.get(workers, float("inf")), time.perf_counter() - start)
                shutil.rmtree(space)
    ratio = seconds[1] / seconds[2]
    for workers, spent in seconds.items():
        print(f"{workers} worker(s)  {spent:6.1f} s   {options.videos / spent:.2f} videos/s")
    print(f"ratio        {ratio:6.2f}")
    print("passed" if ratio >= WANTED else f"FAILED: wanted {WANTED}")
    return 0 if ratio >= WANTED else 1


if __name__ == "__main__":
    sys.exit(main())
