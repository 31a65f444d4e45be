"""Blend one picture into another: alpha blending with a soft mask, or Poisson blending (Pérez et al., SIGGRAPH 2003)."""

import cv2
import numpy as np
from numpy.typing import NDArray

from dfworkbench.datasets.facial_swap.masks import Mask, grow, mask_box
from dfworkbench.datasets.facial_swap.poisson import poisson_change
from dfworkbench.datasets.facial_swap.ssim import Pixels

_ROUNDING = 1e-3  # levels; an alpha of 1, or a change of 0, may come out slightly too low
_LEAST_PX = 3  # smallest rectangle that is more than its border


def blend_alpha(foreground: Pixels, background: Pixels, soft: NDArray[np.float32]) -> Pixels:
    """Alpha blending, `soft` x foreground + (1 - soft) x background, truncated to whole levels.

    Args:
        foreground: `(H, W, 3)` uint8.
        background: The same shape; not changed.
        soft: `(H, W)`, 0..1.
    """
    out = background.copy()
    if box := mask_box(soft):
        region = grow(box, 0, *soft.shape)
        out[region] = mix(foreground[region], background[region], soft[region]) + np.float32(_ROUNDING)
    return out


def mix(foreground: Pixels, background: Pixels, soft: NDArray[np.float32]) -> NDArray[np.float32]:
    """`blend_alpha` before truncation to whole levels."""
    share = cv2.cvtColor(soft, cv2.COLOR_GRAY2RGB)
    mixed = cv2.subtract(foreground, background, dtype=cv2.CV_32F)
    mixed *= share
    mixed += background
    return mixed


def blend_poisson(foreground: Pixels, background: Pixels, mask: Mask) -> Pixels | None:
    """Paste the gradients of the foreground inside the mask and solve for the levels, truncated to whole levels.

    Args:
        foreground: `(H, W, 3)` uint8.
        background: The same shape; not changed.
        mask: `(H, W)`, 0..255; pasted where at least half.

    Returns:
        `(H, W, 3)` uint8, or None if the mask has no interior.
    """
    whole = _binary(mask)
    box = mask_box(whole)
    if box is None or min(box[2] - box[0], box[3] - box[1]) < _LEAST_PX:
        return None
    region, out = grow(box, 0, *whole.shape), background.copy()
    levels = poisson_change(foreground[region], background[region], whole[region])
    levels += background[region]
    levels += np.float32(_ROUNDING)
    out[region] = np.clip(levels, 0, 255, out=levels)
    return out


def blend_poisson_at(foreground: Pixels, background: Pixels, mask: Mask, centre: tuple[int, int]) -> Pixels | None:
    """Like `blend_poisson`, with OpenCV, moving the centre of the mask's bounding rectangle to `centre` (x, y).

    Returns:
        None if OpenCV cannot do it: the mask is empty, or its new position extends beyond the picture.
    """
    try:
        cloned = cv2.seamlessClone(foreground, background, _binary(mask), centre, cv2.NORMAL_CLONE)
    except cv2.error:
        return None
    return np.asarray(cloned, dtype=np.uint8)


def _binary(mask: Mask) -> NDArray[np.uint8]:
    # always a copy: OpenCV writes into the mask it is given
    return np.where(mask >= 128, np.uint8(255), np.uint8(0))
