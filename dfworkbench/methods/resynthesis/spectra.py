"""Spectra of pictures and of error maps: power over scale, and peaks left by up-sampling.

Networks that up-sample leave periodic traces, peaks at the Nyquist frequency and at fractions of it (Zhang, Karaman and Chang,
"Detecting and Simulating Artifacts in GAN Fake Images", WIFS 2019, arXiv:1907.06515; Durall, Keuper and Keuper, "Watch Your
Up-Convolution", CVPR 2020, arXiv:2003.01826, who average over circles as is done here). He et al. ("Beyond the Spectrum", IJCAI
2021, arXiv:2105.14376) argue that detectors should not rely on them alone; these measures show how far they go.

Frequencies are in cycles per pixel of the map: 0.5 is the Nyquist frequency along rows or columns, and sqrt(0.5) that of both at
once, that of a single-pixel checkerboard. Power is scaled so that white noise of variance v has power v everywhere.

Differences from Durall et al.: the mean is subtracted and a Hann window applied (otherwise the non-periodic border of the map would
appear as power on the axes), corners beyond 0.5 are kept, and nothing is divided by the power at frequency 0.
"""

from math import ceil
from typing import Literal, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy import fft

from dfworkbench.core.errors import InputError
from dfworkbench.evaluation.metrics.interval import Judging, interval_ends
from dfworkbench.evaluation.metrics.measures import group_means

NYQUIST = 0.5  # cycles per pixel: peak left by up-sampling by 2
HALF_NYQUIST = 0.25  # additional peak left by up-sampling by 4
_FLOOR = 1e-12  # floor of the power: a constant map has none, but its logarithm is plotted
_AT_ONCE = 2**22  # pixels of maps transformed together

Window = Literal["hann", "none"]


class Spectra(NamedTuple):
    """Power over scale.

    Attributes:
        frequency: `(bins,)`, middle of each ring, cycles per pixel.
        power: `(B, bins)`, mean power in each ring; NaN in rings without any frequency of the map.
    """

    frequency: NDArray[np.float64]
    power: NDArray[np.float64]


def azimuthal_average(maps: ArrayLike, bins: int | None = None, window: Window = "hann") -> Spectra:
    """The 2-D power spectrum of each map, averaged over rings of equal width from 0 to sqrt(0.5) cycles per pixel.

    Args:
        maps: `(B, H, W)`, grey; any unit.
        bins: Number of rings; None for half the shorter side, which leaves none empty.
        window: "hann", or "none" for maps that are periodic.

    Raises:
        InputError: Maps are not `(B, H, W)`, finite, and at least 4 x 4.
    """
    x = _checked(maps)
    height, width = x.shape[1:]
    count = bins or min(height, width) // 2
    radius = np.hypot(*_frequencies(height, width))
    ring = np.minimum((radius / np.sqrt(0.5) * count).astype(np.int64), count - 1)
    # the transform of real maps gives half of the plane: frequencies with a mirror image in the other half count twice
    twice = np.full(radius.shape, 2.0)
    twice[:, 0] = 1
    if width % 2 == 0:
        twice[:, -1] = 1
    held = np.bincount(ring.ravel(), twice.ravel(), count)
    sums = np.empty((len(x), count))
    step = max(1, _AT_ONCE // (height * width))
    for start in range(0, len(x), step):
        weighted = _power(x[start : start + step], window) * twice
        place = ring + count * np.arange(len(weighted))[:, None, None]
        rings = np.bincount(place.ravel(), weighted.ravel(), count * len(weighted))
        sums[start : start + step] = rings.reshape(-1, count)
    middle = (np.arange(count) + 0.5) / count * np.sqrt(0.5)
    return Spectra(middle, np.divide(sums, held, out=np.full(sums.shape, np.nan), where=held > 0))


def peak_excess(maps: ArrayLike, frequency: float = NYQUIST, window: Window = "hann") -> NDArray[np.float64]:
    """How far the power at an up-sampler's peaks exceeds its surroundings, in dB; around 0 without peaks.

    The peaks lie at `frequency` along rows, along columns and along both. Each is 3 x 3 frequencies wide (the width that the Hann
    window gives to a periodic trace); its surroundings are the 11 x 11 square around it, without the inner 5 x 5. The mean power of
    all three peaks is divided by that of all three surroundings. Pictures of buildings have power along rows and columns anyway:
    compare with real pictures.

    Args:
        maps: `(B, H, W)`, grey, at least 8 / `frequency` wide and high, so that surroundings do not reach the frequency 0.
        frequency: Cycles per pixel, up to 0.5.
        window: As in `azimuthal_average`.

    Returns:
        `(B,)`.

    Raises:
        InputError: Maps are too small, not `(B, H, W)`, or not finite; or the frequency is out of range.
    """
    if not 0 < frequency <= NYQUIST:
        raise InputError(
            f"looking for peaks of a spectrum: frequency {frequency!r}, expected more than 0 and at most 0.5 cycles per pixel. "
            "Up-sampling by 2 leaves peaks at 0.5, by 4 also at 0.25."
        )
    x = _checked(maps, least=ceil(8 / frequency))
    height, width = x.shape[1:]
    # power over signed frequencies is periodic, so a square around the Nyquist frequency wraps around
    v, u = np.arange(height)[:, None], np.arange(width)
    peak, around = np.zeros((height, width), bool), np.zeros((height, width), bool)
    for row, column in ((0, frequency), (frequency, 0), (frequency, frequency)):
        for sign in (1, -1):
            far = np.maximum(_apart(v, row * height, height), _apart(u, sign * column * width, width))
            peak |= far <= 1.5
            around |= (far > 2.5) & (far <= 5.5)
    around &= ~peak
    out = np.empty(len(x))
    step = max(1, _AT_ONCE // (height * width))
    for start in range(0, len(x), step):
        power = np.abs(fft.fft2(_windowed(x[start : start + step], window))) ** 2
        ratio = (power[:, peak].mean(axis=1) + _FLOOR) / (power[:, around].mean(axis=1) + _FLOOR)
        out[start : start + step] = 10 * np.log10(ratio)
    return out


def mean_spectra(
    spectra: Spectra, kinds: ArrayLike, groups: ArrayLike, *, draws: int = 1000, seed: int = 0
) -> pd.DataFrame:
    """Mean spectrum of each kind of picture in dB, with 95 % bootstrap intervals over identity groups.

    Means are taken over decibels, so that a single picture with much power does not dominate.

    Args:
        spectra: Spectra of B pictures.
        kinds: `(B,)`, such as real and the name of each generator.
        groups: `(B,)`, identity group of each picture.
        draws: Resamplings; 0 for no intervals.
        seed: Seed of the resampling.

    Returns:
        One row per kind and ring, kinds in order of first appearance: kind, frequency, value, low, high (dB), n.

    Raises:
        InputError: The numbers of kinds, groups and spectra differ.
    """
    names, units, decibel = np.asarray(kinds), np.asarray(groups), decibels(spectra.power)
    if names.shape != (len(decibel),) or units.shape != names.shape:
        raise InputError(
            f"averaging spectra: there are {len(decibel)} of them, kinds of shape {names.shape} and groups of shape "
            f"{units.shape}; expected ({len(decibel)},) of both. Name the kind and the identity group of each picture."
        )
    parts = []
    for kind in pd.unique(names):
        mine = names == kind
        means = group_means(decibel[mine].T, units[mine], Judging(draws=draws, seed=seed))
        ends = np.array([interval_ends(column) for column in means.drawn.T])
        parts.append(
            pd.DataFrame({
                "kind": kind, "frequency": spectra.frequency, "value": means.value, "low": ends[:, 0], "high": ends[:, 1],
                "n": means.n,
            })
        )  # fmt: skip
    columns = ["kind", "frequency", "value", "low", "high", "n"]
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=columns)


def decibels(power: ArrayLike) -> NDArray[np.float64]:
    """Power as 10 log10, at least -120."""
    return 10 * np.log10(np.maximum(np.asarray(power, np.float64), _FLOOR))


def _checked(maps: ArrayLike, least: int = 4) -> NDArray[np.float64]:
    x = np.asarray(maps, dtype=np.float64)
    if x.ndim != 3 or min(x.shape[1:]) < least or not np.isfinite(x).all():
        raise InputError(
            f"computing spectra: got {x.shape}{'' if np.isfinite(x).all() else ' with NaN or infinity'}; expected finite grey maps "
            f"(B, H, W) of at least {least} x {least}. Average colour channels first, and take maps of an earlier stage."
        )
    return x


def _frequencies(height: int, width: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    return np.meshgrid(np.abs(fft.fftfreq(height)), fft.rfftfreq(width), indexing="ij")


def _windowed(x: NDArray[np.float64], window: Window) -> NDArray[np.float64]:
    """Maps without their mean, windowed; white noise of variance v gets the power v at every frequency."""
    height, width = x.shape[1:]
    weights = np.ones((height, width))
    if window == "hann":
        weights = np.outer(_hann(height), _hann(width))
    elif window != "none":
        raise InputError(f"computing spectra: there is no window {window!r}; expected 'hann' or 'none'.")
    mean = (x * weights).sum(axis=(1, 2), keepdims=True) / weights.sum()  # weighted: none is left afterwards
    return (x - mean) * weights / np.sqrt((weights**2).sum())


def _power(x: NDArray[np.float64], window: Window) -> NDArray[np.float64]:
    return np.abs(fft.rfft2(_windowed(x, window))) ** 2


def _hann(size: int) -> NDArray[np.float64]:
    """Periodic Hann window, so that a whole frequency leaks only into its two neighbours."""
    return 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(size) / size)


def _apart(at: NDArray, place: float, period: int) -> NDArray[np.float64]:
    """Distance on a circle."""
    gap = np.abs(at - place) % period
    return np.minimum(gap, period - gap)
