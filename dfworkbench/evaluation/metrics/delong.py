"""DeLong's variance of the AUC and paired test of two detectors, and Holm's correction for multiple tests.

E. R. DeLong, D. M. DeLong and D. L. Clarke-Pearson, "Comparing the areas under two or more correlated receiver operating
characteristic curves: a nonparametric approach", Biometrics 44 (1988), computed from mid-ranks after X. Sun and W. Xu, "Fast
implementation of DeLong's algorithm", IEEE Signal Processing Letters 21 (2014): O(n log n). Rows are treated as independent.
Videos that share people are not, and the p-value is then too small: see `compare.compare_detectors`, which notes this and adds
a bootstrap over people. S. Holm, "A simple sequentially rejective multiple test procedure", Scandinavian Journal of Statistics
6 (1979).
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtr

from dfworkbench.core.errors import InputError
from dfworkbench.core.names import FAKE, REAL

Floats = NDArray[np.float64]


class Delong(NamedTuple):
    """AUCs of K detectors on the same rows.

    Attributes:
        auc: `(K,)`.
        covariance: `(K, K)`, covariance of the AUCs; NaN with fewer than two fakes or two reals.
    """

    auc: Floats
    covariance: Floats


class DelongTest(NamedTuple):
    """Result of a test whether two AUCs on the same rows differ.

    Attributes:
        first: AUC of the first detector.
        second: AUC of the second.
        standard_error: Standard error of the difference.
        p: Two-sided p-value of no difference; NaN if undefined.
        reason: Why p is NaN, else "".
    """

    first: float
    second: float
    standard_error: float
    p: float
    reason: str = ""


def delong(labels: ArrayLike, scores: ArrayLike) -> Delong:
    """AUCs and their covariance.

    Args:
        labels: `(n,)`, 1 for fake, 0 for real.
        scores: `(n,)` for one detector or `(K, n)` for several, higher means fake; no NaN.

    Raises:
        InputError: Wrong shapes or values, or rows of one class only.
    """
    of_fakes, of_reals = _placements(labels, scores)
    return Delong(of_fakes.mean(axis=1), _covariance(of_fakes) + _covariance(of_reals))


def delong_test(labels: ArrayLike, first: ArrayLike, second: ArrayLike) -> DelongTest:
    """DeLong's paired test for two detectors on the same rows.

    Args:
        labels: `(n,)`, 1 for fake, 0 for real.
        first: `(n,)`, scores of the first detector.
        second: `(n,)`, scores of the second, in the same order.

    Raises:
        InputError: See `delong`.
    """
    of_fakes, of_reals = _placements(labels, np.stack([np.asarray(first, float), np.asarray(second, float)]))
    first_auc, second_auc = (float(value) for value in of_fakes.mean(axis=1))
    # from row-by-row differences, so that detectors with equal ranking give exactly 0
    variance = float((_covariance(np.diff(of_fakes, axis=0)) + _covariance(np.diff(of_reals, axis=0)))[0, 0])
    if np.isnan(variance):
        return DelongTest(first_auc, second_auc, variance, float("nan"), "DeLong needs two fakes and two reals")
    difference = first_auc - second_auc
    if variance == 0 and difference != 0:
        return DelongTest(first_auc, second_auc, 0.0, float("nan"), "DeLong's variance is 0: no p-value")
    p = 1.0 if variance == 0 else float(2 * ndtr(-abs(difference) / np.sqrt(variance)))
    return DelongTest(first_auc, second_auc, float(np.sqrt(variance)), p)


def holm(p_values: ArrayLike) -> Floats:
    """Holm-corrected p-values, which control the family-wise error rate at alpha.

    Args:
        p_values: `(m,)`; NaN is not counted as a test and is kept.
    """
    p = np.asarray(p_values, dtype=np.float64)
    out = np.full(p.shape, np.nan)
    order = np.argsort(p)[: int(np.isfinite(p).sum())]  # NaN sorts last
    steps = p[order] * np.arange(len(order), 0, -1)
    out[order] = np.minimum(np.maximum.accumulate(steps), 1.0)
    return out


def _placements(labels: ArrayLike, scores: ArrayLike) -> tuple[Floats, Floats]:
    """Share of reals below each fake, `(K, fakes)`, and of fakes above each real; ties count half."""
    y, p = np.asarray(labels), np.atleast_2d(np.asarray(scores, dtype=np.float64))
    if y.ndim != 1 or p.ndim != 2 or p.shape[1] != len(y) or np.isnan(p).any() or not np.isin(y, (REAL, FAKE)).all():
        raise InputError(
            f"DeLong's variance: labels {y.shape} and scores {p.shape}, expected (n,) of 0 (real) and 1 (fake), and (n,) or "
            "(detectors, n) of numbers. Drop the rows without a score, the same of all detectors."
        )
    fake = y == FAKE
    if fake.all() or not fake.any():
        raise InputError(
            f"DeLong's variance: {fake.sum()} fakes and {(~fake).sum()} reals; an AUC needs both. Score files of both kinds."
        )
    from scipy.stats import rankdata  # slow to import

    ranks, own = rankdata(p, axis=1), (rankdata(p[:, fake], axis=1), rankdata(p[:, ~fake], axis=1))
    return (ranks[:, fake] - own[0]) / (~fake).sum(), 1 - (ranks[:, ~fake] - own[1]) / fake.sum()


def _covariance(placements: Floats) -> Floats:
    """Covariance of the mean over independent columns of `(K, m)`; NaN for a single column."""
    if placements.shape[1] < 2:
        return np.full((len(placements), len(placements)), np.nan)
    return np.atleast_2d(np.cov(placements)) / placements.shape[1]
