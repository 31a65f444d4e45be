"""The held-out figures of a run: scores of a split that neither training nor the choice of the epoch has seen."""

import pandas as pd

from dfworkbench.checkpoints import LoadedDetector
from dfworkbench.datasets.face_dataset import FaceDataset
from dfworkbench.errors import TableError
from dfworkbench.evaluation.scoring import score_rows
from dfworkbench.tables import read_table, write_table
from dfworkbench.workspace import Workspace, find_workspace


def score_split(
    loaded: LoadedDetector, dataset: str, split: str = "test", workspace: Workspace | None = None
) -> pd.DataFrame:
    """Score every extracted face of a split, and keep the table in the run's folder.

    The table is `checkpoints/<run>/scores/<split>_<data set>_<weights>.parquet`. Files without faces stand in it with
    their status, so that the coverage is known.

    Args:
        loaded: Of `load_detector`.
        dataset: An extracted data set.
        split: "test", unless you know why not.
        workspace: Where the tables lie.

    Returns:
        The score table.

    Raises:
        TableError: The split is empty.
    """
    space = workspace or find_workspace()
    folder = space.labels / dataset
    videos = read_table("video", folder / "videos.csv")
    chosen = videos[videos["split"] == split]
    if chosen.empty:
        seen = ", ".join(f"{name or 'none'}: {n}" for name, n in videos["split"].value_counts().items())
        raise TableError(f"scoring the {split} split of {dataset!r}: it has no videos. Splits in the table: {seen}.")
    faces = read_table("face", folder / "faces.parquet")
    # the label of a file is that of its main person: bystanders of a forged video are real
    data = FaceDataset(faces, chosen, loaded.input_spec, space.extracted, tracks="main")
    scores = score_rows(loaded, data, videos=chosen)
    name = f"{split}_{dataset}_{loaded.path.stem}.parquet"
    write_table("score", scores, loaded.path.parent / "scores" / name)
    return scores
