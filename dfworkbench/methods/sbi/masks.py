"""Blending mask for self-blended images: hull of landmarks, elastic deformation, two Gaussian filters."""

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from dfworkbench.datasets.facial_swap.masks import Mask, grow, hull_mask, mask_box
from dfworkbench.methods.sbi.settings import MaskSettings

_LARGEST_BLUR = (
    0.25  # of the face: the published sizes are for faces of 100 px and more, and would leave nothing of small ones
)
_SMALLEST_BLUR_PX = 3
_FARTHEST = 6.0  # standard deviations of a displacement; one in 5e8 is larger
_GRID = 1.75  # sigma in steps of the coarse grid: so smooth a field loses nothing between its points


def blend_mask(
    landmarks: ArrayLike, size_px: int, rng: np.random.Generator, settings: MaskSettings
) -> NDArray[np.float32]:
    """A random mask of a face, before the blend ratio.

    After the first filter, only pixels fully inside are kept, so the mask shrinks if the first filter is larger than the second,
    and grows otherwise.

    Args:
        landmarks: `(n, 2)` in pixels of the picture.
        size_px: Height and width of the picture.
        rng: The only source of randomness.
        settings: Strength of the changes.

    Returns:
        `(size_px, size_px)`, 0..1; all 0 if the hull is empty or outside the picture.
    """
    mask = np.zeros((size_px, size_px), np.float32)
    hull = hull_mask(landmarks, size_px, size_px)
    box = mask_box(hull)
    if box is None:
        return mask
    first, second = _draw_sizes(min(box[2] - box[0], box[3] - box[1]), rng, settings)
    alpha, sigma = settings.elastic_alpha, settings.elastic_sigma
    farthest = int(np.ceil(_FARTHEST * alpha / np.sqrt(12 * np.pi) / sigma))
    region = grow(box, farthest + second // 2 + 2, size_px, size_px)
    part = hull[region]
    if alpha:
        part = move_pixels(part, displacement(part.shape, alpha, sigma, rng))
    mask[region] = soften_twice(part, first, second)
    return mask


def soften_twice(mask: NDArray[np.uint8], first: int, second: int) -> NDArray[np.float32]:
    """Filter, keep what is fully inside, filter again; `(H, W)`, 0..1.

    Args:
        mask: `(H, W)`, 255 inside.
        first: Odd size of the first Gaussian filter. Its result is 1 where the whole window is inside, whatever the weights: an
            erosion by the window.
        second: Odd size of the second one.
    """
    inside = np.asarray(cv2.threshold(mask, 254, 255, cv2.THRESH_BINARY)[1])
    kept = cv2.erode(inside, np.ones((first, first), np.uint8))
    soft = cv2.GaussianBlur(kept.astype(np.float32), (second, second), 0)
    soft *= np.float32(1 / 255)
    return np.minimum(soft, 1, out=soft)


def displacement(shape: tuple[int, ...], alpha: float, sigma: float, rng: np.random.Generator) -> NDArray[np.float32]:
    """A smooth random field of displacements in pixels, `(2, H, W)`: along x, along y.

    Its distribution is that of white noise in -1..1, smoothed by a Gaussian and multiplied by `alpha`; the standard deviation is
    0.163 alpha / sigma. It is drawn on a coarse grid, which suffices for such a smooth field.

    Args:
        shape: Height and width.
        alpha: Factor of the smoothed noise.
        sigma: Standard deviation of the Gaussian, in pixels.
        rng: The only source of randomness.
    """
    height, width = shape[:2]
    step = max(int(sigma / _GRID), 1)
    coarse = -(-height // step), -(-width // step)
    out = np.empty((2, height, width), np.float32)
    for field in out:
        noise = rng.random(coarse, dtype=np.float32)
        noise -= 0.5
        noise *= 2 * alpha / step  # fewer numbers are averaged, by the square of the step
        smooth = cv2.GaussianBlur(noise, (0, 0), sigma / step)
        full = cv2.resize(smooth, (coarse[1] * step, coarse[0] * step), interpolation=cv2.INTER_CUBIC)
        field[:] = full[:height, :width]
    return out


def move_pixels(mask: Mask, field: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Read each pixel of a mask `(H, W)` at a position displaced by a field `(2, H, W)`; bilinear, 0 from outside."""
    height, width = mask.shape
    x = field[0] + np.arange(width, dtype=np.float32)
    y = field[1] + np.arange(height, dtype=np.float32)[:, None]
    return np.asarray(cv2.remap(mask, x, y, cv2.INTER_LINEAR), dtype=np.uint8)


def _draw_sizes(face_px: int, rng: np.random.Generator, settings: MaskSettings) -> tuple[int, int]:
    """Odd sizes of both filters; smaller ones for faces smaller than the published sizes are meant for."""
    largest = min(settings.blur_px[1], max(int(face_px * _LARGEST_BLUR), _SMALLEST_BLUR_PX))
    most = (largest - 1) // 2
    least = min(settings.blur_px[0] // 2, most)
    first, second = rng.integers(least, most + 1, size=2).tolist()
    return 2 * first + 1, 2 * second + 1
