"""Random changes of faces while training."""

import numpy as np
import pytest

from dfworkbench.datasets.perturb.augment import AugmentSettings, FaceAugment, degrade
from dfworkbench.media.pictures.operations import recolour

OFF = {"flip": 0.0, "box_jitter": 0.0, "colour_jitter": 0.0, "degrade": 0.0}


@pytest.fixture
def images():
    return np.random.default_rng(0).integers(0, 256, size=(2, 40, 40, 3), dtype=np.uint8)


def test_nothing_happens_when_all_is_off(images):
    augment = FaceAugment(AugmentSettings(**OFF))
    boxes = np.array([[1.0, 2.0, 11.0, 22.0]])
    rng = np.random.default_rng(0)
    assert np.array_equal(augment.change_pixels(images, rng), images)
    assert np.array_equal(augment.move_boxes(boxes, rng), boxes)


def test_flip_mirrors_left_to_right(images):
    augment = FaceAugment(AugmentSettings(**OFF | {"flip": 1.0}))
    assert np.array_equal(augment.change_pixels(images, np.random.default_rng(0)), images[:, :, ::-1])


def test_equal_generators_give_equal_pixels(images):
    augment = FaceAugment(AugmentSettings(degrade=1.0))
    first, second, other = (augment.change_pixels(images, np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert first.dtype == np.uint8
    assert first.shape == images.shape
    assert np.array_equal(first, second)
    assert not np.array_equal(first, other)


def test_global_random_state_is_not_used(images):
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    FaceAugment(AugmentSettings(degrade=1.0)).change_pixels(images, np.random.default_rng(0))
    assert np.array_equal(np.random.get_state()[1], before)  # noqa: NPY002


def test_boxes_of_a_clip_move_together_and_within_bounds():
    augment = FaceAugment(AugmentSettings(**OFF | {"box_jitter": 0.1}))
    boxes = np.array([[0.0, 0.0, 100.0, 50.0], [200.0, 100.0, 300.0, 150.0]])
    for seed in range(50):
        moved = augment.move_boxes(boxes, np.random.default_rng(seed))
        assert np.allclose(moved[1] - moved[0], boxes[1] - boxes[0])
        scale = (moved[0, 2] - moved[0, 0]) / 100
        assert np.exp(-0.1) <= scale <= np.exp(0.1)
        assert np.abs(moved[:, :2] + moved[:, 2:] - boxes[:, :2] - boxes[:, 2:]).max() / 2 <= 0.05 * 100


def test_every_degradation_occurs_and_keeps_the_picture(images):
    smooth = np.broadcast_to(np.linspace(60, 190, 40)[:, None, None], (1, 40, 40, 3)).astype(np.uint8)
    changed = [degrade(smooth, np.random.default_rng(seed)) for seed in range(40)]
    assert {image.shape for image in changed} == {smooth.shape}
    errors = np.array([np.abs(image.astype(float) - smooth).mean() for image in changed])
    assert errors.max() < 10
    kinds = {int(np.random.default_rng(seed).integers(4)) for seed in range(40)}
    assert kinds == {0, 1, 2, 3}


def test_grey_stays_grey_when_only_saturation_changes():
    grey = np.full((1, 4, 4, 3), 128, np.uint8)
    for seed in range(10):
        out = recolour(grey, 0.5, np.random.default_rng(seed))
        assert np.ptp(out.astype(int)) <= 1
