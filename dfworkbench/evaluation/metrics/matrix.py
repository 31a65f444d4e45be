"""Who is good at what: detectors by data sets and forgery kinds, each cell with its interval, its coverage and its size.

Papers print such tables as bare numbers. Here a cell is computed from score tables and from nothing else, by one rule for all.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from dfworkbench.core.errors import InputError
from dfworkbench.core.names import FAKE, REAL
from dfworkbench.evaluation.metrics.bootstrap import interval
from dfworkbench.evaluation.metrics.comparison import drawn_metric
from dfworkbench.evaluation.metrics.evaluate import usable_rows
from dfworkbench.evaluation.scoring.aggregate import DEFAULT_RULE, to_level

ALL_KINDS = "all kinds"

_COLUMNS = (
    "detector",
    "dataset",
    "kind",
    "metric",
    "level",
    "value",
    "low",
    "high",
    "n",
    "n_fake",
    "n_real",
    "coverage",
    "seeds",
    "unit",
    "reason",
)


def score_matrix(
    scores: Mapping[str, pd.DataFrame | Sequence[pd.DataFrame]],
    *,
    metric: str = "auc",
    level: str = "video",
    rule: str = DEFAULT_RULE,
    missing: str = "drop",
    unit: str = "group",
    draws: int = 1000,
    seed: int = 0,
) -> pd.DataFrame:
    """One row per detector, data set and forgery kind, and one for all kinds of a data set together.

    The genuine files of a data set stand against the fakes of each kind. Intervals are 95 % bootstrap intervals, drawn alike for
    the seeds of a detector; how seeds scatter is another question (`evaluation.metrics.seeds`).

    Args:
        scores: Detector, in words that say what it was trained on, -> its score table, or those of several seeds. A table may
            hold several data sets (column dataset).
        metric: Name in `curve_metrics.METRICS`.
        level: "frame", "track" or "video".
        rule: How the faces of a file become one number.
        missing: What rows without score count as, see `metrics.MISSING`.
        unit: What is drawn: "group" (people, with all their files) or "video". With fewer than a dozen groups those intervals
            are too narrow.
        draws: Bootstrap resamplings; 0 for no intervals.
        seed: Of the resampling.

    Returns:
        detector, dataset, kind ("" for fakes without a name), metric, level, value (mean over seeds), low, high, n, n_fake, n_real,
        coverage (share of the labelled files that have a score), seeds (how many), unit (that was drawn), reason (why value or
        interval is NaN).

    Raises:
        InputError: There is no score table, or a detector has none.
        UnknownNameError: No such metric, level, rule, policy or unit.
    """
    runs: dict[str, list[pd.DataFrame]] = {
        name: [tables] if isinstance(tables, pd.DataFrame) else list(tables) for name, tables in scores.items()
    }
    empty = [name for name, tables in runs.items() if not tables]
    if not runs or empty:
        raise InputError(
            f"making a matrix of detectors: {f'{empty[0]!r} has no score table' if empty else 'no detector was given'}; expected "
            "detector -> one or more score tables. Score held-out files first, in 03_inference or 02_train."
        )
    rows = []
    for name, tables in runs.items():
        for dataset in dict.fromkeys(value for table in tables for value in table["dataset"]):
            parts = [part for table in tables if len(part := table[table["dataset"] == dataset])]  # seeds that saw it
            for kind in [*_kinds(parts), ALL_KINDS]:
                cell = _cell([_against(part, kind) for part in parts], metric, level, rule, missing, unit, draws, seed)
                about = {"detector": name, "dataset": dataset, "kind": kind, "metric": metric, "level": level}
                rows.append({**about, "unit": unit, **cell})
    return pd.DataFrame(rows, columns=list(_COLUMNS))


def _kinds(tables: Sequence[pd.DataFrame]) -> list[str]:
    return sorted({kind for table in tables for kind in table.loc[table["label"] == FAKE, "method"]})


def _against(table: pd.DataFrame, kind: str) -> pd.DataFrame:
    """The genuine rows and the fakes of one kind. Genuine tracks beside a forged one belong to its file, so to its kind."""
    if kind == ALL_KINDS:
        return table
    fakes = table[table["label"] == FAKE]
    of_kind, of_any = set(fakes.loc[fakes["method"] == kind, "video_id"]), set(fakes["video_id"])
    return table[table["video_id"].isin(of_kind) | ~table["video_id"].isin(of_any)]


def _cell(
    tables: Sequence[pd.DataFrame], metric: str, level: str, rule: str, missing: str, unit: str, draws: int, seed: int
) -> dict[str, object]:
    tables = [table.sort_values("row_id", kind="stable") for table in tables]  # so that seeds draw the same people
    found = [
        drawn_metric(metric, table, metric, level, rule=rule, missing=missing, unit=unit, draws=draws, seed=seed)
        for table in tables
    ]
    used, coverage = zip(*(usable_rows(to_level(table, level, rule), missing) for table in tables), strict=True)
    same = all(set(rows["video_id"]) == set(used[0]["video_id"]) for rows in used)
    low, high, why = interval(np.mean([drawn for _, drawn in found], axis=0)) if same else (np.nan, np.nan, "")
    odd = "" if same else "seeds scored different files: no interval"
    return {
        "value": float(np.mean([measure.value for measure, _ in found])), "low": low, "high": high, "n": len(used[0]),
        "n_fake": int((used[0]["label"] == FAKE).sum()), "n_real": int((used[0]["label"] == REAL).sum()),
        "coverage": float(np.mean(coverage)), "seeds": len(tables), "reason": found[0][0].reason or odd or why,
    }  # fmt: skip
