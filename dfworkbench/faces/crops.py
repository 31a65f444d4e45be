"""Cutting faces: a context crop that is stored once, and from it the crop of every detector.

Training and inference both go video frame -> `cut_context` -> `cut_for`, so they cannot differ.
"""

from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from dfworkbench.errors import InputError
from dfworkbench.faces.alignment import AUTHORS_SCALE, align, alignment_matrix
from dfworkbench.faces.settings import FaceSettings
from dfworkbench.geometry import square_around
from dfworkbench.input_spec import InputSpec
from dfworkbench.media.images import encode_png

_SMALL_STEP = 1.4
_ROUNDING_PX = 1.5  # a square is rounded to whole pixels when it is cut


@dataclass(frozen=True)
class ContextCrop:
    """A square around a face, at the resolution of the frame unless it was larger than `context_max_px`.

    Attributes:
        image: `(S, S, 3)` uint8 RGB; the frame's border is repeated where the square reaches beyond it.
        x0: Left edge in pixels of the frame; may be negative.
        y0: Top edge, likewise.
        side: Width and height in pixels of the frame.
    """

    image: NDArray[np.uint8]
    x0: float
    y0: float
    side: float

    def from_frame(self, points: ArrayLike) -> NDArray[np.float64]:
        """Points in pixels of the frame, `(…, 2)`, in pixels of the image."""
        ratio = self.image.shape[0] / self.side
        # the centre of pixel i lies at i + 0.5 from the edge, whatever the resolution
        return (np.asarray(points, np.float64) - (self.x0, self.y0) + 0.5) * ratio - 0.5

    @cached_property
    def png(self) -> bytes:
        """The image as a lossless PNG file, compressed when first asked for."""
        return encode_png(self.image)


def cut_context(rgb: NDArray[np.uint8], box: ArrayLike, settings: FaceSettings) -> ContextCrop:
    """Cut the context crop of a face box from a frame.

    Args:
        rgb: `(H, W, 3)` uint8 frame.
        box: x0, y0, x1, y1 in pixels of the frame.
        settings: `context_scale` and `context_max_px`.
    """
    left, top, length = square_around(box, settings.context_scale)
    side = max(round(length), 1)
    # the centre of the square is kept to half a pixel
    x0, y0 = round(left + (length - side) / 2), round(top + (length - side) / 2)
    return context_at(rgb, x0, y0, side, min(side, settings.context_max_px))


def context_at(rgb: NDArray[np.uint8], x0: int, y0: int, side: int, size_px: int) -> ContextCrop:
    """The context crop of a known place: a square of `side` pixels of the frame at (x0, y0), stored with `size_px`."""
    image = _resize(cut_square(rgb, x0, y0, side), size_px).copy()  # never a view that keeps the frame
    return ContextCrop(image, float(x0), float(y0), float(side))


def cut_for(
    spec: InputSpec, context: ContextCrop, box: ArrayLike, landmarks: ArrayLike | None = None
) -> NDArray[np.uint8]:
    """Cut what a detector's InputSpec asks for.

    Args:
        spec: `alignment`, `crop_scale` and `size_px` are used.
        context: The face's context crop.
        box: The face box in pixels of the frame, as in the face table.
        landmarks: `(5, 2)` in pixels of the frame, as in the face table; needed for `alignment` "five_points".

    Returns:
        `(size_px, size_px, 3)` uint8 RGB. Aligned faces are black where they reach beyond the context crop.

    Raises:
        InputError: The square reaches beyond the context crop, or landmarks are needed and not given.
    """
    if spec.alignment == "five_points":
        return _cut_aligned(spec, context, landmarks)
    left, top, length = square_around(box, spec.crop_scale)
    stored = context.image.shape[0]
    ratio = stored / context.side
    beyond = max(context.x0 - left, context.y0 - top, left + length - context.x0 - context.side,
                 top + length - context.y0 - context.side)  # fmt: skip
    if beyond > _ROUNDING_PX or length <= 0:
        longer = length / spec.crop_scale
        raise InputError(
            f"cutting a detector's input: crop_scale {spec.crop_scale} needs {length:.0f} px around a face of {longer:.0f} "
            f"px, {beyond:.0f} px more on one side than the stored context crop of {context.side:.0f} px holds. Extract "
            f"again with context_scale={max(spec.crop_scale, 2 * spec.crop_scale * context.side / length / 2):.1f} or more."
        )
    side = min(max(round(length * ratio), 1), stored)
    x0 = min(max(round((left - context.x0) * ratio), 0), stored - side)
    y0 = min(max(round((top - context.y0) * ratio), 0), stored - side)
    return np.ascontiguousarray(_resize(context.image[y0 : y0 + side, x0 : x0 + side], spec.size_px))


def _cut_aligned(spec: InputSpec, context: ContextCrop, landmarks: ArrayLike | None) -> NDArray[np.uint8]:
    if landmarks is None:
        raise InputError(
            "cutting an aligned face: this detector needs the five landmarks of the face, and none were given. Pass "
            "landmarks=… of shape (5, 2), as they stand in the face table."
        )
    scale = AUTHORS_SCALE / spec.crop_scale
    matrix = alignment_matrix(context.from_frame(landmarks), spec.size_px, scale=scale)
    return align(context.image, matrix, spec.size_px)


def cut_square(rgb: NDArray[np.uint8], x0: int, y0: int, side: int) -> NDArray[np.uint8]:
    """A square that may reach beyond the frame, whose border pixels are repeated there; may be a view of the frame."""
    height, width = rgb.shape[:2]
    left, top, right, bottom = max(x0, 0), max(y0, 0), min(x0 + side, width), min(y0 + side, height)
    if left >= right or top >= bottom:  # a box outside the frame sees nothing but its border
        rows, columns = (np.clip(np.arange(at, at + side), 0, end - 1) for at, end in ((y0, height), (x0, width)))
        return rgb[rows[:, None], columns]
    inner = rgb[top:bottom, left:right]
    missing = top - y0, y0 + side - bottom, left - x0, x0 + side - right
    if not any(missing):
        return inner
    return np.asarray(cv2.copyMakeBorder(inner, *missing, borderType=cv2.BORDER_REPLICATE), dtype=np.uint8)


def _resize(image: NDArray[np.uint8], size: int) -> NDArray[np.uint8]:
    if image.shape[0] == size:
        return image
    # a small step down hardly differs between the two, and averaging takes four times as long
    method = cv2.INTER_AREA if image.shape[0] > _SMALL_STEP * size else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(image, (size, size), interpolation=method), dtype=np.uint8)
