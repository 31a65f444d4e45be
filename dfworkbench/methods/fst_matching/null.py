"""Null distributions of Q: its value if the detector's map were unrelated to the carrier's and donor's cells. Ours, unpublished.

Three ways to break the link between a detector's map and a mask, from the weakest to the strictest:

* "cells": the map's cells in random order. Neighbouring cells of smooth maps are similar, so 256 cells are not 256 independent
  ones, and p-values of this null are too small for smooth maps (smoothed noise: 24 % of them below 0.05; of "shift" 6 %).
* "shift": the map shifted cyclically by random steps, which preserves its smoothness.
* "images": masks of images from another, randomly drawn identity group, which also preserves where in a face attributions usually
  lie.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from dfworkbench.core.errors import InputError
from dfworkbench.core.names import require_name
from dfworkbench.explain.overlap import Overlap, forms

NULLS = ("cells", "images", "shift")


class NullDraws(NamedTuple):
    """Q under a null, forms in the order q, q_area, q_excess, P random draws.

    Attributes:
        mean: `(3, P)`, mean over images of their means over thresholds.
        curve: `(3, T, P)`, mean over images at each threshold.
        image_mean: `(3, N)`, mean of each image over the draws.
        image_p: `(3, N)`, share of draws with at least the Q of the image, see `p_values`.
    """

    mean: NDArray[np.float64]
    curve: NDArray[np.float64]
    image_mean: NDArray[np.float64]
    image_p: NDArray[np.float64]


def draw_null(
    detector: NDArray[np.float64],
    masks: NDArray[np.bool_],
    kind: str = "cells",
    *,
    groups: NDArray | None = None,
    permutations: int = 999,
    seed: int = 0,
) -> NullDraws:
    """Q for random partners of maps and masks.

    Args:
        detector: `(N, L, L)` unit maps without NaN; "cells" and "images" also take `(N, n)`.
        masks: `(T, *detector.shape)` bool.
        kind: One of `NULLS`.
        groups: `(N,)` codes from 0, identity group of each image; by default each image is its own group.
        permutations: Random draws P.
        seed: Seed of the draws.

    Raises:
        UnknownNameError: No such null.
        InputError: "shift" with maps that are not `(N, L, L)`, or "images" with fewer than 2 groups.
    """
    require_name("null", kind, NULLS)
    rng = np.random.default_rng(seed)
    codes = np.arange(len(detector)) if groups is None else np.asarray(groups)
    partners = _partners(codes, permutations, rng) if kind == "images" else None
    flat = masks.reshape(*masks.shape[:2], -1).astype(np.float64)
    images = []
    for i, one in enumerate(detector):
        own = forms(flat[:, i] @ one.ravel(), flat[:, i].sum(axis=1), one.sum(), one.size)
        if partners is not None:
            inside, cells = (flat @ one.ravel())[:, partners[:, i]], flat.sum(axis=2)[:, partners[:, i]]
        else:
            inside, cells = flat[:, i] @ _moved(one, kind, permutations, rng).T, flat[:, i].sum(axis=1)[:, None]
        images.append(_judge(own, forms(inside, cells, one.sum(), one.size)))
    values, means, p = (list(part) for part in zip(*images, strict=True))
    curve = nan_mean(np.stack(values), 0)
    per_image = np.stack([nan_mean(drawn, 1) for drawn in values])
    return NullDraws(nan_mean(per_image, 0), curve, np.stack(means, axis=1), np.stack(p, axis=1))


def p_values(observed: NDArray, drawn: NDArray) -> NDArray[np.float64]:
    """One-sided p-value: (1 + draws of at least the observed value) / (1 + draws); NaN if undefined.

    Args:
        observed: `(...)`.
        drawn: `(..., P)`. Differences within rounding count as equal: a flat map has p = 1.
    """
    slack = 1e-12 * (1 + np.abs(observed))[..., None]
    with np.errstate(invalid="ignore"):
        p = (1 + (drawn >= observed[..., None] - slack).sum(axis=-1)) / (1 + drawn.shape[-1])
    return np.where(np.isnan(observed), np.nan, p)


def nan_mean(x: NDArray, axis: int) -> NDArray[np.float64]:
    """Mean of the defined values along an axis; NaN if there are none."""
    there = ~np.isnan(x)
    n = there.sum(axis=axis)
    return np.divide(np.where(there, x, 0).sum(axis=axis), n, out=np.full(n.shape, np.nan), where=n > 0)


def _judge(own: Overlap, drawn: Overlap) -> tuple[NDArray, NDArray, NDArray]:
    """`(3, T, P)` values, and `(3,)` mean under the null and p-value of the mean over thresholds."""
    values = np.stack(np.broadcast_arrays(*drawn[:3]))
    over_taus = nan_mean(values, 1)
    return values, nan_mean(over_taus, 1), p_values(nan_mean(np.stack(own[:3]), 1), over_taus)


def _moved(one: NDArray, kind: str, draws: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """`(draws, n)`, the map with its cells in random order, or shifted."""
    if kind == "cells":
        return rng.permuted(np.tile(one.ravel(), (draws, 1)), axis=1)
    if one.ndim != 2:
        raise InputError(f"shifting maps: got (N, {one.size}), expected (N, L, L). Reshape the maps to their grid.")
    shifts = np.stack(
        [np.roll(one, (y, x), axis=(0, 1)).ravel() for y in range(one.shape[0]) for x in range(one.shape[1])]
    )
    return shifts[rng.integers(0, len(shifts), draws)]


def _partners(codes: NDArray, draws: int, rng: np.random.Generator) -> NDArray[np.intp]:
    """`(draws, N)`: for each image, one from the group that its own was exchanged with.

    Groups are permuted, including onto themselves, as exchangeability requires; with one image per group, every mask is used once.
    """
    sizes = np.bincount(codes)
    if len(sizes) < 2:
        raise InputError(
            f"exchanging masks: there are {len(sizes)} identity groups, at least 2 were expected. "
            "Give images of more people, or use the null 'shift'."
        )
    by_group, starts = np.argsort(codes, kind="stable"), np.cumsum(sizes) - sizes
    others = np.stack([rng.permutation(len(sizes)) for _ in range(draws)])[:, codes]
    picked = by_group[starts[others] + (rng.random(others.shape) * sizes[others]).astype(np.intp)]
    # a group mapped to itself keeps each image's own mask, as observed
    return np.where(others == codes, np.arange(len(codes)), picked)
