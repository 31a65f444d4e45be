"""Extraction of a data set: video table in, face crops, face table and completed video table out."""

import logging
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from tqdm.auto import tqdm

from dfworkbench.core.locks import held
from dfworkbench.core.names import STATUS_OK
from dfworkbench.core.safe_paths import require_below, require_folder_name
from dfworkbench.core.settings import parse_options
from dfworkbench.core.workspace import Workspace, find_workspace, require_writable
from dfworkbench.datasets.domain import write_source
from dfworkbench.datasets.layouts import read_layout
from dfworkbench.datasets.splits import assign_splits, write_splits
from dfworkbench.datasets.tables import FACES, VIDEOS, write_table
from dfworkbench.extraction.lacking import missing, say_what_is_lacking
from dfworkbench.extraction.part import Job, Part, parts_folder, read_part
from dfworkbench.extraction.settings import ExtractSettings
from dfworkbench.extraction.workers import run_jobs
from dfworkbench.faces import resolve_weights
from dfworkbench.faces.settings import FaceSettings
from dfworkbench.media import is_missing

_log = logging.getLogger(__name__)


class Extracted(NamedTuple):
    """What an extraction leaves: both tables as written, and the hash of the splits ("" if none were written)."""

    videos: pd.DataFrame
    faces: pd.DataFrame
    splits: str


def extract(settings: ExtractSettings, workspace: Workspace | None = None, progress: bool = True) -> Extracted:
    """Extract a data set; started again, it goes on where it was stopped.

    Writes labels/<name>/videos.csv, faces.parquet, splits.csv and splits.json, and the crops below extracted/<name>/.

    Args:
        settings: Data set, faces, where to run.
        workspace: Where everything lies; found from the current folder if left out.
        progress: Show a bar with the time left.

    Raises:
        DataNotFoundError: The data set is not there.
        OutputError: Results cannot be written; work that is done is kept.
    """
    workspace = workspace or find_workspace()
    root = settings.root or workspace.data / settings.name
    options = parse_options(settings.layout_options)
    videos = read_layout(settings.layout, root, settings.name, **{"compression": settings.compression, **options})
    if settings.limit:
        videos = videos.iloc[np.unique(np.linspace(0, len(videos) - 1, settings.limit).astype(int))]
    videos = assign_splits(videos.reset_index(drop=True), settings.split_rule, seed=settings.split_seed)
    extracted = extract_table(
        videos, root, settings.name, workspace, settings.faces,
        workers=settings.workers, scheduler=settings.scheduler, progress=progress,
    )  # fmt: skip
    folder = workspace.labels / settings.name
    write_source(folder, Path(root), settings.layout)
    digest = write_splits(extracted.videos, folder, rule=settings.split_rule, seed=settings.split_seed)
    return extracted._replace(splits=digest)


def extract_table(
    videos: pd.DataFrame,
    root: Path,
    name: str,
    workspace: Workspace,
    faces: FaceSettings,
    *,
    workers: int = 0,
    scheduler: str = "",
    progress: bool = True,
) -> Extracted:
    """Extract the files of a video table.

    Args:
        videos: Video table; `path` is below `root`.
        root: Folder of the data set.
        name: Folder below labels/ and extracted/.
        workspace: Where both lie.
        faces: Which faces come out.
        workers: Processes on this machine; 0 for one per core.
        scheduler: Address of a running Dask scheduler, whose workers see the same files; "" for processes here.
        progress: Show a bar with the time left.

    Returns:
        The tables, sorted as `videos` is; files without faces have a status and a reason.

    Raises:
        OutputError: Another process extracts this data set, or results cannot be written.
    """
    require_folder_name("naming a data set", name)
    videos = VIDEOS.complete(videos)  # its paths become folders that are written to and emptied
    faces = resolve_weights(faces)  # from here on the same weights for all files, whatever a worker finds
    root, extracted = Path(root).expanduser().resolve(), workspace.extracted
    path_of = dict(zip(videos["video_id"], videos["path"], strict=True))
    jobs = [
        Job(
            row.video_id, row.path, root / row.path, extracted, name, faces,
            mask=root / row.mask_path if row.mask_path else None,
            genuine=root / path_of[row.genuine_id] if row.genuine_id in path_of else None,
        )
        for row in videos.itertuples()
    ]  # fmt: skip
    labels = workspace.labels / name
    for folder, base in ((parts_folder(extracted, name), extracted), (labels, workspace.labels)):
        require_below(folder, base, "extracting faces")
        require_writable(folder, "extracted faces")
    with held(labels, f"extracting the data set {name!r}"):
        parts = _extract_all(jobs, name, workers, scheduler, progress)
        tables = _write_tables(videos, parts, labels, exact=faces.exact and faces.finds_faces)
    say_what_is_lacking(tables.videos, faces.frames)
    return tables


def _extract_all(jobs: list[Job], name: str, workers: int, scheduler: str, progress: bool) -> list[Part]:
    """The parts of all videos; those that are there already are not made again."""
    parts = {number: part for number, job in enumerate(jobs) if (part := read_part(job)) is not None}
    # a message to a worker and back takes longer than the look: of long lists often only a few files were downloaded
    parts |= {number: missing(job) for number, job in enumerate(jobs) if is_missing(job.file)}
    todo = [number for number in range(len(jobs)) if number not in parts]
    with tqdm(total=len(jobs), initial=len(parts), unit="video", desc=f"Faces of {name}", disable=not progress) as bar:
        if todo:
            for number, part in run_jobs([jobs[number] for number in todo], workers, scheduler):
                parts[todo[number]] = part
                _report(jobs[todo[number]], part)
                bar.update()
    return [parts[number] for number in range(len(jobs))]


def _report(job: Job, part: Part) -> None:
    if part.video["status"] != STATUS_OK:
        _log.info("%s: %s (%s)", job.video_id, part.video["status"], part.video["reason"])


def _write_tables(videos: pd.DataFrame, parts: list[Part], folder: Path, *, exact: bool) -> Extracted:
    results = pd.DataFrame([part.video for part in parts], index=videos.index)
    videos = VIDEOS.complete(videos)
    for column in results:
        known = results[column].notna()
        videos.loc[known, column] = results.loc[known, column].astype(videos[column].dtype)
    rows = [{**face, "exact": exact} for part in parts for face in part.faces]
    faces = FACES.complete(pd.DataFrame(rows)) if rows else FACES.empty()
    write_table("face", faces, folder / "faces.parquet")
    write_table("video", videos, folder / "videos.csv")
    return Extracted(videos, faces, "")
