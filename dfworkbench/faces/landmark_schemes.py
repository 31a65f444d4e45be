"""Convert landmarks of dlib (68 points) and MediaPipe (468, or 478 with irises) to our 81 points.

The 68 iBUG points (Sagonas et al., 300 Faces in-the-Wild Challenge, ICCV workshops 2013) predicted by dlib are our first 68; the
missing hairline is taken from the mean face, aligned to them. MediaPipe's face mesh (Kartynnik et al., arXiv:1907.06724) covers the
forehead: its vertices at the places of our points are used directly. They were chosen by the oval, lips, eyes, brows and nose that
MediaPipe publishes; their distance to dlib's points on photographs was not measured.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from dfworkbench.faces.alignment import similarity, transform_points
from dfworkbench.faces.dense import MEAN_FACE

POINTS = len(MEAN_FACE)
IBUG_POINTS = 68
MESH_POINTS = (468, 478)  # the last ten are irises
#: Vertices of the face mesh at our 81 places, left to right as seen in the picture.
_MESH = np.array([
    127, 234, 132, 58, 136, 150, 176, 148, 152, 377, 400, 379, 365, 288, 361, 454, 356,  # jaw, along the mesh's oval
    70, 63, 105, 66, 107, 336, 296, 334, 293, 300,  # brows, their upper edges
    168, 197, 5, 4, 98, 97, 2, 326, 327,  # nose
    33, 160, 158, 133, 153, 144, 362, 385, 387, 263, 373, 380,  # eyes
    61, 39, 37, 0, 267, 269, 291, 405, 314, 17, 84, 181, 78, 82, 13, 312, 308, 317, 14, 87,  # mouth
    162, 21, 54, 103, 67, 109, 10, 338, 297, 332, 284, 251, 389,  # forehead, along the oval
])  # fmt: skip
_LARGEST_SHARE = 2.0  # of the frame; a face of two pixels is not a face


def to_dense(points: ArrayLike, frame_px: tuple[int, int] | None = None) -> NDArray[np.float64]:
    """Convert landmarks in another scheme to our 81 points.

    Args:
        points: `(…, n, 2)` or `(…, n, 3)` with n of 68, 81, 468 or 478: x and y in pixels of the frame. Depth is ignored. Face-mesh
            points may be fractions of the frame's width and height, as MediaPipe returns them.
        frame_px: Width and height of the frame; needed for fractions only.

    Returns:
        `(…, 81, 2)` pixels.

    Raises:
        ValueError: The points have another shape, or are fractions and the size of the frame is unknown.
    """
    found = np.asarray(points, np.float64)
    if found.ndim < 2 or found.shape[-1] not in (2, 3) or found.shape[-2] not in (IBUG_POINTS, POINTS, *MESH_POINTS):
        raise ValueError(
            f"landmarks have shape {found.shape}, expected (…, n, 2) or (…, n, 3) with n of 68 (dlib), 81, 468 or 478 (MediaPipe)"
        )
    found = found[..., :2]
    if found.shape[-2] in MESH_POINTS:
        return _in_pixels(found[..., _MESH, :], frame_px)
    return found if found.shape[-2] == POINTS else _with_forehead(found)


def _in_pixels(points: NDArray[np.float64], frame_px: tuple[int, int] | None) -> NDArray[np.float64]:
    if not np.nanmax(np.abs(points), initial=0.0) <= _LARGEST_SHARE:
        return points
    if frame_px is None:
        raise ValueError("landmarks are shares of the frame, whose size is not known; expected pixels")
    return points * np.asarray(frame_px, np.float64)


def _with_forehead(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """The mean face's hairline, aligned to the 68 points; NaN where a face has no finite points."""
    faces = points.reshape(-1, IBUG_POINTS, 2)
    forehead = np.full((len(faces), POINTS - IBUG_POINTS, 2), np.nan)
    for face, hairline in zip(faces, forehead, strict=True):
        if np.isfinite(face).all() and np.ptp(face, axis=0).max() > 0:
            hairline[:] = transform_points(similarity(MEAN_FACE[:IBUG_POINTS], face), MEAN_FACE[IBUG_POINTS:])
    return np.concatenate([points, forehead.reshape(*points.shape[:-2], -1, 2)], axis=-2)
