"""Read and write score files in any supported format.

* plain CSV (`score_csv`),
* result pickles of DeepfakeBench (`deepfakebench`), read without executing anything,
* score files of deepfake-workbench (`deepfake_workbench`),
* score tables of dfworkbench, .csv or .parquet.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import pandas as pd

from dfworkbench.core.errors import ParameterError, TableError
from dfworkbench.core.names import FAKE, require_name
from dfworkbench.core.outputs import SCORE_TABLE, require_replaceable
from dfworkbench.datasets.tables import NOTES, SCORES, read_headers, read_table, write_table
from dfworkbench.evaluation.exchange import deepfake_workbench
from dfworkbench.evaluation.exchange.deepfake_workbench import read_workbench_csv, write_workbench_csv
from dfworkbench.evaluation.exchange.deepfakebench import METRICS_FILE, read_deepfakebench, write_deepfakebench
from dfworkbench.evaluation.exchange.score_csv import Polarity, Scale, read_score_csv, write_score_csv
from dfworkbench.evaluation.exchange.score_labels import read_labels, with_labels
from dfworkbench.evaluation.exchange.score_rows import require_one_condition, select_rows

#: Format -> what it is.
FORMATS = {
    "csv": "plain CSV with a path, a label and a score",
    "deepfakebench": "result pickles of DeepfakeBench",
    "deepfake_workbench": "score CSV of dfwb-research/deepfake-workbench",
    "dfworkbench": "a score table of dfworkbench",
}
Format = Literal["auto", "csv", "deepfakebench", "deepfake_workbench", "dfworkbench"]

_OURS = ("row_id", "video_id", "label", "logit", "fake_probability", "status")
#: Options that a plain CSV does not state itself, with their defaults.
_PLAIN: dict[str, Any] = {
    "polarity": "fake", "scale": "probability", "fake_label": FAKE, "columns": {}, "frames_in_folders": False,
}  # fmt: skip


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
        path: The file, or for DeepfakeBench also the folder.
        format: "auto" detects it from the suffix and the headers.
        polarity: See `score_csv.read_score_csv`, also for the next four; the other formats define it themselves.
        scale: "probability", "percent" or "logit".
        fake_label: The number that means fake, also in `labels`.
        columns: Role -> header.
        frames_in_folders: Whether each path is a frame and its folder the video.
        dataset: Name of the data set, if the file gives none.
        where: Rows to select, as `column=value`; see `score_rows.select_rows`.
        labels: A CSV file with one label per file, for scores without labels; see `score_labels`.

    Returns:
        A score table (`tables.SCORES`); its `attrs[tables.NOTES]` notes how it was read.

    Raises:
        DataNotFoundError: There is no such file.
        TableError: It cannot be understood.
        UnknownNameError: There is no such format.
        ParameterError: An argument for plain CSV is given, but the file is not one.
    """
    kind = score_format(path) if format == "auto" else format
    require_name("format of score files", kind, FORMATS)
    given = {
        "polarity": polarity, "scale": scale, "fake_label": fake_label, "columns": columns or {},
        "frames_in_folders": frames_in_folders,
    }  # fmt: skip
    changed = {name: value for name, value in given.items() if value != _PLAIN[name]}
    if labels is not None and kind != "csv":
        changed.pop("fake_label", None)  # it then applies to the labels
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


def write_scores(scores: pd.DataFrame, path: Path | str) -> Path:
    """Write a score table in the format given by the file name.

    `<name>.scores.csv` is for deepfake-workbench, any other .csv is plain CSV, .parquet is a dfworkbench score table, and a
    name without suffix is a folder of DeepfakeBench pickles.

    Args:
        scores: A score table.
        path: Output file or folder.

    Raises:
        TableError: It is not a score table, or the format cannot hold its content.
        OutputError: The file cannot be written, or exists and is not a score table.
    """
    path = Path(path)
    if not path.suffix:
        return write_deepfakebench(scores, path)
    if path.name.endswith(".scores.csv"):
        return write_workbench_csv(scores, path)
    if path.suffix == ".csv":
        return write_score_csv(scores, path)
    require_replaceable(path, SCORE_TABLE)
    return write_table("score", scores, path)


def _one_condition(rows: pd.DataFrame, where: Sequence[str], path: Path | str) -> pd.DataFrame:
    """The selected rows of a dfworkbench score table, after checking that they belong to one run."""
    rows = select_rows(rows, where, path)
    if {"row_id", "video_id"} <= set(rows):
        others = rows[[name for name in rows if name == "run" or name not in SCORES.columns]].astype("str")
        require_one_condition(rows, rows["row_id"].astype("str"), others, path)
    return rows


def score_format(path: Path | str) -> str:
    """Detect which of `FORMATS` a file has, from its suffix and headers.

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
    headers = set(read_headers(path, "reading scores"))
    if headers.issuperset(deepfake_workbench.COLUMNS):
        return "deepfake_workbench"
    return "dfworkbench" if headers.issuperset(_OURS) else "csv"
