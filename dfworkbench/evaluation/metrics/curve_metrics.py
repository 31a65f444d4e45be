"""Ranking and threshold metrics (AUC, EER, accuracy, ...), and the registry of all metrics by name.

Every function maps a `Curve` of D draws to `(D,)`, NaN if undefined. Fake is the positive class. For labels and scores use
`evaluate.metric_of`.
"""

from collections.abc import Callable
from functools import partial

import numpy as np

from dfworkbench.core.errors import ParameterError
from dfworkbench.evaluation.metrics.curves import Curve, Floats, ratio
from dfworkbench.evaluation.metrics.probability_metrics import aurc, brier, ece, log_loss

MAX_FPR = 0.1  # largest false-alarm rate of the partial AUC

#: Metric -> the false-alarm rate at which the true-positive rate is reported.
TPR_AT = {f"tpr_at_{100 * rate:g}_percent_fpr": rate for rate in (0.001, 0.01, 0.05, 0.1)}


def auc(curve: Curve) -> Floats:
    """Area under the ROC curve; ties count half."""
    steps = curve.reals_at
    area = np.einsum("dt,dt->d", steps, curve.hits[:, 1:]) + np.einsum("dt,dt->d", steps, curve.hits[:, :-1])
    return ratio(area / 2, curve.fakes * curve.reals)


def partial_auc(curve: Curve, max_fpr: float = MAX_FPR) -> Floats:
    """Area under the ROC curve up to `max_fpr`, standardised: 0.5 for chance, 1 for a perfect detector.

    (1 + (area - max_fpr² / 2) / (max_fpr - max_fpr² / 2)) / 2: D. K. McClish, "Analyzing a portion of the ROC curve", Medical
    Decision Making 9 (1989), as `sklearn.metrics.roc_auc_score(max_fpr=...)`.
    """
    edge = _share(max_fpr) * curve.reals
    top = _hits_at(curve, edge)[:, None]
    widths = np.diff(np.minimum(curve.alarms, edge[:, None]), axis=1)  # 0 beyond the edge
    area = np.einsum("dt,dt->d", widths, curve.hits[:, :-1] + np.minimum(curve.hits[:, 1:], top)) / 2
    area = ratio(area, curve.fakes * curve.reals)
    return (1 + (area - max_fpr**2 / 2) / (max_fpr - max_fpr**2 / 2)) / 2


def tpr_at(curve: Curve, fpr: float) -> Floats:
    """True-positive rate at false-alarm rate `fpr`, with linear interpolation of the ROC curve.

    On a vertical step, the upper end. With n reals, rates below 1/n are between two thresholds: no threshold attains them.
    """
    return ratio(_hits_at(curve, _share(fpr) * curve.reals), np.where(curve.reals > 0, curve.fakes, 0.0))


def _share(fpr: float) -> float:
    if not 0 < fpr < 1:
        raise ParameterError(f"computing a metric: false-alarm rate {fpr}, expected a share above 0 and below 1.")
    return fpr


def _hits_at(curve: Curve, alarms: Floats) -> Floats:
    """Weight of the detected fakes at a false-alarm weight of `alarms` `(D,)`, which is below the total weight of the reals."""
    # 0.29 of 100 rows is 28.999999999999996: allow for rounding
    right = np.argmax(curve.alarms > alarms[:, None] * (1 + 1e-12), axis=1)
    right = np.where(curve.reals > alarms, right, curve.alarms.shape[1] - 1)  # end of the curve
    rows, left = np.arange(len(right)), np.maximum(right - 1, 0)
    start, stop = curve.alarms[rows, left], curve.alarms[rows, right]
    part = np.where(stop > start, (alarms - start) / np.where(stop > start, stop - start, 1.0), 1.0)
    return curve.hits[rows, left] + part * (curve.hits[rows, right] - curve.hits[rows, left])


def average_precision(curve: Curve) -> Floats:
    """Average precision: mean of the precision over the recall, as a step function."""
    called = curve.hits[:, 1:] + curve.alarms[:, 1:]
    np.maximum(called, 1e-300, out=called)  # draws without the highest rows: 0 / 0 counts as 0
    precision = np.divide(curve.hits[:, 1:], called, out=called)
    return ratio(np.einsum("dt,dt->d", curve.fakes_at, precision), curve.fakes)


def eer(curve: Curve) -> Floats:
    """Equal error rate: where miss and false-alarm rates cross, with linear interpolation of the ROC curve."""
    # misses - alarms falls from 1 to -1; the first column at or below 0 and the one before it enclose the crossing
    gap = (curve.fakes[:, None] - curve.hits) * curve.reals[:, None] - curve.alarms * curve.fakes[:, None]
    right = np.maximum(np.argmax(gap <= 0, axis=1), 1)
    rows = np.arange(len(right))
    before, after = gap[rows, right - 1], gap[rows, right]
    part = ratio(before, before - after)
    alarms = curve.alarms[rows, right - 1] * (1 - part) + curve.alarms[rows, right] * part
    return ratio(alarms, np.where(curve.fakes > 0, curve.reals, 0.0))


def accuracy(curve: Curve) -> Floats:
    """Share of rows on the right side of the threshold."""
    right = curve.hits[:, curve.cut] + curve.reals - curve.alarms[:, curve.cut]
    return ratio(right, curve.fakes + curve.reals)


def balanced_accuracy(curve: Curve) -> Floats:
    """Mean of the shares of fakes and reals on the right side of the threshold."""
    return (recall(curve) + ratio(curve.reals - curve.alarms[:, curve.cut], curve.reals)) / 2


def precision(curve: Curve) -> Floats:
    """Share of fakes among the rows called fake."""
    return ratio(curve.hits[:, curve.cut], curve.hits[:, curve.cut] + curve.alarms[:, curve.cut])


def recall(curve: Curve) -> Floats:
    """Share of the fakes that are called fake."""
    return ratio(curve.hits[:, curve.cut], curve.fakes)


def f1(curve: Curve) -> Floats:
    """Harmonic mean of precision and recall."""
    return ratio(2 * curve.hits[:, curve.cut], curve.hits[:, curve.cut] + curve.alarms[:, curve.cut] + curve.fakes)


#: Metric -> function that maps a `Curve` to `(D,)`, NaN if undefined.
METRICS: dict[str, Callable[[Curve], Floats]] = {
    "accuracy": accuracy,
    "auc": auc,
    "aurc": aurc,
    "average_precision": average_precision,
    "balanced_accuracy": balanced_accuracy,
    "brier": brier,
    "ece": ece,
    "eer": eer,
    "f1": f1,
    "log_loss": log_loss,
    "partial_auc": partial_auc,
    "precision": precision,
    "recall": recall,
    **{name: partial(tpr_at, fpr=rate) for name, rate in TPR_AT.items()},
}
