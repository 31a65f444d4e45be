"""Per-pixel structural dissimilarity, DSSIM = (1 - SSIM) / 2 (Wang et al., IEEE TIP 2004)."""

import cv2
import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]

REACH_PX = 5  #: of the Gaussian window of 11 x 11
_SIGMA = 1.5
_C1, _C2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
_KERNEL = cv2.getGaussianKernel(2 * REACH_PX + 1, _SIGMA, cv2.CV_32F)


def dssim(a: Pixels, b: Pixels) -> NDArray[np.float32]:
    """DSSIM of every pixel and channel, by a Gaussian window of 11 x 11 pixels with sigma 1.5 (border mirrored).

    With s = a + b and d = a - b, means S and D and variances vs and vd,

        DSSIM = (n vd + D² (vs + vd + 2 C2) / 2) / (2 (n + D²) (vs + vd + 2 C2) / 2),   n = (S² - D²) / 2 + C1,

    an equivalent form without the difference of nearly equal numbers: single precision is enough, and equal pictures give
    exactly 0.

    Args:
        a: `(H, W, 3)` uint8.
        b: The same shape.

    Returns:
        `(H, W, 3)`, 0..1.
    """
    # centred on 0, so that squares are small and lose less in single precision
    total = np.asarray(cv2.add(a, b, dtype=cv2.CV_32F), dtype=np.float32)
    total -= 255
    difference = np.asarray(cv2.subtract(a, b, dtype=cv2.CV_32F), dtype=np.float32)
    mean_s, mean_d = _smooth(total), _smooth(difference)
    structure, var_d = _variance(total, mean_s), _variance(difference, mean_d)
    mean_s += 255
    # in place from here on: allocating memory costs more than the arithmetic
    d2 = np.multiply(mean_d, mean_d, out=mean_d)
    structure += var_d
    structure *= 0.5
    structure += _C2
    light = np.multiply(mean_s, mean_s, out=mean_s)
    light -= d2
    light *= 0.5
    light += _C1
    var_d *= light
    var_d += np.multiply(d2, structure, out=total)
    light += d2
    light *= structure
    light *= 2
    var_d /= light
    return var_d


def _smooth(image: NDArray) -> NDArray[np.float32]:
    return np.asarray(cv2.sepFilter2D(image, cv2.CV_32F, _KERNEL, _KERNEL), dtype=np.float32)


def _variance(values: NDArray[np.float32], mean: NDArray[np.float32]) -> NDArray[np.float32]:
    variance = _smooth(values * values)
    variance -= mean * mean
    return np.maximum(variance, 0, out=variance)
