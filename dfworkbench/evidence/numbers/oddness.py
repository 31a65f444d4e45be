"""Oddness of a scalar or vector relative to a group of people, and of each person relative to the others."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.covariance import LedoitWolf
from sklearn.decomposition import PCA
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

Floats = NDArray[np.float64]

_TO_SD = 1.4826  # scale of the median absolute deviation for a Gaussian
_SAME = 1e-9  # relative spread below which numbers count as equal
_LEAST_SPREAD = float(np.log(1.25))  # minimum distance of log oddness from its median to its 90 % quantile


@dataclass(frozen=True)
class Numbers:
    """A scalar for every person.

    Attributes:
        values: `(n,)`.
        middle: Median.
        spread: 1.4826 MAD (median absolute deviation).
        own: `(n,)`, oddness of each person relative to the others.
        constant: Whether over half of the people have the same number, so that there is no spread.
        quantiles: 5, 50 and 95 % quantiles.
    """

    values: Floats
    middle: float
    spread: float
    own: Floats
    constant: bool
    quantiles: tuple[float, float, float]

    def oddness(self, value: ArrayLike) -> float:
        """Distance from the median in units of the spread."""
        return abs(float(np.asarray(value)) - self.middle) / self.spread

    def factor(self, value: ArrayLike) -> float:
        """Factor between the value and the nearest person's: 1 if somebody has the same value, infinite across 0."""
        number = float(np.asarray(value))
        if np.isclose(self.values, number, rtol=_SAME, atol=_SAME).any():
            return 1.0
        same_side = self.values[self.values * number > 0]
        if not len(same_side):
            return float("inf")
        return float(np.exp(np.abs(np.log(same_side / number)).min()))


@dataclass(frozen=True)
class Vectors:
    """A vector for every person.

    Attributes:
        values: `(n, d)`.
        space: Scaling or PCA, fitted on all people.
        covariance: Covariance in that space.
        own: `(n,)`, oddness of each person, with space and covariance fitted on the others.
        constant: Whether all vectors are equal.
    """

    values: Floats
    space: Pipeline
    covariance: LedoitWolf
    own: Floats
    constant: bool

    def oddness(self, value: ArrayLike) -> float:
        """Mahalanobis distance from the mean, divided by the square root of the dimensions."""
        return _distance(self.space, self.covariance, np.asarray(value, dtype=np.float64))

    def distances(self, value: ArrayLike) -> Floats:
        """Mahalanobis distance from each person, divided by the square root of the dimensions, `(n,)`."""
        apart = self.space.transform(self.values) - self.space.transform(np.asarray(value, dtype=np.float64)[None])
        squared = np.einsum("nd,de,ne->n", apart, self.covariance.get_precision(), apart)
        return np.sqrt(np.maximum(squared, 0) / apart.shape[1])

    def factor(self, value: ArrayLike) -> float:
        """For constant vectors: 1 if equal, else 1.5, which counts as unusual (a real factor is undefined)."""
        return 1.0 if np.allclose(np.asarray(value, dtype=np.float64), self.values[0]) else 1.5


def fit_numbers(values: Floats) -> Numbers:
    """Measure a scalar `(n,)` of n people, at least 2."""
    middle, spread = _median_and_spread(values)
    constant = spread <= _SAME * max(1.0, abs(middle))
    own = np.zeros(len(values))
    for i in range(0 if constant else len(values)):
        median, of_others = _median_and_spread(np.delete(values, i))
        own[i] = abs(values[i] - median) / (of_others if of_others > _SAME * max(1.0, abs(median)) else spread)
    low, _, high = np.quantile(values, [0.05, 0.5, 0.95])
    return Numbers(values, middle, spread, own, constant, (float(low), middle, float(high)))


def fit_vectors(values: Floats, dimensions: int | None) -> Vectors:
    """Measure a vector `(n, d)` of n people, at least 3.

    Args:
        values: Finite values.
        dimensions: Number of PCA dimensions, fitted without the person being measured; None: scale every dimension to unit
            variance, because the covariance is shrunk towards equal variances.
    """
    constant = bool(np.ptp(values, axis=0).max() <= _SAME * max(1.0, float(np.abs(values).max())))
    space, covariance = _fit(values, dimensions)
    own = np.zeros(len(values))
    for i in range(0 if constant else len(values)):
        own[i] = _distance(*_fit(np.delete(values, i, axis=0), dimensions), values[i])
    return Vectors(values, space, covariance, own, constant)


def at_least_as_odd(own: Floats, oddness: float) -> float:
    """Conformal p-value: (1 + people at least as odd) / (people + 1)."""
    return float((1 + (own >= oddness).sum()) / (len(own) + 1))


def scaled(own: Floats, oddness: ArrayLike) -> Floats:
    """Log of the ratio of oddness to the people's median, in units of the log ratio of their 90 % quantile to that median.

    Args:
        own: `(n,)`, oddness of each person relative to the others.
        oddness: Any shape.
    """
    odd = np.asarray(oddness, dtype=np.float64)
    middle, high = np.quantile(own, [0.5, 0.9])
    if not middle > 0:
        return np.where(odd > 0, np.inf, -np.inf)
    with np.errstate(divide="ignore"):
        return np.log(odd / middle) / max(np.log(high / middle), _LEAST_SPREAD)


def _median_and_spread(values: Floats) -> tuple[float, float]:
    middle = float(np.median(values))
    return middle, _TO_SD * float(np.median(np.abs(values - middle)))


def _fit(values: Floats, dimensions: int | None) -> tuple[Pipeline, LedoitWolf]:
    if dimensions is None:
        space = make_pipeline(StandardScaler())
    else:  # full SVD, because the default solver is random in high dimensions
        space = make_pipeline(PCA(min(dimensions, len(values) - 1, values.shape[1]), svd_solver="full"))
    return space, LedoitWolf().fit(space.fit_transform(values))


def _distance(space: Pipeline, covariance: LedoitWolf, value: Floats) -> float:
    point = space.transform(value[None])
    return float(np.sqrt(max(0.0, covariance.mahalanobis(point)[0]) / point.shape[1]))
