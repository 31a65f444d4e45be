"""Join samples with the people in the video table, and check features for identity studies."""

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from dfworkbench.core.errors import InputError, TableError
from dfworkbench.core.names import REAL


def with_people(rows: pd.DataFrame, videos: pd.DataFrame) -> pd.DataFrame:
    """Add the identity of the video and of the inserted face to each row.

    Args:
        rows: `FaceDataset.rows`, or a score table.
        videos: Video table.

    Returns:
        A copy with `identity` (the carrier) and `donor`, "" if the video table does not name them.

    Raises:
        TableError: A video is not in the video table.
    """
    known = videos.drop_duplicates("video_id").set_index("video_id")
    lost = rows.loc[~rows["video_id"].isin(known.index), "video_id"].unique()
    if len(lost):
        raise TableError(
            f"naming the people of {len(rows)} rows: {len(lost)} videos are not in the video table (first: {lost[0]!r}). "
            "Give the video table that the rows were made with."
        )
    of = known.loc[rows["video_id"]]
    return rows.assign(identity=of["carrier"].to_numpy(), donor=of["donor"].to_numpy())


def checked(
    features: ArrayLike, rows: pd.DataFrame, columns: tuple[str, ...], doing: str
) -> tuple[NDArray, pd.DataFrame]:
    """Check that features and rows match; return both, with rows indexed from 0.

    Args:
        features: `(N, F)`, finite.
        rows: N rows.
        columns: Required columns of the rows.
        doing: What is being done, for messages.

    Raises:
        InputError: Wrong shape, or values that are not finite.
        TableError: A column is missing, or a video shows several people.
    """
    array: Any = np.asarray(features)
    if array.ndim != 2 or len(array) != len(rows):
        raise InputError(
            f"{doing}: features are {array.shape} and there are {len(rows)} rows; expected (N, F) features, one line per "
            "row. Use frozen_features(detector, dataset) with dataset.rows."
        )
    if not np.isfinite(array).all():
        broken = int((~np.isfinite(array)).any(axis=1).argmax())
        raise InputError(
            f"{doing}: the features of row {broken} are not finite, and numbers were expected. The detector has diverged; "
            "take the checkpoint of an earlier epoch."
        )
    missing = [name for name in columns if name not in rows]
    if missing:
        raise TableError(
            f"{doing}: the rows have no column {', '.join(map(repr, missing))}; they have {', '.join(map(str, rows))}. "
            "Add the people with datasets.sample_people.with_people(rows, videos)."
        )
    _require_one_person(rows, doing)
    return array, rows.reset_index(drop=True)


def genuine(rows: pd.DataFrame) -> NDArray[np.bool_]:
    """Which rows are real and have a known identity; without a column `label`, all count as real."""
    real = (rows["label"] == REAL).to_numpy() if "label" in rows else np.ones(len(rows), dtype=bool)
    return real & (rows["identity"] != "").to_numpy() & rows["identity"].notna().to_numpy()


def _require_one_person(rows: pd.DataFrame, doing: str) -> None:
    # the carrier is known per file: a second person in it would be mistaken for the first
    for column, word in (("track", "tracks"), ("identity", "identities")):
        counts = rows.groupby("video_id", sort=False)[column].nunique() if column in rows else pd.Series(dtype="int64")
        if (counts > 1).any():
            raise TableError(
                f"{doing}: {counts.idxmax()!r} has {counts.max()} {word}, but one person per video was expected, the carrier. "
                'Build the FaceDataset with tracks="main".'
            )
