"""Cutting faces: a context crop that is stored once, and from it the crop of every detector.

Training and inference both go video frame -> `cut_context` -> `cut_for`, so they cannot differ. Whole pictures go
`cut_whole` -> `cut_for` and are never resized on their way.
"""

from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray
from PIL import Image

from dfworkbench.core.errors import InputError
from dfworkbench.core.geometry import square_around
from dfworkbench.core.input_spec import InputSpec
from dfworkbench.faces.alignment import AUTHORS_SCALE, align, alignment_matrix
from dfworkbench.faces.settings import FaceSettings
from dfworkbench.media import encode_png

_SMALL_STEP = 1.4
_ROUNDING_PX = 1.5  # a square is rounded to whole pixels when it is cut
#: Of whole pictures, what is kept and windows begin at multiples of this: re-synthesis makes one pixel of 4 x 4, and traces of
#: up-sampling have periods of 2 and 4, whose phase a window must not hide.
_WHOLE_STEP_PX = 4


@dataclass(frozen=True)
class ContextCrop:
    """A square around a face, at the resolution of the frame unless it was larger than `context_max_px`; or a whole picture.

    Attributes:
        image: `(S, S, 3)` uint8 RGB; the frame's border is repeated where the square reaches beyond it.
        x0: Left edge in pixels of the frame; may be negative.
        y0: Top edge, likewise.
        side: Width and height in pixels of the frame.
        frame_px: Width and height of the frame, where they are known; needed to tell its pixels from its repeated border.
    """

    image: NDArray[np.uint8]
    x0: float
    y0: float
    side: float
    frame_px: tuple[int, int] | None = None

    @property
    def square(self) -> NDArray[np.float64]:
        """Its corners x0, y0, x1, y1 in pixels of the frame, `(4,)`."""
        return np.array([self.x0, self.y0, self.x0 + self.side, self.y0 + self.side], np.float64)

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


def cut_whole(rgb: NDArray[np.uint8], max_px: int) -> ContextCrop:
    """What is kept of a whole picture: the largest square near its middle, pixel for pixel; place and side are multiples of 4.

    Args:
        rgb: `(H, W, 3)` uint8, at least 4 x 4.
        max_px: A larger square is not taken; nothing is scaled.
    """
    height, width = rgb.shape[:2]
    side = min(height, width, max_px) // _WHOLE_STEP_PX * _WHOLE_STEP_PX
    left, top = ((length - side) // 2 // _WHOLE_STEP_PX * _WHOLE_STEP_PX for length in (width, height))
    return context_at(rgb, left, top, side, side)


def context_at(rgb: NDArray[np.uint8], x0: int, y0: int, side: int, size_px: int) -> ContextCrop:
    """The context crop of a known place: a square of `side` pixels of the frame at (x0, y0), stored with `size_px`."""
    image = _resize(cut_square(rgb, x0, y0, side), size_px).copy()  # never a view that keeps the frame
    return ContextCrop(image, float(x0), float(y0), float(side), (rgb.shape[1], rgb.shape[0]))


def cut_for(
    spec: InputSpec, context: ContextCrop, box: ArrayLike, landmarks: ArrayLike | None = None
) -> NDArray[np.uint8]:
    """Cut what a detector's InputSpec asks for.

    Args:
        spec: All fields that say where and how to cut are used.
        context: The face's context crop.
        box: The face box in pixels of the frame, as in the face table. For `alignment` "whole", that of a whole picture,
            which gives the window in its middle, or a window from `window_in`.
        landmarks: `(5, 2)` in pixels of the frame, as in the face table; needed for `alignment` "five_points".

    Returns:
        `(size_px, size_px, 3)` uint8 RGB. Aligned faces are black where they reach beyond the context crop. Windows of whole
        pictures are copies of its pixels.

    Raises:
        InputError: The region reaches beyond the context crop, or landmarks are needed and there are none, or a window of a
            whole picture is asked for and this is a face, or a smaller picture, or the frame's size is needed and not known.
    """
    if spec.alignment == "five_points":
        return _cut_aligned(spec, context, landmarks)
    if spec.alignment == "whole":
        return _cut_window(spec, context, np.asarray(box, np.float64))
    region = _sides(spec, context, box) if spec.region == "sides" else _square(spec, context, box)
    return np.ascontiguousarray(_resize_as(spec, region))


def _square(spec: InputSpec, context: ContextCrop, box: ArrayLike) -> NDArray[np.uint8]:
    """The pixels of the context in the square around a box."""
    left, top, length = square_around(box, spec.crop_scale)
    _require_inside(spec, context, np.array([left, top, left + length, top + length]))
    stored = context.image.shape[0]
    ratio = stored / context.side
    side = min(max(round(length * ratio), 1), stored)
    x0 = min(max(round((left - context.x0) * ratio), 0), stored - side)
    y0 = min(max(round((top - context.y0) * ratio), 0), stored - side)
    return context.image[y0 : y0 + side, x0 : x0 + side]


def _sides(spec: InputSpec, context: ContextCrop, box: ArrayLike) -> NDArray[np.uint8]:
    """The pixels of the context in a box whose sides were widened one by one."""
    x0, y0, x1, y1 = np.asarray(box, np.float64)
    margin = np.array([x1 - x0, y1 - y0]) * (spec.crop_scale - 1) / 2
    edges = np.array([x0, y0, x1, y1]) + np.concatenate([-margin, margin])
    if spec.border == "clip":
        edges = np.clip(edges, 0, np.tile(_known_frame(context), 2))
    edges = np.trunc(edges)  # towards 0 as the authors' int() does, also left of the frame
    _require_inside(spec, context, edges)
    place = (edges - np.tile((context.x0, context.y0), 2)) * (context.image.shape[0] / context.side)
    last = context.image.shape[0] - 1
    left, top, right, bottom = np.clip(np.rint(place).astype(int) - (0, 0, 1, 1), 0, last).tolist()
    return context.image[top : max(bottom, top) + 1, left : max(right, left) + 1]


def _known_frame(context: ContextCrop) -> tuple[int, int]:
    if context.frame_px is None:
        raise InputError(
            "cutting a detector's input: this detector's crops end at the border of the frame, and the frame's size is not "
            "known. Pass a ContextCrop with frame_px=(width, height); in a data set, extract again where the video table has none."
        )
    return context.frame_px


def _require_inside(spec: InputSpec, context: ContextCrop, edges: NDArray[np.float64]) -> None:
    beyond = float(np.concatenate([context.square[:2] - edges[:2], edges[2:] - context.square[2:]]).max())
    length = float((edges[2:] - edges[:2]).max())
    if beyond > _ROUNDING_PX or length <= 0:
        longer = length / spec.crop_scale
        raise InputError(
            f"cutting a detector's input: crop_scale {spec.crop_scale} needs {length:.0f} px around a face of {longer:.0f} "
            f"px, {beyond:.0f} px more on one side than the stored context crop of {context.side:.0f} px holds. Extract "
            f"again with context_scale={max(spec.crop_scale, 2 * spec.crop_scale * context.side / length / 2):.1f} or more; "
            "of whole pictures there is no more: build the detector with crop_scale=1.0."
        )


def _cut_aligned(spec: InputSpec, context: ContextCrop, landmarks: ArrayLike | None) -> NDArray[np.uint8]:
    if landmarks is None or np.isnan(landmarks).any():
        raise InputError(
            "cutting an aligned face: this detector needs the five landmarks of the face, and there are none. Pass "
            "landmarks=… of shape (5, 2), as they stand in the face table; whole pictures have none: extract faces."
        )
    scale = AUTHORS_SCALE / spec.crop_scale
    matrix = alignment_matrix(context.from_frame(landmarks), spec.size_px, scale=scale)
    return align(context.image, matrix, spec.size_px)


def window_in(
    spec: InputSpec, context: ContextCrop, box: ArrayLike, share: tuple[float, float] = (0.5, 0.5)
) -> NDArray[np.float64]:
    """The box of a window of `size_px` in a whole picture, `(4,)` in pixels of the frame, for `cut_for`.

    Args:
        spec: Of a detector with `alignment` "whole".
        context: The picture.
        box: As in the face table: the square of the context crop.
        share: How far right and down it lies, from 0 (left, top) to below 1 (right, bottom), every place being as likely
            as any other where it is drawn at random; the middle by default.

    Raises:
        InputError: This is a face, or the picture is too small.
    """
    stored = context.image.shape[0]
    if stored != context.side or not np.array_equal(context.square, np.asarray(box, np.float64)):
        raise InputError(
            "cutting a window of a whole picture: this row of the face table is a face of a picture. Extract the data set with "
            'whole=true, or build the detector with alignment="box".'
        )
    if stored < spec.size_px:
        raise InputError(
            f"cutting a window of {spec.size_px} px of a whole picture: only {stored} x {stored} px are kept of it. Build the "
            f"detector with a smaller size_px; if the picture itself is larger, extract with context_max_px={spec.size_px}."
        )
    places = (stored - spec.size_px) // _WHOLE_STEP_PX + 1
    start = context.square[:2] + _WHOLE_STEP_PX * np.floor(np.asarray(share) * places)
    return np.concatenate([start, start + spec.size_px])


def _cut_window(spec: InputSpec, context: ContextCrop, box: NDArray[np.float64]) -> NDArray[np.uint8]:
    chosen = context.image.shape[0] == context.side and (box[2:] - box[:2] == spec.size_px).all()
    left, top = ((box if chosen else window_in(spec, context, box))[:2] - (context.x0, context.y0)).astype(int).tolist()
    if min(left, top) < 0 or max(left, top) + spec.size_px > context.side:
        raise InputError(
            f"cutting a window of {spec.size_px} px of a whole picture: the one at ({left}, {top}) reaches beyond the "
            f"{context.side:.0f} px that are kept of it. Take one from dfworkbench.faces.crops.window_in."
        )
    return context.image[top : top + spec.size_px, left : left + spec.size_px].copy()


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


def _resize_as(spec: InputSpec, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """A region of any shape, stretched to the square that a detector takes."""
    size = (spec.size_px, spec.size_px)
    if spec.interpolation == "auto":
        return _resize(image, spec.size_px)
    if spec.antialias:
        return np.array(Image.fromarray(image).resize(size, Image.Resampling.BILINEAR))
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_LINEAR), dtype=np.uint8)


def _resize(image: NDArray[np.uint8], size: int) -> NDArray[np.uint8]:
    if image.shape[:2] == (size, size):
        return image
    # a small step down hardly differs between the two, and averaging takes four times as long
    method = cv2.INTER_AREA if max(image.shape[:2]) > _SMALL_STEP * size else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(image, (size, size), interpolation=method), dtype=np.uint8)
