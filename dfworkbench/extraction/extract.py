"""Extract a data set: from a video table to face crops, the face table and the completed video table."""

import logging
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
from tqdm.auto import tqdm

from dfworkbench.core.names import STATUS_OK
from dfworkbench.core.safe_paths import require_below, require_folder_name
from dfworkbench.core.settings import parse_options
from dfworkbench.core.workspace import Workspace, find_workspace, require_writable
from dfworkbench.datasets.dataset import DataSet
from dfworkbench.datasets.dataset_writer import DataSetWriter
from dfworkbench.datasets.layouts import read_layout
from dfworkbench.datasets.splits import assign_splits
from dfworkbench.datasets.tables import FACES, VIDEOS
from dfworkbench.extraction.lacking import missing, say_what_is_lacking
from dfworkbench.extraction.part import Job, Part, read_part
from dfworkbench.extraction.settings import ExtractSettings
from dfworkbench.extraction.workers import run_jobs
from dfworkbench.faces import resolve_weights
from dfworkbench.faces.settings import FaceSettings
from dfworkbench.media import is_missing

_log = logging.getLogger(__name__)


def extract(settings: ExtractSettings, workspace: Workspace | None = None, progress: bool = True) -> DataSet:
    """Extract a data set; a restarted extraction continues where it stopped.

    Args:
        settings: Data set, face settings, and where to run.
        workspace: The workspace; found from the current folder if omitted.
        progress: Whether to show a progress bar.

    Returns:
        The data set, with its tables and splits written.

    Raises:
        DataNotFoundError: The data set is not there.
        OutputError: Another process is extracting it, or results cannot be written; finished work is kept.
    """
    workspace = workspace or find_workspace()
    root = settings.root or workspace.data / settings.name
    options = parse_options(settings.layout_options)
    videos = read_layout(settings.layout, root, settings.name, **{"compression": settings.compression, **options})
    if settings.limit:
        videos = videos.iloc[np.unique(np.linspace(0, len(videos) - 1, settings.limit).astype(int))]
    videos = assign_splits(videos.reset_index(drop=True), settings.split_rule, seed=settings.split_seed)

    def finish(writer: DataSetWriter, videos: pd.DataFrame) -> None:
        writer.source(root, settings.layout, resolve_weights(settings.faces))
        writer.splits(videos, rule=settings.split_rule, seed=settings.split_seed)

    return extract_table(
        videos, root, settings.name, workspace, settings.faces,
        workers=settings.workers, scheduler=settings.scheduler, progress=progress, finish=finish,
    )  # fmt: skip


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
    finish: Callable[[DataSetWriter, pd.DataFrame], None] | None = None,
) -> DataSet:
    """Extract the files in a video table, without splits.

    Args:
        videos: Video table; `path` is below `root`.
        root: Folder of the data set.
        name: Name of the folders in labels/ and extracted/.
        workspace: Workspace with these folders.
        faces: Face settings.
        workers: Processes on this machine; 0 for one per core.
        scheduler: Address of a running Dask scheduler whose workers see the same files; "" for local processes.
        progress: Whether to show a progress bar.
        finish: Called with the completed video table to write more files while the set is locked.

    Returns:
        The data set; its tables are sorted like `videos`, and files without faces have a status and a reason.

    Raises:
        OutputError: Another process is extracting this data set, or results cannot be written.
    """
    data, doing = DataSet(name, workspace), f"extracting the data set {name!r}"
    crops = data.crops_root / require_folder_name(doing, name)
    require_below(crops, data.crops_root, doing)
    require_writable(crops, "extracted faces")
    videos = VIDEOS.complete(videos)  # its paths become folders that are written to and emptied
    faces = resolve_weights(faces)  # from here on, the same weights for all files, whatever a worker finds
    root = Path(root).expanduser().resolve()
    path_of = dict(zip(videos["video_id"], videos["path"], strict=True))
    jobs = [
        Job(
            row.video_id, row.path, root / row.path, data.crops_root, name, faces,
            mask=root / row.mask_path if row.mask_path else None,
            genuine=root / path_of[row.genuine_id] if row.genuine_id in path_of else None,
        )
        for row in videos.itertuples()
    ]  # fmt: skip
    with data.writing(doing) as writer:
        parts = _extract_all(jobs, name, workers, scheduler, progress)
        videos, rows = _joined(videos, parts, exact=faces.exact and faces.finds_faces)
        writer.tables(videos, rows)
        if finish:
            finish(writer, videos)
    say_what_is_lacking(videos, faces.frames)
    return data


def _extract_all(jobs: list[Job], name: str, workers: int, scheduler: str, progress: bool) -> list[Part]:
    """The parts of all videos; existing ones are not made again."""
    parts = {number: part for number, job in enumerate(jobs) if (part := read_part(job)) is not None}
    # a round trip to a worker takes longer than this check: of long lists, often only a few files were downloaded
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


def _joined(videos: pd.DataFrame, parts: list[Part], *, exact: bool) -> tuple[pd.DataFrame, pd.DataFrame]:
    results = pd.DataFrame([part.video for part in parts], index=videos.index)
    videos = videos.copy()
    for column in results:
        known = results[column].notna()
        videos.loc[known, column] = results.loc[known, column].astype(videos[column].dtype)
    rows = [{**face, "exact": exact} for part in parts for face in part.faces]
    return videos, FACES.complete(pd.DataFrame(rows)) if rows else FACES.empty()
