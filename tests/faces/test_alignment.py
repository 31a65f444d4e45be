"""Five-point alignment."""

import cv2
import numpy as np
import pytest

from dfworkbench.core.errors import InputError
from dfworkbench.faces.alignment import (
    align,
    alignment_matrix,
    canvas_points,
    five_points,
    similarity,
    transform_points,
)

FIVE = np.array([(104.0, 105), (152, 103), (129, 132), (110, 160), (147, 158)])


def test_a_face_on_the_canvas_stays():
    np.testing.assert_allclose(alignment_matrix(canvas_points()), np.eye(3), atol=1e-12)


@pytest.mark.parametrize("size_px", [64, 224, 300])
def test_other_sizes_are_the_same_canvas(size_px):
    at_224 = alignment_matrix(FIVE, translation_px=(10, -5), rotation_deg=20)
    scaled = alignment_matrix(FIVE, size_px, translation_px=(10, -5), rotation_deg=20)
    np.testing.assert_allclose(transform_points(scaled, FIVE), transform_points(at_224, FIVE) * size_px / 224)


def test_similarity_is_undone_whatever_was_done():
    rng = np.random.default_rng(0)
    for _ in range(20):
        angle, scale, shift = rng.uniform(-3, 3), rng.uniform(0.1, 5), rng.uniform(-100, 100, size=2)
        turn = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        moved = FIVE @ turn.T + shift
        np.testing.assert_allclose(transform_points(similarity(FIVE, moved), FIVE), moved)
        np.testing.assert_allclose(
            transform_points(alignment_matrix(moved), moved), transform_points(alignment_matrix(FIVE), FIVE)
        )


def test_similarity_is_the_least_squares_solution():
    """Against the linear system of its four unknowns."""
    target = canvas_points()
    ones, none = np.ones(5), np.zeros(5)
    left = np.concatenate([
        np.stack([FIVE[:, 0], -FIVE[:, 1], ones, none], axis=1), np.stack([FIVE[:, 1], FIVE[:, 0], none, ones], axis=1)
    ])  # fmt: skip
    a, b, x, y = np.linalg.lstsq(left, target.T.ravel())[0]
    np.testing.assert_allclose(similarity(FIVE, target), [[a, -b, x], [b, a, y], [0, 0, 1]])


def test_scale_rotation_and_translation_mean_what_they_say():
    eyes = transform_points(alignment_matrix(canvas_points()), canvas_points())[:2]
    assert np.linalg.norm(eyes[1] - eyes[0]) == pytest.approx(72, abs=0.1)
    assert eyes[0, 1] == pytest.approx(224 / 2.42)
    turned = transform_points(alignment_matrix(canvas_points(), rotation_deg=90), canvas_points())
    assert turned[0, 1] > turned[1, 1] + 70, "counter-clockwise: the left eye goes down"
    moved = transform_points(alignment_matrix(FIVE, translation_px=(7, -3)), FIVE)
    np.testing.assert_allclose(moved - transform_points(alignment_matrix(FIVE), FIVE), np.tile((7, -3), (5, 1)))


def test_stretching_moves_eyes_apart_and_the_mouth_together():
    matrix = alignment_matrix(canvas_points(), eye_stretch=1.1)
    before, after = canvas_points(), transform_points(matrix, canvas_points())
    width = lambda points, pair: np.linalg.norm(points[pair[1]] - points[pair[0]])  # noqa: E731
    assert width(after, (0, 1)) == pytest.approx(1.1 * width(before, (0, 1)), rel=1e-4)
    assert width(after, (3, 4)) == pytest.approx(width(before, (3, 4)) / 1.1, rel=1e-4)
    assert not np.array_equal(matrix[2], (0, 0, 1))


def test_affine_and_perspective_warp_agree():
    image = np.random.default_rng(0).integers(0, 256, size=(60, 80, 3), dtype=np.uint8)
    image = cv2.GaussianBlur(image, (0, 0), 2)
    matrix = alignment_matrix(FIVE / 2, 64, rotation_deg=10)
    affine = align(image, matrix, 64)
    perspective = cv2.warpPerspective(image, matrix, (64, 64), flags=cv2.INTER_LINEAR)
    assert affine.shape == (64, 64, 3)
    assert np.abs(affine.astype(int) - perspective).max() <= 1


def test_outside_is_black():
    crop = align(np.full((20, 20, 3), 200, np.uint8), alignment_matrix(FIVE), 224)
    assert not crop[-1].any()


def test_five_points_from_dense_ones():
    dense = np.arange(162, dtype=float).reshape(81, 2) / 4
    points = five_points(dense)
    np.testing.assert_allclose(points[0], dense[36:42].mean(axis=0))
    np.testing.assert_allclose(points[2:], dense[[30, 48, 54]])
    np.testing.assert_allclose(five_points(dense, whole_eyes=True)[:2], np.trunc(points[:2]))
    np.testing.assert_allclose(five_points(dense[:68]), points)


@pytest.mark.parametrize("points", [np.full((5, 2), 120.0), np.full((5, 2), np.nan), FIVE[:4]])
def test_useless_landmarks_are_refused(points):
    with pytest.raises(InputError, match="aligning a face: its landmarks are"):
        alignment_matrix(points)
