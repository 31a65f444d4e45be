"""Masks of a facial swap: hull of a face, elastic distortion, window, soft edges."""

from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from dfworkbench.core.errors import ParameterError

Box = tuple[int, int, int, int]  #: x0, y0, x1, y1 in pixels
Mask = NDArray[np.uint8] | NDArray[np.float32]  #: `(H, W)`, 0..255

#: Height of a picture in which the published amplitudes move an outline as far, relative to the face, as in whole frames.
REFERENCE_HEIGHT_PX = 384
_TRUNCATE = 4.0  # truncation of a Gaussian in SciPy, in sigmas
_FARTHEST = 6.0  # standard deviations of a displacement; one in 5e8 exceeds it


def hull_mask(landmarks: ArrayLike, height: int, width: int) -> NDArray[np.uint8]:
    """255 inside the convex hull of the landmarks `(n, 2)`, 0 outside; `(height, width)`."""
    mask = np.zeros((height, width), np.uint8)
    hull = cv2.convexHull(np.rint(np.asarray(landmarks, dtype=np.float64)).astype(np.int32))
    return np.asarray(cv2.fillPoly(mask, [hull], 255), dtype=np.uint8)


def window_mask(box: Box, height: int, width: int) -> NDArray[np.float32]:
    """255 inside a box, 0 outside; `(height, width)`."""
    mask = np.zeros((height, width), np.float32)
    x0, y0, x1, y1 = np.maximum(box, 0)
    mask[y0:y1, x0:x1] = 255
    return mask


def mask_box(mask: Mask) -> Box | None:
    """The bounding box of a mask above 0; None for an empty mask."""
    x, y, w, h = cv2.boundingRect((mask > 0).view(np.uint8))
    return (x, y, x + w, y + h) if w else None


def grow(box: Box, by: int, height: int, width: int) -> tuple[slice, slice]:
    """Rows and columns of a box enlarged by `by` pixels on every side, clipped to the picture."""
    x0, y0, x1, y1 = box
    return slice(max(y0 - by, 0), min(y1 + by, height)), slice(max(x0 - by, 0), min(x1 + by, width))


def soften(mask: Mask) -> NDArray[np.float32]:
    """Soft edges by a Gaussian of 5 x 5 pixels with sigma 3; 0..1."""
    soft = np.zeros(mask.shape, np.float32)
    if box := mask_box(mask):
        region = grow(box, 4, *mask.shape)  # 2 for the edge, 2 stay 0 to hide the border of the region
        soft[region] = cv2.GaussianBlur(mask[region], (5, 5), 3)
        soft[region] /= np.float32(255)
    return soft


def elastic(mask: NDArray[np.uint8], noise: NDArray, amplitude: float, sigma: float) -> NDArray[np.float32]:
    """Elastic distortion of a mask: each pixel is read at a position displaced by a smooth random field.

    Args:
        mask: `(H, W)` uint8.
        noise: `(2, H, W)` white noise, -1..1; the first field moves along x, the second along y.
        amplitude: Factor that scales the smoothed noise to pixels; its standard deviation is then about 0.163 amplitude / sigma.
        sigma: Standard deviation of the Gaussian that smooths the noise, in pixels.

    Returns:
        `(H, W)`, 0..255, bilinear between pixels, 0 outside.
    """
    moved = np.zeros(mask.shape, np.float32)
    if (box := mask_box(mask)) is None:
        return moved
    # evaluate the field only where the mask can move to
    farthest = int(np.ceil(_FARTHEST * abs(amplitude) / np.sqrt(12 * np.pi) / sigma)) + 2
    region = rows, columns = grow(box, farthest, *mask.shape)
    dx, dy = (smooth_field(field, sigma, rows, columns) for field in noise)
    dx *= amplitude
    dx += np.arange(columns.start, columns.stop, dtype=np.float32)
    dy *= amplitude
    dy += np.arange(rows.start, rows.stop, dtype=np.float32)[:, None]
    moved[region] = cv2.remap(mask.astype(np.float32), dx, dy, cv2.INTER_LINEAR)
    return moved


def smooth_field(noise: NDArray, sigma: float, rows: slice, columns: slice) -> NDArray[np.float32]:
    """A part of `scipy.ndimage.gaussian_filter(noise, sigma)`, as the product of two small dense matrices with the noise."""
    height, width = noise.shape
    down, across = _gaussian(height, sigma)[rows], _gaussian(width, sigma)[columns]
    return (down @ noise.astype(np.float32, copy=False) @ across.T).astype(np.float32, copy=False)


@lru_cache(maxsize=32)
def _gaussian(size: int, sigma: float) -> NDArray[np.float32]:
    """The Gaussian filter of a line of `size` values as a matrix, `(size, size)`; borders mirrored, repeating the last value."""
    reach = int(_TRUNCATE * sigma + 0.5)
    if reach > size:
        raise ParameterError(
            f"distorting a mask: a Gaussian with sigma {sigma:.1f} reaches {reach} px, farther than the {size} px of the "
            "picture. Lower SwapSettings.elastic_sigma to 0.25 or less."
        )
    kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) / sigma) ** 2)
    padded = np.pad((kernel / kernel.sum()).astype(np.float32), size - 1)
    # row i holds the kernel from index i on, over the line with `reach` mirrored values at both ends
    wide = np.lib.stride_tricks.sliding_window_view(padded, size + 2 * reach)[::-1]
    matrix = wide[:, reach : reach + size].copy()
    matrix[:, :reach] += wide[:, :reach][:, ::-1]
    matrix[:, size - reach :] += wide[:, reach + size :][:, ::-1]
    matrix.flags.writeable = False
    return matrix
