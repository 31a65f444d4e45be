import numpy as np
import pytest
import torch
from heads import Head, frame_of, portrait
from PIL import Image

from dfworkbench.core.errors import InputError
from dfworkbench.core.geometry import iou_matrix
from dfworkbench.faces import FaceFinder, FaceSettings
from dfworkbench.faces.mtcnn import _nms_over_smaller
from dfworkbench.faces.networks import HalvingPool, load_networks
from dfworkbench.faces.pyramid import scales

PLAIN = FaceSettings(min_face_px=20, min_probability=0.7, detect_long_side_px=100_000)
EXACT = PLAIN.replace(exact=True)


@pytest.fixture(scope="module")
def finder():
    return FaceFinder()


@pytest.fixture(scope="module")
def picture():
    return frame_of([Head(90, 100, 0.5), Head(230, 110, 0.35, mirrored=True)], 0, 320, 200, seed=3)


def test_exact_mode_equals_facenet_pytorch(picture):
    from facenet_pytorch import MTCNN

    boxes, probabilities, points = MTCNN(keep_all=True).detect(picture, landmarks=True)
    faces = FaceFinder(EXACT).find(picture)
    np.testing.assert_allclose(faces.boxes, np.array(boxes, float), atol=2e-3)
    np.testing.assert_allclose(faces.probabilities, np.array(probabilities, float), atol=1e-5)
    np.testing.assert_allclose(faces.landmarks, np.array(points, float), atol=5e-3)


def test_the_networks_answer_as_those_of_facenet_pytorch_to_the_last_bit():
    from facenet_pytorch.models.mtcnn import ONet, PNet, RNet

    before = torch.get_rng_state()
    ours = load_networks.__wrapped__()
    assert torch.equal(torch.get_rng_state(), before)
    generator = torch.Generator().manual_seed(0)
    for net, theirs, size in zip(ours, (PNet(), RNet(), ONet()), (37, 24, 48), strict=True):
        images = torch.randn(5, 3, size, size, generator=generator)
        with torch.inference_mode():
            # the package pools otherwise, to the same values
            assert all(map(torch.equal, net(images), theirs(images)))
        assert not any(parameter.requires_grad for parameter in net.parameters())


def test_fast_mode_finds_the_same_faces(finder, picture):
    exact, fast = FaceFinder(EXACT).find(picture), finder.find(picture)
    assert len(exact.boxes) == len(fast.boxes) == 2
    assert np.diag(iou_matrix(exact.boxes, fast.boxes)).min() > 0.8
    assert fast.boxes.dtype == fast.probabilities.dtype == fast.landmarks.dtype == np.float64
    assert (fast.boxes[0, 2] - fast.boxes[0, 0]) > (fast.boxes[1, 2] - fast.boxes[1, 0])


def test_landmarks_are_where_the_face_says(finder):
    left_eye, right_eye, nose, left_mouth, right_mouth = finder.find(portrait()).landmarks[0]
    assert left_eye[0] < nose[0] < right_eye[0]
    assert max(left_eye[1], right_eye[1]) < nose[1] < min(left_mouth[1], right_mouth[1])


def test_grey_rgba_and_pil_pictures_are_taken(finder, picture):
    grey = picture.mean(axis=2).astype(np.uint8)
    alpha = np.dstack([picture, np.zeros(picture.shape[:2], np.uint8)])
    expected = finder.find(picture).boxes
    assert len(finder.find(grey).boxes) == len(finder.find(grey[..., None]).boxes) == 2
    for other in (alpha, Image.fromarray(picture), Image.fromarray(alpha), picture[:, ::-1][:, ::-1]):
        np.testing.assert_array_equal(finder.find(other).boxes, expected)
    assert len(finder.find(Image.fromarray(picture).quantize()).boxes) == 2


@pytest.mark.parametrize("size", [(1, 1), (1, 40), (12, 12), (16, 16), (19, 40), (40, 19), (39, 41)], ids=str)
@pytest.mark.parametrize("exact", [False, True])
def test_tiny_pictures_have_no_faces(size, exact):
    for settings in (PLAIN, FaceSettings()):
        faces = FaceFinder(settings.replace(exact=exact)).find(np.full((*size, 3), 90, np.uint8))
        assert faces.boxes.shape == (0, 4)
        assert faces.landmarks.shape == (0, 5, 2)


def test_random_pictures_never_raise():
    rng = np.random.default_rng(0)
    finders = [FaceFinder(PLAIN), FaceFinder(FaceSettings(min_face_px=12, min_probability=0.7))]
    pictures = [rng.integers(0, 256, (*rng.integers(1, 70, 2), 3), dtype=np.uint8) for _ in range(40)]
    for found in finders:
        for picture in pictures:
            found.find(picture)


def test_what_is_no_picture_is_refused(finder):
    for wrong in (np.zeros((10, 10, 3)), np.zeros((10, 10, 2), np.uint8), np.zeros((0, 5, 3), np.uint8)):
        with pytest.raises(InputError, match="expected a picture, uint8"):
            finder.find(wrong)


def test_find_near_finds_moved_faces_and_only_those_asked_for(finder, picture):
    faces = finder.find(picture)
    side = faces.boxes[0, 2] - faces.boxes[0, 0]
    for shift in ((0, 0), (0.15, 0), (0, -0.15)):
        near = finder.find_near(picture, faces.boxes[:1] + np.tile(np.array(shift) * side, 2))
        assert len(near.boxes) == 1
        assert iou_matrix(faces.boxes[:1], near.boxes)[0, 0] > 0.75
    assert len(finder.find_near(picture, np.zeros((0, 4))).boxes) == 0
    assert len(finder.find_near(picture, [[-500, -500, -400, -400]]).boxes) == 0
    assert len(finder.find_near(picture, [[0, 150, 45, 195]]).boxes) == 0


def test_votes_make_boxes_steadier(picture):
    def spread(finder):
        shifts = [(dx, dy) for dx in range(4) for dy in range(4)]
        boxes = [finder.find(np.roll(picture, shift, axis=(1, 0))).boxes[0] - np.tile(shift, 2) for shift in shifts]
        return np.std(boxes, axis=0).mean()

    voting, plain = FaceFinder(), FaceFinder(FaceSettings(exact=True))
    assert spread(voting) < 0.9 * spread(plain)


@pytest.mark.parametrize("least", [20, 40, 100])
def test_exact_boxes_do_not_depend_on_the_smallest_face_asked_for(picture, least):
    """Small candidates take part in the suppression of overlaps, whatever is left out afterwards."""
    every = FaceFinder(EXACT).find(picture)
    some = FaceFinder(EXACT.replace(min_face_px=least, min_probability=0.9)).find(picture)
    keep = ((every.boxes[:, 2:] - every.boxes[:, :2]).max(axis=1) >= least) & (every.probabilities > 0.9)
    np.testing.assert_array_equal(some.boxes, every.boxes[keep])
    assert len(some.boxes) == {20: 2, 40: 2, 100: 0}[least] or keep.sum() == len(some.boxes)


def test_find_around_finds_everybody_near_known_faces_and_nobody_far_away(finder, picture):
    faces = finder.find(picture)
    both = finder.find_around(picture, faces.boxes)
    assert np.diag(iou_matrix(faces.boxes, both.boxes)).min() > 0.8
    assert len(finder.find_around(picture, faces.boxes[1:]).boxes) >= 1
    assert len(finder.find_around(picture, np.zeros((0, 4))).boxes) == 0
    assert len(finder.find_around(picture, [[-900, -900, -850, -850]]).boxes) == 0
    wide = np.concatenate([picture, np.full((200, 900, 3), 90, np.uint8), picture], axis=1)
    left = finder.find_around(wide, faces.boxes[:1])
    assert len(finder.find(wide).boxes) == 4
    assert left.boxes[:, 2].max() < 320


def test_smallest_face_is_respected():
    picture = frame_of([Head(60, 60, 0.13)], 0, 160, 120, seed=1)  # a face of about 25 px
    assert len(FaceFinder(FaceSettings(min_face_px=20)).find(picture).boxes) == 1
    assert len(FaceFinder(FaceSettings(min_face_px=50)).find(picture).boxes) == 0
    assert FaceSettings(min_face_px=40).smallest_face_px(3840, 2160) == 60
    assert FaceSettings(min_face_px=40).smallest_face_px(1280, 720) == 40


def test_scales_for_large_faces_are_a_part_of_the_default_ones():
    default = scales(720, 1280, 20)
    assert default[0] == 0.6
    assert scales(720, 1280, 40) == default[2:]
    assert scales(39, 500, 40) == []


@pytest.mark.parametrize("shape", [(1, 2, 8, 8), (2, 3, 7, 8), (1, 1, 8, 5), (1, 4, 1, 1), (1, 2, 9, 11)], ids=str)
def test_halving_pool_equals_max_pooling(shape):
    x = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    expected = torch.nn.functional.max_pool2d(x, 2, 2, ceil_mode=True)
    assert torch.equal(HalvingPool()(x), expected)


def test_suppression_over_the_smaller_area_removes_a_box_inside_another():
    boxes = np.array([[0, 0, 100, 100], [30, 30, 60, 60], [200, 0, 300, 100]], np.float32)
    assert _nms_over_smaller(boxes, np.array([0.9, 0.95, 0.8], np.float32), 0.7) == [1, 2]
    assert _nms_over_smaller(boxes[:0], np.zeros(0, np.float32), 0.7) == []
