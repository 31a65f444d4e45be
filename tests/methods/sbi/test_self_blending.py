"""Masks, colours and pairs of self-blended images."""

import dataclasses
import subprocess
import sys

import cv2
import numpy as np
import pytest

from dfworkbench.core.errors import InputError, ParameterError
from dfworkbench.core.input_spec import InputSpec
from dfworkbench.datasets.facial_swap.masks import hull_mask
from dfworkbench.datasets.sample import FaceSample
from dfworkbench.faces import FaceTile
from dfworkbench.faces.alignment import canvas_points, five_points
from dfworkbench.faces.dense import fit_dense
from dfworkbench.media.pictures.operations import apply_levels
from dfworkbench.methods.sbi.blending import blend_moved, self_blend
from dfworkbench.methods.sbi.colour import Colour, add_levels, draw_colour, sharpen, shift_hsv
from dfworkbench.methods.sbi.masks import blend_mask, displacement, soften_twice
from dfworkbench.methods.sbi.settings import BlendSettings, ColourSettings, MaskSettings
from dfworkbench.methods.sbi.transform import SelfBlending

SIZE = 128
SPEC = InputSpec(size_px=96, crop_scale=1.3)
FIVE = canvas_points(SIZE) * 0.5 + SIZE / 4
DENSE = fit_dense(FIVE)
STILL_MASK = MaskSettings(elastic_alpha=0, blur_px=(1, 1), ratios=(1.0,))
NO_COLOUR = ColourSettings(share=0)


def rng(seed=0):
    return np.random.default_rng(seed)


def picture(seed=0):
    noise = rng(seed).integers(0, 256, size=(SIZE, SIZE, 3)).astype(np.float32)
    return np.clip(128 + 4 * (cv2.GaussianBlur(noise, (0, 0), 2) - 128), 0, 255).astype(np.uint8)


PICTURE = picture()


def make_sample(image=PICTURE, spec=SPEC, dense=None):
    # a tile of 128 px that starts at (100, 50) of the frame and was stored at half its resolution
    tile = FaceTile(image, 100.0, 50.0, 2.0 * SIZE)
    to_frame = np.array([100.0, 50.0])
    box = np.concatenate([2 * np.full(2, SIZE / 4) + to_frame, 2 * np.full(2, 3 * SIZE / 4) + to_frame])[None]
    points = np.full((1, 81, 2), np.nan) if dense is None else dense[None] * 2 + to_frame
    return FaceSample(spec, 0, [tile], box, (FIVE * 2 + to_frame)[None], [None], points)


def test_needs_no_torch():
    code = "import sys, dfworkbench.methods.sbi.transform; print('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "False\n"


# masks


@pytest.mark.parametrize(("first", "second"), [(5, 5), (5, 25), (25, 5), (13, 1)])
def test_the_first_filter_keeps_what_is_fully_inside(first, second):
    hull = hull_mask(DENSE, SIZE, SIZE)
    # as the publication says it, in double precision
    once = cv2.GaussianBlur((hull / 255).astype(np.float64), (first, first), 0)
    kept = (once > 1 - 1e-9).astype(np.float64)
    expected = cv2.GaussianBlur(kept, (second, second), 0)
    found = soften_twice(hull, first, second)
    assert np.abs(found - expected).max() < 1e-5
    assert (found > 0).sum() < (hull > 0).sum() if first > second else True


def test_elastic_change_has_the_strength_of_smoothed_white_noise():
    fields = [displacement((96, 80), 50.0, 7.0, rng(seed)) for seed in range(40)]
    assert fields[0].shape == (2, 96, 80)
    expected = 50 * np.sqrt(1 / 3) / (2 * np.sqrt(np.pi) * 7)
    inner = np.stack(fields)[..., 20:-20, 20:-20]
    assert np.sqrt((inner**2).mean()) == pytest.approx(expected, rel=0.06)
    # and its smoothness: correlation of a Gaussian of sigma x sqrt(2) at a distance of 7 px
    correlation = (inner[..., 7:] * inner[..., :-7]).mean() / (inner**2).mean()
    assert correlation == pytest.approx(np.exp(-(7**2) / (4 * 7**2)), abs=0.05)


def test_a_mask_lies_on_the_face_and_is_never_empty():
    settings, hull = MaskSettings(), hull_mask(DENSE, SIZE, SIZE) > 0
    around = cv2.dilate(hull.astype(np.uint8), np.ones((35, 35), np.uint8)) > 0
    for seed in range(100):
        mask = blend_mask(DENSE, SIZE, rng(seed), settings)
        assert 0 <= mask.min() < mask.max() <= 1
        assert mask.max() > 0.99
        assert not mask[~around].any()


@pytest.mark.parametrize("size", [24, 40])
def test_small_faces_have_masks_too(size):
    points = DENSE * size / SIZE
    assert all(blend_mask(points, size, rng(seed), MaskSettings()).max() > 0.9 for seed in range(50))


def test_a_face_outside_the_picture_has_none():
    assert not blend_mask(DENSE + 10 * SIZE, SIZE, rng(), MaskSettings()).any()


def test_without_changes_the_mask_is_the_hull():
    mask = blend_mask(DENSE, SIZE, rng(), STILL_MASK)
    assert np.array_equal(mask, hull_mask(DENSE, SIZE, SIZE) / np.float32(255))


# colours


def test_shifts_of_levels_are_those_of_a_table():
    shift = np.array([-20.4, 0.3, 13.9])
    levels = np.arange(256, dtype=np.float64)[:, None]
    assert np.array_equal(add_levels(PICTURE, shift), apply_levels(PICTURE, levels + shift))


def test_hsv_goes_round_and_ends_at_its_limits():
    shift = np.array([-4.2, 30.0, -50.5])
    hsv = cv2.cvtColor(PICTURE, cv2.COLOR_RGB2HSV).astype(np.float64)
    hsv[..., 0] = (hsv[..., 0] + np.floor(shift[0])) % 180
    hsv[..., 1:] = np.clip(hsv[..., 1:] + np.floor(shift[1:]), 0, 255)
    assert np.array_equal(shift_hsv(PICTURE, shift), cv2.cvtColor(hsv.astype(np.uint8), cv2.COLOR_HSV2RGB))


def test_light_is_a_line_through_the_levels():
    found = Colour(None, None, (0.1, -0.2)).apply(PICTURE)
    assert np.array_equal(found, np.clip(np.floor(PICTURE * 0.8 + 25.5), 0, 255).astype(np.uint8))


def test_sharpening_leaves_smooth_areas_and_adds_the_laplacian():
    flat = np.full((9, 9, 3), 100, np.uint8)
    assert np.array_equal(sharpen(flat, 0.5), flat)
    flat[4, 4] = 110
    assert sharpen(flat, 0.5)[4, 4, 0] == 110 + 0.5 * 8 * 10
    assert sharpen(flat, 0.5)[4, 5, 0] == 100 - 0.5 * 10


def test_each_change_of_colour_comes_as_often_as_asked_for():
    draws = [draw_colour(ColourSettings(), generator) for generator in [rng()] for _ in range(2000)]
    for name in ("rgb", "hsv", "light"):
        assert np.mean([getattr(draw, name) is not None for draw in draws]) == pytest.approx(0.3, abs=0.04)


# pairs


def test_outside_the_mask_the_pair_is_equal_and_the_source_or_the_target_is_the_picture():
    changed = []
    for seed in range(60):
        made = self_blend(PICTURE, DENSE, (64, 64), rng(seed), BlendSettings())
        outside = made.mask == 0
        assert outside.any()
        assert np.array_equal(made.genuine[outside], made.blended[outside])
        assert not np.array_equal(made.genuine, made.blended)
        assert np.array_equal(made.genuine, PICTURE) == made.source_changed
        changed.append(made.source_changed)
    assert 0.3 < np.mean(changed) < 0.7


def test_blending_is_the_sum_of_shares_at_moved_places():
    source, target, mask = picture(1), picture(2), blend_mask(DENSE, SIZE, rng(), MaskSettings()) * np.float32(0.75)
    found = blend_moved(source, target, mask, 1.0, np.array([2.0, -3.0]))
    moved = np.roll(source, (-3, 2), axis=(0, 1)).astype(float)
    expected = mask[..., None] * moved + (1 - mask[..., None]) * target
    assert np.abs(found - expected).max() <= 0.51


def test_scaling_keeps_the_middle_of_the_mask():
    rows, columns = np.indices((SIZE, SIZE))
    ramp = np.repeat((columns + rows)[..., None] // 2, 3, axis=2).astype(np.uint8)
    mask = np.zeros((SIZE, SIZE), np.float32)
    mask[31:98, 31:98] = 1  # its middle is (64, 64)
    found = blend_moved(ramp, ramp, mask, 0.5, np.zeros(2)).astype(int)
    assert found[64, 64, 0] == 64
    assert found[64, 84, 0] == pytest.approx((64 + 64 + 40) // 2, abs=1), "at half the size, twice as far away"


def test_the_source_is_changed_alike_in_part_and_as_a_whole():
    """Only the surroundings of the mask are computed; without scaling down, that must not be seen."""
    settings = BlendSettings(shrink=0, scale=1, shift_x=0, shift_y=0)
    made = next(
        made
        for made in (self_blend(PICTURE, DENSE, (64, 64), rng(seed), settings) for seed in range(20))
        if made.source_changed
    )
    inside = made.mask > 0
    untouched = made.blended[inside].astype(int) - PICTURE[inside]
    assert np.abs(untouched).max() > 0
    assert np.array_equal(made.blended[~inside], PICTURE[~inside])


def test_items_have_one_shape_and_follow_from_the_generator_alone():
    transform = SelfBlending(with_masks=True)
    assert transform.needs_genuine
    for seed in range(20):
        one, two = (transform(make_sample(), rng(seed)) for _ in range(2))
        assert one["images"].shape == (1, 96, 96, 3)
        assert one["blended"].shape == (96, 96, 3)
        assert one["images"].dtype == one["blended"].dtype == np.uint8
        assert one["is_blended"] == 1
        assert all(np.array_equal(one[name], two[name]) for name in one)
    other = transform(make_sample(), rng(99))
    assert not np.array_equal(other["images"], one["images"])


def test_the_changes_of_a_pair_are_the_same_for_both():
    settings = BlendSettings(
        jpeg=0, pair_colour=ColourSettings(share=1), colour=NO_COLOUR, mask=MaskSettings(ratios=(0.25,)), box_jitter=0.1
    )
    transform = SelfBlending(settings, with_masks=True)
    for seed in range(20):
        item = transform(make_sample(), rng(seed))
        outside = cv2.dilate(item["mask"], np.ones((5, 5), np.uint8)) == 0
        assert outside.mean() > 0.1
        assert np.array_equal(item["images"][0][outside], item["blended"][outside])


def test_validation_pairs_are_cut_as_for_scoring():
    item = SelfBlending(changes=False)(make_sample(), rng(4))
    seen = [SelfBlending(changes=False)(make_sample(), rng(seed))["images"] for seed in range(12)]
    assert sum(np.array_equal(images, make_sample().cut()) for images in seen) >= 3, "where the source was changed"
    assert item["images"].shape == (1, 96, 96, 3)


def test_a_picture_of_one_colour_gives_no_fake():
    settings = BlendSettings(colour=NO_COLOUR)
    item = SelfBlending(settings)(make_sample(np.full((SIZE, SIZE, 3), 90, np.uint8)), rng())
    assert item["is_blended"] == 0


def test_dense_landmarks_of_the_data_set_are_used():
    shifted = DENSE + np.array([0.0, 12.0])
    masks = [
        SelfBlending(BlendSettings(mask=STILL_MASK, box_jitter=0, flip=0), with_masks=True)(
            make_sample(dense=dense), rng()
        )
        for dense in (None, DENSE, shifted)
    ]
    fitted, same, lower = (item["mask"] for item in masks)
    assert np.array_equal(fitted, same)
    assert np.flatnonzero(lower.any(axis=1)).mean() > np.flatnonzero(fitted.any(axis=1)).mean() + 5
    assert np.allclose(five_points(DENSE), FIVE, atol=SIZE / 20)


def test_a_face_without_landmarks_is_refused():
    sample = dataclasses.replace(make_sample(), landmarks=np.full((1, 5, 2), np.nan))
    with pytest.raises(InputError, match=r"five points are .*nan.*crops=false"):
        SelfBlending()(sample, rng())
    with_dense = dataclasses.replace(make_sample(dense=DENSE), landmarks=sample.landmarks)
    assert SelfBlending()(with_dense, rng())["is_blended"] == 1


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"mask": {"blur_px": (9, 5)}}, "smallest <= largest"),
        ({"mask": {"ratios": (0.5, 1.5)}}, "above 0 and at most 1"),
        ({"jpeg_quality": (0, 90)}, "lowest <= highest"),
    ],
)
def test_settings_that_make_no_sense_are_refused(values, message):
    with pytest.raises(ParameterError, match=message):
        BlendSettings(**values)
