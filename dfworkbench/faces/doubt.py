"""Doubtful tracks: seen in too few sampled frames, or a still picture in a moving video (docs/decisions/0019-doubtful-tracks.md).

A doubtful track is kept, shown and scored, but does not affect its file's verdict if there are other tracks.
"""

from collections.abc import Sequence
from math import ceil

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from dfworkbench.core.input_spec import InputSpec
from dfworkbench.faces.crops import cut_for
from dfworkbench.faces.face_tile import FaceTile

STILL = "still picture"

LEAST_SEEN = 3  # sampled frames; a false box lives for one to three frames of the video
_ENOUGH_SHARE = 4  # for a short video a quarter of its sampled frames, if that is less
_APART_S = 0.1  # sampled frames closer than this count once: together they may show one false box

_STILL_SPAN_S = 1.0  # people hold still for less than this
_COMPARED = 8  # sampled faces of a track, evenly over its time
_LOOK = InputSpec(size_px=48, crop_scale=1.0)
_MARGIN, _CELLS = 4, 5  # pixels at the border that registration may bring in; cells per side
#: Largest mean squared difference of a cell, over the variance of the face, after registration. Median over a track: real
#: people 0.15 and more, generated ones 0.012 and more, photographs of 40 px and more at most 0.007 (CRF 23).
_STILL_LIMIT = 0.010
_STEPS = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, 40, 1e-4)
_SMOOTH_PX = 5


def explain_doubt(
    times: ArrayLike,
    sampled: ArrayLike,
    tiles: Sequence[FaceTile],
    boxes: Sequence[NDArray[np.float64]],
    apart_s: float = _APART_S,
) -> str:
    """Why a track of a video is doubtful; "" if it is not.

    Args:
        times: Seconds at which the track was seen, in sampled frames only, in order.
        sampled: Seconds of all sampled frames of the video, in order.
        tiles: Face tiles of the track, one per entry of `times`.
        boxes: Face boxes of the track, one per entry of `times`.
        apart_s: Frames closer than this count once; 0 if times are unknown, as in a folder of frames.
    """
    seen, possible = np.asarray(times, np.float64), np.asarray(sampled, np.float64)
    needed = min(LEAST_SEEN, ceil(_moments(possible, apart_s) / _ENOUGH_SHARE))
    if _moments(seen, apart_s) < needed:
        return f"seen in {len(seen)} of {len(possible)} sampled frames"
    return STILL if is_still(seen, tiles, boxes) else ""


def is_still(times: NDArray[np.float64], tiles: Sequence[FaceTile], boxes: Sequence[NDArray[np.float64]]) -> bool:
    """Whether a face has no motion of its own for at least a second: a poster, a photograph, a frozen picture.

    The faces are registered by affine maps, so camera motion makes no difference. What remains between pictures of a living face is
    its expression and head rotation.
    """
    if len(times) < LEAST_SEEN or times[-1] - times[0] < _STILL_SPAN_S:
        return False
    chosen = np.unique(np.linspace(0, len(times) - 1, _COMPARED).round().astype(int))
    faces = [_grey(tiles[i], boxes[i]) for i in chosen]
    middle = faces.pop(len(faces) // 2)
    alive = 0
    for face in faces:
        alive += _difference(middle, face) >= _STILL_LIMIT
        if 2 * alive >= len(faces):  # mostly decided by the first few
            return False
    return True


def _moments(times: NDArray[np.float64], apart_s: float) -> int:
    """How many of the times are at least this far after the last one counted."""
    count, last = 0, -np.inf
    for time in times:
        if time - last >= apart_s - 1e-6:
            count, last = count + 1, time
    return count


def _grey(tile: FaceTile, box: NDArray[np.float64]) -> NDArray[np.float32]:
    return cv2.cvtColor(cut_for(_LOOK, tile, box), cv2.COLOR_RGB2GRAY).astype(np.float32)


def _difference(one: NDArray[np.float32], other: NDArray[np.float32]) -> float:
    """Largest difference of a cell of two faces after registration, in variances of the face; infinite without a fit."""
    warp = np.eye(2, 3, dtype=np.float32)
    try:
        _, warp = cv2.findTransformECC(one, other, warp, cv2.MOTION_AFFINE, _STEPS, None, _SMOOTH_PX)  # pyright: ignore
    except cv2.error:  # no convergence: no affine map makes them alike
        return float("inf")
    fitted = cv2.warpAffine(other, warp, one.shape[::-1], flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP)
    a, b = (cv2.GaussianBlur(face, (0, 0), 1)[_MARGIN:-_MARGIN, _MARGIN:-_MARGIN] for face in (one, fitted))
    b = (b - b.mean()) * (a.std() / max(float(b.std()), 1e-6)) + a.mean()  # the light may change
    cell = a.shape[0] // _CELLS
    squares = ((a - b) ** 2)[: cell * _CELLS, : cell * _CELLS].reshape(_CELLS, cell, _CELLS, cell)
    return float(squares.mean(axis=(1, 3)).max() / max(float(a.var()), 1e-6))
