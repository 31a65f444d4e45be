"""Estimate 81 dense landmarks of a face from five.

Layout: 0-67 as in the iBUG 68-point scheme, 68-80 along the hairline from left to right. The mean face was made from our own
generated people, whose landmarks are known exactly (`dfworkbench demo`, seed 0, 20 pairs), in units of the distance between
the eyes, with the origin midway between them:

```python
files = sorted(Path("data/demo/original_sequences/youtube/landmarks").glob("*.npz"))
faces = np.concatenate([np.load(file)["landmarks"][::4] for file in files])
mean = np.mean([transform_points(similarity(five_points(face), canvas_points()), face) for face in faces], axis=0)
left, right = five_points(mean)[:2]
mean = (mean - (left + right) / 2) / np.linalg.norm(right - left)  # then averaged with its mirror image
```

On held-out people, a similarity to the five points has an error of 0.096 eye distances (root mean square) and an IoU of 0.86 with
the hull of the true landmarks; an affine map, which could follow a turned head, has 0.101 and 0.85, so the similarity is used.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from dfworkbench.faces.alignment import five_points, similarity, transform_points

MEAN_FACE = np.array([
    # jaw
    (-1.148, 0.046), (-1.136, 0.291), (-1.073, 0.534), (-1.008, 0.763), (-0.922, 0.993), (-0.797, 1.217),
    (-0.612, 1.425), (-0.403, 1.581), (0, 1.695), (0.403, 1.581), (0.612, 1.425), (0.797, 1.217), (0.922,
    0.993), (1.008, 0.763), (1.073, 0.534), (1.136, 0.291), (1.148, 0.046),
    # brows
    (-0.767, -0.251), (-0.654, -0.299), (-0.541, -0.311), (-0.429, -0.293), (-0.316, -0.269), (0.316, -0.269),
    (0.429, -0.293), (0.541, -0.311), (0.654, -0.299), (0.767, -0.251),
    # nose
    (0, 0.003), (0, 0.184), (0, 0.365), (0, 0.546), (-0.176, 0.626), (-0.093, 0.677), (0, 0.706), (0.093,
    0.677), (0.176, 0.626),
    # eyes
    (-0.737, 0.008), (-0.586, -0.086), (-0.407, -0.069), (-0.265, 0.031), (-0.413, 0.06), (-0.593, 0.057),
    (0.265, 0.031), (0.407, -0.069), (0.586, -0.086), (0.737, 0.008), (0.593, 0.057), (0.413, 0.06),
    # mouth
    (-0.406, 1.023), (-0.248, 0.963), (-0.083, 0.938), (0, 0.946), (0.083, 0.938), (0.248, 0.963), (0.406,
    1.023), (0.255, 1.141), (0.11, 1.186), (0, 1.196), (-0.11, 1.186), (-0.255, 1.141), (-0.368, 1.021),
    (-0.146, 1.02), (0, 1.023), (0.146, 1.02), (0.368, 1.021), (0.146, 1.073), (0, 1.083), (-0.146, 1.073),
    # forehead
    (-0.812, -0.662), (-0.677, -0.797), (-0.542, -0.899), (-0.406, -0.971), (-0.271, -1.016), (-0.136,
    -1.038), (0, -1.043), (0.136, -1.038), (0.271, -1.016), (0.406, -0.971), (0.542, -0.899), (0.677, -0.797),
    (0.812, -0.662),
])  # fmt: skip
_MEAN_FIVE = five_points(MEAN_FACE)


def fit_dense(five: ArrayLike) -> NDArray[np.float64]:
    """The mean face, scaled, rotated and shifted onto five points.

    Good enough where the extent of a face is needed, such as a hull from chin to forehead; the expression is always neutral.

    Args:
        five: `(5, 2)` pixels: left eye, right eye, nose, left and right corner of the mouth.

    Returns:
        `(81, 2)` pixels.

    Raises:
        InputError: The five points are not finite, or all the same.
    """
    return transform_points(similarity(_MEAN_FIVE, _require(five)), MEAN_FACE)


def _require(five: ArrayLike) -> NDArray[np.float64]:
    """Return the points, after checking that they span a face."""
    points = np.asarray(five, dtype=np.float64)
    similarity(points, _MEAN_FIVE)  # raises with the reason; the fit itself divides by the mean face's extent only
    return points
