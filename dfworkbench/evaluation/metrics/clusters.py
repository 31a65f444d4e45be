"""Cluster bootstrap of the AUC (over sources, generators, people) from the cluster-by-cluster win matrix.

Rows of one source or generator are alike, so whole clusters are resampled. The AUC of a draw does not need the rows: with the
pairs U[a, b] in which a fake of cluster a scores above a real of cluster b (ties half), sizes n1 and n0, and multiplicities m1
and m0, AUC = m1' U m0 / ((m1'n1)(m0'n0)). That equals weighting every row by the multiplicity of its cluster.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from dfworkbench.evaluation.metrics.interval import NAN
from dfworkbench.evaluation.metrics.ranked import Ranked

Floats = NDArray[np.float64]

_CHUNK = 2_000_000  # multiplicities processed at a time


class Wins(NamedTuple):
    """Pairs won between clusters.

    Attributes:
        won: `(C1, C0)`, pairs in which the fake scores higher, ties half.
        fakes: `(C1,)`, fake rows of each cluster, possibly 0.
        reals: `(C0,)`, real rows of each cluster, possibly 0.
    """

    won: Floats
    fakes: Floats
    reals: Floats

    @property
    def auc(self) -> float:
        """The AUC of all rows."""
        return _ratio(self.won.sum(), self.fakes.sum() * self.reals.sum())

    def of(self, fakes: NDArray, reals: NDArray) -> "Wins":
        """Select clusters of each class by index."""
        return Wins(self.won[fakes][:, reals], self.fakes[fakes], self.reals[reals])

    def there(self) -> "Wins":
        """Drop clusters without rows."""
        return self.of(np.flatnonzero(self.fakes), np.flatnonzero(self.reals))

    def against_reals(self) -> Floats:
        """AUC of all fakes against each real cluster, `(C0,)`; NaN for clusters without rows."""
        return _ratios(self.won.sum(axis=0), self.fakes.sum() * self.reals)

    def of_fakes(self) -> Floats:
        """AUC of each fake cluster against all reals, `(C1,)`; NaN for clusters without rows."""
        return _ratios(self.won.sum(axis=1), self.fakes * self.reals.sum())

    def leave_one_out(self, together: bool = False) -> list[Floats]:
        """AUC without each fake cluster `(C1,)`, and without each real one `(C0,)`; NaN if no pair is left.

        Args:
            together: Whether a cluster is left out with its rows of both classes, as for people; then one array.
        """
        pairs = np.outer(self.fakes, self.reals)
        if together:
            return [_ratios(_without_both(self.won), _without_both(pairs))]
        return [_ratios(self.won.sum() - self.won.sum(axis=k), pairs.sum() - pairs.sum(axis=k)) for k in (1, 0)]

    def jackknife_error(self, together: bool = False) -> float:
        """Standard error by leaving out one cluster at a time, within each class; NaN with under two clusters of a class."""
        if min(self.won.shape) < 2:
            return NAN
        parts = [part[~np.isnan(part)] for part in self.leave_one_out(together)]
        return float(np.sqrt(sum((len(x) - 1) / len(x) * ((x - x.mean()) ** 2).sum() for x in parts if len(x))))


def cluster_wins(ranked: Ranked, cluster: NDArray[np.integer], sizes: tuple[int, int]) -> Wins:
    """Compute the win matrix of a detector.

    Args:
        ranked: Its rows.
        cluster: `(n,)`, index of each row's cluster among those of its class.
        sizes: Number of clusters of fakes and reals, C1 and C0.
    """
    fake, (c1, c0) = ranked.fake, sizes
    counts = [np.bincount(cluster[rows], minlength=size).astype(float) for rows, size in ((fake, c1), (~fake, c0))]
    if c0 <= c1:  # iterate over the class with fewer clusters
        return Wins(_won(ranked, cluster, c1, c0, flip=False).T, *counts)
    return Wins(_won(ranked, cluster, c0, c1, flip=True), *counts)


def _won(ranked: Ranked, cluster: NDArray, many: int, few: int, *, flip: bool) -> Floats:
    """Pairs won by fakes, `(few, many)`: clusters of reals by those of fakes, or, if `flip`, the other way round."""
    rows, others = (~ranked.fake, ranked.fake) if flip else (ranked.fake, ~ranked.fake)
    rank, of, other_rank = ranked.rank[rows], cluster[rows], ranked.rank[others]
    by_cluster = np.split(
        other_rank[np.argsort(cluster[others], kind="stable")],
        np.cumsum(np.bincount(cluster[others], minlength=few))[:-1],
    )
    won = np.zeros((few, many))
    for row, ranks in zip(won, by_cluster, strict=True):
        at = np.bincount(ranks, minlength=len(ranked.distinct))
        below = np.cumsum(at) - at / 2
        row[:] = np.bincount(of, weights=(len(ranks) - below if flip else below)[rank], minlength=many)
    return won


def _without_both(matrix: Floats) -> Floats:
    """Sum of the matrix without row i and column i, for each i."""
    return matrix.sum() - matrix.sum(axis=1) - matrix.sum(axis=0) + np.diag(matrix)


class Multiplicities(NamedTuple):
    """How often each cluster is drawn, per draw.

    Attributes:
        fakes: `(draws, C1)`.
        reals: `(draws, C0)`.
    """

    fakes: NDArray[np.int16]
    reals: NDArray[np.int16]


def draw_within_classes(fakes: int, reals: int, draws: int, seed: int) -> Multiplicities:
    """Draw as many clusters of each class as there are, with replacement."""
    rng = np.random.default_rng(seed)
    return Multiplicities(_draw(fakes, draws, rng), _draw(reals, draws, rng))


def draw_in_turn(fakes: int, reals: int, draws: int, seed: int) -> Multiplicities:
    """Like `draw_within_classes`, but one draw at a time, fakes before reals: the random stream of most published bootstraps."""
    rng = np.random.default_rng(seed)
    drawn = Multiplicities(np.empty((draws, fakes), np.int16), np.empty((draws, reals), np.int16))
    for row in zip(*drawn, strict=True):
        for part in row:
            part[:] = np.bincount(rng.integers(0, len(part), len(part)), minlength=len(part))
    return drawn


def draw_together(clusters: int, draws: int, seed: int) -> Multiplicities:
    """Draw clusters with rows of both classes, such as people, with all their rows."""
    drawn = _draw(clusters, draws, np.random.default_rng(seed))
    return Multiplicities(drawn, drawn)


def _draw(clusters: int, draws: int, rng: np.random.Generator) -> NDArray[np.int16]:
    out, step = np.empty((draws, clusters), dtype=np.int16), max(1, _CHUNK // max(1, clusters))
    for start in range(0, draws, step):
        part = out[start : start + step]
        part[:] = rng.multinomial(clusters, np.full(clusters, 1 / clusters), len(part))
    return out


def drawn_aucs(wins: Sequence[Wins], drawn: Multiplicities) -> Floats:
    """AUC of every detector in every draw, `(draws, K)`; NaN for draws with a single class."""
    out = np.empty((len(drawn.fakes), len(wins)))
    step = max(1, _CHUNK // max(1, sum(wins[0].won.shape))) if wins else 1
    for start in range(0, len(out), step):
        fakes, reals = (part[start : start + step].astype(np.float64) for part in drawn)
        for k, one in enumerate(wins):
            won = ((fakes @ one.won) * reals).sum(axis=1)
            out[start : start + step, k] = _ratios(won, (fakes @ one.fakes) * (reals @ one.reals))
    return out


def bootstrap_p(first: Floats, second: Floats) -> float:
    """Two-sided p-value of no difference between paired draws: 2 (1 + smaller tail) / (1 + draws), never 0."""
    difference = (first - second)[~np.isnan(first - second)]
    if not len(difference):
        return NAN
    rarer = min(int((difference <= 0).sum()), int((difference >= 0).sum()))
    return min(1.0, 2 * (1 + rarer) / (1 + len(difference)))


def _ratios(a: Floats, b: Floats) -> Floats:
    return np.divide(a, b, out=np.full(np.shape(a), NAN), where=np.asarray(b) > 0)


def _ratio(a: float, b: float) -> float:
    return float(a / b) if b > 0 else NAN
