"""Weighted metrics for many resamplings at once.

A bootstrap draw is a weight for each row: how often its video was drawn. All metrics here come from the cumulative weights of
fake and real rows over falling thresholds, so the rows are sorted once for all draws. Ties share one threshold.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from dfworkbench.names import FAKE

Floats = NDArray[np.float64]

THRESHOLD = 0.5  # called fake above, real at or below


class Curve(NamedTuple):
    """Counts over falling thresholds, for D draws and T distinct scores.

    Attributes:
        thresholds: `(T + 1,)`, falling, the first is infinity; column k counts the rows with score >= thresholds[k].
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
    def cut(self) -> int:
        """The column that counts the rows called fake."""
        return int(np.sum(self.thresholds > THRESHOLD)) - 1


class Ranking:
    """Rows sorted by score once; `curve(weights)` then costs a few passes per draw.

    Args:
        labels: `(n,)`, 1 for fake, 0 for real.
        scores: `(n,)`, higher means fake; no NaN.
    """

    def __init__(self, labels: ArrayLike, scores: ArrayLike) -> None:
        scores = np.asarray(scores, dtype=np.float64)
        self.order = np.argsort(-scores, kind="stable")
        ordered = scores[self.order]
        self._parts = np.where(np.asarray(labels)[self.order] == FAKE, 1.0, 1j)
        last = np.append(ordered[1:] != ordered[:-1], True)[: len(ordered)]  # the last row of each run of equal scores
        self._ends = None if last.all() else np.append(0, np.flatnonzero(last) + 1)
        self.thresholds = np.concatenate([[np.inf], ordered[last]])

    def curve(self, weights: NDArray | None = None) -> Curve:
        """The curve for weights `(D, n)` given in the order `self.order`; without weights each row counts once."""
        if weights is None:
            weights = np.ones((1, len(self._parts)))
        # fakes in the real part, reals in the imaginary part: one running sum instead of two, which is where the time goes
        counts = np.zeros((weights.shape[0], weights.shape[1] + 1), dtype=np.complex128)
        np.multiply(weights, self._parts, out=counts[:, 1:])
        np.cumsum(counts, axis=1, out=counts)
        if self._ends is not None:
            counts = counts[:, self._ends]
        return Curve(self.thresholds, counts.real.copy(), counts.imag.copy())


def _ratio(a: Floats, b: Floats) -> Floats:
    """`a / b`, NaN where b is 0."""
    return np.divide(a, b, out=np.full(np.broadcast(a, b).shape, np.nan), where=b > 0)


def _auc(curve: Curve) -> Floats:
    steps = np.diff(curve.alarms, axis=1)
    area = np.einsum("dt,dt->d", steps, curve.hits[:, 1:]) + np.einsum("dt,dt->d", steps, curve.hits[:, :-1])
    return _ratio(area / 2, curve.fakes * curve.reals)


def _average_precision(curve: Curve) -> Floats:
    called = curve.hits[:, 1:] + curve.alarms[:, 1:]
    np.maximum(called, 1e-300, out=called)  # draws without the highest rows: 0 / 0 counts nothing
    precision = np.divide(curve.hits[:, 1:], called, out=called)
    return _ratio(np.einsum("dt,dt->d", np.diff(curve.hits, axis=1), precision), curve.fakes)


def _eer(curve: Curve) -> Floats:
    # misses - alarms falls from 1 to -1; the first column at or below 0 and the one before it enclose the crossing
    gap = (curve.fakes[:, None] - curve.hits) * curve.reals[:, None] - curve.alarms * curve.fakes[:, None]
    right = np.maximum(np.argmax(gap <= 0, axis=1), 1)
    rows = np.arange(len(right))
    before, after = gap[rows, right - 1], gap[rows, right]
    part = _ratio(before, before - after)
    alarms = curve.alarms[rows, right - 1] * (1 - part) + curve.alarms[rows, right] * part
    return _ratio(alarms, np.where(curve.fakes > 0, curve.reals, 0.0))


def _accuracy(curve: Curve) -> Floats:
    right = curve.hits[:, curve.cut] + curve.reals - curve.alarms[:, curve.cut]
    return _ratio(right, curve.fakes + curve.reals)


def _balanced_accuracy(curve: Curve) -> Floats:
    return (_recall(curve) + _ratio(curve.reals - curve.alarms[:, curve.cut], curve.reals)) / 2


def _precision(curve: Curve) -> Floats:
    return _ratio(curve.hits[:, curve.cut], curve.hits[:, curve.cut] + curve.alarms[:, curve.cut])


def _recall(curve: Curve) -> Floats:
    return _ratio(curve.hits[:, curve.cut], curve.fakes)


def _f1(curve: Curve) -> Floats:
    return _ratio(2 * curve.hits[:, curve.cut], curve.hits[:, curve.cut] + curve.alarms[:, curve.cut] + curve.fakes)


#: Metric -> function of a `Curve` that gives `(D,)`, NaN where it is not defined. Fake is the positive class.
METRICS: dict[str, Callable[[Curve], Floats]] = {
    "accuracy": _accuracy,
    "auc": _auc,
    "average_precision": _average_precision,
    "balanced_accuracy": _balanced_accuracy,
    "eer": _eer,
    "f1": _f1,
    "precision": _precision,
    "recall": _recall,
}


def draw_counts(units: int, draws: int, seed: int) -> NDArray[np.int32]:
    """How often each of `units` videos is drawn in each resampling with replacement: `(draws, units)`."""
    rng = np.random.default_rng(seed)
    counts = np.empty((draws, units), dtype=np.int32)
    for row in counts:  # one draw at a time keeps the memory small, and costs the same
        row[:] = np.bincount(rng.integers(0, units, units), minlength=units)
    return counts


def resample(
    ranking: Ranking, unit: NDArray[np.intp], counts: NDArray[np.int32], metrics: tuple[str, ...], budget: int = 100_000
) -> dict[str, Floats]:
    """Every metric for every bootstrap draw.

    Args:
        ranking: The rows, sorted.
        unit: `(n,)`, for each row the column of `counts` that holds its video.
        counts: `(draws, units)` from `draw_counts`.
        metrics: Names in `METRICS`.
        budget: Numbers held at a time; draws are worked off in chunks.

    Returns:
        Metric -> `(draws,)`.
    """
    unit = unit[ranking.order]
    chunk = max(1, budget // max(1, len(unit)))
    parts: dict[str, list[Floats]] = {name: [] for name in metrics}
    for start in range(0, len(counts), chunk):
        curve = ranking.curve(np.take(counts[start : start + chunk], unit, axis=1))
        for name in metrics:
            parts[name].append(METRICS[name](curve))
    return {name: np.concatenate(part) if part else np.empty(0) for name, part in parts.items()}
