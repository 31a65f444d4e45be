"""Detector input from a whole picture: a window at native resolution, or the resized picture.

- `alignment` "whole": pixel copies. Windows begin at multiples of 4 px; with `pad` "black" they begin anywhere, and the central one
  is that of torchvision's `CenterCrop`, which pads a smaller picture with black.
- `alignment` "whole_resized": as torchvision's `Resize` and `CenterCrop` on Pillow pictures. Only the visible part is resized.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from dfworkbench.core.errors import InputError
from dfworkbench.core.input_spec import InputSpec
from dfworkbench.faces.face_tile import WHOLE_STEP_PX, FaceTile, centre_offset
from dfworkbench.faces.resizing import fitted_size, resize_part

_MIDDLE = (0.5, 0.5)


def window_in(
    spec: InputSpec, tile: FaceTile, box: ArrayLike, share: tuple[float, float] = _MIDDLE
) -> NDArray[np.float64]:
    """The box of a window of `size_px` in a whole picture, `(4,)` in pixels of the frame, for `cut_for`.

    Args:
        spec: InputSpec of a detector with `alignment` "whole".
        tile: The picture.
        box: Box from the face table: the square of the face tile.
        share: Position to the right and down, from 0 (left, top) to below 1 (right, bottom); uniform random values give uniform
            positions. The middle by default.

    Raises:
        InputError: This is a face, or the picture is too small.
    """
    stored = tile.image.shape[0]
    if stored != tile.side or not np.array_equal(tile.square, np.asarray(box, np.float64)):
        raise InputError(
            "cutting a window of a whole picture: this row of the face table is a face of a picture. Extract the data set with "
            'whole=true, or build the detector with alignment="box".'
        )
    if spec.pad == "black":
        start = _padded_start(spec, tile, share)
        return np.concatenate([start, start + spec.size_px])
    if stored < spec.size_px:
        raise InputError(
            f"cutting a window of {spec.size_px} px of a whole picture: only {stored} x {stored} px are kept of it. Build the "
            f"detector with a smaller size_px; if the picture itself is larger, extract with context_max_px={spec.size_px}."
        )
    places = (stored - spec.size_px) // WHOLE_STEP_PX + 1
    start = tile.square[:2] + WHOLE_STEP_PX * np.floor(np.asarray(share) * places)
    return np.concatenate([start, start + spec.size_px])


def cut_window(spec: InputSpec, tile: FaceTile, box: NDArray[np.float64]) -> NDArray[np.uint8]:
    """Pixels of a window: `box` from `window_in`, or the square of the tile for the central one."""
    chosen = tile.image.shape[0] == tile.side and (box[2:] - box[:2] == spec.size_px).all()
    box = box if chosen else window_in(spec, tile, box)
    left, top = (box[:2] - (tile.x0, tile.y0)).astype(int).tolist()
    if spec.pad == "black":
        return _cut_padded(spec, tile, box)
    if min(left, top) < 0 or max(left, top) + spec.size_px > tile.side:
        raise InputError(
            f"cutting a window of {spec.size_px} px of a whole picture: the one at ({left}, {top}) reaches beyond the "
            f"{tile.side:.0f} px that are kept of it. Take one from dfworkbench.faces.window_in."
        )
    return tile.image[top : top + spec.size_px, left : left + spec.size_px].copy()


def cut_resized(spec: InputSpec, tile: FaceTile) -> NDArray[np.uint8]:
    """The centre crop of a resized whole picture, `(size_px, size_px, 3)`.

    Raises:
        InputError: Less of the picture is stored than the detector needs, or its size is unknown.
    """
    width, height = tile.known_frame_px
    resized = np.array(fitted_size(spec, width, height))
    start = np.array([centre_offset(length, spec.size_px) for length in resized.tolist()])
    seen = np.concatenate([start, start + spec.size_px]) * np.tile(np.array([width, height]) / resized, 2)
    kept = np.concatenate([np.maximum(tile.square[:2], 0), np.minimum(tile.square[2:], (width, height))])
    missing = float(np.concatenate([kept[:2] - seen[:2], seen[2:] - kept[2:]]).max())
    if missing > WHOLE_STEP_PX:
        part = "all" if spec.fit == "stretch" else "square"
        raise InputError(
            f"resizing a whole picture: the detector sees {missing:.0f} px more on one side than is kept of a picture of {width} "
            f'x {height} px. Extract the data set with whole=true and whole_part="{part}"; scoring files does this automatically.'
        )
    # the part inside the frame, so that a filter ends at its border as in the picture itself
    ratio = tile.image.shape[0] / tile.side
    left, top, right, bottom = np.rint((kept - np.tile((tile.x0, tile.y0), 2)) * ratio).astype(int).tolist()
    image = tile.image[top:bottom, left:right]
    edges = (seen - np.tile(kept[:2], 2)) * ratio
    # a picture stored on a grid of 4 px may lack up to 3 px at its border: they are repeated
    lacks = np.ceil(np.maximum([-edges[0], -edges[1], edges[2] - right + left, edges[3] - bottom + top], 0)).astype(int)
    if lacks.any():
        image = np.pad(image, ((lacks[1], lacks[3]), (lacks[0], lacks[2]), (0, 0)), mode="edge")
    return resize_part(spec, np.ascontiguousarray(image), edges + np.tile(lacks[:2], 2))


def _padded_start(spec: InputSpec, tile: FaceTile, share: tuple[float, float]) -> NDArray[np.float64]:
    """Left and top of a window that may be larger than the picture; if the picture is larger, anywhere in the stored part."""
    start = []
    for length, at, where in zip(tile.known_frame_px, tile.square[:2], share, strict=True):
        first, last = max(at, 0), min(at + tile.side, length) - spec.size_px
        if share == _MIDDLE or last <= first:
            start.append(centre_offset(length, spec.size_px))
        else:
            start.append(first + np.floor(where * (last - first + 1)))
    return np.array(start, np.float64)


def _cut_padded(spec: InputSpec, tile: FaceTile, box: NDArray[np.float64]) -> NDArray[np.uint8]:
    size = spec.size_px
    frame = np.array(tile.known_frame_px)
    seen = np.concatenate([np.maximum(box[:2], 0), np.minimum(box[2:], frame)])  # the rest is black
    beyond = float(np.concatenate([tile.square[:2] - seen[:2], seen[2:] - tile.square[2:]]).max())
    if beyond > 0:
        raise InputError(
            f"cutting a window of {size} px of a whole picture: {beyond:.0f} px on one side were not kept of a picture of "
            f'{frame[0]} x {frame[1]} px. Extract the data set with whole=true, whole_part="centre" and context_max_px='
            f"{size} or more; scoring files does this automatically."
        )
    out = np.zeros((size, size, 3), np.uint8)
    x0, y0, x1, y1 = (seen - np.tile(box[:2], 2)).astype(int).tolist()
    left, top = (seen[:2] - (tile.x0, tile.y0)).astype(int).tolist()
    if x0 < x1 and y0 < y1:
        out[y0:y1, x0:x1] = tile.image[top : top + y1 - y0, left : left + x1 - x0]
    return out
