"""What the face detector returns."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class Faces(NamedTuple):
    """Faces of one picture, largest first.

    Attributes:
        boxes: `(n, 4)` float64, x0, y0, x1, y1 in pixels; may reach beyond the picture.
        probabilities: `(n,)` float64, 0..1.
        landmarks: `(n, 5, 2)` float64, x and y in pixels: left eye, right eye, nose, left and right corner of the mouth.
    """

    boxes: NDArray[np.float64]
    probabilities: NDArray[np.float64]
    landmarks: NDArray[np.float64]
