import numpy as np
import pytest

from dfworkbench.synthetic.clip import make_person, record
from dfworkbench.synthetic.head import View
from dfworkbench.synthetic.identity import draw_identity
from dfworkbench.synthetic.motion import Expression, Light, Pose

SIZE = 128
LIGHT = Light((0.3, -0.4, 0.85), (0.9, 0.9, 0.9), (0.3, 0.3, 0.3))
FRONTAL = Pose(0.0, 0.0, 0.0, 64.0, 54.0, 39.0)


@pytest.fixture(scope="module")
def head():
    return make_person(4, SIZE).head


def drawn(head, pose=FRONTAL, expression=None):
    return head.draw(pose, expression or Expression(), LIGHT, View(SIZE, SIZE), glasses=False)


def test_an_identity_is_its_seed():
    assert draw_identity(7) == draw_identity(7)
    assert draw_identity(7) != draw_identity(8)


def test_there_are_81_landmarks_in_the_stated_order(head):
    points = head.landmarks(FRONTAL, Expression())
    assert points.shape == (81, 2)
    assert (np.diff(points[:17, 0]) > 0).all()  # the jaw runs from left to right
    assert np.argmax(points[:68, 1]) == 8  # with the chin lowest
    for left_to_right in (range(17, 27), range(31, 36), (36, 39, 42, 45), range(48, 55), range(60, 65), range(68, 81)):
        assert (np.diff(points[list(left_to_right), 0]) > 0).all()
    for upper, lower in (((37, 38, 43, 44), (41, 40, 47, 46)), ((49, 50, 51, 52, 53), (59, 58, 57, 56, 55))):
        assert (points[list(upper), 1] < points[list(lower), 1]).all()
    assert points[68:, 1].max() < points[17:27, 1].min()  # the forehead lies above the brows


def test_eye_landmarks_enclose_what_is_drawn_as_an_eye(head):
    """Between the lids stands the dark pupil, and shutting the eye takes it away."""
    opened = np.sqrt(np.clip(drawn(head).rgb, 0, 1)).mean(axis=2)
    closed = np.sqrt(np.clip(drawn(head, expression=Expression(blink=1.0)).rgb, 0, 1)).mean(axis=2)
    points = head.landmarks(FRONTAL, Expression())
    changed = np.abs(opened - closed)
    for eye in (range(36, 42), range(42, 48)):
        (x0, y0), (x1, y1) = (
            np.floor(points[list(eye)].min(0)).astype(int),
            np.ceil(points[list(eye)].max(0)).astype(int),
        )
        assert opened[y0 : y1 + 1, x0 : x1 + 1].min() < closed[y0 : y1 + 1, x0 : x1 + 1].min()
        assert changed[y0 : y1 + 1, x0 : x1 + 1].mean() > 10 * np.median(changed[head_mask(head, points)])


def head_mask(head, points):
    mask = np.zeros((SIZE, SIZE), bool)
    low, high = points.min(axis=0).astype(int), points.max(axis=0).astype(int)
    mask[low[1] : high[1], low[0] : high[0]] = True
    return mask


def test_the_mouth_opens_where_its_landmarks_part(head):
    wide = Expression(jaw=0.14)
    points, shut = head.landmarks(FRONTAL, wide), head.landmarks(FRONTAL, Expression())
    gap = points[66, 1] - points[62, 1]
    assert abs(gap - 0.14 * FRONTAL.scale) < 1.0  # inner lips part by the jaw's opening
    assert points[8, 1] - shut[8, 1] > 0.5 * gap  # and the chin goes with it
    np.testing.assert_allclose(points[27:31], shut[27:31], atol=0.3)  # the nose does not
    change = np.abs(drawn(head, expression=wide).rgb - drawn(head).rgb).sum(axis=2)
    inside = tuple(np.round(points[[62, 66]].mean(axis=0)).astype(int)[::-1])
    forehead = tuple(np.round(points[74]).astype(int)[::-1] + np.array([4, 0]))
    assert change[inside] > 10 * change[forehead]


@pytest.mark.parametrize("pose", [FRONTAL, Pose(0.25, -0.1, 0.08, 60.0, 57.0, 36.0)])
def test_project_inverts_locate(head, pose):
    """The pixel at which a landmark is written shows that point of the face."""
    x, y = head.locate(pose, View(SIZE, SIZE))
    points = head.shape.landmarks[27:68]
    at = np.round(head.project(points, pose)).astype(int)
    seen = np.stack([x[at[:, 1], at[:, 0]], y[at[:, 1], at[:, 0]]], axis=1)
    distance_px = np.linalg.norm(seen - points, axis=1) * pose.scale
    assert np.median(distance_px) < 0.7
    assert distance_px.max() < 2.5


def test_expressions_move_landmarks_by_the_inverse_of_the_warp(head):
    expression = Expression(jaw=0.08, smile=0.7, brow=0.5, pucker=0.2)
    rest = head.shape.landmarks
    moved = head.fields.move(rest, expression)
    low = np.isin(np.arange(81), [*range(6, 11), *range(55, 60), *range(65, 68)])[None]
    x, y, _, _ = head.fields.to_rest(*(moved[None, :, k].astype(np.float32) for k in (0, 1)), expression, low)
    keep = np.r_[0:36, 48:81]
    np.testing.assert_allclose(np.stack([x[0], y[0]], 1)[keep], rest[keep], atol=0.01)


def test_a_clip_moves_smoothly_and_stays_in_its_frame():
    clip = record(make_person(3, SIZE), 0, SIZE, 12, 25.0)
    assert clip.landmarks.shape == (12, 81, 2)
    assert clip.landmarks.min() >= 0
    assert clip.landmarks.max() <= SIZE - 1
    steps = np.linalg.norm(np.diff(clip.landmarks[:, 27:31], axis=0), axis=2)
    assert 0 < steps.max() < 4


def test_a_coarse_view_shows_the_same_face(head):
    fine = drawn(head).rgb
    coarse = head.draw(FRONTAL, Expression(), LIGHT, View(32, 32, 0.0, 0.0, 4.0), glasses=False).rgb
    averaged = fine.reshape(32, 4, 32, 4, 3).mean(axis=(1, 3))
    middle = slice(10, 20)
    assert np.abs(averaged - coarse)[middle, middle].mean() < 0.03
