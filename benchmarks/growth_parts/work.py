"""Work that can be made ten and a hundred times as large: extraction, scoring, training batches, evaluation, a report.

Each function prepares, outside the measured time, and returns what is then measured. Nothing is imported at the top that the
measured process would not need anyway: what a step holds in memory is counted on top of the imports and of a warm-up.
"""

import itertools
import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from bootstrap import make_table
from numpy.typing import NDArray

from dfworkbench.core.errors import DataNotFoundError
from dfworkbench.core.workspace import Workspace, find_workspace
from dfworkbench.datasets.tables import VIDEOS
from dfworkbench.faces import FaceFinder, FaceSettings, faces_in_file
from dfworkbench.media import VideoWriter, write_png
from dfworkbench.models import build_detector
from dfworkbench.runs.checkpoints import LoadedDetector
from dfworkbench.synthetic.clip import make_person, record

SIDE, FPS = 192, 25
Work = Callable[[], object]


def _face(frames: int, side: int = SIDE) -> list[NDArray[np.uint8]]:
    return record(make_person(1, side), 1, side, frames, FPS).frames


def _write(path: Path, frames: Iterator[NDArray[np.uint8]], shape: tuple[int, ...]) -> None:
    with VideoWriter(path, FPS, shape[1], shape[0], crf=23, preset="ultrafast") as writer:
        for rgb in frames:
            writer.write(rgb)


def _clips(folder: Path, count: int) -> list[Path]:
    """The same clip of 32 frames under many names."""
    frames = _face(32)
    _write(folder / "clip_0000.mp4", iter(frames), frames[0].shape)
    names = [folder / f"clip_{number:04d}.mp4" for number in range(count)]
    for name in names[1:]:
        shutil.copy(names[0], name)
    return names


def _detector() -> LoadedDetector:
    torch.manual_seed(0)
    network: Any = build_detector("mesonet4", size_px=128).eval()
    return LoadedDetector(network, "mesonet4", network.input_spec, {}, Path())


def extraction_of_videos(folder: Path, count: int) -> Work:
    """Extract clips with one worker process."""
    from dfworkbench.extraction.extract import extract_table

    paths = _clips(folder, count)
    table = VIDEOS.complete(
        [{"video_id": f"g/{path.name}", "dataset": "g", "path": path.name, "label": 0} for path in paths]
    )
    space = Workspace(folder / "space")
    return lambda: extract_table(table, folder, "g", space, FaceSettings(), workers=1, progress=False)


def extraction_of_pictures(folder: Path, count: int) -> Work:
    """Extract photographs of the trial folder, copied until there are so many, with one worker process."""
    from dfworkbench.extraction.extract import extract_table

    trials = Path(os.environ.get("DFWORKBENCH_TRIALS", "")) / "media" / "real_faces"
    photographs = sorted(trials.rglob("*.jpg"))
    if not photographs:
        raise DataNotFoundError(
            f"growth of pictures: no photographs in {trials}. Set DFWORKBENCH_TRIALS to the folder."
        )
    names = [f"{number:05d}.jpg" for number in range(count)]
    for name, photograph in zip(names, itertools.cycle(photographs), strict=False):
        shutil.copy(photograph, folder / name)
    table = VIDEOS.complete([{"video_id": f"g/{name}", "dataset": "g", "path": name, "label": 0} for name in names])
    space = Workspace(folder / "space")
    return lambda: extract_table(table, folder, "g", space, FaceSettings(), workers=1, progress=False)


def search_of_a_long_video(folder: Path, frames: int) -> Work:
    """16 sampled frames of one clip of so many."""
    there = _face(50)
    back = there + there[-2:0:-1]
    _write(folder / "long.mp4", (back[number % len(back)] for number in range(frames)), there[0].shape)
    finder = FaceFinder(FaceSettings())
    finder.find(there[0])
    return lambda: faces_in_file(folder / "long.mp4", finder.settings, finder, threads=1)


def search_of_a_crowd(folder: Path, faces: int) -> Work:
    """One picture of 1280 px with so many faces, in ten columns."""
    picture, face = np.full((1280, 1280, 3), 96, np.uint8), _face(1, 128)[0]
    for number in range(faces):
        top, left = 128 * (number // 10), 128 * (number % 10)
        picture[top : top + 128, left : left + 128] = face
    write_png(folder / "crowd.png", picture)
    finder = FaceFinder(FaceSettings())
    finder.find(picture[:128, :128])
    return lambda: faces_in_file(folder / "crowd.png", finder.settings, finder, threads=1)


def scoring_of_files(folder: Path, count: int) -> Work:
    """Score clips; thumbnails are kept, as in a notebook."""
    from dfworkbench.evaluation.scoring.score import score

    paths, detector = _clips(folder, count), _detector()
    return lambda: score(paths, detector, progress=False)


def batches_of_crops(folder: Path, count: int) -> Work:
    """One epoch of batches of 32 from PNG crops that are not kept in memory."""
    from dfworkbench.datasets.dataset import DataSet
    from dfworkbench.datasets.face_dataset import FaceDataset
    from dfworkbench.extraction.extract import extract_table
    from dfworkbench.training.batches import make_loader, split_batches

    _clips(folder, 1)
    table = VIDEOS.complete([{"video_id": "g/clip_0000.mp4", "dataset": "g", "path": "clip_0000.mp4", "label": 0}])
    space = Workspace(folder / "space")
    found: DataSet = extract_table(table, folder, "g", space, FaceSettings(), workers=1, progress=False)
    faces = pd.concat([found.faces] * (count // len(found.faces) + 1), ignore_index=True)[:count]
    # frames that differ: a sample is named by them
    faces = faces.assign(frame=np.arange(count), row_id=[f"g/clip_0000.mp4#0#{frame}" for frame in range(count)])
    data = FaceDataset(faces, found.videos, _detector().input_spec, space.extracted, cache_mb=0)
    batches = split_batches(np.arange(len(data)), 32)
    return lambda: sum(1 for _ in make_loader(data, batches, workers=0, pin=False))


def evaluation_of_rows(folder: Path, rows: int) -> Work:
    """Five metrics on frame and video level with 1,000 draws over videos of 16 frames."""
    from dfworkbench.evaluation.metrics.evaluate import evaluate
    from dfworkbench.evaluation.metrics.interval import Judging

    table = make_table(rows // 16, 16)
    return lambda: evaluate(table, ["frame", "video"], Judging(draws=1000))


def report_of_runs(folder: Path, count: int) -> Work:
    """The report of notebook 09 on runs of different detectors: copies of one run of the workspace, with other settings."""
    from dfworkbench.notebook.report.page import write_report
    from dfworkbench.notebook.report.runs import read_runs
    from dfworkbench.runs.run import Run

    space = find_workspace()
    folders = [space.checkpoints / name for name in Run.names(space)]
    found, _ = read_runs([folder for folder in folders if Run(folder).trained_on == "demo"], ["demo"], score=False)
    if not found:
        raise SystemExit("it needs a run trained on the demo set, with test scores, in the workspace: make demo")
    run = found[0]
    copies = []
    for number in range(count):
        copy = folder / f"run_{number:03d}"
        shutil.copytree(run.folder, copy, ignore=shutil.ignore_patterns("*.safetensors", "resume.pt", "*.ipynb"))
        rate = run.settings.learning_rate * (1 + number / 1000)
        copies.append(replace(run, folder=copy, page=None, settings=run.settings.replace(learning_rate=rate)))
    return lambda: write_report(copies, folder / "report.html", workspace=space)


def listing_of_runs(folder: Path, count: int) -> Work:
    """Find and open the runs of a workspace: `checkpoints/` with so many copies of one run's settings, history and weights."""
    from dfworkbench.runs.run import Run

    space = find_workspace()
    names = Run.names(space)
    if not names:
        raise SystemExit("it needs a run in the workspace: make demo")
    for number in range(count):
        shutil.copytree(
            space.checkpoints / names[0], folder / "checkpoints" / f"run_{number:03d}", copy_function=_link,
            ignore=shutil.ignore_patterns("resume.pt", "*.ipynb"),
        )  # fmt: skip
    there = Workspace(folder)
    return lambda: [Run.open(name, there).trained_on for name in Run.names(there)]


def _link(source: str, target: str) -> None:
    Path(target).symlink_to(source)


WORK: dict[str, Callable[[Path, int], Work]] = {
    "extraction": extraction_of_videos, "pictures": extraction_of_pictures, "long video": search_of_a_long_video,
    "crowd": search_of_a_crowd, "scoring": scoring_of_files, "batches": batches_of_crops,
    "evaluation": evaluation_of_rows, "report": report_of_runs, "runs": listing_of_runs,
}  # fmt: skip
