"""Metrics of a score table, each with its bootstrap interval over videos.

Frames of one video are alike, so a resampling draws whole videos (or identity groups) with all their rows. Rows without a
score stay in the table; `missing` says what they count as, and the coverage stands beside every figure.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from dfworkbench.errors import InputError, TableError
from dfworkbench.evaluation.aggregate import DEFAULT_RULE, LEVELS, to_level
from dfworkbench.evaluation.curves import METRICS, Ranking, draw_counts, resample
from dfworkbench.names import FAKE, REAL, require_name

DEFAULT_METRICS = ("auc", "eer", "average_precision", "accuracy", "balanced_accuracy")

#: Policy -> fake probability that a row without score gets; None takes it out.
MISSING = {"drop": None, "as_chance": 0.5, "as_real": 0.0, "as_fake": 1.0}
UNITS = {"video": "video_id", "group": "group"}
INTERVAL = (0.025, 0.975)

_NEED_BOTH = ("auc", "eer", "balanced_accuracy")


def auc(labels: ArrayLike, scores: ArrayLike) -> float:
    """Area under the ROC curve; ties count half. NaN if only one class is there."""
    return _single("auc", labels, scores)


def eer(labels: ArrayLike, scores: ArrayLike) -> float:
    """Equal error rate: where misses and false alarms cross, the ROC curve being interpolated linearly."""
    return _single("eer", labels, scores)


def average_precision(labels: ArrayLike, scores: ArrayLike) -> float:
    """Mean of the precision over the recall, as a step function (scikit-learn's definition)."""
    return _single("average_precision", labels, scores)


def accuracy(labels: ArrayLike, scores: ArrayLike) -> float:
    """Share of rows on the right side of 0.5; a score of exactly 0.5 is called real."""
    return _single("accuracy", labels, scores)


def balanced_accuracy(labels: ArrayLike, scores: ArrayLike) -> float:
    """Mean of the share of fakes above 0.5 and the share of reals at or below it."""
    return _single("balanced_accuracy", labels, scores)


def precision(labels: ArrayLike, scores: ArrayLike) -> float:
    """Share of fakes among the rows above 0.5; NaN if there is no such row."""
    return _single("precision", labels, scores)


def recall(labels: ArrayLike, scores: ArrayLike) -> float:
    """Share of the fakes that lie above 0.5."""
    return _single("recall", labels, scores)


def f1(labels: ArrayLike, scores: ArrayLike) -> float:
    """Harmonic mean of precision and recall at 0.5."""
    return _single("f1", labels, scores)


def _single(name: str, labels: ArrayLike, scores: ArrayLike) -> float:
    y, p = np.asarray(labels), np.asarray(scores, dtype=np.float64)
    if y.shape != p.shape or y.ndim != 1:
        raise InputError(
            f"computing {name}: labels {y.shape} and scores {p.shape} must be two lists of the same length."
        )
    if not np.isin(y, (REAL, FAKE)).all() or np.isnan(p).any():
        raise InputError(
            f"computing {name}: labels must be 0 (real) or 1 (fake) and scores numbers; drop rows that are not."
        )
    return float(METRICS[name](Ranking(y, p).curve())[0]) if len(y) else float("nan")


def evaluate(
    scores: pd.DataFrame,
    levels: Sequence[str] = LEVELS,
    *,
    rule: str = DEFAULT_RULE,
    metrics: Sequence[str] = DEFAULT_METRICS,
    missing: str = "drop",
    draws: int = 1000,
    seed: int = 0,
    unit: str = "video",
) -> pd.DataFrame:
    """All metrics of a score table.

    Args:
        scores: A score table (`tables.SCORES`). Rows with label -1 take no part.
        levels: Any of "frame", "track", "video".
        rule: How the faces of a file become one number, see `aggregate.RULES`.
        metrics: Names in `curves.METRICS`.
        missing: What rows without score count as: "drop", "as_chance" (0.5), "as_real" (0), "as_fake" (1).
        draws: Bootstrap resamplings; 0 for no intervals.
        seed: Of the resampling.
        unit: What is drawn: "video", or "group" (all videos that share an identity).

    Returns:
        One row per level and metric: level, metric, value, low, high (95 % interval), n, n_fake, n_real (rows that count),
        videos, coverage (share of the labelled rows of this level that have a score), rule, missing, unit, reason (why a
        value or interval is NaN, else "").
    """
    for name in metrics:
        require_name("metric", name, METRICS)
    require_name("policy for missing scores", missing, MISSING)
    require_name("resampling unit", unit, UNITS)
    parts = [_evaluate_level(to_level(scores, level, rule), metrics, missing, draws, seed, unit) for level in levels]
    for part, level in zip(parts, levels, strict=True):
        part.insert(0, "level", level)
    return pd.concat(parts, ignore_index=True).assign(rule=rule, missing=missing, unit=unit)[list(_COLUMNS)]


_COLUMNS = (
    "level", "metric", "value", "low", "high", "n", "n_fake", "n_real", "videos", "coverage", "rule", "missing", "unit", "reason",
)  # fmt: skip


def usable_rows(rows: pd.DataFrame, missing: str = "drop") -> tuple[pd.DataFrame, float]:
    """The labelled rows of a table from `to_level` after the policy for missing scores, and the coverage before it."""
    labelled = rows[rows["label"].isin((REAL, FAKE))]
    scored = labelled["fake_probability"].notna()
    coverage = float(scored.mean()) if len(labelled) else float("nan")
    value = MISSING[missing]
    if value is None:
        return labelled[scored], coverage
    return labelled.assign(fake_probability=labelled["fake_probability"].fillna(value)), coverage


def _evaluate_level(
    rows: pd.DataFrame, metrics: Sequence[str], missing: str, draws: int, seed: int, unit: str
) -> pd.DataFrame:
    used, coverage = usable_rows(rows, missing)
    n_fake = int((used["label"] == FAKE).sum())
    ranking = Ranking(used["label"], used["fake_probability"])
    codes, units = _unit_codes(used, unit)
    values = {name: METRICS[name](ranking.curve())[0] if len(used) else np.nan for name in metrics}
    sampled = {}
    if draws and units > 1:
        sampled = resample(ranking, codes, draw_counts(units, draws, seed), tuple(metrics))
    out = []
    for name in metrics:
        low, high, why = _interval(sampled.get(name), units, draws, unit)
        reason = _why_nan(name, len(used), n_fake) if np.isnan(values[name]) else why
        out.append({"metric": name, "value": values[name], "low": low, "high": high, "reason": reason})
    counts = {"n": len(used), "n_fake": n_fake, "n_real": len(used) - n_fake, "videos": used["video_id"].nunique()}
    return pd.DataFrame(out).assign(**counts, coverage=coverage)


def _unit_codes(rows: pd.DataFrame, unit: str) -> tuple[np.ndarray, int]:
    """For each row the number of its resampling unit, and how many units there are."""
    names = rows[UNITS[unit]]
    if unit == "group":
        if len(names) and (names == "").all():
            raise TableError(
                "bootstrapping over groups: the score table names no identity groups (column 'group' is empty). "
                "Use unit='video', or score a data set whose video table has groups."
            )
        names = names.where(names != "", "video " + rows["video_id"])  # a file without group is its own
    codes, uniques = pd.factorize(names)
    return codes, len(uniques)


def _interval(draws: np.ndarray | None, units: int, asked: int, unit: str) -> tuple[float, float, str]:
    if draws is None:
        return np.nan, np.nan, "" if not asked else f"{units} {unit}: too few for an interval"
    finite = draws[~np.isnan(draws)]  # resamplings that hold one class only say nothing
    if len(finite) < 2:
        return np.nan, np.nan, "no resampling holds both classes"
    low, high = np.quantile(finite, INTERVAL)
    lost = len(draws) - len(finite)
    return float(low), float(high), f"interval without {lost} one-class resamplings" if lost > 0.05 * len(draws) else ""


def _why_nan(metric: str, n: int, n_fake: int) -> str:
    if n == 0:
        return "no labelled row with a score"
    if n_fake in (0, n) and (metric in _NEED_BOTH or n_fake == 0):
        needs = "both classes" if metric in _NEED_BOTH else "fakes"
        return f"only {'real' if n_fake == 0 else 'fake'} rows: {metric} needs {needs}"
    return "no row is called fake"


def roc_band(
    scores: pd.DataFrame,
    level: str = "video",
    *,
    rule: str = DEFAULT_RULE,
    missing: str = "drop",
    draws: int = 500,
    seed: int = 0,
    points: int = 201,
) -> pd.DataFrame:
    """The ROC curve with its 95 % band over videos.

    Returns:
        fpr, tpr, low, high on `points` evenly spaced false alarm rates; empty if one class is missing.
    """
    used, _ = usable_rows(to_level(scores, level, rule), missing)
    grid = np.linspace(0, 1, points)
    empty = pd.DataFrame({"fpr": [], "tpr": [], "low": [], "high": []}, dtype=float)
    if used["label"].nunique() < 2:
        return empty
    ranking = Ranking(used["label"], used["fake_probability"])
    codes, units = _unit_codes(used, "video")
    tpr = _tpr_on(grid, ranking.curve())[0]
    counts = draw_counts(units, draws, seed)
    chunk = max(1, 2_000_000 // len(codes))
    order = codes[ranking.order]
    drawn = [_tpr_on(grid, ranking.curve(counts[i : i + chunk][:, order])) for i in range(0, draws, chunk)]
    curves = np.concatenate(drawn) if drawn else tpr[None]
    curves = curves[~np.isnan(curves).any(axis=1)]
    low, high = np.quantile(curves, INTERVAL, axis=0) if len(curves) else (tpr, tpr)
    return pd.DataFrame({"fpr": grid, "tpr": tpr, "low": low, "high": high})


def _tpr_on(grid: np.ndarray, curve) -> np.ndarray:
    out = np.full((len(curve.hits), len(grid)), np.nan)
    for row, (hits, alarms) in enumerate(zip(curve.hits, curve.alarms, strict=True)):
        if hits[-1] > 0 and alarms[-1] > 0:
            out[row] = np.interp(grid, alarms / alarms[-1], hits / hits[-1])  # on a vertical step: its upper end
            out[row, 0] = hits[np.searchsorted(alarms, 0, side="right") - 1] / hits[-1]
    return out


def metrics_text(table: pd.DataFrame) -> str:
    """A table from `evaluate` as lines to print: value, interval, counts and coverage."""
    lines = []
    for row in table.itertuples():
        band = "" if np.isnan(row.low) else f" [{row.low:.3f}, {row.high:.3f}]"
        value = "not defined" if np.isnan(row.value) else f"{row.value:.3f}"
        why = f"; {row.reason}" if row.reason else ""
        lines.append(
            f"{row.level:>5} {row.metric:<17} {value}{band}  n = {row.n} ({row.n_fake} fake, {row.n_real} real) "
            f"from {row.videos} videos, coverage {row.coverage:.1%}{why}"
        )
    return "\n".join(lines)
