"""Augmentation of Exposing the Deception: compression, noise, blur, mirroring, colour, and small geometric changes.

Ba et al.: Exposing the Deception: Uncovering More Forgery Clues for Deepfake Detection. AAAI 2024, arXiv:2403.01786. Order, shares
and amounts are those of the released training code, which uses the package albumentations; here they are implemented with OpenCV
and NumPy.

Differences from the released code: colour changes use the channel order that they assume (there, red and blue are swapped); colours
are shifted by a separate amount along each principal axis, as in the paper that introduced this (there, by the same amount for all
axes); levels are rounded, not truncated; crops are squares around the face before they are changed, while the released code
stretches pictures of any shape.
"""

from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from dfworkbench.core.errors import ParameterError
from dfworkbench.core.settings import Settings
from dfworkbench.datasets.sample import FaceSample
from dfworkbench.media.pictures.operations import Pixels, add_noise, apply_levels, jpeg

Change = Callable[[Pixels, np.random.Generator], Pixels]

_LEVELS = np.arange(256, dtype=np.float64)


class ClueSettings(Settings):
    """How often faces are augmented, and how strongly; the changes are applied in this order."""

    jpeg: float = Field(default=0.5, ge=0, le=1, description="Share compressed as JPEG, quality 60 to 100.")
    noise: float = Field(default=0.1, ge=0, le=1, description="Share with Gaussian noise, variance 10 to 50.")
    blur: float = Field(default=0.05, ge=0, le=1, description="Share with a Gaussian blur of 3 x 3 pixels.")
    flip: float = Field(default=0.5, ge=0, le=1, description="Share mirrored left to right.")
    colour: float = Field(
        default=0.7,
        ge=0,
        le=1,
        description="Share with another brightness and contrast, or colours moved along their principal axes, or another hue "
        "and saturation.",
    )
    grey: float = Field(default=0.2, ge=0, le=1, description="Share without colours.")
    move: float = Field(default=0.5, ge=0, le=1, description="Share that is shifted, scaled and turned.")
    shift: float = Field(default=0.1, ge=0, le=1, description="Largest shift to every side, as a share of it.")
    scale: float = Field(default=0.2, ge=0, lt=1, description="Largest change of size, as a share of it.")
    rotation_deg: float = Field(default=10.0, ge=0, le=180, description="Largest rotation, in degrees.")


class ClueAugment:
    """The changes of `ClueSettings` in the detector's crop; a `dfworkbench.datasets.sample.Transform` for single frames."""

    needs_genuine = False

    def __init__(self, settings: ClueSettings | None = None) -> None:
        self.settings = settings or ClueSettings()

    def __call__(self, sample: FaceSample, rng: np.random.Generator) -> dict[str, Any]:
        """Cut and augment one frame.

        Raises:
            ParameterError: The sample is a clip: its frames would be changed differently.
        """
        if len(sample.tiles) != 1:
            raise ParameterError(
                f"changing a crop: the sample is a clip of {len(sample.tiles)} frames, but these changes are made for "
                "single frames. Train with a detector whose InputSpec has clip_length=1."
            )
        return {"images": self.change(sample.cut()[0], rng)[None]}

    def change(self, image: Pixels, rng: np.random.Generator) -> Pixels:
        """Augment `(S, S, 3)` uint8 RGB; the argument is not modified."""
        settings = self.settings
        steps: list[tuple[float, Change]] = [
            (settings.jpeg, lambda image, rng: jpeg(image, int(rng.integers(60, 101)))),
            (settings.noise, lambda image, rng: add_noise(image, np.sqrt(rng.uniform(10, 50)), rng)),
            (settings.blur, lambda image, rng: blur(image)),
            (settings.flip, lambda image, rng: np.asarray(cv2.flip(image, 1), dtype=np.uint8)),
            (settings.colour, _change_colour),
            (settings.grey, lambda image, rng: without_colour(image)),
            (settings.move, self._move),
        ]
        for share, step in steps:
            if rng.random() < share:
                image = step(image, rng)
        return np.ascontiguousarray(image)

    def _move(self, image: Pixels, rng: np.random.Generator) -> Pixels:
        settings = self.settings
        shift_x, shift_y = rng.uniform(-settings.shift, settings.shift, size=2)
        factor = 1 + rng.uniform(-settings.scale, settings.scale)
        turn = rng.uniform(-settings.rotation_deg, settings.rotation_deg)
        return move(image, shift=(shift_x, shift_y), scale=factor, rotation_deg=turn)


def _change_colour(image: Pixels, rng: np.random.Generator) -> Pixels:
    kind = rng.integers(3)
    if kind == 0:
        contrast, brightness = rng.uniform(-0.2, 0.2, size=2)
        return change_contrast(image, 1 + contrast, brightness)
    if kind == 1:
        return shift_along_axes(image, rng.normal(0, 0.1, size=3))
    hue, saturation, value = rng.uniform(-1, 1, size=3) * (20, 30, 20)
    return shift_hue(image, hue, saturation, value)


def blur(image: Pixels) -> Pixels:
    """Gaussian blur of 3 x 3 pixels, for which OpenCV uses 1/4, 1/2, 1/4."""
    return np.asarray(cv2.GaussianBlur(image, (3, 3), 0), dtype=np.uint8)


def change_contrast(image: Pixels, contrast: float, brightness: float) -> Pixels:
    """`contrast` x level + `brightness` x 255."""
    return apply_levels(image, np.rint(contrast * _LEVELS + brightness * 255))


def shift_along_axes(image: Pixels, amounts: NDArray[np.float64]) -> Pixels:
    """Add one colour to all pixels, along the principal axes of the picture's own colours, by amounts times their variances.

    Krizhevsky et al. (NIPS 2012) used the principal axes over all of ImageNet.

    Args:
        image: `(H, W, 3)` uint8.
        amounts: `(3,)`, starting with the axis of the smallest variance.
    """
    pixels = image.reshape(-1, 3) / 255.0
    variances, axes = np.linalg.eigh(np.cov(pixels, rowvar=False))
    added = axes @ (amounts * variances) * 255
    return apply_levels(image, np.rint(_LEVELS[:, None] + added))


def shift_hue(image: Pixels, hue: float, saturation: float, value: float) -> Pixels:
    """Add to each channel of OpenCV's HSV: hue 0..179 wraps around, saturation and value 0..255 are clipped."""
    table = _LEVELS[:, None] + (hue, saturation, value)
    table[:, 0] %= 180
    table[:, 1:] = np.clip(table[:, 1:], 0, 255)
    table = np.rint(table)
    table[:, 0] %= 180  # 179.6 is rounded to 180, which is 0
    hsv = cv2.LUT(cv2.cvtColor(image, cv2.COLOR_RGB2HSV), table.astype(np.uint8).reshape(1, 256, 3))
    return np.asarray(cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB), dtype=np.uint8)


def without_colour(image: Pixels) -> Pixels:
    """The grey value (ITU-R BT.601) in all channels."""
    return np.asarray(cv2.cvtColor(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB), dtype=np.uint8)


def move(image: Pixels, *, shift: tuple[float, float], scale: float, rotation_deg: float) -> Pixels:
    """Rotate and scale about the centre, then shift; areas from outside are black.

    Args:
        image: `(H, W, 3)` uint8.
        shift: To the right and down, as shares of width and height.
        scale: Above 1 enlarges.
        rotation_deg: Counter-clockwise.
    """
    height, width = image.shape[:2]
    # the centre in pixel coordinates, so that an identity transform moves nothing
    matrix = cv2.getRotationMatrix2D(((width - 1) / 2, (height - 1) / 2), rotation_deg, scale)
    matrix[:, 2] += shift[0] * width, shift[1] * height
    return np.asarray(cv2.warpAffine(image, matrix, (width, height), flags=cv2.INTER_LINEAR), dtype=np.uint8)
