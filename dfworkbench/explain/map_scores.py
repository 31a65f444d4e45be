"""Score attribution maps against ground-truth masks: do they point to the forged area? The comparison is ours.

A map of h x w cells is compared with a mask of at least as many pixels, through the forged share of each cell's area. A cell counts
as forged from one half on; if no cell reaches that, those with the largest share count. Ties are never broken by position: a flat
map points nowhere, and its hit rate is the forged share.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from dfworkbench.core.errors import InputError
from dfworkbench.evaluation.metrics.evaluate import metric_of
from dfworkbench.evaluation.metrics.interval import Judging
from dfworkbench.evaluation.metrics.measures import NAN, Measure, mean_measure


class MapScores(NamedTuple):
    """Scores of one map against its mask, all 0..1; NaN if the mask is empty or the map is 0 everywhere.

    Attributes:
        top_iou: IoU of the forged cells with an equal number of highest cells.
        pointing: Forged share of the area of the highest cell (the pointing game of Zhang et al., "Top-down Neural Attention by
            Excitation Backprop", ECCV 2016, where a pixel is right or wrong).
        energy: Share of the positive attribution in the forged area, spread evenly within a cell; 0 if nothing is positive (the
            energy-based pointing game of Wang et al., "Score-CAM", CVPRW 2020).
        average_precision: Average precision of the cells, ranked by attribution; the forged ones are positive.
    """

    top_iou: float
    pointing: float
    energy: float
    average_precision: float


#: Field of `MapScores` -> name of its measure.
MEASURES = {
    "top_iou": "IoU of the highest cells",
    "pointing": "highest cell in the mask",
    "energy": "share of attribution in the mask",
    "average_precision": "average precision of cells",
}


def map_scores(attribution: ArrayLike, mask: ArrayLike) -> MapScores:
    """Score the map of one picture.

    Args:
        attribution: `(h, w)`, cells or pixels; signed, higher is more evidence for the explained class.
        mask: `(H, W)` bool with H >= h and W >= w, True where the picture is forged; both show the same crop.

    Raises:
        InputError: Wrong shapes, a mask that is not bool, or non-finite numbers.
    """
    a, m = _checked(attribution, mask)
    if _why(a, m):
        return MapScores(*[NAN] * 4)
    shares = cell_shares(m, a.shape)
    forged, positive = forged_cells(shares), np.maximum(a, 0)
    energy = float((positive * shares).sum() / positive.sum()) if positive.any() else 0.0
    return MapScores(
        top_iou=_top_iou(a, forged),
        pointing=float(shares[a == a.max()].mean()),
        energy=energy,
        average_precision=metric_of("average_precision", forged.ravel(), a.ravel()),
    )


def cell_shares(mask: ArrayLike, grid: tuple[int, ...]) -> NDArray[np.float64]:
    """Share of each cell's area that a mask covers.

    Args:
        mask: `(H, W)`, bool or 0..1.
        grid: Cells `(h, w)`; they need not divide H and W: a pixel on an edge is split between cells.

    Returns:
        `grid`, 0..1.
    """
    m = np.asarray(mask, dtype=np.float64)
    shares = _coverage(grid[0], m.shape[0]) @ m @ _coverage(grid[1], m.shape[1]).T
    return np.round(shares, 12)  # equal shares must be equal numbers


def score_maps(
    maps: Sequence[ArrayLike] | NDArray,
    masks: Sequence[ArrayLike] | NDArray,
    video_ids: Sequence[str],
    groups: Sequence | ArrayLike | None = None,
) -> pd.DataFrame:
    """`map_scores` of many pictures: one row each with video_id, group (by default the video), the scores, reason."""
    units = list(video_ids) if groups is None else list(np.asarray(groups))
    _require_same_length(maps=maps, masks=masks, video_ids=video_ids, groups=units)
    checked = [_checked(a, m) for a, m in zip(maps, masks, strict=True)]
    table = pd.DataFrame([map_scores(a, m) for a, m in checked], columns=list(MapScores._fields))
    table.insert(0, "video_id", list(video_ids))
    table.insert(1, "group", units)
    return table.assign(reason=[_why(a, m) for a, m in checked])


def summarise_maps(
    table: pd.DataFrame, *, chance: MapScores | None = None, draws: int = 1000, seed: int = 0
) -> list[Measure]:
    """Means over the pictures with a forged area and a map, with bootstrap intervals over identity groups.

    Args:
        table: From `score_maps`.
        chance: Chance level, the mean of `chance_scores`.
        draws: Bootstrap resamplings; 0 for no intervals.
        seed: Seed of the resampling.
    """
    known = table[table["top_iou"].notna()]
    out = []
    for column, name in MEASURES.items():
        level = NAN if chance is None else getattr(chance, column)
        unit = "identity group"
        measure = mean_measure(
            name, known[column], known["group"], Judging(draws=draws, seed=seed), chance=level, unit=unit
        )
        out.append(measure if len(known) else measure._replace(reason=_why_none(table)))
    return out


def _coverage(cells: int, pixels: int) -> NDArray[np.float64]:
    """`(cells, pixels)`, the share of each cell's length that a pixel covers."""
    edges, starts = np.arange(cells + 1) * pixels / cells, np.arange(pixels)
    low, high = np.maximum(edges[:-1, None], starts), np.minimum(edges[1:, None], starts + 1)
    return np.maximum(high - low, 0) * cells / pixels


def forged_cells(shares: NDArray[np.float64]) -> NDArray[np.bool_]:
    """The cells that count as forged, given the forged shares of their areas."""
    half = shares >= 0.5
    return half if half.any() else shares == shares.max()


def _top_iou(a: NDArray, forged: NDArray[np.bool_]) -> float:
    """IoU of the k highest cells with the k forged ones; ties at the threshold count by their share of forged cells."""
    count = int(forged.sum())
    level = np.sort(a, axis=None)[-count]
    above, equal = a > level, a == level
    hits = (above & forged).sum() + (count - above.sum()) * (equal & forged).sum() / equal.sum()
    return float(hits / (2 * count - hits))


def _why(a: NDArray, mask: NDArray[np.bool_]) -> str:
    return "" if mask.any() and a.any() else "no forged pixel" if a.any() else "the map is 0 everywhere"


def _why_none(table: pd.DataFrame) -> str:
    return "nothing to measure" if table.empty else ", or ".join(sorted(set(table["reason"]))) + " in every picture"


def _checked(attribution: ArrayLike, mask: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    a, m = np.asarray(attribution, dtype=np.float64), np.asarray(mask)
    if a.ndim != 2 or m.ndim != 2 or not a.size or m.shape[0] < a.shape[0] or m.shape[1] < a.shape[1]:
        raise InputError(
            f"scoring an attribution map: got a map {a.shape} and a mask {m.shape}; expected (h, w) and (H, W) with at least "
            "as many pixels as cells. Give the mask of the same crop at full size, one picture at a time."
        )
    if m.dtype != bool:
        raise InputError(
            f"scoring an attribution map: the mask is {m.dtype}, bool was expected. Choose a threshold, for example mask > 127."
        )
    if not np.isfinite(a).all():
        raise InputError(
            f"scoring an attribution map: {int((~np.isfinite(a)).sum())} of {a.size} values are not finite; numbers were "
            "expected. Leave this picture out, or look for a detector that has diverged."
        )
    return a, m


def _require_same_length(**parts: Sequence | NDArray) -> None:
    lengths = {name: len(part) for name, part in parts.items()}
    if len(set(lengths.values())) > 1:
        seen = ", ".join(f"{count} {name}" for name, count in lengths.items())
        raise InputError(f"scoring attribution maps: there are {seen}; expected as many of each. Give one per picture.")
