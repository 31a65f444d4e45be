"""Probability metrics (log loss, Brier score, calibration error, AURC) for many bootstrap draws at once.

Every function takes a `Curve` of D draws: the distinct scores, with the weight of reals and fakes at each. A weight of 2
counts a row twice, and results do not depend on the order of rows with equal scores.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import digamma

from dfworkbench.evaluation.metrics.curves import THRESHOLD, Curve, Floats, ratio

#: For log loss and logits, probabilities are clipped to this distance from 0 and 1, as in scikit-learn: a row costs at most 36
#: nats.
CLIP = float(np.finfo(np.float64).eps)
BINS = 15  # bins of the calibration error, as in Guo et al. 2017
_CONFIDENCE_DIGITS = 12  # digits; 0.7 - 0.5 and 0.5 - 0.3 differ in the 17th


def log_loss(curve: Curve) -> Floats:
    """Mean negative log-likelihood in nats; probabilities are clipped to `CLIP` from 0 and 1."""
    p = np.clip(curve.scores, CLIP, 1 - CLIP)
    return ratio(-(curve.fakes_at @ np.log(p) + curve.reals_at @ np.log1p(-p)), curve.fakes + curve.reals)


def brier(curve: Curve) -> Floats:
    """Mean squared distance of the probability from 1 (fakes) and 0 (reals)."""
    p = curve.scores
    return ratio(curve.fakes_at @ (1 - p) ** 2 + curve.reals_at @ p**2, curve.fakes + curve.reals)


def ece(curve: Curve, bins: int = BINS) -> Floats:
    """Expected calibration error with bins of equal mass: mean over rows of |mean probability - share of fakes| in their bin.

    Adaptive bins: Nguyen and O'Connor, "Posterior calibration and exploratory analysis for natural language processing models",
    EMNLP 2015. With few rows per bin, even a calibrated detector has an error above 0; compare only at equal n.
    """
    place = mass_bins(curve, bins) + bins * np.arange(len(curve.hits))[:, None]
    gap = (curve.fakes_at + curve.reals_at) * curve.scores - curve.fakes_at
    gaps = np.bincount(place.ravel(), weights=gap.ravel(), minlength=bins * len(place)).reshape(-1, bins)
    return ratio(np.abs(gaps).sum(axis=1), curve.fakes + curve.reals)


def mass_bins(curve: Curve, bins: int = BINS) -> NDArray[np.intp]:
    """Bin of each distinct score, `(D, T)` from 0 for the lowest.

    Equal scores share a bin, that of the middle of their mass: with many ties, bins are uneven or empty.
    """
    called = curve.hits + curve.alarms
    total = called[:, -1:]
    below = 2 * total - called[:, 1:] - called[:, :-1]  # twice the mass below the middle of a score's own
    return np.minimum(np.floor_divide(bins * below, 2 * np.maximum(total, 1e-300)).astype(np.intp), bins - 1)


class Blocks(NamedTuple):
    """Rows grouped by confidence, most confident first, for D draws and K confidences.

    Attributes:
        confidence: `(K,)`, |p - 0.5|, falling.
        weight: `(D, K)`.
        errors: `(D, K)`, weight of the rows on the wrong side of 0.5.
    """

    confidence: Floats
    weight: Floats
    errors: Floats


def confidence_blocks(curve: Curve) -> Blocks:
    """Weights and errors by confidence |p - 0.5|, rounded to 12 digits; p above 0.5 is called fake."""
    confidence: Floats = np.abs(curve.scores - THRESHOLD).round(_CONFIDENCE_DIGITS)
    order = np.argsort(-confidence, kind="stable")  # fast for two sorted runs
    ordered = confidence[order]
    starts = np.flatnonzero(np.append(True, ordered[1:] != ordered[:-1])[: len(ordered)])
    wrong = np.where(curve.scores > THRESHOLD, curve.reals_at, curve.fakes_at)
    sums = [np.add.reduceat(x[:, order], starts, axis=1) for x in (curve.fakes_at + curve.reals_at, wrong)]
    return Blocks(ordered[starts], *sums)


def aurc(curve: Curve) -> Floats:
    """Area under the risk-coverage curve: mean over k of the error rate among the k most confident rows.

    Geifman, Uziel and El-Yaniv, "Bias-reduced uncertainty estimation for deep neural classifiers", ICLR 2019. This is the
    expectation over random orders of rows with equal confidence: each of m such rows adds errors/m.
    """
    _, weight, errors = confidence_blocks(curve)
    rows_before, errors_before = np.cumsum(weight, axis=1) - weight, np.cumsum(errors, axis=1) - errors
    rate = ratio(errors, weight)
    # the sum over j of (errors_before + j rate) / (rows_before + j); harmonic numbers are digamma(n + 1) up to a constant
    harmonic = digamma(rows_before + weight + 1) - digamma(rows_before + 1)
    sums = errors + (errors_before - rows_before * np.nan_to_num(rate)) * harmonic
    return ratio(sums.sum(axis=1), curve.fakes + curve.reals)
