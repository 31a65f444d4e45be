"""Random changes of colour and resolution, for source, target and pairs of self-blended images."""

from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from dfworkbench.media.pictures.operations import Pixels, apply_levels, shrink_and_enlarge
from dfworkbench.methods.sbi.settings import ColourSettings

_LEVELS = np.arange(256, dtype=np.float64)
_FACTORS = (2, 4)  # of down-scaling
_SHARPEST = (0.2, 0.5)  # weight of the sharpened picture in the result
_HUES = 180  # 8-bit hue levels in OpenCV


class Colour(NamedTuple):
    """One draw of the colour changes; None for those not applied.

    Attributes:
        rgb: `(3,)`, shift in levels.
        hsv: `(3,)`, shift in levels.
        light: Change of brightness as a share of 255, and of contrast.
    """

    rgb: NDArray[np.float64] | None
    hsv: NDArray[np.float64] | None
    light: tuple[float, float] | None

    def apply(self, image: Pixels) -> Pixels:
        """Change `(H, W, 3)` uint8 RGB; each step is clipped and truncated to whole levels. The argument is not modified."""
        if self.rgb is not None:
            image = add_levels(image, self.rgb)
        if self.hsv is not None:
            image = shift_hsv(image, self.hsv)
        if self.light is not None:
            brightness, contrast = self.light
            image = apply_levels(image, _LEVELS * (1 + contrast) + 255 * brightness)
        return image


def draw_colour(settings: ColourSettings, rng: np.random.Generator) -> Colour:
    """Draw which changes are applied, and how strongly."""
    rgb, hsv, light = rng.random(3) < settings.share
    shift = rng.uniform(-settings.rgb_levels, settings.rgb_levels, size=3)
    turn = rng.uniform(-settings.hsv_levels, settings.hsv_levels, size=3)
    brightness, contrast = rng.uniform(-settings.light, settings.light, size=2).tolist()
    return Colour(shift if rgb else None, turn if hsv else None, (brightness, contrast) if light else None)


def change_sharpness(image: Pixels, shrink: float, rng: np.random.Generator) -> Pixels:
    """Downscale by 2 or 4 and upscale again, or sharpen.

    Args:
        image: `(H, W, 3)` uint8 RGB; not changed.
        shrink: Probability of scaling, 0..1.
        rng: The only source of randomness.
    """
    if rng.random() < shrink:
        height, width = image.shape[:2]
        factor = _FACTORS[rng.integers(len(_FACTORS))]
        return shrink_and_enlarge(image, (width // factor, height // factor), cv2.INTER_LINEAR)
    return sharpen(image, rng.uniform(*_SHARPEST))


def sharpen(image: Pixels, share: float) -> Pixels:
    """Mix a share, 0..1, of the picture minus its Laplacian over eight neighbours with the picture itself."""
    kernel = np.full((3, 3), -share, np.float32)
    kernel[1, 1] = 1 + 8 * share
    return np.asarray(cv2.filter2D(image, -1, kernel), dtype=np.uint8)


def add_levels(image: Pixels, shift: ArrayLike) -> Pixels:
    """Add `(3,)` numbers to the channels; clipped to 0..255 and truncated to whole levels, so that only whole steps count."""
    red, green, blue = np.floor(np.asarray(shift, dtype=np.float64)).tolist()
    return np.asarray(cv2.add(image, (red, green, blue, 0.0)), dtype=np.uint8)  # pyright: ignore[reportCallIssue, reportArgumentType]


def shift_hsv(image: Pixels, shift: ArrayLike) -> Pixels:
    """Add `(3,)` levels to 8-bit hue, saturation and value, truncated to whole levels; the hue wraps around."""
    hue, saturation, value = np.floor(np.asarray(shift, dtype=np.float64)).tolist()
    hsv = np.asarray(cv2.cvtColor(image, cv2.COLOR_RGB2HSV), dtype=np.uint8)
    if hue:
        turned = apply_levels(np.ascontiguousarray(hsv[..., :1]), (_LEVELS + hue) % _HUES)
        cv2.insertChannel(turned, hsv, 0)
    return np.asarray(cv2.cvtColor(add_levels(hsv, (0, saturation, value)), cv2.COLOR_HSV2RGB), dtype=np.uint8)
