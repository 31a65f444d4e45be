"""Spectra against a slow reference, and of maps whose spectra are known."""

import numpy as np
import pytest

from dfworkbench.core.errors import InputError
from dfworkbench.methods.resynthesis.spectra import (
    HALF_NYQUIST,
    NYQUIST,
    Spectra,
    azimuthal_average,
    decibels,
    mean_spectra,
    peak_excess,
)  # fmt: skip

RNG = np.random.default_rng(0)


def slow_average(image, bins, hann):
    """One frequency after the other, each with its own sum over pixels."""
    height, width = image.shape
    window = np.ones(image.shape)
    if hann:
        for y in range(height):
            for x in range(width):
                window[y, x] = np.sin(np.pi * y / height) ** 2 * np.sin(np.pi * x / width) ** 2
    image = (image - (image * window).sum() / window.sum()) * window
    sums, counts = np.zeros(bins), np.zeros(bins)
    for v in range(height):
        for u in range(width):
            wave = np.exp(-2j * np.pi * (v * np.arange(height)[:, None] / height + u * np.arange(width) / width))
            power = abs((image * wave).sum()) ** 2 / (window**2).sum()
            fv, fu = min(v, height - v) / height, min(u, width - u) / width
            ring = min(int(np.hypot(fv, fu) / np.sqrt(0.5) * bins), bins - 1)
            sums[ring] += power
            counts[ring] += 1
    return sums / np.maximum(counts, 1), counts


@pytest.mark.parametrize("shape", [(12, 12), (9, 14), (15, 11)])
@pytest.mark.parametrize("window", ["hann", "none"])
def test_average_equals_the_slow_reference(shape, window):
    maps = RNG.normal(size=(3, *shape)) * [[[1]], [[5]], [[0.1]]] + 7
    got = azimuthal_average(maps, bins=5, window=window)
    for image, power in zip(maps, got.power, strict=True):
        expected, counts = slow_average(image, 5, window == "hann")
        assert counts.min() > 0
        assert power == pytest.approx(expected, rel=1e-9, abs=1e-12)
    assert got.frequency == pytest.approx((np.arange(5) + 0.5) / 5 * np.sqrt(0.5))


def test_no_ring_is_empty_by_default_and_empty_ones_are_nan():
    for side in range(4, 70):
        assert np.isfinite(azimuthal_average(RNG.normal(size=(1, side, side + side % 3))).power).all()
    assert np.isnan(azimuthal_average(RNG.normal(size=(1, 8, 8)), bins=40).power).any()


def test_chunks_give_what_one_picture_gives(monkeypatch):
    maps = RNG.normal(size=(5, 32, 32))
    whole, peaks = azimuthal_average(maps).power, peak_excess(maps)
    monkeypatch.setattr("dfworkbench.methods.resynthesis.spectra._AT_ONCE", 32 * 32 * 2)
    assert np.array_equal(azimuthal_average(maps).power, whole)
    assert peak_excess(maps) == pytest.approx(peaks, rel=1e-12)


@pytest.mark.parametrize("window", ["hann", "none"])
def test_white_noise_is_flat_at_its_variance(window):
    maps = 50 + 3 * RNG.normal(size=(300, 48, 64))
    power = azimuthal_average(maps, window=window).power.mean(axis=0)
    # the mean is taken out, and with the window it takes its neighbours along
    assert power[2:] == pytest.approx(9, rel=0.06)
    for frequency in (NYQUIST, HALF_NYQUIST):  # as ratios: a mean of decibels lies below that of powers
        assert (10 ** (peak_excess(maps, frequency, window) / 10)).mean() == pytest.approx(1, abs=0.08)


def test_a_checkerboard_peaks_at_nyquist_of_both_axes_and_stripes_at_that_of_one():
    y, x = np.indices((64, 64))
    noise = 0.1 * RNG.normal(size=(64, 64))
    maps = np.stack([(-1.0) ** (x + y), (-1.0) ** x, (-1.0) ** (x // 2)]) + noise
    spectra = azimuthal_average(maps)
    top = spectra.frequency[spectra.power.argmax(axis=1)]
    half_ring = (spectra.frequency[1] - spectra.frequency[0]) / 2
    assert top == pytest.approx([np.sqrt(0.5), 0.5, 0.25], abs=half_ring * 1.001)
    at_nyquist, at_half = peak_excess(maps, NYQUIST), peak_excess(maps, HALF_NYQUIST)
    assert at_nyquist[:2].min() > 30
    assert abs(at_nyquist[2]) < 3
    assert abs(at_half[:2]).max() < 3
    assert at_half[2] > 30


def test_traces_of_up_sampling_peak_where_their_factor_says():
    noise = RNG.normal(size=(40, 64, 64))
    y, x = np.indices((64, 64))
    # every fourth, or every second pixel of noise is louder: a transposed convolution does so with its offset
    by_four, by_two = ((x % 4 == 0) & (y % 4 == 0)), ((x % 2 == 0) & (y % 2 == 0))
    at_half = [peak_excess(noise + 2 * trace, HALF_NYQUIST).mean() for trace in (by_four, by_two, 0)]
    at_nyquist = [peak_excess(noise + 2 * trace, NYQUIST).mean() for trace in (by_four, by_two, 0)]
    assert at_half[0] > 5 + max(at_half[1:])
    assert min(at_nyquist[:2]) > 5 + at_nyquist[2]


def test_a_constant_map_has_no_power_and_no_peak():
    flat = np.full((1, 32, 32), 0.3)
    assert decibels(azimuthal_average(flat).power) == pytest.approx(-120)
    assert peak_excess(flat) == pytest.approx(0, abs=1e-6)


def test_units_do_not_move_peaks():
    maps = RNG.normal(size=(2, 32, 32))
    assert peak_excess(maps / 255) == pytest.approx(peak_excess(maps), abs=1e-6)


def test_means_over_kinds_have_intervals_over_groups():
    power = 10.0 ** RNG.normal(size=(40, 3))
    kinds = np.repeat(["real", "gan"], 20)
    groups = np.repeat(np.arange(10), 4)
    table = mean_spectra(Spectra(np.array([0.1, 0.3, 0.5]), power), kinds, groups, draws=400)
    assert list(table["kind"].unique()) == ["real", "gan"]
    expected = 10 * np.log10(power).reshape(2, 20, 3).mean(axis=1)
    assert table["value"].to_numpy().reshape(2, 3) == pytest.approx(expected)
    assert ((table["low"] < table["value"]) & (table["value"] < table["high"])).all()
    assert (table["n"] == 20).all()
    # five groups of four equal pictures say as much as five pictures
    same = np.repeat(power[::4], 4, axis=0)
    wide = mean_spectra(Spectra(np.arange(3.0), same), kinds, groups, draws=400)
    narrow = mean_spectra(Spectra(np.arange(3.0), same), kinds, np.arange(40), draws=400)
    assert ((wide["high"] - wide["low"]) > 1.4 * (narrow["high"] - narrow["low"])).all()
    assert mean_spectra(Spectra(np.arange(3.0), power), kinds, groups, draws=0)["low"].isna().all()


def test_what_is_no_map_is_refused():
    with pytest.raises(InputError, match=r"got \(32, 32\); expected finite grey maps \(B, H, W\) of at least 4 x 4"):
        azimuthal_average(np.zeros((32, 32)))
    with pytest.raises(InputError, match="with NaN or infinity"):
        azimuthal_average(np.full((1, 8, 8), np.nan))
    with pytest.raises(InputError, match="at least 32 x 32"):
        peak_excess(np.zeros((1, 31, 31)), HALF_NYQUIST)
    with pytest.raises(InputError, match=r"frequency 0.75, expected more than 0 and at most 0\.5"):
        peak_excess(np.zeros((1, 32, 32)), 0.75)
    with pytest.raises(InputError, match="no window 'hamming'"):
        azimuthal_average(np.zeros((1, 8, 8)), window="hamming")  # pyright: ignore[reportArgumentType]
    with pytest.raises(InputError, match=r"expected \(3,\) of both"):
        mean_spectra(Spectra(np.arange(2.0), np.ones((3, 2))), ["real"] * 3, ["a"] * 2)
