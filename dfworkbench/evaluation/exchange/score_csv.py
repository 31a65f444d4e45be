"""Plain CSV score files: one row per file, person or frame, with a path, a label and a score.

A file of another program becomes a valid score table without being guessed at: what a column means follows from its header
(`score_columns.ROLES`) or is said, the polarity and the scale of scores are stated, and what contradicts itself is refused.
"""

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import expit, logit

from dfworkbench.core.errors import ParameterError, TableError
from dfworkbench.core.names import FAKE, REAL, STATUS_OK
from dfworkbench.core.outputs import SCORE_CSV, require_replaceable
from dfworkbench.datasets.tables import NOTES, SCORES, read_cells, write_csv
from dfworkbench.evaluation.exchange.score_columns import NEEDED, find_columns, require_polarity
from dfworkbench.evaluation.exchange.score_keys import add_keys
from dfworkbench.evaluation.exchange.score_labels import parse_labels
from dfworkbench.evaluation.exchange.score_numbers import parse_numbers
from dfworkbench.evaluation.exchange.score_rows import select_rows

_log = logging.getLogger(__name__)

Polarity = Literal["fake", "real"]
Scale = Literal["probability", "percent", "logit"]

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
    where: Sequence[str] = (),
    labelled: bool = True,
) -> pd.DataFrame:
    """Read a score file with columns that other programs write.

    Needed are a path (or id), a label and a score; split, method, track, frame, dataset, group, status and reason are taken
    where they are. Headers: see `score_columns.ROLES`. Encodings and separators: see `tables.read_cells`; decimal
    commas and percentages: see `score_numbers`.

    * An empty score is a file that could not be scored; the row stays, as "missing" if no status says why.
    * Several rows of one file without a column for the frame are taken for its frames, in their order. Rows that another column
      tells apart, such as those of two models, are refused: choose with `where`. See `score_rows`.
    * Exact copies of rows that are numbered are left out; rows that contradict each other are refused.
    * Equal names under several methods or data sets are different files: the method goes into their keys.

    Args:
        path: The file.
        polarity: What a high score means.
        scale: "probability" in 0..1, "percent" in 0..100, or "logit": log-odds, of any size. A column named logit is one.
        fake_label: The number that means fake, 1 or 0; the other one means real. True is 1, false is 0; words such as real and
            fake mean what they say.
        columns: Role -> header, where the headers do not say it: `{"score": "model A"}`.
        frames_in_folders: Whether each path is a frame, and the folder that it lies in the video.
        dataset: Name of the data set, where no column gives it.
        where: Rows to take, as `column=value`; see `score_rows.select_rows`.
        labelled: Whether there must be a column of labels; without one, all labels are -1.

    Returns:
        A score table (`tables.SCORES`); its `attrs[tables.NOTES]` says how the file was read, and which columns were not.

    Raises:
        DataNotFoundError: There is no such file.
        TableError: It cannot be understood; says which row or column, and what to do.
        ParameterError: An argument is none of those above.
    """
    source = Path(path)
    if (
        polarity not in ("fake", "real")
        or scale not in ("probability", "percent", "logit")
        or fake_label not in (REAL, FAKE)
    ):
        raise ParameterError(
            f"reading scores from {source}: polarity {polarity!r}, scale {scale!r}, fake_label {fake_label!r}; expected 'fake' or "
            "'real', 'probability', 'percent' or 'logit', 1 or 0."
        )
    cells = read_cells(source, "reading scores")
    notes = list(cells.attrs[NOTES])
    cells = select_rows(cells, where, source)
    found = find_columns(list(cells), columns or {}, source, NEEDED if labelled else ("path", "score"))
    if frames_in_folders or "frame" in found or {"path", "video"} <= set(found):
        cells = _without_copies(cells, notes)
    rows = {role: cells[header].str.strip() for role, header in found.items()}
    kept = ("split", "forgery", "group", "status", "reason")
    table = pd.DataFrame({role: rows[role] for role in kept if role in rows}, index=cells.index)
    table["dataset"] = rows["dataset"] if "dataset" in rows else dataset
    table["label"] = parse_labels(rows["label"], fake_label, source) if "label" in rows else -1
    scored = "score" if "score" in rows else "logit"
    require_polarity(found[scored], polarity, source)
    texts = rows[scored].str.rstrip("%").str.rstrip() if scale == "percent" else rows[scored]
    values = parse_numbers(texts, found[scored], source, notes)
    table["fake_probability"], table["logit"] = _both(values, "logit" if scored == "logit" else scale, polarity, source)
    # a source is a role for audits of many detectors only: here it may tell several rows of one file apart
    used = [header for role, header in found.items() if role != "source"]
    others = cells[[header for header in cells if header not in used]]
    notes += add_keys(table, rows, frames_in_folders, source, others)
    if others.shape[1]:
        notes.append(f"columns that were not used: {', '.join(map(str, others))}")
    if "status" in table:
        table["status"] = table["status"].replace("", STATUS_OK)
    table = finished(table.reset_index(drop=True), source)
    table.attrs[NOTES] = notes
    return table


def _without_copies(cells: pd.DataFrame, notes: list[str]) -> pd.DataFrame:
    """Rows that are numbered, without those that equal another one in every cell."""
    copies = cells.duplicated()
    if copies.any():
        notes.append(f"{int(copies.sum())} rows are exact copies of others, and are left out")
    return cells[~copies]


def write_score_csv(scores: pd.DataFrame, path: Path | str) -> Path:
    """Write a score table with the fewest columns that say it all: path, label, score, and those that hold something.

    High scores mean fake. Log-odds and times are left out: they follow from the score, and from the frame.

    Raises:
        TableError: It is no score table.
        OutputError: The file cannot be written, or is there and is no score table.
    """
    require_replaceable(Path(path), SCORE_CSV)
    table = SCORES.complete(scores, "the scores to be written")
    out = pd.DataFrame({"path": table["video_id"], "label": table["label"], "score": table["fake_probability"]})
    empty = {"track": -1, "frame": -1, "status": STATUS_OK}
    for name in ("dataset", "split", "forgery", "group", "track", "frame", "status", "reason"):
        if (table[name] != empty.get(name, "")).any():
            out[name] = table[name]
    if table.duplicated(["video_id", "track", "frame"]).any():
        out = out.rename(columns={"path": "video"}).assign(path=table["row_id"])
    return write_csv(out, path, "a score file")


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


def require_scale(
    values: NDArray[np.float64],
    scale: Scale,
    source: object,
    advice: str = "state --scale logit (scale='logit' in Python) or --scale percent",
) -> None:
    """Refuse scores out of the range of their scale, and warn of those that look like another one; NaN is no score.

    Args:
        values: `(n,)`.
        scale: What they were said to be.
        source: Where they stand, for messages.
        advice: How another scale is stated.

    Raises:
        TableError: Scores lie outside of 0..1, or 0..100 for percent.
    """
    seen = values[~np.isnan(values)]
    low, high = (seen.min(), seen.max()) if len(seen) else (0.0, 1.0)
    if scale == "logit":
        if len(seen) > 2 and low >= 0 and high <= 1:
            _log.warning(
                "all scores of %s lie from 0 to 1, but were read as log-odds: they look like probabilities", source
            )
        return
    top = 100 if scale == "percent" else 1
    if low < 0 or high > top:
        looks = "log-odds, or any score whose middle is 0" if low < 0 or high > 100 else "percentages or log-odds"
        raise TableError(
            f"reading scores from {source}: they lie from {low:g} to {high:g}; expected {scale} from 0 to {top}. They look like "
            f"{looks}: {advice}; otherwise divide them."
        )
    if len(seen) > 2 and np.isin(seen, (0, top)).all():
        _log.warning(
            "all scores of %s are 0 or %d: they look like decisions, of which no ranking can be judged", source, top
        )
    if scale == "percent" and len(seen) > 2 and high <= 1:
        _log.warning("all scores of %s are at most 1, but were read as percentages", source)


def _both(
    values: NDArray[np.float64], scale: Scale, polarity: Polarity, source: Path
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Fake probabilities and log-odds."""
    require_scale(values, scale, source)
    if scale == "logit":
        odds = values if polarity == "fake" else -values
        return expit(odds), odds
    top = 100 if scale == "percent" else 1
    values = values / top
    probabilities = values if polarity == "fake" else 1 - values
    return probabilities, log_odds(probabilities)
