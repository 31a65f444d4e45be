"""Score tables as plain CSV: one row per file, person or frame, with a path, a label and a score.

A file of another program becomes a valid score table without being guessed at: what a column means follows from its header
(`score_columns.ROLES`) or is said, the polarity and the scale of scores are stated, and what contradicts itself is refused.
"""

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import expit, logit

from dfworkbench.errors import DataNotFoundError, ParameterError, TableError
from dfworkbench.evaluation.score_columns import find_columns, require_polarity
from dfworkbench.evaluation.score_keys import add_keys, parse_numbers
from dfworkbench.names import FAKE, REAL, STATUS_OK
from dfworkbench.tables import SCORES, read_csv, write_csv

_log = logging.getLogger(__name__)

Polarity = Literal["fake", "real"]
Scale = Literal["probability", "logit"]

_WORDS = {
    **dict.fromkeys(("real", "genuine", "original", "pristine", "bonafide", "false"), REAL),
    **dict.fromkeys(("fake", "forged", "manipulated", "deepfake", "spoof", "true"), FAKE),
    "": -1,
}
_LONGEST_HEAD = 1 << 20  # letters
_EPSILON = 2.0**-53  # a probability of exactly 1 gets the log-odds 36.7


def read_score_csv(
    path: Path | str,
    *,
    polarity: Polarity = "fake",
    scale: Scale = "probability",
    fake_label: int = FAKE,
    columns: Mapping[str, str] | None = None,
    frames_in_folders: bool = False,
    dataset: str = "",
) -> pd.DataFrame:
    """Read a score file with columns that other programs write.

    Needed are a path (or id), a label and a score; split, method, track, frame, dataset, group, status and reason are taken
    where they are. Headers: see `score_columns.ROLES`. Commas, semicolons or tabs between the columns.

    * An empty score is a file that could not be scored; the row stays, as "missing" if no status says why.
    * Several rows of one file without a column for the frame are taken for its frames, in their order.
    * Equal names under several methods or data sets are different files: the method goes into their keys.

    Args:
        path: The file.
        polarity: What a high score means.
        scale: "probability" in 0..1, or "logit": log-odds, of any size. A column named logit is one.
        fake_label: The number that means fake, 1 or 0; the other one means real. Words (real, fake) mean what they say.
        columns: Role -> header, where the headers do not say it: `{"score": "model A"}`.
        frames_in_folders: Whether each path is a frame, and the folder that it lies in the video.
        dataset: Name of the data set, where no column gives it.

    Returns:
        A score table (`tables.SCORES`).

    Raises:
        DataNotFoundError: There is no such file.
        TableError: It cannot be understood; says which row or column, and what to do.
        ParameterError: An argument is none of those above.
    """
    source = Path(path)
    if polarity not in ("fake", "real") or scale not in ("probability", "logit") or fake_label not in (REAL, FAKE):
        raise ParameterError(
            f"reading scores from {source}: polarity {polarity!r}, scale {scale!r}, fake_label {fake_label!r}; expected 'fake' or "
            "'real', 'probability' or 'logit', 1 or 0."
        )
    cells = read_cells(source)
    found = find_columns(list(cells), columns or {}, source)
    rows = {role: cells[header].str.strip() for role, header in found.items()}
    kept = ("split", "method", "group", "status", "reason")
    table = pd.DataFrame({role: rows[role] for role in kept if role in rows}, index=cells.index)
    table["dataset"] = rows["dataset"] if "dataset" in rows else dataset
    table["label"] = _labels(rows["label"], fake_label, source)
    scored = "score" if "score" in rows else "logit"
    require_polarity(found[scored], polarity, source)
    values = parse_numbers(rows[scored], found[scored], source)
    table["fake_probability"], table["logit"] = _both(values, "logit" if scored == "logit" else scale, polarity, source)
    add_keys(table, rows, frames_in_folders, source)
    if "status" in table:
        table["status"] = table["status"].replace("", STATUS_OK)
    return finished(table, source)


def write_score_csv(scores: pd.DataFrame, path: Path | str) -> Path:
    """Write a score table with the fewest columns that say it all: path, label, score, and those that hold something.

    High scores mean fake. Log-odds and times are left out: they follow from the score, and from the frame.

    Args:
        scores: A score table.
        path: Of the file.

    Raises:
        TableError: It is no score table.
        OutputError: The file cannot be written.
    """
    table = SCORES.complete(scores, "the scores to be written")
    out = pd.DataFrame({"path": table["video_id"], "label": table["label"], "score": table["fake_probability"]})
    empty = {"track": -1, "frame": -1, "status": STATUS_OK}
    for name in ("dataset", "split", "method", "group", "track", "frame", "status", "reason"):
        if (table[name] != empty.get(name, "")).any():
            out[name] = table[name]
    if table.duplicated(["video_id", "track", "frame"]).any():
        out = out.rename(columns={"path": "video"}).assign(path=table["row_id"])
    return write_csv(out, path, "a score file")


def read_cells(source: Path) -> pd.DataFrame:
    """All cells of a CSV file as text, under their headers.

    Raises:
        DataNotFoundError: There is no such file.
        TableError: It is no text, or its rows do not fit its header.
    """
    if not source.is_file():
        raise DataNotFoundError(f"reading scores: there is no file {source}. Give a .csv file with a row per score.")
    try:
        with source.open(encoding="utf-8-sig") as file:
            head = file.readline(_LONGEST_HEAD)
        separator = next((mark for mark in ("\t", ";") if mark in head and "," not in head), ",")
    except (ValueError, OSError) as error:
        raise TableError(
            f"reading scores from {source}: it is no readable CSV file ({error}). Expected text with one line of headers."
        ) from error
    cells = read_csv(
        source, "reading scores",
        dtype=str, sep=separator, keep_default_na=False, encoding="utf-8-sig", index_col=False,
    )  # fmt: skip
    return cells.fillna("")  # a row with too few cells


def finished(table: pd.DataFrame, source: object) -> pd.DataFrame:
    """A score table in which rows without score say so.

    Raises:
        TableError: The rows break the schema.
    """
    table = SCORES.complete(table, source)
    table.loc[table["status"] != STATUS_OK, ["fake_probability", "logit"]] = np.nan
    lost = table["fake_probability"].isna() & (table["status"] == STATUS_OK)
    table.loc[lost, ["status", "reason"]] = ["missing", "no score in the file"]
    return table


def log_odds(probabilities: NDArray[np.float64]) -> NDArray[np.float64]:
    """Log-odds, finite also for 0 and 1."""
    return logit(np.clip(probabilities, _EPSILON, 1 - _EPSILON))


def _labels(texts: pd.Series, fake_label: int, source: Path) -> pd.Series:
    numbers = {str(fake_label): FAKE, f"{fake_label}.0": FAKE, str(1 - fake_label): REAL, f"{1 - fake_label}.0": REAL}
    known = _WORDS | numbers | {"-1": -1}
    labels = texts.str.lower().map(known)
    if labels.isna().any():
        row = int(labels.isna().to_numpy().argmax())
        raise TableError(
            f"reading scores from {source}: row {row + 1} has the label {texts.iloc[row]!r}; expected 0 or 1, real or fake, or "
            "nothing where it is not known. If other numbers are kinds of forgery, put them into a column 'method'."
        )
    return labels.astype("int64")


def _both(
    values: NDArray[np.float64], scale: Scale, polarity: Polarity, source: Path
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Fake probabilities and log-odds."""
    seen = values[~np.isnan(values)]
    if scale == "logit":
        odds = values if polarity == "fake" else -values
        return expit(odds), odds
    if len(seen) and (seen.min() < 0 or seen.max() > 1):
        raise TableError(
            f"reading scores from {source}: they lie from {seen.min():g} to {seen.max():g}; expected probabilities from 0 to 1. If "
            "they are log-odds, or any score whose middle is 0, state scale='logit'; otherwise divide them."
        )
    if len(seen) > 2 and np.isin(seen, (0, 1)).all():
        _log.warning("all scores of %s are 0 or 1: they look like decisions, of which no ranking can be judged", source)
    probabilities = values if polarity == "fake" else 1 - values
    return probabilities, log_odds(probabilities)
