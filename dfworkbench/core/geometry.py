"""Boxes and squares in pixel coordinates, NumPy only.

A box is `(x0, y0, x1, y1)` in pixels, x to the right and y down; arrays of boxes are `(n, 4)`.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray


def box_area(boxes: ArrayLike) -> NDArray[np.float64]:
    """Area of each box, `(n,)`; an inverted box has area 0."""
    b = np.asarray(boxes, dtype=np.float64).reshape(-1, 4)
    return np.clip(b[:, 2] - b[:, 0], 0, None) * np.clip(b[:, 3] - b[:, 1], 0, None)


def iou_matrix(a: ArrayLike, b: ArrayLike) -> NDArray[np.float64]:
    """Intersection over union of every box in `a` with every box in `b`, `(len(a), len(b))`, 0..1."""
    a = np.asarray(a, dtype=np.float64).reshape(-1, 4)
    b = np.asarray(b, dtype=np.float64).reshape(-1, 4)
    top_left = np.maximum(a[:, None, :2], b[None, :, :2])
    bottom_right = np.minimum(a[:, None, 2:], b[None, :, 2:])
    overlap = np.prod(np.clip(bottom_right - top_left, 0, None), axis=2)
    union = box_area(a)[:, None] + box_area(b)[None, :] - overlap
    return np.divide(overlap, union, out=np.zeros_like(overlap), where=union > 0)


def paired_iou(a: ArrayLike, b: ArrayLike) -> NDArray[np.float64]:
    """Intersection over union of box i in `a` with box i in `b`, `(n,)`, 0..1."""
    a = np.asarray(a, dtype=np.float64).reshape(-1, 4)
    b = np.asarray(b, dtype=np.float64).reshape(-1, 4)
    sides = np.minimum(a[:, 2:], b[:, 2:]) - np.maximum(a[:, :2], b[:, :2])
    overlap = np.prod(np.clip(sides, 0, None), axis=1)
    union = box_area(a) + box_area(b) - overlap
    return np.divide(overlap, union, out=np.zeros_like(overlap), where=union > 0)


def square_around(box: ArrayLike, scale: float = 1.0) -> tuple[float, float, float]:
    """The square centred on a box, with a side `scale` times the box's longer side.

    Returns:
        `(x0, y0, side)` in pixels; the square may extend beyond the picture.
    """
    x0, y0, x1, y1 = np.asarray(box, dtype=np.float64)
    side = scale * max(x1 - x0, y1 - y0)
    return (x0 + x1 - side) / 2, (y0 + y1 - side) / 2, side
