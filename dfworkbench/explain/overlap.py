"""Overlap indicator Q: how far a detector's evidence lies outside the cells that matter for the two people of a fake.

After Dong et al., "Explaining Deepfake Detection by Analysing Image Matching" (ECCV 2022, arXiv:2207.09679), in the form of the
released code. Its "source" is the carrier in our tables (whose video it is) and its "target" is our donor (whose face was
inserted); FaceForensics++ uses these words the other way round. Maps are attributions (Shapley values) of the n cells of an L x L
grid over the face. Shapes are `(N, L, L)` or `(N, n)`, the first axis being images.

The published Q is positive even under the null: a detector whose logit rises with every revealed cell has Q > 0 for any carrier and
donor maps (a flat map reaches 55 % of the largest possible value on a 16 x 16 grid). We therefore add `q_excess` (ours) and
`q_area`, which divides by the areas, the form of Yao et al. (ICCV 2023).
"""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from dfworkbench.core.errors import InputError, ParameterError

#: Thresholds 0.6, 0.65, .., 0.95. Counted in whole steps: 1.0 is excluded on purpose, not by rounding.
THRESHOLDS = tuple(step / 20 for step in range(12, 20))

#: Form of Q -> its name in tables and figures.
FORMS = {"q": "Q, as published", "q_area": "Q per area", "q_excess": "Q above a flat map"}


class Overlap(NamedTuple):
    """The three forms of Q and the size of the mask, all of one shape, usually `(T, N)` for T thresholds and N images.

    Attributes:
        q: Published form: (sum of the detector's map outside the mask - sum inside) / n, -1/sqrt(n)..1/sqrt(n).
        q_area: Mean outside - mean inside; NaN if the mask is empty or contains every cell. 0 for flat maps.
        q_excess: `q` minus that of a flat map with the same mean; 0 for an empty mask.
        cells: Number of cells in the mask.
    """

    q: NDArray[np.float64]
    q_area: NDArray[np.float64]
    q_excess: NDArray[np.float64]
    cells: NDArray[np.int64]


def legacy_thresholds() -> list[float]:
    """Thresholds of the released code: 0.05 is added to 0.6 repeatedly, so rounding errors accumulate."""
    out, value = [], 0.6
    while value <= 1:
        out.append(value)
        value += 0.05
    return out


def cell_masks(maps: ArrayLike, taus: float | ArrayLike = THRESHOLDS) -> NDArray[np.bool_]:
    """The cells that matter most, by the percentile rule of the released code.

    Negative values are set to 0, all values are sorted, and the cells strictly above the value at index floor(n * tau) (from 0) are
    selected: at most n - 1 - floor(n * tau), fewer with ties or few positive values.

    Args:
        maps: `(N, L, L)` or `(N, n)`.
        taus: Shares of the cells that are excluded, 0 <= tau < 1; one, or `(T,)`.

    Returns:
        `(T, *maps.shape)`; without the first axis for a single tau. All False for maps of NaN.

    Raises:
        ParameterError: A threshold outside [0, 1).
        InputError: Maps of another shape.
    """
    a = _maps(maps, "choosing cells")
    flat = np.maximum(flat_cells(a), 0)
    wanted = _checked_taus(taus)
    n = flat.shape[1]
    # 1e-9: 0.57 * 100 is 56.99.. in floating point
    places = np.minimum(np.floor(n * wanted + 1e-9).astype(int), n - 1)
    levels = np.sort(flat, axis=1)[:, places.ravel()].T[:, :, None]
    masks = (flat[None] > levels).reshape(places.size, *a.shape)
    return masks[0] if wanted.ndim == 0 else masks


def unit_maps(maps: ArrayLike) -> NDArray[np.float64]:
    """Each map divided by its Euclidean length; NaN for a map that is 0 everywhere.

    Raises:
        InputError: Wrong shape, or non-finite numbers.
    """
    a = _maps(maps, "scaling maps")
    if not np.isfinite(a).all():
        broken = int((~np.isfinite(flat_cells(a))).any(axis=1).argmax())
        raise InputError(
            f"scaling maps to unit length: map {broken} holds numbers that are not finite; finite attributions were expected. "
            "Leave this image out, or look for a detector that has diverged."
        )
    largest = flat_cells(np.abs(a)).max(axis=1, initial=0).reshape(-1, *[1] * (a.ndim - 1))
    a = np.divide(
        a, largest, out=np.full_like(a, np.nan), where=largest > 0
    )  # first divided by the maximum: tiny values would square to 0
    return a / np.linalg.norm(flat_cells(a), axis=1).reshape(largest.shape)


def union_maps(carrier: ArrayLike, donor: ArrayLike) -> NDArray[np.float64]:
    """Relevance for either person: cell-wise maximum of two maps of unit length (a noisy map weighs as much as a reliable one).

    Raises:
        InputError: Maps of different shapes.
    """
    a, b = _maps(carrier, "joining maps"), _maps(donor, "joining maps")
    require_same_shape("joining maps", carrier=a, donor=b)
    return np.maximum(a, b)


def overlap(detector: ArrayLike, masks: ArrayLike) -> Overlap:
    """Q for detector maps and cell masks.

    Args:
        detector: `(N, L, L)` or `(N, n)`, of unit length (see `unit_maps`), signed.
        masks: `(T, N, L, L)` or `(T, N, n)` bool of `cell_masks`.

    Returns:
        Arrays `(T, N)`.

    Raises:
        InputError: Shapes do not match.
    """
    a, m = _maps(detector, "measuring overlap"), np.asarray(masks)
    if m.ndim < 2 or m.shape[1:] != a.shape or m.dtype != bool:
        raise InputError(
            f"measuring overlap: detector maps are {a.shape} and masks {m.dtype} {m.shape}; expected bool masks "
            f"(T, {', '.join(map(str, a.shape))}). Make them with cell_masks(union_maps(carrier, donor), taus)."
        )
    flat, chosen = flat_cells(a), m.reshape(*m.shape[:2], -1)
    inside = np.where(chosen, flat[None], 0.0).sum(axis=2)
    return forms(inside, chosen.sum(axis=2), flat.sum(axis=1), flat.shape[1])


def forms(inside: NDArray, cells: NDArray, total: NDArray | float, n: int) -> Overlap:
    """The forms of Q from sums: `inside` the mask of `cells` cells, `total` over all `n` cells (shapes broadcast)."""
    q = (total - 2 * inside) / n
    flat = total / n * (1 - 2 * cells / n)
    outer, inner = np.where(cells < n, n - cells, np.nan), np.where(cells > 0, cells, np.nan)
    return Overlap(q, (total - inside) / outer - inside / inner, q - flat, np.asarray(cells))


def flat_cells(maps: NDArray) -> NDArray:
    """Flatten maps to `(N, n)`; N may be 0."""
    return maps.reshape(len(maps), math.prod(maps.shape[1:]))


def require_same_shape(doing: str, **maps: NDArray) -> None:
    """Raise `InputError` unless all maps have one shape."""
    if len({a.shape for a in maps.values()}) > 1:
        seen = ", ".join(f"{name} {a.shape}" for name, a in maps.items())
        raise InputError(f"{doing}: got {seen}; expected one shape. Give maps of the same images on the same grid.")


def _maps(maps: ArrayLike, doing: str) -> NDArray[np.float64]:
    a = np.asarray(maps, dtype=np.float64)
    if a.ndim not in (2, 3) or not a.shape[-1]:
        raise InputError(
            f"{doing}: got maps of shape {a.shape}, expected (N, L, L) or (N, n) with the images first. "
            "For a single map give map[None]."
        )
    return a


def _checked_taus(taus: float | ArrayLike) -> NDArray[np.float64]:
    wanted = np.asarray(taus, dtype=np.float64)
    if wanted.ndim > 1 or not wanted.size or not ((wanted >= 0) & (wanted < 1)).all():
        raise ParameterError(
            f"choosing cells: the thresholds are {np.asarray(taus).tolist()}, expected numbers from 0 to below 1: the share of "
            "the cells that is left out. Use for example 0.8 for the highest fifth."
        )
    return wanted
