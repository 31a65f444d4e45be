"""Weighted cumulative counts over decreasing thresholds, for many bootstrap draws at once.

A bootstrap draw is a weight for each row: how often its video was drawn. All metrics (`curve_metrics`, `probability_metrics`)
follow from the cumulative weights of fake and real rows over decreasing thresholds, so rows are sorted once for all draws. Ties
share one threshold.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from dfworkbench.core.names import FAKE

Floats = NDArray[np.float64]

THRESHOLD = 0.5  # fake above, real at or below


class Curve(NamedTuple):
    """Counts over decreasing thresholds, for D draws and T distinct scores.

    Attributes:
        thresholds: `(T + 1,)`, decreasing, the first is infinity; column k counts the rows with score >= thresholds[k].
        hits: `(D, T + 1)`, weight of the fake rows at or above each threshold.
        alarms: `(D, T + 1)`, weight of the real rows at or above each threshold.
    """

    thresholds: Floats
    hits: Floats
    alarms: Floats

    @property
    def fakes(self) -> Floats:
        """Weight of all fake rows, `(D,)`."""
        return self.hits[:, -1]

    @property
    def reals(self) -> Floats:
        """Weight of all real rows, `(D,)`."""
        return self.alarms[:, -1]

    @property
    def scores(self) -> Floats:
        """The distinct scores, decreasing, `(T,)`."""
        return self.thresholds[1:]

    @property
    def fakes_at(self) -> Floats:
        """Weight of the fake rows with each distinct score, `(D, T)`."""
        return np.diff(self.hits, axis=1)

    @property
    def reals_at(self) -> Floats:
        """Weight of the real rows with each distinct score, `(D, T)`."""
        return np.diff(self.alarms, axis=1)

    @property
    def cut(self) -> int:
        """The column of rows called fake."""
        return int(np.sum(self.thresholds > THRESHOLD)) - 1


class Ranking:
    """Rows sorted by score; `curve(weights)` then takes a few passes per draw.

    Args:
        labels: `(n,)`, 1 for fake, 0 for real.
        scores: `(n,)`, higher means fake; no NaN.
    """

    def __init__(self, labels: ArrayLike, scores: ArrayLike) -> None:
        scores = np.asarray(scores, dtype=np.float64)
        self.order = np.argsort(-scores, kind="stable")
        ordered = scores[self.order]
        self._parts = np.where(np.asarray(labels)[self.order] == FAKE, 1.0, 1j)
        last = np.append(ordered[1:] != ordered[:-1], True)[: len(ordered)]  # last row of each run of equal scores
        self._ends = None if last.all() else np.append(0, np.flatnonzero(last) + 1)
        self.thresholds = np.concatenate([[np.inf], ordered[last]])

    def curve(self, weights: NDArray | None = None) -> Curve:
        """The curve for weights `(D, n)` in the order of `self.order`; without weights each row counts once."""
        if weights is None:
            weights = np.ones((1, len(self._parts)))
        # fakes in the real part, reals in the imaginary part: one cumulative sum, the slowest step, instead of two
        counts = np.zeros((weights.shape[0], weights.shape[1] + 1), dtype=np.complex128)
        np.multiply(weights, self._parts, out=counts[:, 1:])
        np.cumsum(counts, axis=1, out=counts)
        if self._ends is not None:
            counts = counts[:, self._ends]
        return Curve(self.thresholds, counts.real.copy(), counts.imag.copy())


def ratio(a: Floats, b: Floats) -> Floats:
    """`a / b`, NaN if b is 0."""
    return np.divide(a, b, out=np.full(np.broadcast(a, b).shape, np.nan), where=b > 0)


def draw_counts(units: int, draws: int, seed: int) -> NDArray[np.int32]:
    """How often each of `units` videos is drawn in each bootstrap draw, `(draws, units)`."""
    rng = np.random.default_rng(seed)
    counts = np.empty((draws, units), dtype=np.int32)
    for row in counts:  # one draw at a time saves memory at the same speed
        row[:] = np.bincount(rng.integers(0, units, units), minlength=units)
    return counts
