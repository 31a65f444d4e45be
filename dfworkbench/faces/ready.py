"""Ready-made face crops: pictures that somebody else cut, each of which is one face with nothing around it."""

import dataclasses

import numpy as np
from numpy.typing import NDArray

from dfworkbench.core.input_spec import InputSpec
from dfworkbench.faces.crops import ContextCrop, context_at

CROP = "crop"  # in `TrackedFace.shows` and the column `shows` of the face table


def take_crop(rgb: NDArray[np.uint8], max_px: int) -> tuple[ContextCrop, NDArray[np.float64]]:
    """A picture `(H, W, 3)` as a context crop, and its face box `(4,)`, which is all of the picture.

    A picture that is not square is filled up to a square by repeating its border; above `max_px` it is stored scaled down.
    """
    height, width = rgb.shape[:2]
    side = max(height, width)
    context = context_at(rgb, (width - side) // 2, (height - side) // 2, side, min(side, max_px))
    return context, np.array([0, 0, width, height], np.float64)


def spec_for(spec: InputSpec, shows: str) -> InputSpec:
    """The spec by which a face is cut: of a ready-made crop all is taken, because there is nothing around it to enlarge by."""
    return dataclasses.replace(spec, crop_scale=1.0) if shows == CROP and spec.alignment == "box" else spec
