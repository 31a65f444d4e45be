"""Quality augmentation of the facial swap: compression, levels, noise, colour, blur, resolution.

Probabilities and amounts are those of CADDM's released code (Dong et al., CVPR 2023). Every step returns whole levels, so most
steps are look-up tables of 256 values.
"""

from collections.abc import Callable
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtri

from dfworkbench.datasets.facial_swap.settings import QualitySettings
from dfworkbench.media.pictures.operations import Pixels, apply_levels, jpeg

_LEVELS = np.arange(256, dtype=np.float64)
_INTERPOLATIONS = (cv2.INTER_NEAREST, cv2.INTER_LINEAR, cv2.INTER_CUBIC, cv2.INTER_AREA, cv2.INTER_LANCZOS4)
_TABLE = 2**16

Step = Callable[[Pixels, np.random.Generator], Pixels]


def change_quality(
    image: Pixels, settings: QualitySettings, rng: np.random.Generator, *, rescale: bool = True
) -> Pixels:
    """Degrade and recolour a picture at random.

    Args:
        image: `(H, W, 3)` uint8 RGB; not changed.
        settings: How often each step is applied.
        rng: The only source of randomness.
        rescale: Whether the last step is applied; the released code discards its result.

    Returns:
        `(H, W, 3)` uint8.
    """
    steps: list[tuple[float, Step]] = [
        (settings.jpeg, lambda image, rng: jpeg(image, int(15 + 65 * rng.random()))),
        (settings.min_max, lambda image, rng: spread_levels(image)),
        (settings.slow_noise, _slow_noise),
        (settings.colour, _colour),
        (settings.gamma, lambda image, rng: change_gamma(image, rng.uniform(0.6, 1.4))),
        (settings.motion, _motion),
        (settings.blur, _blur),
        (settings.noise, _noise),
        (settings.tone, _tone),
        (settings.rescale if rescale else 0.0, _rescale),
    ]
    for share, step in steps:
        if rng.random() < share:
            image = step(image, rng)
    return image


def spread_levels(image: Pixels) -> Pixels:
    """Contrast stretching: levels from the smallest to the largest are spread to 0..255 (the largest comes out slightly lower)."""
    low, high, _, _ = cv2.minMaxLoc(image.reshape(len(image), -1))
    return apply_levels(image, (_LEVELS - low) / (high - low + 1) * 255)


def change_gamma(image: Pixels, gamma: float) -> Pixels:
    """255 (level / 255)^(1 / gamma), truncated to whole levels."""
    return apply_levels(image, np.floor(255 * (_LEVELS / 255) ** (1 / gamma)))


def mix_tone(image: Pixels, colour: ArrayLike, weight: float) -> Pixels:
    """Mix one colour `(3,)` into every pixel with `weight`, 0..1, truncated to whole levels."""
    return apply_levels(
        image, np.floor((1 - weight) * _LEVELS[:, None] + weight * np.asarray(colour, dtype=np.float64))
    )


def motion_kernel(angle_deg: int, length: int) -> NDArray[np.float32]:
    """Motion blur kernel: a line of `length` pixels from the centre of a square, with sum 1."""
    angle = np.deg2rad(angle_deg)
    x, y = length * np.cos(angle), length * np.sin(angle)
    # the margin keeps 2 x 5 x sin 90° from becoming 9.99…
    side = max(int(2 * max(abs(x), abs(y)) + 1e-9), 1)
    centre = side // 2
    kernel = np.zeros((side, side), np.float32)
    cv2.line(kernel, (centre, centre), (round(centre + x), round(centre + y)), 1)
    return kernel / kernel.sum()


def _slow_noise(image: Pixels, rng: np.random.Generator) -> Pixels:
    height, width = image.shape[:2]
    small = rng.standard_normal((max(height // 4, 1), max(width // 4, 1)), dtype=np.float32) * 2
    noise = cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR)
    return np.asarray(cv2.add(image, cv2.cvtColor(noise, cv2.COLOR_GRAY2RGB), dtype=cv2.CV_8U), dtype=np.uint8)


def _colour(image: Pixels, rng: np.random.Generator) -> Pixels:
    saturation = value = 1.0
    if rng.random() < 0.5:
        saturation = 1 - 0.5 * rng.random() if rng.random() < 0.5 else 1 + 0.15 * rng.random()
    if rng.random() < 0.5:
        value = 1 + rng.random() if rng.random() < 0.5 else 1 - 0.5 * rng.random()
    hsv = cv2.cvtColor(image, cv2.COLOR_RGB2HSV)
    hsv = cv2.multiply(hsv, np.array([1.0, saturation, value, 1.0]))
    return np.asarray(cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB), dtype=np.uint8)


def _motion(image: Pixels, rng: np.random.Generator) -> Pixels:
    kernel = motion_kernel(int(rng.integers(360)), int(rng.integers(1, 11)))
    # only the non-zero part, at most a quarter of the kernel: below 11 x 11, OpenCV needs no Fourier transform
    centre = len(kernel) // 2
    x, y, w, h = cv2.boundingRect((kernel > 0).view(np.uint8))
    part = kernel[y : y + h, x : x + w]
    return np.asarray(cv2.filter2D(image, -1, part, anchor=(centre - x, centre - y)), dtype=np.uint8)


def _blur(image: Pixels, rng: np.random.Generator) -> Pixels:
    return np.asarray(cv2.GaussianBlur(image, (3, 3), float(rng.integers(3))), dtype=np.uint8)


def _noise(image: Pixels, rng: np.random.Generator) -> Pixels:
    sigma = int(rng.integers(15, 22) if rng.random() < 0.5 else rng.integers(5))
    noise = _noise_table(sigma)[rng.integers(_TABLE, size=image.shape, dtype=np.uint16)]
    return np.asarray(cv2.add(image, noise, dtype=cv2.CV_8U), dtype=np.uint8)


@lru_cache(maxsize=32)
def _noise_table(sigma: int) -> NDArray[np.int16]:
    """Quantiles of a normal distribution in whole levels, six times as fast as drawing normal numbers and rounding them."""
    return np.rint(sigma * ndtri((np.arange(_TABLE) + 0.5) / _TABLE)).astype(np.int16)


def _tone(image: Pixels, rng: np.random.Generator) -> Pixels:
    return mix_tone(image, rng.integers(60, 255, size=3), rng.uniform(0, 0.3))


def _rescale(image: Pixels, rng: np.random.Generator) -> Pixels:
    height, width = image.shape[:2]
    ratio = rng.uniform(1, 2)
    down, up = (int(_INTERPOLATIONS[n]) for n in rng.integers(len(_INTERPOLATIONS), size=2))
    small = cv2.resize(image, (max(int(width / ratio), 1), max(int(height / ratio), 1)), interpolation=down)
    return np.asarray(cv2.resize(small, (width, height), interpolation=up), dtype=np.uint8)
