"""Score files of other programs, read and written, so that anybody's detector is judged by the same rules, here and there.

* plain CSV (`score_csv`),
* result pickles of DeepfakeBench (`deepfakebench`), read without executing anything,
* score files of deepfake-workbench (dfwb-research), CSV with the columns dataset, key, compression, label, score, status,
* our own score tables, .csv or .parquet.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd

from dfworkbench.core.errors import ParameterError, TableError
from dfworkbench.core.names import COMPRESSIONS, FAKE, REAL, STATUS_OK, require_name
from dfworkbench.core.outputs import SCORE_CSV, require_replaceable
from dfworkbench.datasets.tables import SCORES, read_table, write_csv
from dfworkbench.evaluation.exchange.deepfakebench import METRICS_FILE, read_deepfakebench, write_deepfakebench
from dfworkbench.evaluation.exchange.score_csv import (
    Polarity,
    Scale,
    finished,
    log_odds,
    read_score_csv,
    write_score_csv,
)
from dfworkbench.evaluation.exchange.score_labels import read_labels, with_labels
from dfworkbench.evaluation.exchange.score_rows import require_one_condition, select_rows
from dfworkbench.evaluation.exchange.score_text import NOTES, parse_numbers, read_cells, read_headers
from dfworkbench.evaluation.scoring.aggregate import DEFAULT_RULE, Rule, to_level

__all__ = [
    "FORMATS", "Format", "read_deepfakebench", "read_score_csv", "read_scores", "read_workbench_csv", "score_format",
    "write_deepfakebench", "write_score_csv", "write_workbench_csv",
]  # fmt: skip

#: Format -> what it is.
FORMATS = {
    "csv": "plain CSV with a path, a label and a score",
    "deepfakebench": "result pickles of DeepfakeBench",
    "deepfake_workbench": "score CSV of dfwb-research/deepfake-workbench",
    "dfworkbench": "a score table of dfworkbench",
}
Format = Literal["auto", "csv", "deepfakebench", "deepfake_workbench", "dfworkbench"]

_WORKBENCH = ("dataset", "key", "compression", "label", "score", "status")
_OURS = ("row_id", "video_id", "label", "logit", "fake_probability", "status")


def read_scores(
    path: Path | str,
    format: Format = "auto",
    *,
    polarity: Polarity = "fake",
    scale: Scale = "probability",
    fake_label: int = FAKE,
    columns: Mapping[str, str] | None = None,
    frames_in_folders: bool = False,
    dataset: str = "",
    where: Sequence[str] = (),
    labels: Path | str | None = None,
) -> pd.DataFrame:
    """Read a score file of any of `FORMATS`.

    Args:
        path: The file; of DeepfakeBench also the folder.
        format: "auto" tells it from the suffix and the headers.
        polarity: What a high score means, in a plain CSV; the other formats say it themselves. So do the following.
        scale: Of its scores.
        fake_label: Its number for fake, and that of `labels`.
        columns: Role -> header, see `score_csv.read_score_csv`.
        frames_in_folders: Whether its paths are frames, and their folders the videos.
        dataset: Name of the data set, where the file gives none.
        where: Rows to take, as `column=value`; see `score_rows.select_rows`.
        labels: A CSV file with a label per file, for scores that have none; see `score_labels`.

    Returns:
        A score table (`tables.SCORES`); its `attrs[score_text.NOTES]` says how it was read.

    Raises:
        DataNotFoundError: There is no such file.
        TableError: It cannot be understood.
        UnknownNameError: There is no such format.
        ParameterError: An argument for plain CSV is given, and the file is none.
    """
    kind = score_format(path) if format == "auto" else format
    require_name("format of score files", kind, FORMATS)
    said: dict[str, Any] = {
        "polarity": (polarity, "fake"),
        "scale": (scale, "probability"),
        "fake_label": (fake_label, FAKE),
    }
    said |= {"columns": (columns or {}, {}), "frames_in_folders": (frames_in_folders, False)}
    changed = {name: value for name, (value, usual) in said.items() if value != usual}
    if labels is not None and kind != "csv":
        changed.pop("fake_label", None)  # it is that of the labels
    if kind != "csv" and changed:
        words = ", ".join(f"{name}={value!r}" for name, value in changed.items())
        raise ParameterError(
            f"reading scores from {path}: {words} is for plain CSV; this is {FORMATS[kind]}, which says what its scores mean. "
            "Leave it out, or say format='csv'."
        )
    if kind == "csv":
        table = read_score_csv(path, dataset=dataset, where=where, labelled=labels is None, **changed)
    elif kind == "deepfakebench":
        table = select_rows(read_deepfakebench(path, dataset=dataset), where, path)
    elif kind == "deepfake_workbench":
        table = read_workbench_csv(path, where=where)
    else:
        table = read_table("score", path, choose=lambda rows: _one_condition(rows, where, path))
    if labels is None:
        return table
    known = read_labels(labels, fake_label)
    labelled, notes = with_labels(table, known, labels)
    labelled.attrs[NOTES] = [*table.attrs.get(NOTES, ()), *notes]
    return labelled


def _one_condition(rows: pd.DataFrame, where: Sequence[str], path: Path | str) -> pd.DataFrame:
    """The chosen rows of a score table of ours, once it is certain that they are not of several runs."""
    rows = select_rows(rows, where, path)
    if {"row_id", "video_id"} <= set(rows):
        others = rows[[name for name in rows if name == "run" or name not in SCORES.columns]].astype("str")
        require_one_condition(rows, rows["row_id"].astype("str"), others, path)
    return rows


def score_format(path: Path | str) -> str:
    """Which of `FORMATS` a file is, by its suffix and headers.

    Raises:
        DataNotFoundError: There is no such file.
        TableError: It is none of them.
    """
    path = Path(path)
    if path.suffix in (".pickle", ".pkl") or (path.is_dir() and (path / METRICS_FILE).is_file()):
        return "deepfakebench"
    if path.suffix == ".parquet":
        return "dfworkbench"
    if path.is_dir():
        raise TableError(
            f"reading scores from {path}: a folder without {METRICS_FILE}. Expected a score file, or the folder of a test of "
            "DeepfakeBench: name the file."
        )
    headers = set(read_headers(path))
    if headers.issuperset(_WORKBENCH):
        return "deepfake_workbench"
    return "dfworkbench" if headers.issuperset(_OURS) else "csv"


def read_workbench_csv(path: Path | str, *, where: Sequence[str] = ()) -> pd.DataFrame:
    """Read `<name>.scores.csv` of deepfake-workbench: a row per video, P(fake), failures kept as rows.

    Args:
        path: The file; its `.meta.json` is not needed.
        where: Rows to take, such as `compression=c23`; those of one video in several compressions are refused.

    Returns:
        A score table; a video's key is "<dataset>/<key>", with "@<compression>" where there is one.

    Raises:
        DataNotFoundError: There is no such file.
        TableError: It breaks that format.
    """
    path = Path(path)
    cells = read_cells(path)
    lost = [name for name in _WORKBENCH if name not in cells]
    if lost:
        raise TableError(
            f"reading scores of deepfake-workbench from {path}: no column {', '.join(map(repr, lost))}; expected "
            f"{', '.join(_WORKBENCH)}. If it is another CSV, say format='csv'."
        )
    cells = select_rows(cells, where, path)
    scores = parse_numbers(cells["score"], "score", path)
    labels = parse_numbers(cells["label"], "label", path)
    if not np.isin(labels, (REAL, FAKE)).all():
        odd = labels[~np.isin(labels, (REAL, FAKE))][0]
        raise TableError(
            f"reading scores of deepfake-workbench from {path}: a label is {odd:g}; expected 0 and 1, its binary labels. Score "
            "with binary labels, or turn the kinds of forgery into 1."
        )
    keys = cells["dataset"] + "/" + cells["key"] + ("@" + cells["compression"]).where(cells["compression"] != "", "")
    table = pd.DataFrame({
        "row_id": keys, "video_id": keys, "dataset": cells["dataset"], "label": labels, "status": cells["status"],
        "method": cells["method"] if "method" in cells else "", "fake_probability": scores, "logit": log_odds(scores),
    })  # fmt: skip
    key = cells["dataset"] + "/" + cells["key"]
    require_one_condition(table.assign(video_id=key), key, cells[["compression"]], path)
    return finished(table.reset_index(drop=True), path)


def write_workbench_csv(scores: pd.DataFrame, path: Path | str, *, rule: Rule = DEFAULT_RULE) -> Path:
    """Write a score table as `<name>.scores.csv` of deepfake-workbench: a row per labelled video, high scores mean fake.

    Args:
        scores: A score table. What a video could not be scored for becomes "error", unless it is "missing".
        path: Of the file.
        rule: How the faces of a video become one score.

    Raises:
        TableError: It is no score table, or none of its rows has a label.
        OutputError: The file cannot be written, or is there and is no score table.
    """
    require_replaceable(Path(path), SCORE_CSV)
    videos = to_level(SCORES.complete(scores, "the scores to be written"), "video", rule)
    videos = videos[videos["label"].isin((REAL, FAKE))]
    if videos.empty:
        raise TableError(
            f"writing scores for deepfake-workbench to {path}: none of {len(scores)} rows has a label. Expected labelled files: "
            "their format has no others."
        )
    parts = pd.DataFrame(
        [_workbench_key(key, name) for key, name in zip(videos["video_id"], videos["dataset"], strict=True)],
        columns=["dataset", "key", "compression"], index=videos.index,
    )  # fmt: skip
    failed = videos["status"].where(videos["status"].isin((STATUS_OK, "missing")), "error")
    out = pd.DataFrame({
        **parts, "label": videos["label"], "score": videos["fake_probability"], "status": failed, "method": videos["method"],
    })  # fmt: skip
    write_csv(out, path, "a score file")
    return Path(path)


def _workbench_key(video_id: str, dataset: str) -> tuple[str, str, str]:
    """Data set, key and compression; a table that names no data set has the first folder of its paths for it."""
    if not dataset:
        first, _, rest = video_id.partition("/")
        dataset, video_id = (first, rest) if rest else ("files", video_id)
    key = video_id.removeprefix(f"{dataset}/")
    name, at, tail = key.rpartition("@")
    return (dataset, name, tail) if at and tail in COMPRESSIONS else (dataset, key, "")
