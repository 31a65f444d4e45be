"""Where does a cold `dfworkbench score` spend its time? A 10 s 720p clip in a fresh process, from start to verdict.

    python benchmarks/cold_score.py [--repeats 5] [--frames 32] [--modules]

The clip is generated: one person talking, 250 frames, H.264 at CRF 23. The detector is a MesoNet4 with random weights, whose values
do not change the time. Two kinds of fresh processes take turns: one runs the command as a person does, with all cores, for the
seconds from start to end; one runs the same command on one core with a clock around each part, for the split in CPU seconds. Each
line is the median, with the lowest and highest. `--modules` also names packages whose import takes more than 50 ms.
"""

import argparse
import builtins
import gc
import importlib
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

WIDTH, HEIGHT, FPS, LENGTH, RECORDED, PANEL = 1280, 720, 25, 250, 50, 512
PARTS = ("start", "imports", "model", "decoding", "faces", "scoring", "rest")


class Clock:
    """CPU seconds of parts that may lie in one another: time counts for the innermost one."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = defaultdict(float)
        self.open = ["start"]
        self.last = 0.0  # process_time began with the process

    def turn(self) -> None:
        """Charge the time since the last turn."""
        now = time.process_time()
        self.seconds[self.open[-1]] += now - self.last
        self.last = now

    def within(self, part: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """The same function, whose time counts for a part."""

        def timed(*arguments: Any, **named: Any) -> Any:
            self.turn()
            self.open.append(part)
            try:
                return function(*arguments, **named)
            finally:
                self.turn()
                self.open.pop()

        return timed

    def steps(self, part: str, function: Callable[..., Iterator[Any]]) -> Callable[..., Iterator[Any]]:
        """The same generator function; the time of each step counts for a part."""

        def timed(*arguments: Any, **named: Any) -> Iterator[Any]:
            step = self.within(part, function(*arguments, **named).__next__)
            while True:
                try:
                    yield step()
                except StopIteration:
                    return

        return timed


def run_split(words: list[str]) -> None:
    """Run a command with a clock around its parts, and print the seconds as JSON in the last line."""
    clock = Clock()
    clock.turn()
    clock.open = ["rest"]
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})  # one core: no part runs beside another
    builtins.__import__ = clock.within("imports", builtins.__import__)
    importlib.import_module = clock.within("imports", importlib.import_module)
    gc.disable()  # as the command does while it imports
    from dfworkbench.__main__ import main
    from dfworkbench.evaluation.scoring import file_scorer, files, loading
    from dfworkbench.faces import files as face_files
    from dfworkbench.media.video.source import VideoSource

    gc.enable()
    find = file_scorer.faces_in_file
    file_scorer.faces_in_file = clock.within("faces", lambda path, faces, finder, _: find(path, faces, finder, 1))
    file_scorer.forward = clock.within("scoring", file_scorer.forward)
    loading.load_detector = clock.within("model", loading.load_detector)
    files.FaceFinder = clock.within("model", files.FaceFinder)
    face_files.open_source = clock.within("decoding", face_files.open_source)
    VideoSource.iterate = clock.steps("decoding", VideoSource.iterate)
    code = main(words)
    clock.turn()
    assert code == 0
    sys.stdout.write("\n" + json.dumps(clock.seconds))


def make_clip(path: Path) -> None:
    """One person talking, 10 s at 1280 x 720: two seconds forwards and backwards, because drawing takes long."""
    import numpy as np

    from dfworkbench.media import VideoWriter
    from dfworkbench.synthetic.clip import make_person, record

    panel = record(make_person(1, PANEL), 1, PANEL, RECORDED, FPS).frames
    top, left = (HEIGHT - PANEL) // 2, (WIDTH - PANEL) // 2
    frame = np.full((HEIGHT, WIDTH, 3), 96, np.uint8)
    with VideoWriter(path, FPS, WIDTH, HEIGHT, crf=23) as writer:
        for number in range(LENGTH):
            lap, at = divmod(number, RECORDED)
            frame[top : top + PANEL, left : left + PANEL] = panel[at if lap % 2 == 0 else RECORDED - 1 - at]
            writer.write(frame)


def make_weights(path: Path) -> None:
    """A MesoNet4 that was not trained."""
    import torch

    from dfworkbench.models import build_detector
    from dfworkbench.runs.checkpoints import save_detector

    torch.manual_seed(0)
    save_detector(path, build_detector("mesonet4"), "mesonet4", {})


def whole(words: list[str]) -> tuple[float, float]:
    """Seconds from start to end of the command in a fresh process, and its CPU seconds."""
    before, start = os.times(), time.perf_counter()
    subprocess.run([sys.executable, "-m", "dfworkbench", *words], check=True, capture_output=True)
    took, after = time.perf_counter() - start, os.times()
    spent = after.children_user + after.children_system - before.children_user - before.children_system
    return took, spent


def split(words: list[str]) -> dict[str, float]:
    """CPU seconds of each part, in a fresh process."""
    command = [sys.executable, __file__, "--split", *words]
    out = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return json.loads(out.splitlines()[-1])


def slow_modules(words: list[str]) -> list[tuple[str, float]]:
    """Packages whose own modules take more than 50 ms to import, slowest first (`python -X importtime`)."""
    command = [sys.executable, "-X", "importtime", "-m", "dfworkbench", *words]
    lines = subprocess.run(command, check=True, capture_output=True, text=True).stderr
    took: dict[str, float] = defaultdict(float)
    for own, name in re.findall(r"import time:\s+(\d+) \|\s+\d+ \|\s+(\S+)", lines):
        took[name.partition(".")[0]] += int(own) / 1e6
    return [(name, seconds) for name, seconds in sorted(took.items(), key=lambda item: -item[1]) if seconds > 0.05]


def spread(values: list[float]) -> str:
    """Median, lowest and highest."""
    return f"{statistics.median(values):6.2f}   ({min(values):.2f} to {max(values):.2f})"


def main() -> None:
    """Measure and print."""
    if sys.argv[1:2] == ["--split"]:
        run_split(sys.argv[2:])
        return
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--frames", type=int, default=32, help="frames sampled, as of dfworkbench score")
    parser.add_argument("--clip", type=Path, help="measure this file instead of the generated clip")
    parser.add_argument("--modules", action="store_true", help="also name the packages that are slow to import")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        clip, weights = given.clip or Path(folder) / "clip.mp4", Path(folder) / "mesonet4.safetensors"
        if not given.clip:
            make_clip(clip)
        make_weights(weights)
        words = ["score", str(clip), "--checkpoint", str(weights), "--frames", str(given.frames)]
        whole(words)  # files of Python and libraries come from the disk once
        runs = [(whole(words), split(words)) for _ in range(given.repeats)]
        sys.stdout.write(f"seconds from start to verdict {spread([took for (took, _), _ in runs])}\n")
        sys.stdout.write(f"CPU seconds                   {spread([spent for (_, spent), _ in runs])}\n")
        sys.stdout.write("of these on one core:\n")
        for part in PARTS:
            sys.stdout.write(f"  {part:<27} {spread([parts.get(part, 0.0) for _, parts in runs])}\n")
        if given.modules:
            for name, seconds in slow_modules(words):
                sys.stdout.write(f"  import {name:<20} {seconds:6.2f}\n")


if __name__ == "__main__":
    main()
