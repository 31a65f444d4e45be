"""Cut the crop that a detector's InputSpec asks for from a stored face tile.

Training and inference share one path, video frame -> `cut_tile` -> `cut_for`, so they cannot differ. Whole pictures: `cut_whole` ->
`cut_for` (`faces.windows`).
"""

import dataclasses

import numpy as np
from numpy.typing import ArrayLike, NDArray

from dfworkbench.core.errors import InputError
from dfworkbench.core.input_spec import InputSpec
from dfworkbench.faces.alignment import align, crop_matrix, native_size
from dfworkbench.faces.face_tile import FaceTile
from dfworkbench.faces.regions import context_scale_for, region_of
from dfworkbench.faces.resizing import fit_square
from dfworkbench.faces.windows import cut_resized, cut_window

CROP = "crop"  # values of `TrackedFace.shows` and of the column `shows` in the face table
_ROUNDING_PX = 1.5  # a square is rounded to whole pixels when it is cut


def spec_for(spec: InputSpec, shows: str) -> InputSpec:
    """The spec to cut a face with: a ready-made crop is used whole, because there is nothing around it to enlarge into."""
    if shows != CROP or spec.alignment != "box":
        return spec
    if spec.margins is not None:
        return dataclasses.replace(spec, margins=(0.0, 0.0, 0.0, 0.0))
    # otherwise a shifted square would end where the shorter side of the crop does
    border = "repeat" if spec.border == "shift" else spec.border
    return dataclasses.replace(spec, crop_scale=1.0, border=border)


def cut_for(spec: InputSpec, tile: FaceTile, box: ArrayLike, landmarks: ArrayLike | None = None) -> NDArray[np.uint8]:
    """Cut what a detector's InputSpec asks for from a face tile.

    Args:
        spec: InputSpec; all fields about where and how to cut are used.
        tile: The face's face tile.
        box: The face box in pixels of the frame, as in the face table. For `alignment` "whole": the box of a whole picture, for its
            central window, or a window from `window_in`.
        landmarks: `(5, 2)` in pixels of the frame, as in the face table; needed for `alignment` "five_points".

    Returns:
        `(size_px, size_px, 3)` uint8 RGB. Aligned faces, and regions shifted into the frame, are black outside the face tile
        (`faces.beyond` says how much). Windows of whole pictures are pixel copies.

    Raises:
        InputError: The region extends beyond the face tile; landmarks or the frame's size are needed but missing; or a whole
            picture is needed and this is a face or a smaller picture.
    """
    if spec.alignment == "five_points":
        return _cut_aligned(spec, tile, landmarks)
    if spec.alignment == "whole":
        return cut_window(spec, tile, np.asarray(box, np.float64))
    if spec.alignment == "whole_resized":
        return cut_resized(spec, tile)
    return np.ascontiguousarray(fit_square(spec, _region(spec, tile, box)))


def _region(spec: InputSpec, tile: FaceTile, box: ArrayLike) -> NDArray[np.uint8]:
    """Pixels of the tile in the region of a box."""
    ends = spec.border in ("clip", "shift")
    edges = region_of(spec, box, tile.known_frame_px) if ends else region_of(spec, box)
    if spec.border == "shift":
        return _with_black(tile, edges)
    if not (ends and tile.outside_frame):  # such a tile shows only the frame's border
        _require_inside(spec, tile, edges)
    image = tile.black_beyond_frame() if spec.border == "black" else tile.image
    if spec.region == "square":
        return _square(tile, image, edges)
    place = (edges - np.tile((tile.x0, tile.y0), 2)) * (image.shape[0] / tile.side)
    last = image.shape[0] - 1
    left, top, right, bottom = np.clip(np.rint(place).astype(int) - (0, 0, 1, 1), 0, last).tolist()
    return image[top : max(bottom, top) + 1, left : max(right, left) + 1]


def _square(tile: FaceTile, image: NDArray[np.uint8], edges: NDArray[np.float64]) -> NDArray[np.uint8]:
    left, top, length = edges[0], edges[1], edges[2] - edges[0]
    stored = image.shape[0]
    ratio = stored / tile.side
    side = min(max(round(length * ratio), 1), stored)
    x0 = min(max(round((left - tile.x0) * ratio), 0), stored - side)
    y0 = min(max(round((top - tile.y0) * ratio), 0), stored - side)
    return image[y0 : y0 + side, x0 : x0 + side]


def _with_black(tile: FaceTile, edges: NDArray[np.float64]) -> NDArray[np.uint8]:
    """A region that may extend beyond the tile, where it is black."""
    stored = tile.image.shape[0]
    place = np.rint((edges - np.tile((tile.x0, tile.y0), 2)) * (stored / tile.side)).astype(int)
    left, top = place[:2].tolist()
    width, height = np.maximum(place[2:] - place[:2], 1).tolist()
    x0, y0, x1, y1 = max(left, 0), max(top, 0), min(left + width, stored), min(top + height, stored)
    if (x0, y0, x1, y1) == (left, top, left + width, top + height):
        return tile.image[y0:y1, x0:x1]
    out = np.zeros((height, width, 3), np.uint8)
    if x0 < x1 and y0 < y1:
        out[y0 - top : y1 - top, x0 - left : x1 - left] = tile.image[y0:y1, x0:x1]
    return out


def _require_inside(spec: InputSpec, tile: FaceTile, edges: NDArray[np.float64]) -> None:
    beyond = float(np.concatenate([tile.square[:2] - edges[:2], edges[2:] - tile.square[2:]]).max())
    length = float((edges[2:] - edges[:2]).max())
    if beyond <= _ROUNDING_PX and length > 0:
        return
    if spec.margins is None:
        asked = (
            f"crop_scale {spec.crop_scale} needs {length:.0f} px around a face of {length / spec.crop_scale:.0f} px, "
        )
        needed = max(spec.crop_scale, 2 * spec.crop_scale * tile.side / length / 2)
    else:
        asked, needed = f"margins {spec.margins} need {length:.0f} px around a face, ", context_scale_for(spec)
    raise InputError(
        f"cutting a detector's input: {asked}{beyond:.0f} px more on one side than the stored face tile of {tile.side:.0f} px "
        f"holds. Extract again with context_scale={needed:.1f} or more; whole pictures have no more: build the detector "
        "with crop_scale=1.0."
    )


def _cut_aligned(spec: InputSpec, tile: FaceTile, landmarks: ArrayLike | None) -> NDArray[np.uint8]:
    if landmarks is None or np.isnan(landmarks).any():
        raise InputError(
            "cutting an aligned face: this detector needs the five landmarks of the face, and there are none. Pass "
            "landmarks=… of shape (5, 2), as in the face table; whole pictures have none: extract faces."
        )
    points = tile.from_frame(landmarks)
    size = native_size(spec, points) if spec.warp_px == "native" else spec.size_px
    image = tile.black_beyond_frame() if spec.border == "black" else tile.image
    crop = align(image, crop_matrix(spec, points, size), size)
    return fit_square(spec, crop) if spec.warp_px == "native" else crop
