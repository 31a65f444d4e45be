"""Aggregate the scores of faces to one score per track or file, by a stated rule.

The key of a file is its `video_id`, a path: equally named videos of different forgery kinds are never pooled. Rows of doubtful
tracks (column `doubt`, see `faces.doubt`) are ignored for files that have other scored tracks.
"""

import numpy as np
import pandas as pd

from dfworkbench.core.errors import TableError
from dfworkbench.core.names import STATUS_OK, require_name
from dfworkbench.evaluation.scoring.rules import DEFAULT_RULE, RULES, Rule, scores_by_rule

__all__ = ["ALIASES", "DEFAULT_RULE", "LEVELS", "RULES", "Rule", "decides", "to_level"]

LEVELS = ("frame", "track", "video")

#: Aliases of two levels. A clip detector writes one row per clip, a frame detector one per face: both are rows of the table. A
#: person is a track, which continues over gaps and cuts if identity weights were available at extraction; without them, a
#: person who reappears counts as two (docs/decisions/0006-identity.md).
ALIASES = {"clip": "frame", "person": "track"}

_NEEDED = ("row_id", "video_id", "label", "track", "frame", "fake_probability", "status")
_KEPT = ("dataset", "split", "group", "forgery")
_OPTIONAL = (*_KEPT, "reason", "doubt")


def to_level(scores: pd.DataFrame, level: str = "video", rule: str = DEFAULT_RULE) -> pd.DataFrame:
    """Aggregate a score table.

    Args:
        scores: A score table (`tables.SCORES`), one row per face or clip and one per file that could not be scored.
        level: "frame" or "clip" (one row per scored face or clip), "track" or "person" (one per person and file), or "video"
            (one per file).
        rule: How the rows of a file are aggregated, see `RULES`. On track level the rule is applied within the track, where
            "max_track_mean" and "largest_mean" are the mean. On video level doubtful tracks count only if a file has no other
            scored tracks.

    Returns:
        One row per entry in order of first appearance: row_id, video_id, dataset, split, group, method, label, track,
        fake_probability, status, reason, doubt, faces. A row without a score keeps its status and has fake_probability NaN. A
        file with a fake track is fake. On video level `doubt` is empty unless doubtful tracks decided the score.

    Raises:
        UnknownNameError: The level or rule does not exist.
        TableError: A column is missing, the rows of one track have different labels, or the rule needs face sizes that the
            table lacks.
    """
    level = ALIASES.get(require_name("level", level, (*LEVELS, *ALIASES)), level)
    require_name("aggregation rule", rule, RULES)
    rows = _checked(scores)
    if level == "frame":
        return rows
    keys = ["video_id", "track"] if level == "track" else ["video_id"]
    groups = rows.groupby(keys, sort=False)
    out = groups.agg(**_summary(rows, level)).reset_index()
    deciding = rows if level == "track" else rows[decides(rows)]
    score = scores_by_rule(deciding[deciding["faces"] > 0], keys, rule)
    index = pd.MultiIndex.from_frame(out[keys]) if len(keys) > 1 else pd.Index(out["video_id"])
    out["doubt"] = deciding.groupby(keys, sort=False)["doubt"].max().reindex(index).to_numpy()
    out["fake_probability"] = score.reindex(index).to_numpy()
    out["status"] = np.where(out["faces"] > 0, STATUS_OK, out["status"])
    out["reason"] = np.where(out["faces"] > 0, "", out["reason"])
    suffix = "#t" + out["track"].astype(str) if level == "track" else ""
    out.insert(0, "row_id", out["video_id"] + suffix)
    return out


def decides(rows: pd.DataFrame) -> pd.Series:
    """Which rows of a score table count for their file: rows of doubtful tracks only if no others have a score."""
    sure = rows["doubt"] == ""
    others = (sure & rows["fake_probability"].notna()).groupby(rows["video_id"]).transform("any")
    return sure | ~others


def _checked(scores: pd.DataFrame) -> pd.DataFrame:
    missing = [name for name in _NEEDED if name not in scores]
    if missing:
        raise TableError(
            f"aggregating scores: the table has no column {', '.join(map(repr, missing))}; it has {', '.join(scores)}. "
            "Make score tables with dfworkbench.evaluation.scoring.score, or complete yours with tables.SCORES.complete(rows)."
        )
    rows = scores.reset_index(drop=True).copy()
    for name in _OPTIONAL:
        if name not in rows:  # tables of other programs and of older versions
            rows[name] = ""
    rows["doubt"] = rows["doubt"].fillna("")
    # a failed row has no score, whatever value it contains
    rows.loc[rows["status"] != STATUS_OK, "fake_probability"] = np.nan
    rows["faces"] = rows["fake_probability"].notna().astype("int64")
    lost = (rows["faces"] == 0) & (rows["status"] == STATUS_OK)
    rows.loc[lost, ["status", "reason"]] = ["missing", "no score in the table"]
    labels = rows.groupby(["video_id", "track"], sort=False)["label"]
    mixed = labels.min() != labels.max()
    if mixed.any():
        video, track = mixed.index[mixed.to_numpy().argmax()]
        raise TableError(
            f"aggregating scores: track {track} of {video!r} has rows of different labels. A track is one person's face and is "
            "real or fake; if two files share this video_id, give each its path below the data set's root."
        )
    return rows


def _summary(rows: pd.DataFrame, level: str) -> dict[str, tuple[str, str]]:
    out = {name: (name, "first") for name in _KEPT}
    if level == "video":
        # "max" finds the forgery kind of a file that also has real tracks, whose method is ""
        out |= {"forgery": ("forgery", "max"), "label": ("label", "max")}
    else:
        out["label"] = ("label", "first")
    return out | {"faces": ("faces", "sum"), "status": ("status", "first"), "reason": ("reason", "first")}
