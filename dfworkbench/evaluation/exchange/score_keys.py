"""Keys of score rows from other programs: file, person and frame. Equally named files are never pooled."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from dfworkbench.core.errors import TableError
from dfworkbench.evaluation.exchange.score_numbers import parse_numbers
from dfworkbench.evaluation.exchange.score_rows import require_one_condition, require_other_files


def add_keys(
    table: pd.DataFrame,
    rows: Mapping[str, pd.Series],
    frames_in_folders: bool,
    source: Path,
    others: pd.DataFrame,
) -> list[str]:
    """Add the columns video_id, track, frame and row_id, which identify file, person and frame of each row.

    Args:
        table: With label, fake_probability, dataset and perhaps method and split; it is changed.
        rows: Role -> cells, `path` or `video` among them.
        frames_in_folders: Whether each path is a frame and its folder the video.
        source: The file, for messages.
        others: Columns of unknown meaning.

    Returns:
        Notes about several rows of one file.

    Raises:
        TableError: A row names no file, two rows have the same key, or rows of one file contradict each other.
    """
    path = rows["path"] if "path" in rows else rows["video"]
    path = path.str.replace("\\", "/", regex=False)
    video = rows["video"].str.replace("\\", "/", regex=False) if "video" in rows else path
    if frames_in_folders:
        video = path.str.rpartition("/")[0]
    if (video == "").any():
        row = int((video == "").to_numpy().argmax())
        raise TableError(
            f"reading scores from {source}: line {path.index[row]} names no {'folder' if frames_in_folders else 'file'} "
            f"({path.iloc[row]!r}); expected a path or an id in every row. Fill it in."
        )
    for role in ("track", "frame"):
        numbers = parse_numbers(rows[role], role, source) if role in rows else np.full(len(table), -1.0)
        table[role] = np.where(np.isnan(numbers), -1, numbers).astype("int64")
    table["video_id"] = _apart(video, table, source, rows)
    _require_one_label(table, source)
    seen = table.groupby(["video_id", "track"], sort=False)
    if "frame" not in rows:
        many = seen["label"].transform("size") > 1
        table["frame"] = np.where(many, seen.cumcount(), -1)
    named = rows["path"] if "path" in rows and "video" in rows else None
    places = table["video_id"] + "#t" + table["track"].astype(str) + "f" + table["frame"].astype(str)
    alone = (table["track"] < 0) & (table["frame"] < 0)
    table["row_id"] = places.where(~alone, table["video_id"]) if named is None else named
    key = named if named is not None else path if frames_in_folders else places if "frame" in rows else None
    unknown = pd.concat([table[[name for name in ("split",) if name in table]], others], axis=1)
    return require_one_condition(table, key, unknown, source)


def _apart(video: pd.Series, table: pd.DataFrame, source: Path, rows: Mapping[str, pd.Series]) -> pd.Series:
    """Distinguish equal names under several methods or data sets."""
    for name in ("forgery", "dataset"):
        if name not in table:
            continue
        several = table[name].groupby([video, table["track"]], sort=False).transform("nunique") > 1
        several = several.groupby(video).transform("any")
        if several.any():
            header = rows[name].name if name in rows else name  # the header in the file
            require_other_files(table, video, name, str(header), source)
        video = video.where(~several, table[name].where(table[name] != "", "real") + "/" + video)
    return video


def _require_one_label(table: pd.DataFrame, source: Path) -> None:
    labels = table.groupby(["video_id", "track"], sort=False)["label"].nunique()
    if (labels > 1).any():
        video = labels.index[int((labels > 1).to_numpy().argmax())][0]
        raise TableError(
            f"reading scores from {source}: {video!r} has rows that are real and rows that are fake; expected one label per "
            "file and person. If they are different files of the same name, give their paths, or a column 'forgery'."
        )
