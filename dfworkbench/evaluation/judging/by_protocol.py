"""Evaluate scores under a protocol, after checking that they cover exactly its files."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

from dfworkbench.core.errors import ParameterError, TableError
from dfworkbench.core.names import STATUS_OK
from dfworkbench.datasets.audit.leak_note import table_note
from dfworkbench.datasets.tables import SCORES
from dfworkbench.evaluation.judging.protocol import ANY_CROP, Protocol, split_hash
from dfworkbench.evaluation.metrics.evaluate import evaluate, metrics_text

_OWN = ("dataset", "split", "forgery", "group")  # columns taken from the protocol's files

#: Sorted in a fixed order, so that equal scores draw equal files and get equal intervals.
ROW_ORDER = ("video_id", "track", "frame", "row_id")

#: How the weights were selected: by the rule of that name, or "only", because there was a single set.
Selected = Literal["validation", "last", "only"]


@dataclass(frozen=True, eq=False)
class Judged:
    """A detector's metrics under a protocol.

    Attributes:
        protocol: The protocol.
        name: The detector or run.
        rows: The table from `evaluate`, one row per metric, with additional columns name, protocol (its id) and note.
        note: Warning that accompanies every metric; "" if none.
    """

    protocol: Protocol
    name: str
    rows: pd.DataFrame
    note: str = ""

    def __repr__(self) -> str:
        return f"{self.name}, {self.protocol}\n{metrics_text(self.rows)}"  # with its note


def judge_by(
    protocol: Protocol,
    scores: pd.DataFrame,
    videos: pd.DataFrame,
    *,
    name: str,
    selected: Selected,
    crop: str = "",
) -> Judged:
    """Metrics of a score table under a protocol.

    Files of the protocol without a row count according to its policy for missing scores. Kinds and groups in the table are
    replaced by those of the protocol's files.

    Args:
        protocol: The locked protocol.
        scores: A score table.
        videos: The protocol's files, see `protocol.split_videos`.
        name: Name of the entry in a leaderboard.
        selected: How the weights were selected; "only" if there was no choice, as with published weights.
        crop: How faces were cut (`protocol.crop_profile`); required if the protocol prescribes it.

    Raises:
        TableError: The videos are not those of the protocol; the scores are for other files, contradict their labels, or exceed
            the number per person that the protocol allows.
        ParameterError: The selection of weights or the crop differs from the protocol.
    """
    _require_way(protocol, name, selected, crop)
    _require_split(protocol, videos)
    table = SCORES.complete(scores, f"the scores of {name}")
    _require_files(protocol, table, videos, name)
    table = _labelled(table, videos, name)
    _require_frames(protocol, table, name)
    complete = SCORES.complete(pd.concat([table, _lacking(table, videos)], ignore_index=True))
    complete = complete.sort_values(list(ROW_ORDER), ignore_index=True)
    rows = evaluate(complete, (protocol.level,), protocol, metrics=protocol.metrics)
    note = table_note(scores)
    return Judged(protocol, name, rows.assign(name=name, protocol=protocol.id, note=note), note)


def _require_way(protocol: Protocol, name: str, selected: str, crop: str) -> None:
    if selected not in ("only", protocol.selection):
        raise ParameterError(
            f"judging {name} under protocol {protocol.id}: its epoch was chosen by {selected!r}, and the protocol says "
            f"{protocol.selection!r}. Score the epoch that the protocol means."
        )
    if protocol.crop not in (ANY_CROP, crop):
        raise ParameterError(
            f"judging {name} under protocol {protocol.id}: its faces were cut as {crop or 'not stated'!r}, and the protocol says "
            f"{protocol.crop!r}. Give crop=crop_profile(input_spec), or lock a protocol with crop={ANY_CROP!r}."
        )


def _require_split(protocol: Protocol, videos: pd.DataFrame) -> None:
    found = split_hash(videos)
    if found != protocol.split_hash:
        raise TableError(
            f"judging under protocol {protocol.id}: the {len(videos)} files given hash to {found[:10]}, those of the protocol "
            f"({protocol.videos} of {protocol.dataset}/{protocol.split}) to {protocol.split_hash[:10]}. Files, labels, groups or "
            "kinds have changed since it was locked: restore the old tables, or lock a new protocol."
        )


def _require_files(protocol: Protocol, scores: pd.DataFrame, videos: pd.DataFrame, name: str) -> None:
    extra = sorted(set(scores["video_id"]) - set(videos["video_id"]))
    if extra:
        raise TableError(
            f"judging {name} under protocol {protocol.id}: {len(extra)} scored files are not among its {protocol.videos} (first: "
            f"{extra[0]!r}). Figures over other files cannot be compared: score {protocol.dataset}/{protocol.split} and nothing "
            "else."
        )


def _require_frames(protocol: Protocol, scores: pd.DataFrame, name: str) -> None:
    if not protocol.frames_per_video:
        return
    counts = scores[scores["status"] == STATUS_OK].groupby(["video_id", "track"]).size()
    if len(counts) and counts.max() > protocol.frames_per_video:
        raise TableError(
            f"judging {name} under protocol {protocol.id}: {int(counts.max())} rows of one person in {counts.idxmax()[0]!r}, at "
            f"most {protocol.frames_per_video} are allowed. Score with frames_per_video={protocol.frames_per_video}."
        )


def _labelled(scores: pd.DataFrame, videos: pd.DataFrame, name: str) -> pd.DataFrame:
    """The scores with columns from the video table; rows without a label get their file's label."""
    known = videos.set_index("video_id")
    label = scores["video_id"].map(known["label"])
    of_file = scores.groupby("video_id")["label"].transform("max")  # a forged video may also show real people
    wrong = scores["video_id"][(of_file >= 0) & (label >= 0) & (of_file != label)]
    if len(wrong):
        raise TableError(
            f"judging {name}: {wrong.nunique()} files have another label in the scores than in the protocol's table (first: "
            f"{wrong.iloc[0]!r}). Expected 0 for real and 1 for fake: invert the scores, or leave their labels out."
        )
    own = {column: scores["video_id"].map(known[column]).astype("str") for column in _OWN}
    return scores.assign(label=np.where(scores["label"] < 0, label, scores["label"]), **own)


def _lacking(scores: pd.DataFrame, videos: pd.DataFrame) -> pd.DataFrame:
    lost = videos[~videos["video_id"].isin(scores["video_id"])]
    rows = lost[["video_id", "label", *_OWN]]
    return (
        SCORES.complete(rows.assign(row_id=rows["video_id"], status="missing", reason="not among the scores"))
        if len(rows)
        else SCORES.empty()
    )
