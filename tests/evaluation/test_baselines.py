import numpy as np
import pytest

from dfworkbench.core.errors import InputError
from dfworkbench.evaluation.judging.baselines import FEATURES, baseline_auc, baselines, block_features, colour_features

SPLIT = ["train"] * 24 + ["test"] * 16
LABELS = [0, 1] * 20


def noise_videos(rng, count=40, frames=3, size=48):
    level = rng.uniform(60, 190, (count, 1, 1, 1, 1))
    return np.clip(level + rng.normal(0, 20, (count, frames, size, size, 3)), 0, 255).astype(np.uint8)


def test_nothing_is_found_where_nothing_is():
    found = baselines(list(noise_videos(np.random.default_rng(0))), LABELS, SPLIT)
    assert set(found) == {"mean colour", "block statistics"}
    assert all(0.15 < value < 0.85 for value in found.values())


def test_a_colour_cast_is_found_by_the_colours():
    videos = noise_videos(np.random.default_rng(1)).astype(int)
    videos[1::2, ..., 0] += 45
    videos[1::2, ..., 1] -= 45
    found = baselines(list(np.clip(videos, 0, 255).astype(np.uint8)), LABELS, SPLIT)
    assert found["mean colour"] > 0.9


@pytest.mark.parametrize("size", [8, 16])
def test_a_block_grid_is_found_at_any_phase(size):
    rng = np.random.default_rng(2)
    videos = noise_videos(rng).astype(int)
    for video in videos[1::2]:
        video[:, :, (np.arange(48) + rng.integers(size)) % size == 0] += 12
    found = baselines(list(np.clip(videos, 0, 255).astype(np.uint8)), LABELS, SPLIT)
    assert found["block statistics"] > 0.9


def test_features_have_the_stated_shape_and_see_no_order_of_frames():
    video = noise_videos(np.random.default_rng(3), count=1, frames=5)[0]
    for extract, length in zip(FEATURES.values(), (6, 12), strict=True):
        assert extract(video).shape == (length,)
        np.testing.assert_allclose(extract(video), extract(video[::-1]), rtol=1e-5)


def test_colour_features_of_a_flat_picture():
    flat = np.broadcast_to(np.array([10, 20, 30], np.uint8), (2, 32, 32, 3))
    np.testing.assert_allclose(colour_features(flat), [10, 20, 30, 0, 0, 0], atol=1e-9)


def test_the_number_of_crops_tells_nothing():
    """A real video with more crops than a fake one must not be known by that."""
    rng = np.random.default_rng(4)
    videos = [np.clip(rng.normal(128, 20, (9 if label else 3, 48, 48, 3)), 0, 255).astype(np.uint8) for label in LABELS]
    found = baselines(videos, LABELS, SPLIT)
    assert found["block statistics"] < 0.85


def test_a_part_without_one_class_is_refused():
    with pytest.raises(InputError, match=r"held-out videos have the labels \[0\]"):
        baseline_auc(np.zeros((4, 2)), [0, 1, 0, 0], [1, 1, 0, 0], [0, 0, 1, 1])


def test_a_group_on_both_sides_is_refused():
    with pytest.raises(InputError, match="are in both training and held-out"):
        baseline_auc(np.zeros((4, 2)), [0, 1, 0, 1], [1, 1, 0, 0], [0, 0, 1, 1], groups=["a", "b", "b", "c"])


def test_crops_of_another_shape_are_refused():
    with pytest.raises(InputError, match="expected"):
        block_features(np.zeros((48, 48, 3), np.uint8))
