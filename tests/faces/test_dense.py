"""Dense landmarks guessed from five."""

import cv2
import numpy as np
import pytest

from dfworkbench.core.errors import InputError
from dfworkbench.faces.alignment import canvas_points, five_points
from dfworkbench.faces.dense import MEAN_FACE, fit_dense
from dfworkbench.synthetic.identity import draw_identity
from dfworkbench.synthetic.shape import HeadShape


def hull(points: np.ndarray) -> np.ndarray:
    mask = np.zeros((300, 300), np.uint8)
    return cv2.fillPoly(mask, [cv2.convexHull(np.rint(points).astype(np.int32))], 1) > 0


def test_layout_and_units():
    assert MEAN_FACE.shape == (81, 2)
    left, right = five_points(MEAN_FACE)[:2]
    np.testing.assert_allclose(right - left, (1, 0), atol=0.01)
    np.testing.assert_allclose(left + right, 0, atol=0.01)
    np.testing.assert_allclose(MEAN_FACE[:17, 0], -MEAN_FACE[16::-1, 0], atol=1e-9)
    assert MEAN_FACE[:, 1].argmax() == 8, "the chin is lowest"
    assert MEAN_FACE[68:, 1].max() < MEAN_FACE[17:27, 1].min(), "the forehead is above the brows"


def test_follows_scale_rotation_and_place():
    dense = fit_dense(canvas_points())
    angle = 0.3
    turn = 0.5 * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    np.testing.assert_allclose(fit_dense(canvas_points() @ turn.T + (40, 7)), dense @ turn.T + (40, 7))


@pytest.mark.parametrize("seed", range(6))
def test_hull_covers_generated_faces(seed):
    truth = HeadShape(draw_identity(1000 + seed), 64).landmarks * 90 + 140
    guess = fit_dense(five_points(truth))
    a, b = hull(truth), hull(guess)
    assert (a & b).sum() / (a | b).sum() > 0.75


@pytest.mark.parametrize("value", [120.0, np.nan])
def test_useless_points_are_refused(value):
    with pytest.raises(InputError, match="finite points"):
        fit_dense(np.full((5, 2), value))
