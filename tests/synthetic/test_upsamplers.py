"""The generator-like up-samplers: operations against slow references, energies against their own formula."""

import cv2
import numpy as np
import pytest

from dfworkbench.core.errors import InputError
from dfworkbench.synthetic.upsamplers import UPSAMPLERS, _noise, generate

NAMES = list(UPSAMPLERS)


def maps(seed=0, size=12, channels=2):
    return np.random.default_rng(seed).standard_normal((size, size, channels)).astype(np.float32)


def inner(picture, margin=4):
    return picture[margin:-margin, margin:-margin]


@pytest.mark.parametrize("name", NAMES)
def test_enlarging_is_a_transposed_convolution(name):
    u, x = UPSAMPLERS[name], maps()
    rows, columns = np.array(u.high), np.array(u.low)
    slow = np.zeros((2 * len(x) + 8, 2 * len(x) + 8, 2))
    for i in range(len(x)):
        for j in range(len(x)):  # each sample lays its kernel down, two pixels on; correlation turns the kernel around
            for a, b in np.ndindex(len(rows), len(columns)):
                at = 2 * i - a + len(rows) // 2, 2 * j - b + len(columns) // 2
                slow[at[0] + 4, at[1] + 4] += rows[a] * columns[b] * x[i, j]
    fast = u.enlarge(x, u.high, u.low)
    assert fast.shape == (24, 24, 2)
    np.testing.assert_allclose(inner(fast), inner(slow[4:-4, 4:-4]), atol=1e-5)


def test_bilinear_is_bilinear_interpolation():
    x = maps(1)
    expected = cv2.resize(x, (24, 24), interpolation=cv2.INTER_LINEAR)
    np.testing.assert_allclose(UPSAMPLERS["bilinear"].enlarge(x), expected, atol=1e-5)


def test_nearest_is_nearest_neighbours_and_a_convolution_of_three_taps():
    x, side = maps(2), UPSAMPLERS["nearest"].low[0]
    expected = x.repeat(2, axis=0).repeat(2, axis=1)
    taps = np.array([side, 1 - 2 * side, side])
    np.testing.assert_allclose(
        UPSAMPLERS["nearest"].enlarge(x), cv2.sepFilter2D(expected, -1, taps, taps, borderType=cv2.BORDER_REPLICATE),
        atol=1e-5,
    )  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_flat_areas_stay_flat_to_the_eye(name):
    picture = np.full((64, 64, 3), 128, np.uint8)
    made = generate(picture, UPSAMPLERS[name], np.random.default_rng(0), noise=0.0)
    assert np.abs(made.astype(int) - 128).max() <= 2


@pytest.mark.parametrize("name", NAMES)
def test_noise_is_white_on_average_and_its_share_is_what_the_formula_says(name):
    u, rng = UPSAMPLERS[name], np.random.default_rng(3)
    fields = np.concatenate([_noise(u, rng, 64, 4, 2) for _ in range(40)], axis=2)
    power = (np.abs(np.fft.fft2(fields, axes=(0, 1))) ** 2).mean(axis=2) / 64**2
    blocks = power.reshape(8, 8, 8, 8).mean(axis=(1, 3))  # of 64 frequencies x 160 fields: deviation 1 %
    np.testing.assert_allclose(blocks, 1, atol=0.06)
    share, gain = u.spectrum(64)
    assert share.max() == pytest.approx(u.share)
    assert gain > 0


def per_phase(u, distance):
    """Covariance of up-sampled white noise with its neighbour, along one direction, for both phases."""
    both = np.zeros(2)
    for kernel in (u.low, u.high):
        for j in range(
            distance, len(kernel)
        ):  # tap j of pixel n sees a sample, not a zero, where n + j - anchor is even
            both[(len(kernel) // 2 - j) % 2] += kernel[j] * kernel[j - distance]
    return both


@pytest.mark.parametrize("name", NAMES)
def test_phases_of_the_noise_differ_as_the_kernels_say(name):
    u, rng = UPSAMPLERS[name], np.random.default_rng(4)
    noise = np.concatenate([inner(_noise(u, rng, 64, 4, 2)) for _ in range(40)], axis=2)
    scale = u.spectrum(64)[1] ** 2 * per_phase(u, 0).mean()  # the other direction averages over its phases
    variances = [noise[:, a::2].var() for a in (0, 1)]
    neighbours = [(noise[:, a:-1:2] * noise[:, a + 1 :: 2]).mean() for a in (0, 1)]
    expected = scale * np.array([per_phase(u, 0), per_phase(u, 1)])
    assert np.abs(expected[:, 1] - expected[:, 0]).max() > 0.03  # there is something to see
    assert variances[1] - variances[0] == pytest.approx(expected[0, 1] - expected[0, 0], abs=0.012)
    assert neighbours[1] - neighbours[0] == pytest.approx(expected[1, 1] - expected[1, 0], abs=0.012)


def test_strong_edges_survive_and_noise_has_the_amplitude_of_the_camera():
    scene = np.full((64, 64, 3), 60, np.uint8)
    scene[:, 37:] = 190
    for u in UPSAMPLERS.values():
        clean = generate(scene, u, np.random.default_rng(0), noise=0.0).astype(float)
        assert (clean[:, 40] - clean[:, 33]).min() > 115
        noisy = generate(scene, u, np.random.default_rng(0), noise=0.02, chroma_noise=1.0).astype(float)
        grain = (noisy - clean)[:, 44:] / 255
        softer = (1 - 2 * u.soften) ** 2 + 2 * u.soften**2  # the energy that a last convolution leaves, per direction
        assert grain.std() == pytest.approx(0.02 * (1.4 - 0.8 * 190 / 255) * softer, rel=0.08)


def test_a_picture_follows_from_its_seed():
    scene = np.random.default_rng(5).integers(0, 256, (64, 64, 3), np.uint8)
    first, second, other = (
        generate(scene, UPSAMPLERS["nearest"], np.random.default_rng(s), 0.02, 0.5, 1.0) for s in (1, 1, 2)
    )
    assert first.dtype == np.uint8
    assert (first == second).all()
    assert (first != other).any()


def test_sizes_that_cannot_be_halved_twice_are_refused():
    with pytest.raises(InputError, match="multiple of 4"):
        generate(np.zeros((66, 66, 3), np.uint8), UPSAMPLERS["nearest"], np.random.default_rng(0), 0.0)
