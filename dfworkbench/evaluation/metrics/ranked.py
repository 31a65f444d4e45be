"""Rank-based AUC, ties and DeLong placements of one detector, fast for a million rows."""

from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtri

from dfworkbench.core.names import FAKE
from dfworkbench.evaluation.metrics.interval import NAN, Interval, tails

Floats = NDArray[np.float64]


class Ranked:
    """Rows of one detector with their dense ranks.

    Args:
        labels: `(n,)`, 1 for fake, 0 for real.
        scores: `(n,)`, higher means fake; no NaN.

    Attributes:
        fake: `(n,)`, whether a row is fake.
        distinct: `(K,)`, the distinct scores, increasing.
        rank: `(n,)`, index of each row's score among them.
    """

    def __init__(self, labels: ArrayLike, scores: ArrayLike) -> None:
        self.fake = np.asarray(labels) == FAKE
        self.distinct, self.rank = np.unique(np.asarray(scores, dtype=np.float64), return_inverse=True)
        self.fakes_at, self.reals_at = (self._counts(self.fake == kind) for kind in (True, False))

    def _counts(self, rows: NDArray[np.bool_]) -> NDArray[np.int64]:
        return np.bincount(self.rank[rows], minlength=len(self.distinct))

    @property
    def fakes(self) -> int:
        """Number of fake rows."""
        return int(self.fakes_at.sum())

    @property
    def reals(self) -> int:
        """Number of real rows."""
        return int(self.reals_at.sum())

    @cached_property
    def auc(self) -> float:
        """Share of fake-real pairs in which the fake scores higher, ties half; NaN without both classes."""
        return auc_of_counts(self.fakes_at, self.reals_at)

    @property
    def tied(self) -> float:
        """Share of fake-real pairs with equal scores; NaN without both classes."""
        pairs = self.fakes * self.reals
        return float(self.fakes_at @ self.reals_at.astype(np.float64)) / pairs if pairs else NAN

    def auc_of(self, rows: NDArray[np.bool_]) -> float:
        """AUC of a subset of rows."""
        return auc_of_counts(self._counts(rows & self.fake), self._counts(rows & ~self.fake))

    def auc_without(self, value: float) -> float:
        """AUC without the rows whose score is `value`."""
        return self.auc_of(self.distinct[self.rank] != value)

    def placements(self) -> tuple[Floats, Floats]:
        """Share of reals below each fake, and of fakes above each real; ties count half."""
        below = (np.cumsum(self.reals_at) - self.reals_at / 2) / self.reals
        above = 1 - (np.cumsum(self.fakes_at) - self.fakes_at / 2) / self.fakes
        return below[self.rank[self.fake]], above[self.rank[~self.fake]]

    def file_interval(self, confidence: float = 0.95) -> Interval:
        """AUC with DeLong's interval, which treats every row as independent; no interval with fewer than two rows of a class.

        If all pairs are won, or all are lost, DeLong's variance is 0. The interval end is then Clopper and Pearson's for
        min(fakes, reals) pairs without shared rows.
        """
        if min(self.fakes, self.reals) < 2:
            return Interval(self.auc, n=len(self.rank), reason="needs two fakes and two reals")
        if self.auc in (0, 1):
            end = tails(confidence)[0] ** (1 / min(self.fakes, self.reals))
            low, high = (end, 1.0) if self.auc else (0.0, 1 - end)
            return Interval(self.auc, low, high, len(self.rank))
        error = float(np.sqrt(sum(part.var(ddof=1) / len(part) for part in self.placements())))
        width = error * float(ndtri(tails(confidence)[1]))
        return Interval(self.auc, max(0.0, self.auc - width), min(1.0, self.auc + width), len(self.rank))


def auc_of_counts(fakes_at: NDArray, reals_at: NDArray) -> float:
    """AUC from the number of fakes and reals at each distinct score, lowest first; NaN without both classes."""
    pairs = float(fakes_at.sum()) * float(reals_at.sum())
    return float(fakes_at @ (np.cumsum(reals_at) - reals_at / 2)) / pairs if pairs else NAN


def null_error(fakes: int, reals: int) -> float:
    """Standard error of the AUC of uninformative scores (Mann and Whitney 1947, without ties)."""
    return float(np.sqrt((fakes + reals + 1) / (12 * fakes * reals))) if fakes and reals else NAN
