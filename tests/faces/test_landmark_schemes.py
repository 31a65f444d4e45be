"""Landmarks of dlib and MediaPipe as 81 points."""

import numpy as np
import pytest

from dfworkbench.faces.alignment import five_points, transform_points
from dfworkbench.faces.dense import MEAN_FACE
from dfworkbench.faces.landmark_schemes import _MESH, to_dense

#: The oval of MediaPipe's face mesh, from the top of the forehead by the right edge of the picture to the chin and back.
OVAL = [
    10, 338, 297, 332, 284, 251, 389, 356, 454, 323, 361, 288, 397, 365, 379, 378, 400, 377, 152, 148, 176, 149, 150, 136, 172, 58,
    132, 93, 234, 127, 162, 21, 54, 103, 67, 109,
]  # fmt: skip
LIPS = {61, 91, 181, 84, 17, 314, 405, 321, 291, 40, 39, 37, 0, 267, 269, 270, 78, 88, 178, 87, 14, 317, 402, 318, 308, 80, 81,
        82, 13, 312, 311, 310}  # fmt: skip
RIGHT_EYE, LEFT_EYE = (
    {33, 7, 163, 144, 145, 153, 154, 155, 133, 246, 161, 160, 159, 158, 157, 173},
    {263, 249, 390, 373, 374, 380, 381, 382, 362, 466, 388, 387, 386, 385, 384, 398},
)


def turned(points, angle=0.4, scale=80.0, move=(300.0, 200.0)):
    c, s = scale * np.cos(angle), scale * np.sin(angle)
    return transform_points(np.array([[c, -s, move[0]], [s, c, move[1]], [0, 0, 1]]), points)


def test_81_points_stay():
    face = turned(MEAN_FACE)
    assert np.array_equal(to_dense(face), face)


def test_68_points_get_the_hairline_of_a_turned_face():
    face = turned(MEAN_FACE)
    found = to_dense(np.stack([face[:68], np.full((68, 2), np.nan)]))
    assert found.shape == (2, 81, 2)
    np.testing.assert_allclose(found[0], face, atol=1e-9)
    assert np.isnan(found[1]).all(), "a face that was not found has no hairline"


def mesh(face):
    """A face mesh whose vertices at our places are these points; all others are far away."""
    points = np.full((478, 3), 1e4)
    points[_MESH, :2] = face
    return points


def test_mesh_in_pixels_and_in_shares_of_the_frame():
    face = turned(MEAN_FACE)
    np.testing.assert_allclose(to_dense(mesh(face)), face)
    shares = mesh(face / (640, 480))
    shares[np.abs(shares) > 1e3] = 0.5
    np.testing.assert_allclose(to_dense(shares[None, None, :468], (640, 480))[0, 0], face)
    with pytest.raises(ValueError, match="size is not known"):
        to_dense(shares)


def test_vertices_are_at_the_places_of_our_points():
    jaw, forehead = _MESH[:17].tolist(), _MESH[68:].tolist()
    around = [OVAL.index(vertex) for vertex in jaw]
    assert around == sorted(around, reverse=True), "from the left of the picture over the chin to the right"
    over = [(OVAL.index(vertex) - 30) % 36 for vertex in forehead]
    assert over == sorted(over)
    assert set(jaw).isdisjoint(forehead)
    assert (jaw[8], forehead[6]) == (152, 10), "chin and top of the forehead"
    mirrored = [OVAL[-OVAL.index(vertex) % 36] for vertex in jaw]
    assert mirrored == jaw[::-1]
    assert [OVAL[-OVAL.index(vertex) % 36] for vertex in forehead] == forehead[::-1]
    assert set(_MESH[36:42]) <= RIGHT_EYE
    assert set(_MESH[42:48]) <= LEFT_EYE
    assert set(_MESH[48:68]) <= LIPS
    assert len(set(_MESH)) == 81
    assert five_points(to_dense(mesh(turned(MEAN_FACE)))).shape == (5, 2)


@pytest.mark.parametrize("shape", [(67, 2), (81, 4), (81,), (468,), (5, 2)])
def test_other_shapes_are_refused(shape):
    with pytest.raises(ValueError, match=r"expected \(…, n, 2\)"):
        to_dense(np.ones(shape))
