"""Likelihood ratios: calibration fit, Cllr, PAV, devPAV, empirical cross-entropy, misleading evidence, bounds of an LR.

A score x is the natural log-odds of fake; l is log10 of the likelihood ratio, H1: fake, H2: real. If rows of one person or
source are alike, pass `groups`: every group then counts once in its class, and the bounds depend on the number of groups. With
one row per group, all results equal those of the package lir (Netherlands Forensic Institute) 1.3.1, except that its logistic
fit stops earlier than ours.

N. Brümmer and J. du Preez, Computer Speech and Language 20 (2006): Cllr. D. Ramos and J. Gonzalez-Rodriguez, Forensic Science
International 230 (2013): empirical cross-entropy. P. Vergeer et al., Science & Justice 56 (2016): bounds from the normalised Bayes
error. P. Vergeer, Y. van Schaik and M. Sjerps, Forensic Science International 321 (2021): devPAV. G. S. Morrison, Forensic Science
International: Synergy 3 (2021), argues against PAV-based metrics in casework, because PAV overfits: report them, but never
decide by them alone.
"""

import warnings
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.exceptions import ConvergenceWarning
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import LogisticRegression

from dfworkbench.core.errors import InputError
from dfworkbench.core.names import FAKE, REAL
from dfworkbench.evaluation.metrics.interval import NAN

Floats = NDArray[np.float64]

LN10 = float(np.log(10))
STEP = 0.01  # grid of log10 LR on which bounds are searched


class LrMap(NamedTuple):
    """A map from scores to LRs: l = (slope x + offset) / ln 10."""

    slope: float
    offset: float

    def llr(self, scores: ArrayLike) -> Floats:
        """Log10 LRs of scores."""
        return (self.slope * np.asarray(scores, dtype=np.float64) + self.offset) / LN10


class Bounds(NamedTuple):
    """Bounds within which log10 LRs can be trusted.

    Attributes:
        low: At most 0.
        high: At least 0.
        fake_groups: Groups of fakes.
        real_groups: Groups of reals.
    """

    low: float
    high: float
    fake_groups: int
    real_groups: int


def group_weights(labels: ArrayLike, groups: ArrayLike | None = None) -> Floats:
    """Row weights `(n,)` that sum to n, with equal weight for every group of a class and for both classes.

    Args:
        labels: `(n,)`, 1 for fake, 0 for real.
        groups: `(n,)`; a group may have rows of both classes. Without it, every row is its own group.
    """
    y = np.asarray(labels)
    out = np.zeros(len(y))
    for label in (REAL, FAKE):
        rows = y == label
        if rows.any():
            out[rows] = _shares(rows, groups)[0] * len(y) / 2
    return out


def _shares(rows: NDArray[np.bool_], groups: ArrayLike | None) -> tuple[Floats, int]:
    """Weights of the rows of a class, which sum to 1 with equal weight per group, and the number of groups."""
    if groups is None:
        count = int(rows.sum())
        return np.full(count, 1 / count), count
    sizes, place = np.unique(np.asarray(groups)[rows], return_inverse=True)
    counts = np.bincount(place, minlength=len(sizes))
    weights = 1 / counts[place]
    return weights / weights.sum(), len(sizes)


def fit_lr(scores: ArrayLike, labels: ArrayLike, groups: ArrayLike | None = None) -> LrMap:
    """Logistic calibration with C = 1 and group weights; balanced classes remove the prior.

    Raises:
        InputError: The rows have only one class.
    """
    x, y = np.asarray(scores, dtype=np.float64), np.asarray(labels)
    if not (y == FAKE).any() or not (y == REAL).any():
        raise InputError(
            f"fitting likelihood ratios: {int((y == FAKE).sum())} fakes and {int((y == REAL).sum())} reals; expected both. "
            "Give scores of both classes."
        )
    model = LogisticRegression(C=1.0, solver="newton-cholesky", tol=1e-12, max_iter=1000)
    with (
        warnings.catch_warnings()
    ):  # if most scores are equal, it falls back to lbfgs with the same tolerance and warns
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(x[:, None], y, sample_weight=group_weights(y, groups))
    return LrMap(float(model.coef_[0, 0]), float(model.intercept_[0]))


def cross_fitted(
    scores: ArrayLike, labels: ArrayLike, folds: ArrayLike, groups: ArrayLike | None = None
) -> tuple[Floats, list[LrMap]]:
    """Cross-fitted log10 LRs, `(n,)`, each fold by a fit on all other folds; and the fits in fold order.

    Raises:
        InputError: Without one of the folds, only one class is left.
    """
    x, y, fold = np.asarray(scores, dtype=np.float64), np.asarray(labels), np.asarray(folds)
    names = None if groups is None else np.asarray(groups)
    out, maps = np.empty(len(x)), []
    for one in np.unique(fold):
        rest = fold != one
        maps.append(fit_lr(x[rest], y[rest], None if names is None else names[rest]))
        out[~rest] = maps[-1].llr(x[~rest])
    return out, maps


def costs(llr: ArrayLike, labels: ArrayLike, log_prior_odds: float = 0.0) -> Floats:
    """Contribution of each row to Cllr: log2(1 + 1/LR) for a fake, log2(1 + LR) for a real; 0 to infinity, `(n,)`.

    Args:
        llr: `(n,)`, log10; infinite ones are allowed.
        labels: `(n,)`.
        log_prior_odds: Log10 prior odds of fake, for the empirical cross-entropy.
    """
    signed = np.where(np.asarray(labels) == FAKE, -1.0, 1.0) * (np.asarray(llr, dtype=np.float64) + log_prior_odds)
    return np.logaddexp(0, signed * LN10) / np.log(2)


def cllr(llr: ArrayLike, labels: ArrayLike, weights: ArrayLike | None = None) -> float:
    """Log-likelihood-ratio cost: 0 is perfect, 1 equals LR = 1 for everything, above 1 is worse than no information."""
    return cross_entropy(llr, labels, 0.0, weights)


def cross_entropy(llr: ArrayLike, labels: ArrayLike, log_prior_odds: float, weights: ArrayLike | None = None) -> float:
    """Empirical cross-entropy in bits at log10 prior odds; equals Cllr at 0. NaN without both classes."""
    y, cost = np.asarray(labels), costs(llr, labels, log_prior_odds)
    w = np.ones(len(y)) if weights is None else np.asarray(weights, dtype=np.float64)
    prior = 1 / (1 + 10.0**-log_prior_odds)
    parts = [_mean(cost[y == label], w[y == label]) for label in (FAKE, REAL)]
    return prior * parts[0] + (1 - prior) * parts[1]


def _mean(values: Floats, weights: Floats) -> float:
    return float(np.average(values, weights=weights)) if len(values) else NAN


def pav(llr: ArrayLike, labels: ArrayLike, weights: ArrayLike | None = None) -> Floats:
    """Log10 LRs after the best monotone calibration on the same rows (pool adjacent violators); may be infinite, `(n,)`.

    Args:
        llr: `(n,)`, log10.
        labels: `(n,)`.
        weights: `(n,)`, such as `group_weights`; they weight rows within each class, and both classes have equal weight.
    """
    x, y = np.asarray(llr, dtype=np.float64), np.asarray(labels)
    if weights is None:
        share = float((y == FAKE).mean())
        each = np.where(y == FAKE, 1 - share, share)
    else:
        each = np.array(weights, dtype=np.float64)
        for label in (REAL, FAKE):
            each[y == label] /= each[y == label].sum()
    p = IsotonicRegression(out_of_bounds="clip").fit(x, y, sample_weight=each).predict(x)
    with np.errstate(divide="ignore"):
        return np.log10(p) - np.log10(1 - p)


def cllr_min(llr: ArrayLike, labels: ArrayLike, weights: ArrayLike | None = None) -> float:
    """Cllr after `pav`: the discrimination loss. Cllr minus this is the calibration loss (Cllr-cal)."""
    return cllr(pav(llr, labels, weights), labels, weights)


def devpav(llr: ArrayLike, labels: ArrayLike, weights: ArrayLike | None = None) -> float:
    """devPAV: mean distance between the PAV line and the diagonal over its finite points; NaN if there are none."""
    return distance_from_diagonal(llr, pav(llr, labels, weights))


def distance_from_diagonal(llr: ArrayLike, pav_llr: ArrayLike) -> float:
    """`devpav` for a precomputed PAV line.

    Args:
        llr: `(n,)`, log10.
        pav_llr: `(n,)`, the result of `pav` for them.
    """
    x, first = np.unique(np.asarray(llr, dtype=np.float64), return_index=True)
    line = np.asarray(pav_llr)[first]
    finite = np.isfinite(line)
    x, distance = x[finite], line[finite] - x[finite]
    if len(x) < 2:
        return float(abs(distance[0])) if len(x) else NAN
    a, b = distance[:-1], distance[1:]
    total = np.abs(a) + np.abs(b)
    crossing = (a**2 + b**2) / np.maximum(2 * total, 1e-300)
    return float((np.where(a * b >= 0, total / 2, crossing) * np.diff(x)).sum() / (x[-1] - x[0]))


def misleading(llr: ArrayLike, labels: ArrayLike, beyond: float = 0.0) -> tuple[float, float]:
    """Misleading evidence: share of fakes with log10 LR below `-beyond`, and of reals with log10 LR above `beyond`."""
    x, y = np.asarray(llr), np.asarray(labels)
    return float(np.mean(x[y == FAKE] < -beyond)), float(np.mean(x[y == REAL] > beyond))


class BayesError(NamedTuple):
    """Normalised Bayes error of LRs over decision thresholds.

    Attributes:
        thresholds: `(k,)`, log10.
        ratio: `(k,)`, expected cost of deciding by the prior alone, divided by that of deciding by the LRs; below 1 the LRs do
            harm.
        fake_groups: Groups of fakes.
        real_groups: Groups of reals.
    """

    thresholds: Floats
    ratio: Floats
    fake_groups: int
    real_groups: int


def bayes_error(llr: ArrayLike, labels: ArrayLike, groups: ArrayLike | None = None) -> BayesError:
    """Normalised Bayes error on a grid of thresholds, with one misleading group added to each class."""
    x, y = np.asarray(llr, dtype=np.float64), np.asarray(labels)
    (l1, w1, n1), (l0, w0, n0) = (_by_llr(x, y == label, groups) for label in (FAKE, REAL))
    low, high = max(float(x.min()), -np.log10(n1 + 1)), min(float(x.max()), np.log10(n0 + 1))
    first, last = min(0, int(low // STEP)), max(0, int(high // STEP) + 1)
    k = np.linspace(first * STEP, last * STEP, last - first + 1)
    odds = 10.0**k
    share1, share0 = (_above(part, weights, k) for part, weights in ((l1, w1), (l0, w0)))
    cost = 1 - n1 * share1 / (n1 + 1) + odds * (n0 * share0 + 1) / (n0 + 1)
    return BayesError(k, np.minimum(1, odds) / cost, n1, n0)


def lr_bounds(llr: ArrayLike, labels: ArrayLike, groups: ArrayLike | None = None) -> Bounds:
    """Bounds of log10 LRs from the normalised Bayes error, one misleading group added to each class (ELUB).

    A threshold is bad if the expected cost of deciding by the LRs exceeds that of deciding by the prior alone. The upper bound
    is the grid point before the first bad threshold going up from 0, the lower bound the one before the first bad threshold
    going down. LR therefore never exceeds about the number of real groups, nor 1/LR that of fake groups.
    """
    k, ratio, fakes, reals = bayes_error(llr, labels, groups)
    bad = ratio < 1
    lower = np.max(k[(k <= 0) & bad] + STEP, initial=k.min())
    upper = np.min(k[(k >= 0) & bad] - STEP, initial=k.max())
    return Bounds(float(min(lower, 0)), float(max(upper, 0)), fakes, reals)


def _by_llr(llr: Floats, rows: NDArray[np.bool_], groups: ArrayLike | None) -> tuple[Floats, Floats, int]:
    weights, count = _shares(rows, groups)
    order = np.argsort(llr[rows], kind="stable")
    return llr[rows][order], weights[order], count


def _above(llr: Floats, weights: Floats, thresholds: Floats) -> Floats:
    """Weight of the rows above each threshold; rows are sorted."""
    left = np.append(np.cumsum(weights[::-1])[::-1], 0.0)
    return left[np.searchsorted(llr, thresholds, side="right")]
