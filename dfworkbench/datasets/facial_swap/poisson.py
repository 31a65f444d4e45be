"""Poisson blending (Pérez et al., SIGGRAPH 2003) in place, as defined by OpenCV's `seamlessClone`.

With e = foreground - background, the change v of the background solves, inside the bounding rectangle of the mask,

    Laplace v = div(m grad e),   v = 0 on the border of the rectangle,

where m is the mask, eroded by three pixels, 0 outside the rectangle. On a rectangle a sine transform diagonalises the equation.
The transforms are products with dense matrices, which are faster than OpenCV's Fourier transforms at the size of a face,
whatever its prime factors.
"""

from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from dfworkbench.datasets.facial_swap.ssim import Pixels

_ERODED_PX = 3


def poisson_change(foreground: Pixels, background: Pixels, mask: NDArray[np.uint8]) -> NDArray[np.float32]:
    """What to add to the background so that its gradients inside the mask are those of the foreground.

    Args:
        foreground: `(H, W, 3)` uint8, the bounding rectangle of the mask, at least 3 x 3 pixels.
        background: The same shape.
        mask: `(H, W)`, 0 or 255.

    Returns:
        `(H, W, 3)` in levels; 0 on the border.
    """
    inside = (_erode(mask) > 0).astype(np.float32)
    change = np.zeros(foreground.shape, np.float32)
    for c in range(3):
        excess = np.asarray(cv2.subtract(foreground[..., c], background[..., c], dtype=cv2.CV_32F), dtype=np.float32)
        change[1:-1, 1:-1, c] = _solve(_divergence(excess, inside))
    return change


def _erode(mask: NDArray[np.uint8]) -> NDArray:
    square = np.ones((2 * _ERODED_PX + 1,) * 2, np.uint8)
    return cv2.erode(mask, square, borderType=cv2.BORDER_CONSTANT, borderValue=(0.0,))


def _divergence(excess: NDArray[np.float32], inside: NDArray[np.float32]) -> NDArray[np.float32]:
    """Divergence of the masked gradient at the inner pixels; forward differences, then backward ones."""
    dx = (excess[1:-1, 1:] - excess[1:-1, :-1]) * inside[1:-1, :-1]
    dy = (excess[1:, 1:-1] - excess[:-1, 1:-1]) * inside[:-1, 1:-1]
    divergence = dx[:, 1:] - dx[:, :-1]
    divergence += dy[1:] - dy[:-1]
    return np.asarray(divergence, dtype=np.float32)


def _solve(source: NDArray[np.float32]) -> NDArray[np.float32]:
    """The field whose Laplacian is `source`, 0 around it."""
    height, width = source.shape
    down, across = _sines(height), _sines(width)
    spectrum = down @ source @ across
    spectrum /= _eigenvalues(height)[:, None] + _eigenvalues(width)
    return np.asarray(down @ spectrum @ across, dtype=np.float32)


@lru_cache(maxsize=64)
def _sines(size: int) -> NDArray[np.float32]:
    """The orthonormal sine transform of type I, its own inverse, `(size, size)`."""
    n = np.arange(1, size + 1)
    matrix = np.sqrt(2 / (size + 1)) * np.sin(np.pi / (size + 1) * np.outer(n, n))
    return matrix.astype(np.float32)


@lru_cache(maxsize=64)
def _eigenvalues(size: int) -> NDArray[np.float32]:
    """Eigenvalues of the second difference, in the order of `_sines`."""
    return (2 * np.cos(np.pi / (size + 1) * np.arange(1, size + 1)) - 2).astype(np.float32)
