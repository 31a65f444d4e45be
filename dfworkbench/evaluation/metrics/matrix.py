"""Cross-data-set matrix: detectors by data sets and forgery kinds, with interval, coverage and number of files per cell.

Papers print such tables as bare numbers; here all cells are computed from score tables by the same rule.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from dfworkbench.core.errors import InputError
from dfworkbench.core.names import FAKE, REAL
from dfworkbench.evaluation.metrics.bootstrap import interval, judged_rows
from dfworkbench.evaluation.metrics.compare import drawn_metric
from dfworkbench.evaluation.metrics.interval import Judging

ALL_KINDS = "all kinds"

_COLUMNS = (
    "detector", "dataset", "kind", "metric", "level", "value", "low", "high", "confidence", "n", "n_fake", "n_real", "coverage",
    "seeds", "unit", "reason",
)  # fmt: skip


def score_matrix(
    scores: Mapping[str, pd.DataFrame | Sequence[pd.DataFrame]], judging: Judging = Judging(), *, metric: str = "auc"
) -> pd.DataFrame:
    """Compute one row per detector, data set and forgery kind, and one for all kinds of a data set together.

    The fakes of each kind are compared with the genuine files of the data set. All seeds of a detector share bootstrap draws;
    for variation between seeds see `evaluate.evaluate_seeds`.

    Args:
        scores: Detector (named with its training data) -> its score table, or those of several seeds. A table may contain
            several data sets (column dataset).
        judging: How rows, metrics and intervals are computed.
        metric: Name in `curve_metrics.METRICS`.

    Returns:
        detector, dataset, kind ("" for unnamed fakes), metric, level, value (mean over seeds), low, high, confidence, n,
        n_fake, n_real, coverage (share of the labelled files with a score), seeds (number), unit (resampled), reason (why value
        or interval is NaN).

    Raises:
        InputError: There is no score table, or a detector has none.
        UnknownNameError: There is no such metric.
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
            parts = [part for table in tables if len(part := table[table["dataset"] == dataset])]  # seeds with it
            for kind in [*_kinds(parts), ALL_KINDS]:
                cell = _cell([_against(part, kind) for part in parts], judging, metric)
                about = {"detector": name, "dataset": dataset, "kind": kind, "metric": metric, "level": judging.level}
                rows.append({**about, "unit": judging.unit, "confidence": judging.confidence, **cell})
    return pd.DataFrame(rows, columns=list(_COLUMNS))


def _kinds(tables: Sequence[pd.DataFrame]) -> list[str]:
    return sorted({kind for table in tables for kind in table.loc[table["label"] == FAKE, "forgery"]})


def _against(table: pd.DataFrame, kind: str) -> pd.DataFrame:
    """The genuine rows and the fakes of one kind. Genuine tracks of a forged file belong to the file's kind."""
    if kind == ALL_KINDS:
        return table
    fakes = table[table["label"] == FAKE]
    of_kind, of_any = set(fakes.loc[fakes["forgery"] == kind, "video_id"]), set(fakes["video_id"])
    return table[table["video_id"].isin(of_kind) | ~table["video_id"].isin(of_any)]


def _cell(tables: Sequence[pd.DataFrame], judging: Judging, metric: str) -> dict[str, object]:
    found = [drawn_metric(metric, table, judging, metric=metric) for table in tables]
    used, coverage = zip(*(judged_rows(table, judging) for table in tables), strict=True)
    same = all(set(rows["video_id"]) == set(used[0]["video_id"]) for rows in used)
    low, high, why = (
        interval(np.mean([drawn for _, drawn in found], axis=0), judging.confidence) if same else (np.nan, np.nan, "")
    )
    odd = "" if same else "seeds scored different files: no interval"
    return {
        "value": float(np.mean([measure.value for measure, _ in found])), "low": low, "high": high, "n": len(used[0]),
        "n_fake": int((used[0]["label"] == FAKE).sum()), "n_real": int((used[0]["label"] == REAL).sum()),
        "coverage": float(np.mean(coverage)), "seeds": len(tables), "reason": found[0][0].reason or odd or why,
    }  # fmt: skip
