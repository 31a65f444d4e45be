"""Anchors of CADDM: the 168 prior boxes, and encoding of boxes relative to them.

Dong et al., CVPR 2023, arXiv:2210.14457 (see `network`), with the coding of SSD: Liu et al., SSD: Single Shot MultiBox
Detector, ECCV 2016, arXiv:1512.02325, section 2.2.

A box is `(x0, y0, x1, y1)`, a prior `(centre x, centre y, width, height)`; both in 0..1 of the crop, x to the right, y down.
"""

from typing import NamedTuple

import torch
from torch import Tensor

#: The only input size for which the prior boxes are laid out.
IMAGE_PX = 224
#: Divisors of the offsets of centres and of log sizes.
VARIANCES = (0.1, 0.2)


class Level(NamedTuple):
    """One map of the pyramid: cells per side, and in input pixels their spacing and the sides of its two anchors."""

    cells: int
    step_px: int
    short_px: int
    long_px: int


LEVELS = (Level(7, 32, 40, 80), Level(5, 45, 80, 120), Level(3, 75, 120, 160), Level(1, 224, 224, 224))
#: One upright and one lying box at every cell. At the last level, both cover the whole picture.
ANCHORS_PER_CELL = 2
ANCHOR_COUNT = sum(ANCHORS_PER_CELL * level.cells**2 for level in LEVELS)


def prior_boxes() -> Tensor:
    """All prior boxes, `(168, 4)` float32, in the order of the detectors' outputs: level, row, column, anchor.

    Some extend beyond the edge of the picture; they are not clipped.
    """
    rows = [
        ((column + 0.5) * level.step_px, (row + 0.5) * level.step_px, width, height)
        for level in LEVELS
        for row in range(level.cells)
        for column in range(level.cells)
        for width, height in ((level.short_px, level.long_px), (level.long_px, level.short_px))
    ]
    # on the CPU even if networks are built without weights: no file could restore this table
    return torch.tensor(rows, dtype=torch.float64, device="cpu").div(IMAGE_PX).to(torch.float32)


def size_of(stages: int) -> int:
    """Picture size in pixels for which this many stages of a ResNet give a 7 x 7 map: 224 for 4, 112 for 3."""
    return IMAGE_PX >> (4 - stages)


def corners(priors: Tensor) -> Tensor:
    """Prior boxes as corners: `(..., 4)` centre and size to `(..., 4)` x0, y0, x1, y1."""
    centre, half = priors[..., :2], priors[..., 2:] / 2
    return torch.cat([centre - half, centre + half], dim=-1)


def encode(boxes: Tensor, priors: Tensor) -> Tensor:
    """Encode boxes relative to prior boxes; the inverse of `decode`.

    Args:
        boxes: `(..., 4)` corners that broadcast with `priors`: `(B, 168, 4)` for one box per image and anchor, `(4,)` for one box
            relative to all anchors. Width and height must be above 0, otherwise the result is not finite.
        priors: `(168, 4)`, or the rows needed.

    Returns:
        Offsets `(..., 4)`: of the centre in tenths of the prior's sides, and log of the sizes' ratio over 0.2.
    """
    low, high = boxes[..., :2], boxes[..., 2:]
    centre = ((low + high) / 2 - priors[..., :2]) / (VARIANCES[0] * priors[..., 2:])
    size = torch.log((high - low) / priors[..., 2:]) / VARIANCES[1]
    return torch.cat([centre, size], dim=-1)


def decode(offsets: Tensor, priors: Tensor) -> Tensor:
    """Decode offsets to boxes; the inverse of `encode`.

    Args:
        offsets: `(..., 4)` that broadcast with `priors`, such as `(B, 168, 4)`.
        priors: `(168, 4)`, or the rows needed.

    Returns:
        Corners `(..., 4)`; they may be outside the picture.
    """
    centre = priors[..., :2] + VARIANCES[0] * offsets[..., :2] * priors[..., 2:]
    size = priors[..., 2:] * torch.exp(VARIANCES[1] * offsets[..., 2:])
    return corners(torch.cat([centre, size], dim=-1))
