"""Training augmentation of faces, on uint8 pixels, with an explicit random generator.

The changes are those that happen to real files: mirroring, slightly shifted boxes, different light and colour, and
recompression. None is applied in evaluation.

Differences from DeepfakeForensics-v1: crops keep at least the whole face (the original cuts patches of down to 10 % of its
area), noise is fresh in every frame of a clip (the original repeats one field), and nothing is stored on disk.
"""

from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from dfworkbench.core.settings import Settings
from dfworkbench.datasets.perturb.picture_augment import random_windows
from dfworkbench.datasets.sample import FaceSample
from dfworkbench.media.pictures.operations import Pixels, add_noise, jpeg, recolour, shrink_and_enlarge


class AugmentSettings(Settings):
    """Strength of the face augmentation in training; 0 switches a change off."""

    flip: float = Field(default=0.5, ge=0, le=1, description="Share of samples mirrored left to right.")
    box_jitter: float = Field(
        default=0.08,
        ge=0,
        le=0.3,
        description="How far the face box is shifted and scaled, as a fraction of its side; "
        "for whole pictures, a window is drawn from the entire picture.",
    )
    colour_jitter: float = Field(
        default=0.15, ge=0, le=0.5, description="How far brightness, contrast and saturation are changed."
    )
    degrade: float = Field(
        default=0.3, ge=0, le=1, description="Share of samples that are compressed, blurred, downscaled or made noisy."
    )


class FaceAugment:
    """Augmentation by `AugmentSettings`; parameters are drawn once per clip, noise for every frame."""

    needs_genuine = False

    def __init__(self, settings: AugmentSettings | None = None) -> None:
        self.settings = settings or AugmentSettings()

    def __call__(self, sample: FaceSample, rng: np.random.Generator) -> dict[str, Any]:
        """Move the boxes, cut, change the pixels; a box whose crop would extend beyond the stored tile is not moved."""
        whole = sample.spec.alignment == "whole"
        moved = random_windows(sample, rng) if whole else self.move_boxes(sample.boxes, rng)
        return {"images": self.change_pixels(sample.cut(moved), rng)}

    def move_boxes(self, boxes: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.float64]:
        """Move and scale all boxes by the same fraction of their sides, `(T, 4)`."""
        amount = self.settings.box_jitter
        if amount == 0:
            return boxes
        scale = np.exp(rng.uniform(-amount, amount))
        shift = rng.uniform(-amount / 2, amount / 2, size=2)
        size = boxes[:, 2:] - boxes[:, :2]
        centre = (boxes[:, 2:] + boxes[:, :2]) / 2 + shift * size
        return np.concatenate([centre - scale * size / 2, centre + scale * size / 2], axis=1)

    def change_pixels(self, images: Pixels, rng: np.random.Generator) -> Pixels:
        """Mirror, recolour and degrade `(T, S, S, 3)` uint8 RGB."""
        if rng.random() < self.settings.flip:
            images = images[:, :, ::-1]
        if self.settings.colour_jitter:
            images = recolour(images, self.settings.colour_jitter, rng)
        if rng.random() < self.settings.degrade:
            images = degrade(images, rng)
        return np.ascontiguousarray(images)


def degrade(images: Pixels, rng: np.random.Generator) -> Pixels:
    """Apply one of JPEG compression, blur, downscaling and noise, `(T, S, S, 3)` uint8."""
    kind = rng.integers(4)
    strength = rng.random()
    if kind == 0:
        return _each(images, lambda image: jpeg(image, int(95 - 55 * strength)))
    if kind == 1:
        return _each(images, lambda image: cv2.GaussianBlur(image, (0, 0), 0.3 + 0.9 * strength))
    if kind == 2:
        return _each(images, lambda image: _shrink(image, 1 - 0.5 * strength))
    return add_noise(images, 2 + 6 * strength, rng)


def _each(images: Pixels, change: Callable[[Pixels], Any]) -> Pixels:
    """Change each picture of `(T, S, S, 3)`; a single picture is not copied again."""
    return np.asarray(change(images[0]))[None] if len(images) == 1 else np.stack([change(image) for image in images])


def _shrink(image: Pixels, factor: float) -> Pixels:
    height, width = image.shape[:2]
    return shrink_and_enlarge(image, (int(width * factor), int(height * factor)), cv2.INTER_LINEAR)
