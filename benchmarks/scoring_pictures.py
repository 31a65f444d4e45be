"""CPU seconds of scoring a small picture over those of looking for its face, which extraction does too.

Generated pictures of the demo set (notebook 00), cut to 256 px; one thread, everything loaded before the clock starts.

    python benchmarks/scoring_pictures.py [--pictures 100]
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Callable
from itertools import cycle, islice
from pathlib import Path
from typing import Any

import cv2
import torch

from dfworkbench.core.workspace import find_workspace
from dfworkbench.evaluation.scoring.score import score
from dfworkbench.faces import FaceFinder, FaceSettings, faces_in_file
from dfworkbench.media import VideoSource, write_png
from dfworkbench.models import build_detector
from dfworkbench.runs.checkpoints import LoadedDetector


def write_pictures(folder: Path, count: int) -> list[Path]:
    """One frame each of the demo set's real videos, in turns."""
    videos = sorted(find_workspace().data.glob("demo/original_sequences/youtube/c23/videos/*.mp4"))
    files = []
    for number, video in enumerate(islice(cycle(videos), count)):
        source = VideoSource(video)
        frame = next(source.iterate([7 * (number // len(videos)) % source.frames_expected], 1)).rgb
        side = min(frame.shape[:2])
        files.append(folder / f"p{number:03d}.png")
        write_png(files[-1], cv2.resize(frame[:side, :side], (256, 256), interpolation=cv2.INTER_AREA))  # pyright: ignore
    return files


def cpu_s(work: Callable[[], Any]) -> float:
    """CPU seconds of a call."""
    start = time.process_time()
    work()
    return time.process_time() - start


def main() -> int:
    """Run the experiment and print what came out."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--pictures", type=int, default=100)
    count = parser.parse_args().pictures
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    network = build_detector("mesonet4", size_px=256).eval()
    loaded = LoadedDetector(network, "mesonet4", network.input_spec, {}, Path("none"))
    finder = FaceFinder(FaceSettings())
    with tempfile.TemporaryDirectory() as folder:
        files = write_pictures(Path(folder), count)
        score(files[:2], loaded, progress=False)

        def look() -> None:
            for file in files:
                _ = [face.tile.png for face in faces_in_file(file, finder=finder, threads=1, png=True).detections]

        before, scored, after = cpu_s(look), cpu_s(lambda: score(files, loaded, progress=False)), cpu_s(look)
    looked = (before + after) / 2
    sys.stdout.write(
        f"{count} pictures: scoring {scored / count:.4f} CPU s each, finding and storing their faces {looked / count:.4f}: "
        f"{scored / looked:.1f} times as much\n"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
