"""Partly stored faces: how much of a crop lies in the frame but outside the stored face tile.

This can happen only to crops whose place depends on more than the face box: those aligned by five points, and squares shifted into
the frame. For others, cutting raises an error (`faces.crops`).
"""

import math
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from dfworkbench.core.input_spec import InputSpec
from dfworkbench.faces.alignment import crop_matrix, transform_points
from dfworkbench.faces.regions import MOST_CONTEXT, region_of

_GRID = 33  # sampled places per side of a crop
_LEAST_SHARE = 0.01  # a sliver at the border of a crop does not matter


class Place(NamedTuple):
    """Where a face is in its frame, and which part of the frame is stored.

    Attributes:
        square: `(4,)` x0, y0, x1, y1 of the face tile in pixels of the frame.
        box: `(4,)` of the face.
        landmarks: `(5, 2)` in pixels of the frame.
        frame_px: Width and height of the frame; None if unknown.
    """

    square: NDArray[np.float64]
    box: NDArray[np.float64]
    landmarks: NDArray[np.float64]
    frame_px: tuple[int, int] | None


def share_beyond(spec: InputSpec, place: Place) -> float:
    """Share of a crop, 0..1, that is in the frame but not in the face tile.

    A frame of unknown size is assumed to be unbounded around an aligned face.
    """
    frame = (-math.inf, -math.inf, math.inf, math.inf) if place.frame_px is None else (0, 0, *place.frame_px)
    if spec.alignment == "five_points":
        if not np.isfinite(place.landmarks).all() or np.ptp(place.landmarks, axis=0).max() < 1e-3:
            return 0.0  # no crop can be cut here; cutting it raises an error
        to_frame = np.asarray(np.linalg.inv(crop_matrix(spec, place.landmarks, 1)), np.float64)
        corners = transform_points(to_frame, [(0, 0), (1, 0), (1, 1), (0, 1)])
        if _inside(corners, place.square).all():
            return 0.0
        steps = (np.arange(_GRID) + 0.5) / _GRID
        points = transform_points(to_frame, np.stack(np.meshgrid(steps, steps), axis=-1).reshape(-1, 2))
    elif spec.border == "shift" and place.frame_px is not None:
        edges = region_of(spec, place.box, place.frame_px)
        across, down = (np.arange(edges[at] + 0.5, edges[at + 2]) for at in (0, 1))
        across, down = (line[:: max(len(line) // _GRID, 1)] for line in (across, down))
        points = np.stack(np.meshgrid(across, down), axis=-1).reshape(-1, 2)
    else:
        return 0.0
    shown = _inside(points, np.array(frame, np.float64))
    return float((shown & ~_inside(points, place.square)).mean())


def beyond_notice(spec: InputSpec, places: Iterable[Place], context_scale: float, doing: str) -> str:
    """How many faces extend beyond their tiles, by how much, and what to do about it; "" if none.

    Args:
        spec: InputSpec of the detector.
        places: Places of all faces.
        context_scale: Scale that the tiles were cut with; the notice recommends a larger one.
        doing: What to repeat with a larger `context_scale`, such as "score".
    """
    if not (spec.alignment == "five_points" or spec.border == "shift"):
        return ""
    shares = np.array([share_beyond(spec, place) for place in places])
    count = int((shares > _LEAST_SHARE).sum())
    if not count:
        return ""
    more = min(math.ceil(context_scale * 3) / 2, MOST_CONTEXT)
    advice = f"{doing} with context_scale={more:g}" if more > context_scale else "no larger context_scale is possible"
    return (
        f"{count} of {len(shares)} faces reach beyond what was kept of the frame around them, up to {shares.max():.0%} of the "
        f"crop, which is black there: {advice}"
    )


def _inside(points: ArrayLike, square: NDArray[np.float64]) -> NDArray[np.bool_]:
    points = np.asarray(points, np.float64)
    return np.asarray(((points >= square[:2]) & (points <= square[2:])).all(axis=-1))
