"""Random changes of Exposing the Deception: each one by itself, how often they are made, and what pixels become."""

import cv2
import numpy as np
import pytest
import torch

from dfworkbench.core.errors import ParameterError
from dfworkbench.core.input_spec import InputSpec
from dfworkbench.datasets.sample import FaceSample
from dfworkbench.faces import FaceTile
from dfworkbench.media.pictures.images import read_image, write_png
from dfworkbench.media.pictures.operations import add_noise, jpeg
from dfworkbench.methods.mi_net.augment import (
    ClueAugment,
    ClueSettings,
    blur,
    change_contrast,
    move,
    shift_along_axes,
    shift_hue,
    without_colour,
)
from dfworkbench.models.inputs import prepare

SHARES = ("jpeg", "noise", "blur", "flip", "colour", "grey", "move")
OFF = dict.fromkeys(SHARES, 0.0)


def rng(seed=0):
    return np.random.default_rng(seed)


@pytest.fixture
def image():
    """A soft picture in colours, so that compression and moves do not destroy it."""
    coarse = rng().integers(60, 190, size=(6, 6, 3), dtype=np.uint8)
    return np.asarray(cv2.resize(coarse, (48, 48), interpolation=cv2.INTER_CUBIC))


def distance(a, b):
    return np.abs(a.astype(float) - b).mean()


def sample(image, clip=1, size_px=24):
    side = image.shape[0]
    box = np.array([[side / 4, side / 4, side * 3 / 4, side * 3 / 4]] * clip)
    tile = FaceTile(image, 0.0, 0.0, float(side))
    nothing = np.zeros((clip, 5, 2)), [None] * clip, np.full((clip, 81, 2), np.nan)
    return FaceSample(InputSpec(size_px=size_px, crop_scale=1.5), 1, [tile] * clip, box, *nothing)


def test_nothing_happens_when_all_is_off(image):
    before = image.copy()
    assert np.array_equal(ClueAugment(ClueSettings(**OFF)).change(image, rng()), before)
    for seed in range(30):
        ClueAugment().change(image, rng(seed))
    assert np.array_equal(image, before)


def test_a_sample_is_cut_and_then_changed(image):
    off, flipped = (ClueAugment(ClueSettings(**OFF | {"flip": share})) for share in (0.0, 1.0))
    plain = off(sample(image), rng())["images"]
    assert plain.shape == (1, 24, 24, 3)
    assert np.array_equal(plain, sample(image).cut())
    assert np.array_equal(flipped(sample(image), rng())["images"], plain[:, :, ::-1])
    with pytest.raises(ParameterError, match="clip of 2 frames"):
        off(sample(image, clip=2), rng())


def test_equal_generators_give_equal_pixels(image):
    first, second, other = (ClueAugment().change(image, rng(seed)) for seed in (1, 1, 2))
    assert (first.dtype, first.shape) == (np.uint8, image.shape)
    assert np.array_equal(first, second)
    assert not np.array_equal(first, other)


@pytest.mark.parametrize("name", SHARES)
def test_each_change_is_made_as_often_as_its_setting_says(name):
    # colours that differ widely: along the axes of a soft picture nothing moves by a whole level
    share, small = getattr(ClueSettings(), name), rng().integers(0, 256, size=(16, 16, 3), dtype=np.uint8)
    augment = ClueAugment(ClueSettings(**OFF | {name: share}))
    changed = np.mean([not np.array_equal(augment.change(small, rng(seed)), small) for seed in range(600)])
    assert changed == pytest.approx(share, abs=4 * np.sqrt(share * (1 - share) / 600))


def test_the_shares_are_the_published_ones():
    settings = ClueSettings()
    assert [getattr(settings, name) for name in SHARES] == [0.5, 0.1, 0.05, 0.5, 0.7, 0.2, 0.5]
    assert (settings.shift, settings.scale, settings.rotation_deg) == (0.1, 0.2, 10)


def test_compression_keeps_the_colours_in_place(image):
    errors = [distance(jpeg(image, quality), image) for quality in (60, 80, 100)]
    assert errors[0] > errors[1] > errors[2] > 0
    assert errors[0] < 4
    red = np.zeros((16, 16, 3), np.uint8)
    red[..., 0] = 200
    assert distance(jpeg(red, 60), red) < 2


@pytest.mark.parametrize("variance", [10, 50])
def test_noise_has_its_variance_in_each_channel(variance):
    grey = np.full((100, 100, 3), 128, np.uint8)
    noise = add_noise(grey, np.sqrt(variance), rng()).astype(float) - 128
    assert noise.mean() == pytest.approx(0, abs=4 * np.sqrt(variance / noise.size))
    assert noise.var(axis=(0, 1)) == pytest.approx([variance + 1 / 12] * 3, rel=0.06)  # rounding adds 1/12
    assert abs(np.corrcoef(noise[..., 0].ravel(), noise[..., 1].ravel())[0, 1]) < 0.04


def test_blur_is_three_pixels_wide():
    point = np.zeros((7, 7, 3), np.uint8)
    point[3, 3] = 255
    weights = np.zeros(7)
    weights[2:5] = 0.25, 0.5, 0.25
    np.testing.assert_allclose(blur(point)[..., 0], 255 * np.outer(weights, weights), atol=0.5)


def test_contrast_and_brightness_by_hand():
    image = np.array([[[0, 100, 250]]], np.uint8)
    assert change_contrast(image, 1.2, -0.1).tolist() == [[[0, 94, 255]]]  # -25.5, 94.5, 274.5; halves go to even
    assert change_contrast(image, 0.8, 0.2).tolist() == [[[51, 131, 251]]]


def test_colours_move_along_their_principal_axes():
    grey = np.repeat(rng().integers(40, 216, size=(32, 32, 1), dtype=np.uint8), 3, axis=2)
    variance = (grey.reshape(-1, 3) / 255).var(axis=0, ddof=1).sum()  # all of it on the grey axis, the last one
    shift = 255 * variance * 0.3 / np.sqrt(3)
    found = shift_along_axes(grey, np.array([5.0, 5.0, 0.3])).astype(float) - grey
    assert np.ptp(found) == 0
    assert abs(found[0, 0, 0]) == pytest.approx(shift, abs=0.5)
    assert np.array_equal(shift_along_axes(grey, np.zeros(3)), grey)


def test_hue_goes_round_and_the_others_end():
    red = np.full((2, 2, 3), (200, 20, 20), np.uint8)
    assert shift_hue(red, -10, 0, 0)[0, 0].tolist() == shift_hue(red, 170, 0, 0)[0, 0].tolist()
    assert shift_hue(red, 60, 0, 0)[0, 0] == pytest.approx([20, 200, 20], abs=1)  # 120 degrees on: green
    assert shift_hue(red, -0.4, 0, 0)[0, 0] == pytest.approx([200, 20, 20], abs=1)
    assert shift_hue(red, 0, -255, 0)[0, 0].tolist() == [200, 200, 200]
    assert shift_hue(red, 0, 0, 100)[0, 0].max() == 255


def test_without_colour():
    image = np.full((2, 2, 3), (100, 150, 200), np.uint8)
    assert without_colour(image)[0, 0].tolist() == [round(0.299 * 100 + 0.587 * 150 + 0.114 * 200)] * 3


def test_moves():
    image = rng().integers(1, 256, size=(20, 20, 3), dtype=np.uint8)
    still = {"shift": (0.0, 0.0), "scale": 1.0, "rotation_deg": 0.0}
    assert np.array_equal(move(image, **still), image)
    shifted = move(image, **still | {"shift": (0.1, -0.05)})
    assert np.array_equal(shifted[:-1, 2:], image[1:, :-2])
    assert shifted[-1].max() == shifted[:, :2].max() == 0  # black comes in
    assert np.array_equal(move(image, **still | {"rotation_deg": 90}), np.rot90(image))
    white = np.full((100, 100, 3), 255, np.uint8)
    assert (move(white, **still | {"scale": 0.8})[..., 0] > 0).mean() == pytest.approx(0.64, abs=0.03)
    assert move(white, **still | {"scale": 1.2}).min() == 255


def test_moves_stay_within_their_bounds():
    """A cross in the middle shows shift, size and rotation of what was drawn."""
    image = np.zeros((101, 101, 3), np.uint8)
    image[48:53, 48:53] = 255
    augment = ClueAugment(ClueSettings(**OFF | {"move": 1.0}))
    places, sizes = [], []
    for seed in range(200):
        weight = augment.change(image, rng(seed))[..., 0].astype(float)
        places.append([(weight.sum(axis=axis) @ np.arange(101)) / weight.sum() - 50 for axis in (0, 1)])
        sizes.append(np.sqrt(weight.sum() / 255 / 25))
    places, sizes = np.array(places), np.array(sizes)
    assert np.abs(places).max() <= 10.2
    assert (np.abs(places).max(axis=0) > 9).all()
    assert sizes.min() >= 0.75
    assert sizes.max() <= 1.25
    assert np.ptp(sizes) > 0.3


@pytest.mark.parametrize(
    ("order", "means"), [("bgr", (2.248909, -2.035713, -1.804445)), ("rgb", (-2.117904, -2.035713, 2.640000))]
)
def test_a10_a_blue_picture(tmp_path, order, means):
    blue = np.zeros((60, 60, 3), np.uint8)
    blue[..., 2] = 255
    write_png(tmp_path / "blue.png", blue)
    cut = ClueAugment(ClueSettings(**OFF))(sample(read_image(tmp_path / "blue.png")), rng())["images"]
    spec = InputSpec(size_px=24, channel_order=order, mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225))
    found = prepare(torch.from_numpy(cut).movedim(-1, -3), spec)
    assert found.dtype == torch.float32
    assert found.shape == (1, 3, 24, 24)
    assert found.mean(dim=(0, 2, 3)).tolist() == pytest.approx(means, abs=1e-5)


def test_mistakes_are_refused():
    with pytest.raises(ParameterError, match=r"ClueSettings has no setting 'gray'\. Did you mean 'grey'"):
        ClueSettings(gray=1)  # pyright: ignore[reportCallIssue]
    with pytest.raises(ParameterError, match=r"jpeg = 1\.5"):
        ClueSettings(jpeg=1.5)
