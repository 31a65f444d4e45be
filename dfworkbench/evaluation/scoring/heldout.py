"""Score a split of an extracted data set and store the table with the run; a note warns if it may not be held out."""

from pathlib import Path

import pandas as pd

from dfworkbench.core.input_spec import InputSpec
from dfworkbench.core.workspace import Workspace, find_workspace
from dfworkbench.datasets.audit.leak_note import run_note, with_note
from dfworkbench.datasets.dataset import DataSet
from dfworkbench.datasets.face_dataset import FaceDataset
from dfworkbench.datasets.tables import read_table, write_table
from dfworkbench.evaluation.judging.protocol import split_videos
from dfworkbench.evaluation.scoring.score import score_rows
from dfworkbench.runs.checkpoints import LoadedDetector
from dfworkbench.runs.layout import score_file


def score_split(
    loaded: LoadedDetector,
    dataset: str,
    split: str = "test",
    workspace: Workspace | None = None,
    *,
    progress: bool = True,
) -> pd.DataFrame:
    """Score every extracted face of a split and store the table in the run's folder.

    `Run.scores` reads the table. Files without faces are included with their status, so that the coverage is known.

    Args:
        loaded: The detector from `load_detector`.
        dataset: An extracted data set.
        split: Should be "test" unless you have a reason.
        workspace: The workspace of the data set.
        progress: Whether to show a progress bar.

    Returns:
        The score table. Its column `note` warns if the weights may have been trained on these files.

    Raises:
        TableError: The split is empty.
    """
    space = workspace or find_workspace()
    videos = split_videos(dataset, split, space)
    data = split_faces(dataset, videos, loaded.input_spec, space)
    scores = score_rows(loaded, data, videos=videos, progress=progress)
    note = " ".join(filter(None, [run_note(loaded.metadata), _splits_note(loaded, dataset, space)]))
    scores = with_note(scores, note)
    write_table("score", scores, score_file(loaded.path, split, dataset))
    return scores


def _splits_note(loaded: LoadedDetector, dataset: str, workspace: Workspace) -> str:
    """Warning for a run trained on this data set before its splits changed; "" for others."""
    splits_hash, seen = DataSet(dataset, workspace).splits_hash, loaded.provenance.get("splits")
    if loaded.trained_on != dataset or not splits_hash or seen in (None, "", splits_hash):
        return ""
    return (
        f"The splits of {dataset} have changed since this run was trained: it may have been trained on files that are scored "
        "here."
    )


def split_faces(
    dataset: str, videos: pd.DataFrame, spec: InputSpec, workspace: Workspace, *, cache_mb: int = 0
) -> FaceDataset:
    """All extracted faces of the main people in these videos; a file's label is that of its main person, bystanders are real.

    Args:
        dataset: Name of the data set.
        videos: Rows of its video table.
        spec: Input of the detector.
        workspace: The workspace of the data set.
        cache_mb: Memory for crops that are read more than once, in megabytes.
    """
    return DataSet.open(dataset, workspace).samples(spec, videos, cache_mb=cache_mb)


def stored_scores(weights: Path, dataset: str, split: str, videos: pd.DataFrame) -> pd.DataFrame | None:
    """Scores stored by `score_split` if they match these videos and labels; else None."""
    path = score_file(weights, split, dataset)
    if not path.is_file():
        return None
    scores = read_table("score", path)
    known = videos[["video_id", "label"]].sort_values("video_id", ignore_index=True)
    seen = scores.groupby("video_id", as_index=False)["label"].max()
    newer = weights.is_file() and weights.stat().st_mtime_ns > path.stat().st_mtime_ns
    return scores if not newer and seen.equals(known) else None
