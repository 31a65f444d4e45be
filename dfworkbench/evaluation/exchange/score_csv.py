"""Read and write plain CSV score files: one row per file, person or frame, with a path, a label and a score.

Nothing is guessed: the meaning of a column follows from its header (`score_columns.ROLES`) or is given, polarity and scale of
the scores are given, and contradictions are refused.
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

_EPSILON = 2.0**-53  # a probability of exactly 1 gets log-odds of 36.7


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
    """Read a score file written by another program.

    Required are a path (or id), a label and a score; split, method, track, frame, dataset, group, status and reason are used if
    present. Headers: see `score_columns.ROLES`. Encodings and separators: see `tables.read_cells`; decimal commas and
    percentages: see `score_numbers`.

    * An empty score means a file that could not be scored; the row is kept, with status "missing" if none is given.
    * Several rows of one file without a frame column count as its frames, in order. Rows that differ in another column, such as
      two models, are refused: select with `where`. See `score_rows`.
    * Exact duplicates of numbered rows are dropped; contradictory rows are refused.
    * Equal names under several methods or data sets are different files; the method becomes part of their keys.

    Args:
        path: The file.
        polarity: What a high score means.
        scale: "probability" in 0..1, "percent" in 0..100, or "logit" for log-odds of any size. A column named logit is always
            log-odds.
        fake_label: The number that means fake, 1 or 0; the other one means real. True is 1, false is 0; words such as real and
            fake are understood.
        columns: Role -> header, for unrecognised headers: `{"score": "model A"}`.
        frames_in_folders: Whether each path is a frame and its folder the video.
        dataset: Name of the data set, if no column gives it.
        where: Rows to select, as `column=value`; see `score_rows.select_rows`.
        labelled: Whether a label column is required; without one, all labels are -1.

    Returns:
        A score table (`tables.SCORES`); its `attrs[tables.NOTES]` notes how the file was read, and which columns were ignored.

    Raises:
        DataNotFoundError: There is no such file.
        TableError: It cannot be understood; the message names the row or column and what to do.
        ParameterError: An argument has an invalid value.
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
    # "source" is a role only in audits; here it may distinguish several rows of one file
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
    """Numbered rows without exact duplicates."""
    copies = cells.duplicated()
    if copies.any():
        notes.append(f"{int(copies.sum())} rows are exact copies of others, and are left out")
    return cells[~copies]


def write_score_csv(scores: pd.DataFrame, path: Path | str) -> Path:
    """Write a score table with as few columns as possible: path, label, score, and any non-empty ones.

    High scores mean fake. Log-odds and times are left out, because they follow from the score and the frame.

    Raises:
        TableError: It is not a score table.
        OutputError: The file cannot be written, or exists and is not a score table.
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
    """Complete a score table, setting the status of rows without a score.

    Raises:
        TableError: The rows violate the schema.
    """
    table = SCORES.complete(table, source)
    table.loc[table["status"] != STATUS_OK, ["fake_probability", "logit"]] = np.nan
    lost = table["fake_probability"].isna() & (table["status"] == STATUS_OK)
    table.loc[lost, ["status", "reason"]] = ["missing", "no score in the file"]
    return table


def log_odds(probabilities: NDArray[np.float64]) -> NDArray[np.float64]:
    """Log-odds of probabilities, finite also for 0 and 1."""
    return logit(np.clip(probabilities, _EPSILON, 1 - _EPSILON))


def require_scale(
    values: NDArray[np.float64],
    scale: Scale,
    source: object,
    advice: str = "state --scale logit (scale='logit' in Python) or --scale percent",
) -> None:
    """Refuse scores outside the range of their scale, and warn if they look like another scale; NaN means no score.

    Args:
        values: `(n,)`.
        scale: Their stated scale.
        source: Where they are from, for messages.
        advice: How to state another scale, for messages.

    Raises:
        TableError: Scores are outside 0..1, or 0..100 for percent.
    """
    seen = values[~np.isnan(values)]
    low, high = (seen.min(), seen.max()) if len(seen) else (0.0, 1.0)
    if scale == "logit":
        if len(seen) > 2 and low >= 0 and high <= 1:
            _log.warning(
                "all scores of %s are between 0 and 1, but were read as log-odds: they look like probabilities", source
            )
        return
    top = 100 if scale == "percent" else 1
    if low < 0 or high > top:
        looks = "log-odds, or any score whose middle is 0" if low < 0 or high > 100 else "percentages or log-odds"
        raise TableError(
            f"reading scores from {source}: they range from {low:g} to {high:g}; expected {scale} from 0 to {top}. They look like "
            f"{looks}: {advice}; otherwise divide them."
        )
    if len(seen) > 2 and np.isin(seen, (0, top)).all():
        _log.warning(
            "all scores of %s are 0 or %d: they look like decisions, whose ranking cannot be judged", source, top
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
