"""Metrics of a score table, each with its bootstrap interval over videos.

Frames of one video are alike, so a resampling draws whole videos (or identity groups) with all their rows. Rows without a
score stay in the table; `missing` says what they count as, and the coverage stands beside every figure.
"""

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from dfworkbench.core.errors import InputError, ParameterError
from dfworkbench.core.names import FAKE, REAL, require_name
from dfworkbench.datasets.audit.leak_note import table_note
from dfworkbench.evaluation.metrics import curve_metrics, probability_metrics
from dfworkbench.evaluation.metrics.bootstrap import UNITS, interval, resample, too_few, unit_codes
from dfworkbench.evaluation.metrics.curve_metrics import MAX_FPR, METRICS, TPR_AT
from dfworkbench.evaluation.metrics.curves import Curve, Floats, Ranking, draw_counts
from dfworkbench.evaluation.metrics.probability_metrics import BINS
from dfworkbench.evaluation.scoring.aggregate import DEFAULT_RULE, LEVELS, to_level

DEFAULT_METRICS = ("auc", "eer", "average_precision", "accuracy", "balanced_accuracy")

#: Policy -> fake probability that a row without score gets; None takes it out.
MISSING = {"drop": None, "as_chance": 0.5, "as_real": 0.0, "as_fake": 1.0}

_NEED_BOTH = ("auc", "eer", "balanced_accuracy", "partial_auc", *TPR_AT)


def auc(labels: ArrayLike, scores: ArrayLike) -> float:
    """Area under the ROC curve; ties count half. NaN if only one class is there."""
    return _single(curve_metrics.auc, labels, scores, "auc")


def eer(labels: ArrayLike, scores: ArrayLike) -> float:
    """Equal error rate: where misses and false alarms cross, the ROC curve being interpolated linearly."""
    return _single(curve_metrics.eer, labels, scores, "eer")


def average_precision(labels: ArrayLike, scores: ArrayLike) -> float:
    """Mean of the precision over the recall, as a step function (scikit-learn's definition)."""
    return _single(curve_metrics.average_precision, labels, scores, "average_precision")


def accuracy(labels: ArrayLike, scores: ArrayLike) -> float:
    """Share of rows on the right side of 0.5; a score of exactly 0.5 is called real."""
    return _single(curve_metrics.accuracy, labels, scores, "accuracy")


def balanced_accuracy(labels: ArrayLike, scores: ArrayLike) -> float:
    """Mean of the share of fakes above 0.5 and the share of reals at or below it."""
    return _single(curve_metrics.balanced_accuracy, labels, scores, "balanced_accuracy")


def precision(labels: ArrayLike, scores: ArrayLike) -> float:
    """Share of fakes among the rows above 0.5; NaN if there is no such row."""
    return _single(curve_metrics.precision, labels, scores, "precision")


def recall(labels: ArrayLike, scores: ArrayLike) -> float:
    """Share of the fakes that lie above 0.5."""
    return _single(curve_metrics.recall, labels, scores, "recall")


def f1(labels: ArrayLike, scores: ArrayLike) -> float:
    """Harmonic mean of precision and recall at 0.5."""
    return _single(curve_metrics.f1, labels, scores, "f1")


def partial_auc(labels: ArrayLike, scores: ArrayLike, max_fpr: float = MAX_FPR) -> float:
    """Area under the ROC curve up to a false-alarm rate, standardised after McClish: 0.5 for chance, 1 at best."""
    return _single(partial(curve_metrics.partial_auc, max_fpr=_rate(max_fpr)), labels, scores, "partial AUC")


def tpr_at(labels: ArrayLike, scores: ArrayLike, fpr: float) -> float:
    """Share of fakes found where a share `fpr` of reals is called fake; the ROC curve is interpolated linearly."""
    return _single(partial(curve_metrics.tpr_at, fpr=_rate(fpr)), labels, scores, "TPR at a false-alarm rate")


def log_loss(labels: ArrayLike, scores: ArrayLike) -> float:
    """Mean negative log-likelihood in nats, probabilities being clipped to `probability_metrics.CLIP` from 0 and 1."""
    return _single(probability_metrics.log_loss, labels, scores, "log loss")


def brier(labels: ArrayLike, scores: ArrayLike) -> float:
    """Mean squared distance of the probability from the label."""
    return _single(probability_metrics.brier, labels, scores, "the Brier score")


def ece(labels: ArrayLike, scores: ArrayLike, bins: int = BINS) -> float:
    """Expected calibration error over `bins` bins of equal mass; rows of equal score share a bin."""
    return _single(partial(probability_metrics.ece, bins=bins), labels, scores, "the calibration error")


def aurc(labels: ArrayLike, scores: ArrayLike) -> float:
    """Area under the risk-coverage curve at 0.5, the confidence being |p - 0.5|; ties come in random order on average."""
    return _single(probability_metrics.aurc, labels, scores, "the area under the risk-coverage curve")


def _rate(value: float) -> float:
    if not 0 < value < 1:
        raise ParameterError(f"computing a metric: false-alarm rate {value}, expected a share above 0 and below 1.")
    return value


def _single(metric: Callable[[Curve], Floats], labels: ArrayLike, scores: ArrayLike, name: str) -> float:
    y, p = np.asarray(labels), np.asarray(scores, dtype=np.float64)
    if y.shape != p.shape or y.ndim != 1:
        raise InputError(
            f"computing {name}: labels {y.shape} and scores {p.shape} must be two lists of the same length."
        )
    if not np.isin(y, (REAL, FAKE)).all() or np.isnan(p).any():
        raise InputError(
            f"computing {name}: labels must be 0 (real) or 1 (fake) and scores numbers; drop rows that are not."
        )
    return float(metric(Ranking(y, p).curve())[0]) if len(y) else float("nan")


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
        levels: Any of "frame", "track", "video", or "clip" and "person", see `aggregate.ALIASES`.
        rule: How the faces of a file become one number, see `aggregate.RULES`.
        metrics: Names in `curve_metrics.METRICS`.
        missing: What rows without score count as: "drop", "as_chance" (0.5), "as_real" (0), "as_fake" (1).
        draws: Bootstrap resamplings; 0 for no intervals.
        seed: Of the resampling.
        unit: What is drawn: "video", or "group" (all videos that share an identity).

    Returns:
        One row per level and metric: level, metric, value, low, high (95 % interval; NaN where a class has fewer than
        `bootstrap.FEWEST` files), n, n_fake, n_real (rows that count), videos, coverage (share of the labelled rows of this level
        that have a score), rule, missing, unit, reason (why a value or interval is NaN or what to know about it, else ""), note
        (what must be said beside every figure of the table, see `leak_note`, else "").
    """
    for name in metrics:
        require_name("metric", name, METRICS)
    require_name("policy for missing scores", missing, MISSING)
    require_name("resampling unit", unit, UNITS)
    parts = [_evaluate_level(to_level(scores, level, rule), metrics, missing, draws, seed, unit) for level in levels]
    for part, level in zip(parts, levels, strict=True):
        part.insert(0, "level", level)
    about = {"rule": rule, "missing": missing, "unit": unit, "note": table_note(scores)}
    return pd.concat(parts, ignore_index=True).assign(**about)[list(_COLUMNS)]


_COLUMNS = (
    "level", "metric", "value", "low", "high", "n", "n_fake", "n_real", "videos", "coverage", "rule", "missing", "unit", "reason",
    "note",
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
    codes, units = unit_codes(used, unit)
    values = {name: METRICS[name](ranking.curve())[0] if len(used) else np.nan for name in metrics}
    sampled, few = {}, too_few(used["label"], codes, unit)
    if draws and not few and len(used):
        sampled = resample(ranking, codes, draw_counts(units, draws, seed), tuple(metrics))
    out = []
    for name in metrics:
        low, high, why = interval(sampled.get(name, np.empty(0)))
        if draws and name not in sampled:
            why = few
        reason = (
            _why_nan(name, len(used), n_fake) if np.isnan(values[name]) else why or _coarse(name, len(used) - n_fake)
        )
        out.append({"metric": name, "value": values[name], "low": low, "high": high, "reason": reason})
    counts = {"n": len(used), "n_fake": n_fake, "n_real": len(used) - n_fake, "videos": used["video_id"].nunique()}
    return pd.DataFrame(out).assign(**counts, coverage=coverage)


def _why_nan(metric: str, n: int, n_fake: int) -> str:
    if n == 0:
        return "no labelled row with a score"
    if n_fake in (0, n) and (metric in _NEED_BOTH or n_fake == 0):
        needs = "both classes" if metric in _NEED_BOTH else "fakes"
        return f"only {'real' if n_fake == 0 else 'fake'} rows: {metric} needs {needs}"
    return "no row is called fake"


def _coarse(metric: str, n_real: int) -> str:
    if metric not in TPR_AT or TPR_AT[metric] * n_real >= 1:
        return ""
    return f"interpolated: no threshold has a false-alarm rate between 0 and {1 / n_real:.2g} with {n_real} real rows"


def metrics_text(table: pd.DataFrame) -> str:
    """A table from `evaluate` as lines to print: value, interval, counts and coverage, and below them what must be said."""
    lines, width = [], max([17, *table["metric"].str.len()])
    for row in table.itertuples():
        band = "" if np.isnan(row.low) else f" [{row.low:.3f}, {row.high:.3f}]"
        value = "not defined" if np.isnan(row.value) else f"{row.value:.3f}"
        why = f"; {row.reason}" if row.reason else ""
        lines.append(
            f"{row.level:>5} {row.metric:<{width}} {value}{band}  n = {row.n} ({row.n_fake} fake, {row.n_real} real) "
            f"from {row.videos} videos, coverage {row.coverage:.1%}{why}"
        )
    return "\n".join(lines + [f"NOTE: {note}" for note in table_notes(table)])


def table_notes(table: pd.DataFrame) -> list[str]:
    """What must be said beside the figures of a table from `evaluate`; a sentence each, mostly none."""
    return [str(note) for note in dict.fromkeys(table["note"]) if note] if "note" in table else []


def lost_intervals(table: pd.DataFrame) -> list[str]:
    """Why figures of a table from `evaluate` that have a value have no interval; a sentence each, mostly none."""
    lost = table[table["value"].notna() & table["low"].isna() & (table["reason"] != "")]
    return [
        f"{', '.join(str(name) for name in part['metric'].unique())}: {reason}."
        for reason, part in lost.groupby("reason", sort=False)
    ]
