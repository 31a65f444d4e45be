"""Score predicted artifact boxes against ground-truth masks: do they lie on the forged area?

Boxes are `(x0, y0, x1, y1)` as shares of the picture, 0..1; those of anchors may extend beyond it. A pixel belongs to a box if its
centre does. No network is needed: boxes and scores come from a detector's `aux`, masks from the data set.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from dfworkbench.core.errors import InputError
from dfworkbench.evaluation.metrics.interval import Judging
from dfworkbench.evaluation.metrics.measures import Measure, mean_measure

FULL = (0.0, 0.0, 1.0, 1.0)


class BoxScores(NamedTuple):
    """Scores of one picture's boxes against its mask; NaN if the mask is empty, 0 if no box was predicted.

    Attributes:
        best_iou: IoU of the mask with the highest-scoring box (the first of equal ones), 0..1.
        union_iou: IoU of the mask with the union of all boxes, 0..1.
        pointing: 1 if the centre of the best box lies in the mask, else 0 (the pointing game of Zhang et al., "Top-down
            Neural Attention by Excitation Backprop", ECCV 2016, with a box instead of a maximum).
        energy: Share of the heat inside the mask, 0..1, where each box adds its score to its area (the energy-based
            pointing game of Wang et al., "Score-CAM", CVPRW 2020).
    """

    best_iou: float
    union_iou: float
    pointing: float
    energy: float


#: Field of `BoxScores` -> name of its measure.
MEASURES = {
    "best_iou": "IoU of the best box",
    "union_iou": "IoU of all boxes together",
    "pointing": "centre of the best box in the mask",
    "energy": "share of box energy in the mask",
}


def box_scores(boxes: ArrayLike, scores: ArrayLike, mask: ArrayLike) -> BoxScores:
    """Score the boxes of one picture.

    Args:
        boxes: `(n, 4)` corners, 0..1.
        scores: `(n,)`, 0 or more.
        mask: `(H, W)` bool, True where the picture is forged.

    Raises:
        InputError: Wrong shapes, inverted boxes, or negative scores.
    """
    b, s, m = _checked(boxes, scores, mask)
    if not m.any():
        return BoxScores(*[float("nan")] * 4)
    if not len(b):
        return BoxScores(0.0, 0.0, 0.0, 0.0)
    rows, columns = _inside(b[:, 1], b[:, 3], m.shape[0]), _inside(b[:, 0], b[:, 2], m.shape[1])
    best = int(np.argmax(s))
    heat = (rows * s[:, None]).T @ columns
    return BoxScores(
        best_iou=_iou(np.outer(rows[best], columns[best]) > 0, m),
        union_iou=_iou(rows.T @ columns > 0, m),
        pointing=float(_holds(m, (b[best, 0] + b[best, 2]) / 2, (b[best, 1] + b[best, 3]) / 2)),
        energy=float(heat[m].sum() / heat.sum()) if heat.sum() > 0 else 0.0,
    )


def mask_box(mask: ArrayLike) -> NDArray[np.float64]:
    """The smallest box around a mask, `(4,)`, 0..1; NaN for an empty mask."""
    m = np.asarray(mask, dtype=bool)
    if not m.any():
        return np.full(4, np.nan)
    rows, columns = np.flatnonzero(m.any(axis=1)), np.flatnonzero(m.any(axis=0))
    corners = np.array([columns[0], rows[0], columns[-1] + 1, rows[-1] + 1], dtype=np.float64)
    return corners / np.array([m.shape[1], m.shape[0]] * 2)


def mean_mask_box(masks: Sequence[ArrayLike]) -> NDArray[np.float64]:
    """The centre prior: mean box around the masks of a reference set (not the evaluated one), `(4,)`.

    Raises:
        InputError: All masks are empty.
    """
    boxes = np.array([mask_box(mask) for mask in masks]).reshape(-1, 4)
    known = boxes[~np.isnan(boxes).any(axis=1)]
    if not len(known):
        raise InputError(
            f"taking the mean box of {len(boxes)} masks: none of them marks a forged pixel, at least one was expected. "
            "Give the masks of fakes, of the training split."
        )
    return known.mean(axis=0)


def random_boxes(boxes: ArrayLike, rng: np.random.Generator) -> NDArray[np.float64]:
    """Boxes of the same sizes (clipped to the picture), placed uniformly at random in the picture: `(n, 4)`."""
    b = np.clip(np.asarray(boxes, dtype=np.float64).reshape(-1, 4), 0, 1)
    size = np.maximum(b[:, 2:] - b[:, :2], 0)
    corner = rng.uniform(size=size.shape) * (1 - size)
    return np.concatenate([corner, corner + size], axis=1)


def score_all(
    boxes: Sequence[ArrayLike], scores: Sequence[ArrayLike], masks: Sequence[ArrayLike], video_ids: Sequence[str]
) -> pd.DataFrame:
    """`box_scores` of many pictures: one row each with video_id, best_iou, union_iou, pointing, energy."""
    _require_same_length(boxes, scores, masks, video_ids)
    rows = [box_scores(b, s, m) for b, s, m in zip(boxes, scores, masks, strict=True)]
    table = pd.DataFrame(rows, columns=list(BoxScores._fields))
    table.insert(0, "video_id", list(video_ids))
    return table


def summarise(table: pd.DataFrame, draws: int = 1000, seed: int = 0) -> list[Measure]:
    """Means over the pictures that have a forged pixel, with bootstrap intervals over videos.

    Args:
        table: From `score_all`.
        draws: Bootstrap resamplings; 0 for no intervals.
        seed: Seed of the resampling.
    """
    known = table[table["best_iou"].notna()]
    out = []
    for column, name in MEASURES.items():
        measure = mean_measure(name, known[column], known["video_id"], Judging(draws=draws, seed=seed))
        out.append(measure if len(known) else measure._replace(reason="no picture has a forged pixel"))
    return out


def compare_boxes(
    boxes: Sequence[ArrayLike],
    scores: Sequence[ArrayLike],
    masks: Sequence[ArrayLike],
    video_ids: Sequence[str],
    *,
    prior: ArrayLike,
    repeats: int = 10,
    draws: int = 1000,
    seed: int = 0,
) -> dict[str, list[Measure]]:
    """Predicted boxes beside baselines, for `measures_table` and `plots.comparison.plot_measures`.

    Args:
        boxes: One array `(n, 4)` per picture.
        scores: One array `(n,)` per picture.
        masks: One mask `(H, W)` bool per picture.
        video_ids: One video id per picture.
        prior: `(4,)`, a box that ignores the picture, see `mean_mask_box`.
        repeats: Random placements per picture.
        draws: Bootstrap resamplings; 0 for no intervals.
        seed: Seed of placements and resampling.

    Returns:
        "predicted"; "random places", the same sizes and scores elsewhere; "centre prior"; "whole picture", one box that
        covers everything; and "true box", the box around the mask, which no single box can beat by much.
    """
    predicted = score_all(boxes, scores, masks, video_ids)
    one = [np.ones(1)] * len(masks)
    fixed = {
        "centre prior": [np.reshape(prior, (1, 4))] * len(masks),
        "whole picture": [np.reshape(FULL, (1, 4))] * len(masks),
        "true box": [np.nan_to_num(mask_box(mask))[None] for mask in masks],
    }
    tables = {"predicted": predicted, "random places": _random_table(boxes, scores, masks, video_ids, repeats, seed)}
    tables |= {name: score_all(given, one, masks, video_ids) for name, given in fixed.items()}
    return {name: summarise(table, draws, seed) for name, table in tables.items()}


def _random_table(boxes, scores, masks, video_ids, repeats: int, seed: int) -> pd.DataFrame:
    """Mean over `repeats` placements for each picture."""
    rng = np.random.default_rng(seed)
    tables = [score_all([random_boxes(b, rng) for b in boxes], scores, masks, video_ids) for _ in range(repeats)]
    fields = list(BoxScores._fields)
    return tables[0].assign(**dict(zip(fields, np.mean([t[fields] for t in tables], axis=0).T, strict=True)))


def _inside(start: NDArray, end: NDArray, size: int) -> NDArray[np.float64]:
    """`(n, size)`, 1 where the centre of a pixel lies between start and end."""
    centres = (np.arange(size) + 0.5) / size
    return ((centres >= start[:, None]) & (centres < end[:, None])).astype(np.float64)


def _iou(area: NDArray[np.bool_], mask: NDArray[np.bool_]) -> float:
    return float((area & mask).sum() / (area | mask).sum())


def _holds(mask: NDArray[np.bool_], x: float, y: float) -> bool:
    if not (0 <= x <= 1 and 0 <= y <= 1):
        return False
    height, width = mask.shape
    return bool(mask[min(int(y * height), height - 1), min(int(x * width), width - 1)])


def _checked(boxes: ArrayLike, scores: ArrayLike, mask: ArrayLike) -> tuple[NDArray, NDArray, NDArray[np.bool_]]:
    b, s = np.asarray(boxes, dtype=np.float64), np.asarray(scores, dtype=np.float64)
    b = b.reshape(0, 4) if b.size == 0 else b
    m = np.asarray(mask)
    if b.ndim != 2 or b.shape[1] != 4 or s.shape != (len(b),) or m.ndim != 2 or not m.size:
        raise InputError(
            f"scoring artifact boxes: got boxes {b.shape}, scores {s.shape}, mask {m.shape}; expected (n, 4), (n,) and "
            "(H, W). Give the boxes of one picture at a time."
        )
    if m.dtype != bool:
        raise InputError(
            f"scoring artifact boxes: the mask is {m.dtype}, bool was expected. Choose a threshold, for example mask > 127."
        )
    if not np.isfinite(b).all() or (b[:, 2:] < b[:, :2]).any() or not np.isfinite(s).all() or (s < 0).any():
        raise InputError(
            "scoring artifact boxes: a box is inverted or not a number, or a score is negative; expected x0 <= x1, y0 <= y1 "
            "and scores from 0. Decode boxes to corners, and take probabilities, not logits."
        )
    if b.size and np.abs(b).max() > 4:
        raise InputError(
            f"scoring artifact boxes: a box reaches to {np.abs(b).max():.0f}, shares of the picture (0..1) were expected. "
            "Divide pixels by the size of the picture."
        )
    return b, s, m


def _require_same_length(boxes: Sequence, scores: Sequence, masks: Sequence, video_ids: Sequence) -> None:
    lengths = tuple(map(len, (boxes, scores, masks, video_ids)))
    if len(set(lengths)) > 1:
        raise InputError(
            f"scoring artifact boxes: there are {lengths[0]} lists of boxes, {lengths[1]} of scores, {lengths[2]} masks and "
            f"{lengths[3]} video ids; expected as many of each. Give one of each per picture."
        )
