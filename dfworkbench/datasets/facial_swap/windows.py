"""Windows of a partial swap: find where fake and genuine differ most, in the frame and in the finished crop."""

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from dfworkbench.datasets.facial_swap.masks import Box, grow, mask_box
from dfworkbench.datasets.facial_swap.ssim import REACH_PX, Pixels, dssim

CANVAS_PX = 224  #: size of the crop that windows, step and threshold refer to
_MARGIN = 1.2
_STEPS = 5  # steps of a window over the face, per side
_STEP_PX = 44  # step over the finished crop
_VISIBLE = 1e-3  # DSSIM above which a value counts as changed
_LEAST_CHANGED = 3 * 40 * 40  # smallest number of changed values in a 224 px crop
_ONES = np.ones((1, 3), np.float32)


def face_cut(landmarks: ArrayLike, height: int, width: int) -> Box:
    """The box of the landmarks, enlarged by a fifth and clipped to the picture, in whole pixels."""
    points = np.asarray(landmarks, dtype=np.float64)
    low, size = points.min(axis=0), np.ptp(points, axis=0)
    start = low - size * (_MARGIN - 1) // 2
    stop = start + np.trunc(size * _MARGIN)
    (x0, y0), (x1, y1) = (np.clip(corner, 0, (width, height)).astype(int).tolist() for corner in (start, stop))
    return x0, y0, x1, y1


def corner_of(landmarks: ArrayLike) -> tuple[int, int]:
    """The upper left corner of the box of the landmarks, not enlarged."""
    x0, y0 = np.asarray(landmarks, dtype=np.float64).min(axis=0).astype(int).tolist()
    return x0, y0


def search_window(fake: Pixels, genuine: Pixels, hull: NDArray[np.uint8], nominal: tuple[int, int]) -> Box | None:
    """The window in which two cut-out faces differ most.

    Args:
        fake: `(H, W, 3)` uint8.
        genuine: The same shape.
        hull: `(H, W)`, above 0 where differences count.
        nominal: Height and width of the window for a cut of 224 px.

    Returns:
        The window in pixels of the cut, or None if nothing differs or the window does not fit.
    """
    height, width = hull.shape
    size = nominal[0] * height // CANVAS_PX, nominal[1] * width // CANVAS_PX
    step = height // _STEPS, width // _STEPS
    if not all((*size, *step)):
        return None
    difference = _channel_sum(dssim(fake, genuine))
    difference *= hull > 0
    return best_window(difference, size, step)


def artifact_window(swapped: Pixels, background: Pixels, nominal: tuple[int, int]) -> Box | None:
    """The window of the finished crop that holds most of what a partial swap changed.

    Args:
        swapped: `(S, S, 3)` uint8, the aligned crop of the swapped picture.
        background: The aligned crop of the picture that was pasted into; equal pixels where nothing was pasted.
        nominal: Height and width of the window in a crop of 224 px.

    Returns:
        x0, y0, x1, y1 in pixels, on a grid of 44 px of a 224 px crop; None if too little changed to be visible.
    """
    size_px = swapped.shape[0]
    unit = size_px / CANVAS_PX
    changed = mask_box(_channel_sum(cv2.absdiff(swapped, background)))
    if changed is None:
        return None
    region = grow(changed, 2 * REACH_PX, *swapped.shape[:2])  # farther away, DSSIM is 0
    values = dssim(swapped[region], background[region])
    if np.count_nonzero(values > _VISIBLE) <= _LEAST_CHANGED * unit**2:
        return None
    difference = np.zeros(swapped.shape[:2], np.float32)
    difference[region] = _channel_sum(values)
    size = round(nominal[0] * unit), round(nominal[1] * unit)
    return best_window(difference, size, (max(round(_STEP_PX * unit), 1),) * 2)


def best_window(values: NDArray[np.float32], size: tuple[int, int], step: tuple[int, int]) -> Box | None:
    """The first window with the largest sum, x0, y0, x1, y1.

    Args:
        values: `(H, W)`, not negative.
        size: Height and width of the window.
        step: Step between windows, down and to the right.

    Returns:
        None if no window fits, or all sums are 0.
    """
    (height, width), (h, w) = values.shape, size
    rows, columns = np.arange(0, height - h + 1, step[0]), np.arange(0, width - w + 1, step[1])
    if not len(rows) or not len(columns):
        return None
    table = cv2.integral(values, sdepth=cv2.CV_64F)
    top, bottom = table[rows], table[rows + h]
    sums = bottom[:, columns + w] - bottom[:, columns] - top[:, columns + w] + top[:, columns]
    # rounded, because equal windows differ in the last digits of the summed-area table
    best = int(np.argmax(np.round(sums, 6)))
    row, column = divmod(best, len(columns))
    if sums[row, column] <= 1e-6:
        return None
    y, x = int(rows[row]), int(columns[column])
    return x, y, x + w, y + h


def _channel_sum(values: NDArray) -> NDArray:
    """The sum of three channels, `(H, W, 3)` to `(H, W)` of the same type; levels saturate at 255."""
    return np.asarray(cv2.transform(values, _ONES))
