"""Two people side by side, one of them forged: how often does the forged person's track score above the other's?

Needs the results of `make demo`: the demo set and the MesoNet4 that was trained on it. Each forged clip of the test split is
put beside a real clip of other people of the test split (left and right in turns), written as one H.264 file at CRF 23, and
scored like any file. Both people are unknown to the detector.

    python benchmarks/two_people.py [--run NAME] [--frames 16]
"""

import argparse
import sys
import tempfile
from collections import defaultdict
from pathlib import Path

import numpy as np
from scipy.stats import binomtest

from dfworkbench import load_detector, score
from dfworkbench.core.workspace import find_workspace
from dfworkbench.datasets.dataset import DataSet
from dfworkbench.evaluation.scoring.settings import ScoreSettings
from dfworkbench.media import VideoSource, VideoWriter
from dfworkbench.runs.run import Run


def write_pair(left: Path, right: Path, path: Path) -> None:
    """Both clips in one picture; they have the same size."""
    sources = VideoSource(left), VideoSource(right)
    width, height = sources[0].width_px, sources[0].height_px
    with VideoWriter(path, sources[0].fps, 2 * width, height, crf=23) as writer:
        for a, b in zip(*(source.iterate() for source in sources), strict=True):
            writer.write(np.concatenate([a.rgb, b.rgb], axis=1))


def main() -> int:
    """Run the experiment and print what came out."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--run", default="")
    parser.add_argument("--frames", type=int, default=16)
    options = parser.parse_args()
    space = find_workspace()
    loaded = load_detector(options.run or Run.newest(space).folder)
    test = DataSet.open("demo", space).split("test")
    fakes, reals = test[test["label"] == 1], test[test["label"] == 0]
    won: dict[str, list[bool]] = defaultdict(list)
    skipped = 0
    with tempfile.TemporaryDirectory() as folder:
        for number, fake in enumerate(fakes.itertuples()):
            others = reals[reals["group"] != fake.group]
            real = others.iloc[number % len(others)]
            files = [space.data / "demo" / fake.path, space.data / "demo" / real["path"]]
            side = number % 2  # of the forged person
            path = Path(folder) / f"{number:03d}.mp4"
            write_pair(*(files[::-1] if side else files), path)
            scored = score(path, loaded, ScoreSettings(frames=options.frames), progress=False)[0]
            middle = scored.width_px / 2
            tracks = {int(np.mean([box[0] + box[2] for box in t.boxes]) / 2 > middle): t for t in scored.tracks}
            if len(scored.tracks) != 2 or len(tracks) != 2:
                skipped += 1
                continue
            won[fake.forgery].append(tracks[side].fake_probability > tracks[1 - side].fake_probability)
    both = [hit for hits in won.values() for hit in hits]
    interval = binomtest(sum(both), len(both)).proportion_ci(method="wilson")
    print(f"{loaded.name}: the forged person scores higher in {sum(both)} of {len(both)} clips ", end="")
    print(f"({np.mean(both):.0%}, 95 % Wilson interval {interval.low:.0%} to {interval.high:.0%})")
    for kind, hits in sorted(won.items()):
        print(f"  {kind:15s} {sum(hits)} of {len(hits)}")
    if skipped:
        print(f"  {skipped} clips left out: not exactly two tracks, one on each side")
    return 0


if __name__ == "__main__":
    sys.exit(main())
