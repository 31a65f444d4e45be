"""Resize a region of a picture to a detector's square input: stretch, letterbox or shortest edge, by OpenCV or Pillow.

If `antialias` is set, Pillow resizes, because the published releases that set it were trained with Pillow, or with torchvision or
timm on Pillow pictures; otherwise OpenCV does, whose bilinear and bicubic interpolation do not average when shrinking.
"""

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from dfworkbench.core.input_spec import InputSpec
from dfworkbench.faces.face_tile import centre_offset, resize

Pixels = NDArray[np.uint8]
_PILLOW = {"bilinear": Image.Resampling.BILINEAR, "bicubic": Image.Resampling.BICUBIC}
_OPENCV = {"bilinear": cv2.INTER_LINEAR, "bicubic": cv2.INTER_CUBIC, "area": cv2.INTER_AREA}
_SMALL_STEP = 1.4  # as in `face_tile.resize`


def fit_square(spec: InputSpec, region: Pixels) -> Pixels:
    """Fit a region `(h, w, 3)` into a detector's `(size_px, size_px, 3)`, by `fit`, `resize_px` and `interpolation`."""
    height, width = region.shape[:2]
    columns, rows = fitted_size(spec, width, height)
    image = _resized(spec, region, columns, rows)
    if spec.fit == "letterbox":
        canvas = np.zeros((spec.size_px, spec.size_px, 3), np.uint8)
        left, top = (spec.size_px - columns) // 2, (spec.size_px - rows) // 2
        canvas[top : top + rows, left : left + columns] = image
        return canvas
    left, top = centre_offset(columns, spec.size_px), centre_offset(rows, spec.size_px)
    return np.ascontiguousarray(image[top : top + spec.size_px, left : left + spec.size_px])


def fitted_size(spec: InputSpec, width: float, height: float) -> tuple[int, int]:
    """Width and height to which a region is resized before the centre crop, in pixels."""
    size = spec.resize_px or spec.size_px
    if spec.fit == "stretch":
        return size, size
    # the other side is truncated to whole pixels, as by torchvision's Resize and the authors' letterbox
    one = min(width, height) if spec.fit == "shortest_edge" else max(width, height)
    columns, rows = (size if side == one else max(int(size * side / one), 1) for side in (width, height))
    return columns, rows


def resize_part(spec: InputSpec, image: Pixels, edges: NDArray[np.float64]) -> Pixels:
    """A part of a picture at `size_px`, as if cut from the whole picture after resizing; by Pillow.

    Args:
        spec: `interpolation` selects the filter, "bilinear" or "bicubic".
        image: `(h, w, 3)`.
        edges: `(4,)` left, top, right and bottom of the part in (fractional) pixels of the picture.
    """
    size = (spec.size_px, spec.size_px)
    box = tuple(edges.tolist())
    return np.array(Image.fromarray(image).resize(size, _PILLOW[spec.interpolation], box=box))


def _resized(spec: InputSpec, image: Pixels, columns: int, rows: int) -> Pixels:
    if spec.antialias:
        return np.array(Image.fromarray(image).resize((columns, rows), _PILLOW[spec.interpolation]))
    if spec.interpolation == "auto" and columns == rows:
        return resize(image, columns)
    method = _OPENCV.get(spec.interpolation)
    if method is None:
        height, width = image.shape[:2]
        by = max(height / rows, width / columns)
        if spec.interpolation == "auto":
            method = cv2.INTER_AREA if by > _SMALL_STEP else cv2.INTER_LINEAR
        else:
            method = cv2.INTER_AREA if by >= 1 else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(image, (columns, rows), interpolation=method), dtype=np.uint8)
