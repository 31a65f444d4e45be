"""Similarity of attribution maps on the same cells: cosine, correlation, overlap of top cells; and reliability of noisy maps."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from dfworkbench.core.errors import ParameterError
from dfworkbench.explain.overlap import flat_cells, require_same_shape, unit_maps


def map_cosines(first: ArrayLike, second: ArrayLike, *, centred: bool = False) -> NDArray[np.float64]:
    """Cosine of each map in one stack with its partner in another, -1..1, `(N,)`.

    Args:
        first: `(N, L, L)` or `(N, n)`, any scale.
        second: The same shape.
        centred: Subtract each map's mean first, which gives Pearson's correlation.

    Returns:
        NaN for maps that are 0 everywhere (centred: flat).
    """
    a, b = flat_units(first, centred), flat_units(second, centred)
    require_same_shape("comparing maps", first=a, second=b)
    return np.einsum("nc,nc->n", a, b)


def top_iou(first: ArrayLike, second: ArrayLike, share: float = 0.2) -> NDArray[np.float64]:
    """IoU of the highest cells of each map and its partner: cells in both / cells in either, 0..1, `(N,)`.

    Args:
        first: `(N, L, L)` or `(N, n)`.
        second: The same shape.
        share: Share of the cells that count as highest, above 0 and at most 1; rounded to whole cells, at least one. Ties at the
            threshold go to the first cells.

    Returns:
        NaN for flat maps, which have no highest cells.
    """
    a, b = top_cells(first, share), top_cells(second, share)
    require_same_shape("comparing maps", first=a, second=b)
    return cell_iou(a, b, (a & b).sum(axis=1))


def reliability(maps: ArrayLike, errors: ArrayLike, *, centred: bool = False) -> NDArray[np.float64]:
    """Expected cosine of two independent estimates of each map, from its standard errors, `(N,)`.

    1 - (sum of squared errors) / (sum of squares of the map): the expected result of comparing two runs directly. At or below 0
    there is only noise. NaN for a map of zeros.

    Args:
        maps: `(N, L, L)` or `(N, n)`.
        errors: Standard errors in the same shape and scale.
        centred: Whether to compute it for Pearson's correlation.
    """
    a, e = np.asarray(maps, dtype=np.float64), np.asarray(errors, dtype=np.float64)
    require_same_shape("measuring reliability", maps=a, errors=e)
    flat = flat_cells(a)
    power = ((flat - flat.mean(axis=1, keepdims=True) if centred else flat) ** 2).sum(axis=1)
    noise = (flat_cells(e) ** 2).sum(axis=1)
    return 1 - np.divide(noise, power, out=np.full(len(a), np.nan), where=power > 0)


def flat_units(maps: ArrayLike, centred: bool) -> NDArray[np.float64]:
    """Maps `(N, n)` of unit length, centred first if asked for; NaN for zeros (centred: flat maps)."""
    a = np.asarray(maps, dtype=np.float64)
    flat = flat_cells(a)
    if centred:
        # rounding can make the mean of equal numbers differ from them: that is not a pattern
        level = flat.mean(axis=1, keepdims=True)
        flat = np.where(np.ptp(flat, axis=1, keepdims=True) > 1e-12 * np.abs(level), flat - level, 0.0)
    return unit_maps(flat)


def top_cells(maps: ArrayLike, share: float) -> NDArray[np.bool_]:
    """`(N, n)`, True for the highest cells; none for a flat map. For `share` see `top_iou`."""
    if not 0 < share <= 1:
        raise ParameterError(
            f"comparing the highest cells: share = {share}, expected more than 0 and at most 1. Use for example 0.2."
        )
    a = np.asarray(maps, dtype=np.float64)
    flat = flat_cells(a)
    count = max(1, round(share * flat.shape[1]))
    top = np.zeros(flat.shape, dtype=bool)
    np.put_along_axis(top, np.argsort(-flat, axis=1, kind="stable")[:, :count], True, axis=1)
    return top & (np.ptp(flat, axis=1, keepdims=True) > 0)


def cell_iou(a: NDArray, b: NDArray, both: NDArray) -> NDArray[np.float64]:
    """IoU of two selections of cells `(…, n)`; NaN if one of them is empty."""
    sizes = a.sum(axis=-1), b.sum(axis=-1)
    either = np.where((sizes[0] > 0) & (sizes[1] > 0), sizes[0] + sizes[1] - both, np.nan)
    return both / either
