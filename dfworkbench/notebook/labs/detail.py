"""Fine image detail relative to background noise: what lab 1 examines, and what the detector of lab 4 learns from."""

from itertools import pairwise

import cv2
import numpy as np
from numpy.typing import NDArray

from dfworkbench.notebook.labs.faces import Pixels, Shot
from dfworkbench.synthetic.forgeries.blend import hull, shrink

_LUMA = np.array([0.299, 0.587, 0.114], np.float32)
_CORNER = 6  # the corners are a sixth of the side: only blurred background is there
#: Landmarks of parts with edges of their own, and the factor by which they are enlarged before being excluded.
_FEATURES = ((36, 42, 0.6), (42, 48, 0.6), (48, 60, 0.35), (27, 36, 0.25), (17, 22, 0.3), (22, 27, 0.3))

Map = NDArray[np.floating]


def bands(picture: Pixels, edges: tuple[float, ...]) -> list[Map]:
    """Brightness energy in bands of detail.

    Args:
        picture: `(H, W, 3)` uint8 RGB.
        edges: Blurs that bound the bands, px, ascending; 0 for no blur.

    Returns:
        `(H, W)` per band, one fewer than edges.
    """
    grey = picture.astype(np.float32) @ _LUMA
    blurred = [grey if edge == 0 else np.asarray(cv2.GaussianBlur(grey, (0, 0), edge), np.float32) for edge in edges]
    return [np.square(finer - coarser) for finer, coarser in pairwise(blurred)]


def detail_map(picture: Pixels) -> Map:
    """Fine detail around each pixel relative to the upper corners, `(H, W)`, in powers of ten; 0 means as much as there."""
    (energy,) = bands(picture, (0, 1.2))
    energy = np.asarray(cv2.GaussianBlur(energy, (0, 0), 3), np.float32)
    return 0.5 * np.log10((energy + 1e-3) / (np.median(corners(energy)) + 1e-3))


def corners(values: Map) -> Map:
    """The values in both upper corners, flattened."""
    side = len(values) // _CORNER
    return np.concatenate([values[:side, :side].ravel(), values[:side, -side:].ravel()])


def skin(shot: Shot) -> NDArray[np.bool_]:
    """Mask of cheeks, nose bridge and chin, `(H, W)`: the face without eyes, brows, nose and mouth."""
    shape, points = shot.picture.shape, shot.landmarks
    face = hull(np.concatenate([shrink(points[1:16], 0.2), points[17:27]]), shape) > 0.5
    for first, last, by in _FEATURES:
        face &= hull(shrink(points[first:last], -by), shape) <= 0.5
    return cv2.erode(face.astype(np.uint8), np.ones((3, 3))) > 0


def around_mouth(shot: Shot) -> NDArray[np.bool_]:
    """A ring around the lips, `(H, W)`."""
    lips, shape = shot.landmarks[48:60], shot.picture.shape
    return (hull(shrink(lips, -0.4), shape) > 0.5) & (hull(shrink(lips, -0.08), shape) <= 0.5)


def detail_of(shot: Shot, where: NDArray[np.bool_]) -> float:
    """Median of the detail map over a region."""
    return float(np.median(detail_map(shot.picture)[where]))
