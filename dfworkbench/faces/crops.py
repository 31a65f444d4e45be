"""From a face tile to the crop that a detector's InputSpec asks for.

Training and inference both go video frame -> `cut_tile` -> `cut_for`, so they cannot differ. Whole pictures go
`cut_whole` -> `cut_for` and are never resized on their way.
"""

import dataclasses

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray
from PIL import Image

from dfworkbench.core.errors import InputError
from dfworkbench.core.geometry import square_around
from dfworkbench.core.input_spec import InputSpec
from dfworkbench.faces.alignment import AUTHORS_SCALE, align, alignment_matrix
from dfworkbench.faces.face_tile import WHOLE_STEP_PX, FaceTile, resize

CROP = "crop"  # in `TrackedFace.shows` and the column `shows` of the face table
_ROUNDING_PX = 1.5  # a square is rounded to whole pixels when it is cut


def spec_for(spec: InputSpec, shows: str) -> InputSpec:
    """The spec by which a face is cut: of a ready-made crop all is taken, because there is nothing around it to enlarge by."""
    return dataclasses.replace(spec, crop_scale=1.0) if shows == CROP and spec.alignment == "box" else spec


def cut_for(spec: InputSpec, tile: FaceTile, box: ArrayLike, landmarks: ArrayLike | None = None) -> NDArray[np.uint8]:
    """Cut what a detector's InputSpec asks for.

    Args:
        spec: All fields that say where and how to cut are used.
        tile: The face's face tile.
        box: The face box in pixels of the frame, as in the face table. For `alignment` "whole", that of a whole picture,
            which gives the window in its middle, or a window from `window_in`.
        landmarks: `(5, 2)` in pixels of the frame, as in the face table; needed for `alignment` "five_points".

    Returns:
        `(size_px, size_px, 3)` uint8 RGB. Aligned faces are black where they reach beyond the face tile. Windows of whole
        pictures are copies of its pixels.

    Raises:
        InputError: The region reaches beyond the face tile, or landmarks are needed and there are none, or a window of a
            whole picture is asked for and this is a face, or a smaller picture, or the frame's size is needed and not known.
    """
    if spec.alignment == "five_points":
        return _cut_aligned(spec, tile, landmarks)
    if spec.alignment == "whole":
        return _cut_window(spec, tile, np.asarray(box, np.float64))
    region = _sides(spec, tile, box) if spec.region == "sides" else _square(spec, tile, box)
    return np.ascontiguousarray(_resize_as(spec, region))


def _square(spec: InputSpec, tile: FaceTile, box: ArrayLike) -> NDArray[np.uint8]:
    """The pixels of the tile in the square around a box."""
    left, top, length = square_around(box, spec.crop_scale)
    _require_inside(spec, tile, np.array([left, top, left + length, top + length]))
    stored = tile.image.shape[0]
    ratio = stored / tile.side
    side = min(max(round(length * ratio), 1), stored)
    x0 = min(max(round((left - tile.x0) * ratio), 0), stored - side)
    y0 = min(max(round((top - tile.y0) * ratio), 0), stored - side)
    return tile.image[y0 : y0 + side, x0 : x0 + side]


def _sides(spec: InputSpec, tile: FaceTile, box: ArrayLike) -> NDArray[np.uint8]:
    """The pixels of the tile in a box whose sides were widened one by one."""
    x0, y0, x1, y1 = np.asarray(box, np.float64)
    margin = np.array([x1 - x0, y1 - y0]) * (spec.crop_scale - 1) / 2
    edges = np.array([x0, y0, x1, y1]) + np.concatenate([-margin, margin])
    if spec.border == "clip":
        edges = np.clip(edges, 0, np.tile(_known_frame(tile), 2))
    edges = np.trunc(edges)  # towards 0 as the authors' int() does, also left of the frame
    _require_inside(spec, tile, edges)
    place = (edges - np.tile((tile.x0, tile.y0), 2)) * (tile.image.shape[0] / tile.side)
    last = tile.image.shape[0] - 1
    left, top, right, bottom = np.clip(np.rint(place).astype(int) - (0, 0, 1, 1), 0, last).tolist()
    return tile.image[top : max(bottom, top) + 1, left : max(right, left) + 1]


def _known_frame(tile: FaceTile) -> tuple[int, int]:
    if tile.frame_px is None:
        raise InputError(
            "cutting a detector's input: this detector's crops end at the border of the frame, and the frame's size is not "
            "known. Pass a FaceTile with frame_px=(width, height); in a data set, extract again where the video table has none."
        )
    return tile.frame_px


def _require_inside(spec: InputSpec, tile: FaceTile, edges: NDArray[np.float64]) -> None:
    beyond = float(np.concatenate([tile.square[:2] - edges[:2], edges[2:] - tile.square[2:]]).max())
    length = float((edges[2:] - edges[:2]).max())
    if beyond > _ROUNDING_PX or length <= 0:
        longer = length / spec.crop_scale
        raise InputError(
            f"cutting a detector's input: crop_scale {spec.crop_scale} needs {length:.0f} px around a face of {longer:.0f} "
            f"px, {beyond:.0f} px more on one side than the stored face tile of {tile.side:.0f} px holds. Extract "
            f"again with context_scale={max(spec.crop_scale, 2 * spec.crop_scale * tile.side / length / 2):.1f} or more; "
            "of whole pictures there is no more: build the detector with crop_scale=1.0."
        )


def _cut_aligned(spec: InputSpec, tile: FaceTile, landmarks: ArrayLike | None) -> NDArray[np.uint8]:
    if landmarks is None or np.isnan(landmarks).any():
        raise InputError(
            "cutting an aligned face: this detector needs the five landmarks of the face, and there are none. Pass "
            "landmarks=… of shape (5, 2), as they stand in the face table; whole pictures have none: extract faces."
        )
    scale = AUTHORS_SCALE / spec.crop_scale
    matrix = alignment_matrix(tile.from_frame(landmarks), spec.size_px, scale=scale)
    return align(tile.image, matrix, spec.size_px)


def window_in(
    spec: InputSpec, tile: FaceTile, box: ArrayLike, share: tuple[float, float] = (0.5, 0.5)
) -> NDArray[np.float64]:
    """The box of a window of `size_px` in a whole picture, `(4,)` in pixels of the frame, for `cut_for`.

    Args:
        spec: InputSpec of a detector with `alignment` "whole".
        tile: The picture.
        box: As in the face table: the square of the face tile.
        share: How far right and down it lies, from 0 (left, top) to below 1 (right, bottom), every place being as likely
            as any other where it is drawn at random; the middle by default.

    Raises:
        InputError: This is a face, or the picture is too small.
    """
    stored = tile.image.shape[0]
    if stored != tile.side or not np.array_equal(tile.square, np.asarray(box, np.float64)):
        raise InputError(
            "cutting a window of a whole picture: this row of the face table is a face of a picture. Extract the data set with "
            'whole=true, or build the detector with alignment="box".'
        )
    if stored < spec.size_px:
        raise InputError(
            f"cutting a window of {spec.size_px} px of a whole picture: only {stored} x {stored} px are kept of it. Build the "
            f"detector with a smaller size_px; if the picture itself is larger, extract with context_max_px={spec.size_px}."
        )
    places = (stored - spec.size_px) // WHOLE_STEP_PX + 1
    start = tile.square[:2] + WHOLE_STEP_PX * np.floor(np.asarray(share) * places)
    return np.concatenate([start, start + spec.size_px])


def _cut_window(spec: InputSpec, tile: FaceTile, box: NDArray[np.float64]) -> NDArray[np.uint8]:
    chosen = tile.image.shape[0] == tile.side and (box[2:] - box[:2] == spec.size_px).all()
    left, top = ((box if chosen else window_in(spec, tile, box))[:2] - (tile.x0, tile.y0)).astype(int).tolist()
    if min(left, top) < 0 or max(left, top) + spec.size_px > tile.side:
        raise InputError(
            f"cutting a window of {spec.size_px} px of a whole picture: the one at ({left}, {top}) reaches beyond the "
            f"{tile.side:.0f} px that are kept of it. Take one from dfworkbench.faces.crops.window_in."
        )
    return tile.image[top : top + spec.size_px, left : left + spec.size_px].copy()


def _resize_as(spec: InputSpec, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """A region of any shape, stretched to the square that a detector takes."""
    size = (spec.size_px, spec.size_px)
    if spec.interpolation == "auto":
        return resize(image, spec.size_px)
    if spec.antialias:
        return np.array(Image.fromarray(image).resize(size, Image.Resampling.BILINEAR))
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_LINEAR), dtype=np.uint8)
