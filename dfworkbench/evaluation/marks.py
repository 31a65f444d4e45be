"""Boxes drawn into a picture, where a detector says what it looks at."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from dfworkbench.evaluation.palette import ARTIFACT_RGB


def draw_boxes(image: NDArray[np.uint8], boxes: ArrayLike) -> NDArray[np.uint8]:
    """A copy of a picture with the outlines of boxes.

    Args:
        image: `(H, W, 3)` uint8 RGB.
        boxes: `(n, 4)` corners x0, y0, x1, y1 in 0..1; what lies outside is cut off.
    """
    out = image.copy()
    height, width = image.shape[:2]
    line = max(1, round(min(height, width) / 80))
    for x0, y0, x1, y1 in np.clip(np.asarray(boxes, np.float64).reshape(-1, 4), 0, 1):
        left, right = round(x0 * (width - 1)), round(x1 * (width - 1)) + 1
        top, bottom = round(y0 * (height - 1)), round(y1 * (height - 1)) + 1
        out[top : top + line, left:right] = out[max(bottom - line, 0) : bottom, left:right] = ARTIFACT_RGB
        out[top:bottom, left : left + line] = out[top:bottom, max(right - line, 0) : right] = ARTIFACT_RGB
    return out
