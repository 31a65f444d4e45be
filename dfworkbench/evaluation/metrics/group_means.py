"""Means of many figures at once with bootstrap intervals over identity groups; unlike `mean_measure` not only of shares."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from dfworkbench.core.errors import InputError
from dfworkbench.evaluation.metrics.bootstrap import INTERVAL
from dfworkbench.evaluation.metrics.curves import draw_counts
from dfworkbench.evaluation.metrics.measures import NAN, Measure


class GroupMeans(NamedTuple):
    """K means over images.

    Attributes:
        value: `(K,)`, over the images where a figure is defined; NaN where it is for none.
        drawn: `(draws, K)`, the same in each resampling; no draws where there are fewer than 2 groups.
        n: `(K,)`, images with the figure.
        reason: Why there are no intervals, else "".
    """

    value: NDArray[np.float64]
    drawn: NDArray[np.float64]
    n: NDArray[np.int64]
    reason: str


def group_names(groups: Sequence | ArrayLike | None, count: int, doing: str) -> NDArray:
    """The identity group of each of `count` images, `(count,)`; without groups each image is its own.

    Raises:
        InputError: Not as many groups as images.
    """
    names = np.arange(count) if groups is None else np.asarray(groups)
    if names.shape != (count,):
        raise InputError(
            f"{doing}: there are {count} images and groups of shape {names.shape}; expected ({count},). "
            "Name one identity group per image."
        )
    return names


def group_means(values: ArrayLike, groups: ArrayLike, draws: int = 1000, seed: int = 0) -> GroupMeans:
    """Means over images, and over resamplings of whole groups.

    Videos that share people are alike, so they are drawn together. The same seed and groups draw alike: results may be
    subtracted draw by draw.

    Args:
        values: `(K, N)`, NaN where a figure is not defined for an image.
        groups: `(N,)`, identity group of each image.
        draws: Resamplings; 0 for none.
        seed: Of the resampling.

    Raises:
        InputError: Not as many groups as images.
    """
    x, unit = np.asarray(values, dtype=np.float64), np.asarray(groups)
    if x.ndim != 2 or unit.shape != x.shape[1:]:
        raise InputError(
            f"averaging over identity groups: values are {x.shape} and groups {unit.shape}; expected (K, N) and (N,). "
            "Name one group per image."
        )
    codes, known = pd.factorize(unit)
    there = ~np.isnan(x)
    n = there.sum(axis=1)
    if len(known) < 2 or not draws:
        words = "nothing to measure" if not len(known) else "1 identity group: too few for an interval"
        return GroupMeans(_ratio(np.nansum(x, axis=1), n), np.empty((0, len(x))), n, words if draws else "")
    member = np.zeros((len(known), len(codes)))
    member[codes, np.arange(len(codes))] = 1
    sums, sizes = member @ np.where(there, x, 0).T, member @ there.T
    counts = draw_counts(len(known), draws, seed)
    return GroupMeans(_ratio(np.nansum(x, axis=1), n), _ratio(counts @ sums, counts @ sizes), n, "")


def interval(drawn: NDArray[np.float64]) -> tuple[float, float]:
    """Ends of the 95 % interval of bootstrap draws `(draws,)`; NaN where fewer than two are defined."""
    finite = drawn[~np.isnan(drawn)]
    if len(finite) < 2:
        return NAN, NAN
    low, high = np.quantile(finite, INTERVAL)
    return float(low), float(high)


def group_measure(name: str, means: GroupMeans, k: int, *, chance: float = NAN, reason: str = "") -> Measure:
    """The k-th mean as a `Measure`; `reason` says why it is NaN, if it is."""
    value, why = float(means.value[k]), means.reason
    if np.isnan(value):
        return Measure(name, NAN, chance=chance, reason=reason or "not defined for any image")
    return Measure(name, value, *interval(means.drawn[:, k]), chance, int(means.n[k]), why)


def _ratio(a: NDArray, b: NDArray) -> NDArray[np.float64]:
    return np.divide(a, b, out=np.full(np.shape(a), np.nan), where=b > 0)
