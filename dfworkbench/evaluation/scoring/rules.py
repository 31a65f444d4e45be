"""Aggregation rules: combine face scores over the frames of a track and over the people of a file.

Rules of other authors, besides our own:

* the mean over frames of the largest face (most authors, whose face finder returns one face per frame);
* the sigmoid of the mean logit (N. Bonettini et al., "Video face manipulation detection through ensemble of CNNs", ICPR 2020);
* the confident mean (S. Seferbekov, first place of the Deepfake Detection Challenge, github.com/selimsef/dfdc_deepfake_challenge):
  over all faces of all frames, see `confident_mean`;
* the frame maximum (K. Shiohara and T. Yamasaki, "Detecting deepfakes with self-blended images", CVPR 2022): in each frame the
  maximum over all faces of at least half the area of the largest one, then the mean over frames.

Differences: face finder and tracks are ours, not theirs, and rows of doubtful tracks are left out before applying any rule.
"""

from collections.abc import Sequence
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import expit, logit

from dfworkbench.core.errors import TableError

#: Rule -> description for reports.
RULES = {
    "max_track_mean": "maximum over tracks of the mean over frames",
    "mean": "mean over all faces",
    "max_frame": "maximum over all faces",
    "top_quarter": "mean of the highest quarter of all faces",
    "max_track_mean_logit": "maximum over tracks of the sigmoid of the mean logit over frames",
    "max_track_confident": "maximum over tracks of the confident mean over frames",
    "mean_logit": "sigmoid of the mean logit over all faces",
    "confident": "confident mean over all faces, at most 127",
    "largest_mean": "mean over frames of the largest face",
    "largest_mean_logit": "sigmoid of the mean logit over frames of the largest face",
    "largest_confident": "confident mean over frames of the largest face",
    "frame_maximum": "mean over frames of the maximum over faces of at least half the largest area",
}
Rule = Literal[
    "max_track_mean", "mean", "max_frame", "top_quarter", "max_track_mean_logit", "max_track_confident", "mean_logit",
    "confident", "largest_mean", "largest_mean_logit", "largest_confident", "frame_maximum",
]  # fmt: skip
DEFAULT_RULE: Rule = "max_track_mean"

#: Column of score tables: square root of the face box area in pixels; NaN, or no column, if unknown.
FACE_PX = "face_px"

#: Policy for missing scores -> fake probability of a file or row without a score; None drops it.
MISSING = {"drop": None, "as_chance": 0.5, "as_real": 0.0, "as_fake": 1.0}
Missing = Literal["drop", "as_chance", "as_real", "as_fake"]

#: (rule over people, rule over frames) -> the combined rule of a file.
_MADE_OF: dict[tuple[str, str], Rule] = {
    ("tracks", "mean"): "max_track_mean",
    ("tracks", "mean_logit"): "max_track_mean_logit",
    ("tracks", "confident"): "max_track_confident",
    ("all", "mean"): "mean",
    ("all", "mean_logit"): "mean_logit",
    ("all", "confident"): "confident",
    ("largest", "mean"): "largest_mean",
    ("largest", "mean_logit"): "largest_mean_logit",
    ("largest", "confident"): "largest_confident",
    ("frame_maximum", "mean"): "frame_maximum",
}
_PARTS = {rule: parts for parts, rule in _MADE_OF.items()}
_MOST_FACES = 127  # of the list of the confident rule
_HALF = 0.5 - 1e-9  # of an area, tolerating rounding by a square root


def made_of(people: str, frames: str) -> Rule | None:
    """The file rule for a rule over people and a rule over frames; None if the combination is not supported.

    Args:
        people: "tracks" (maximum over people), "largest" (the largest face of each frame), "all" (all faces in one list) or
            "frame_maximum".
        frames: "mean", "mean_logit" or "confident".
    """
    return _MADE_OF.get((people, frames))


def confident_mean(probabilities: NDArray[np.float64] | pd.Series, sure: float = 0.8) -> float:
    """Mean of the confident scores if they agree, else of all.

    With n scores: if more than n // 2.5 and more than 11 lie above `sure`, the mean of those; else, if more than 0.9 n lie
    below `1 - sure`, the mean of those; else the mean of all.
    """
    p = np.asarray(probabilities, dtype=np.float64)
    fakes, reals = p[p > sure], p[p < 1 - sure]
    if len(fakes) > len(p) // 2.5 and len(fakes) > 11:
        return float(fakes.mean())
    return float(reals.mean() if len(reals) > 0.9 * len(p) else p.mean())


def scores_by_rule(rows: pd.DataFrame, keys: Sequence[str], rule: str) -> pd.Series:
    """Aggregate rows to one score per file or track.

    Args:
        rows: Rows of a score table, all with a score.
        keys: `["video_id"]`, or `["video_id", "track"]`.
        rule: Name in `RULES`.

    Raises:
        TableError: The rule needs face sizes, which the table lacks.
    """
    keys = list(keys)
    if rule in ("max_frame", "top_quarter"):
        return _highest(rows, keys, rule)
    people, frames = _PARTS[rule]  # pyright: ignore[reportArgumentType]
    if people == "tracks" and "track" not in keys:
        tracks = _over_frames(rows, [*keys, "track"], frames)
        return tracks.groupby(level="video_id", sort=False).max()
    if people in ("largest", "frame_maximum"):
        rows = _one_per_frame(rows, keys, people, rule)
    if (people, frames) == ("all", "confident"):
        rows = rows.sort_values(["frame", "track"], kind="stable").groupby(keys, sort=False).head(_MOST_FACES)
    return _over_frames(rows, keys, frames)


def _highest(rows: pd.DataFrame, keys: list[str], rule: str) -> pd.Series:
    if rule == "top_quarter":
        rows = rows.sort_values("fake_probability", ascending=False, kind="stable")
        groups = rows.groupby(keys, sort=False)["fake_probability"]
        rows = rows[groups.cumcount() < np.ceil(groups.transform("size") / 4)]
    values = rows.groupby(keys, sort=False)["fake_probability"]
    return values.max() if rule == "max_frame" else values.mean()


def _over_frames(rows: pd.DataFrame, keys: list[str], rule: str) -> pd.Series:
    if rule == "mean_logit":
        rows = rows.assign(_log_odds=_log_odds(rows))
        return rows.groupby(keys, sort=False)["_log_odds"].mean().map(expit).rename("fake_probability")
    values = rows.groupby(keys, sort=False)["fake_probability"]
    return values.mean() if rule == "mean" else values.agg(confident_mean)


def _log_odds(rows: pd.DataFrame) -> NDArray[np.float64]:
    """The rows' logits if consistent with the probabilities, which they may not be in calibrated or foreign tables."""
    p = rows["fake_probability"].to_numpy(np.float64)
    edge = np.finfo(np.float64).eps
    own = logit(np.clip(p, edge, 1 - edge))
    if "logit" not in rows:
        return own
    given = rows["logit"].to_numpy(np.float64)
    return np.where(np.isfinite(given) & (np.abs(expit(given) - p) < 1e-6), given, own)


def _one_per_frame(rows: pd.DataFrame, keys: list[str], people: str, rule: str) -> pd.DataFrame:
    """One row per frame: the largest face or, for the frame maximum, the highest score among large faces."""
    frame = [*keys, "frame"]
    if not rows.duplicated(frame).any():
        return rows
    size = pd.to_numeric(rows[FACE_PX], errors="coerce") if FACE_PX in rows else pd.Series(np.nan, rows.index)
    unknown = size.isna() & rows.duplicated(frame, keep=False)
    if unknown.any():
        first = rows[unknown].iloc[0]
        raise TableError(
            f"applying the rule {rule!r}: {int(unknown.sum())} faces that share a frame have no size in the column {FACE_PX!r} "
            f"(first: {first['video_id']!r}, frame {first['frame']}). Expected the side of each face in pixels, and a number for "
            "each frame: score the files again, or choose a rule that needs no sizes, such as max_track_mean."
        )
    rows = rows.assign(_size=size)
    if people == "frame_maximum":
        largest = rows.groupby(frame, sort=False)["_size"].transform("max")
        rows = rows[(rows["_size"] ** 2 >= _HALF * largest**2)]
        best = rows.groupby(frame, sort=False)["fake_probability"].idxmax()
    else:
        best = rows.groupby(frame, sort=False)["_size"].idxmax()
    return rows.loc[best]
