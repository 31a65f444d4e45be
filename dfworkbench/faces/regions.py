"""Region of a frame that an InputSpec asks for around a face box: margins, rounding to pixels, and behaviour at the border.

The rules are those of published releases, so that a detector gets the input its authors used:

- margins and `margin_rounding`: "floor" as the first place of the DFDC challenge (selimsef), "outward" as Self-Blended Images
  (Shiohara and Yamasaki, CVPR 2022), "round" as Bonettini et al. (ICPR 2020, `icpr2020dfdc`).
- `border` "shift" of a plain square as FaceForensics++ (Rössler et al., ICCV 2019) and others who reuse its function: box, side and
  centre in whole pixels, moved inside at the left and the top; the side is limited by the right or lower border, whichever comes
  first, so the region stays a square. After margins, as Bonettini et al.: each side is limited separately.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from dfworkbench.core.geometry import square_around
from dfworkbench.core.input_spec import InputSpec

MOST_CONTEXT = 4.0  #: the bound of `FaceSettings.context_scale`
Edges = NDArray[np.float64]  # (4,) x0, y0, x1, y1 in pixels of the frame
_ENDLESS = (np.inf, np.inf)
_ALMOST = 1e-9  # a third of 90 is 30, whatever floating point makes of it
_TURNED_CONTEXT = 2.5  # contains a five-point crop of 1.6 box heights rotated by 45 degrees
_WHOLE_PIXELS = 0.2  # of a face: what rounding edges to whole pixels may add
_INSIDE = 0.4  # twice the fifth of a face by which its centre is inside the frame


def region_of(spec: InputSpec, box: ArrayLike, frame_px: tuple[float, float] = _ENDLESS) -> Edges:
    """The region of a frame that is cut for a face box, `(4,)` x0, y0, x1, y1 in pixels of the frame.

    It may extend beyond the frame, unless `border` is "clip" or "shift"; then it has at least one pixel, and lies at the border if
    the box is outside.

    Args:
        spec: An InputSpec with `alignment` "box".
        box: x0, y0, x1, y1 in pixels of the frame.
        frame_px: Width and height of the frame; used for `border` "clip" and "shift".
    """
    box, ends = np.asarray(box, np.float64), spec.border in ("clip", "shift")
    frame = np.array(frame_px, np.float64)
    if spec.region == "square":
        return _shifted_square(spec, box, frame) if spec.border == "shift" else _square(box, spec.crop_scale)
    edges = _widened(spec, box)
    if ends:
        edges = _clipped(edges, frame)
    if spec.margin_rounding != "none" or spec.margins is None:
        edges = np.trunc(edges)  # towards 0, like int(), also left of the frame
    if spec.square_after_margins:
        edges = _squared(spec, edges, frame)
    return _at_least_a_pixel(edges, frame) if ends else edges


def context_scale_for(spec: InputSpec) -> float:
    """The smallest `context_scale` of a face tile that contains the regions of a spec.

    For a `template`, this holds for faces rotated by up to 45 degrees. For `border` "shift", which moves a square by up to half its
    side, it holds for faces whose centre is inside the frame by a fifth of their size. What lies beyond is counted
    (`faces.beyond`).
    """
    if not spec.of_faces:
        return 1.0
    if spec.template is not None:
        return min(_TURNED_CONTEXT * spec.crop_scale, MOST_CONTEXT)
    scale, off_centre = spec.crop_scale, 0.0
    if spec.margins is not None:
        left, top, right, bottom = spec.margins
        scale = 1 + 2 * max(spec.margins)
        if spec.square_after_margins:
            scale = 1 + max(left + right, top + bottom)
            off_centre = max(abs(left - right), abs(top - bottom))
        off_centre += _WHOLE_PIXELS
    return min(off_centre + 2 * scale - _INSIDE, MOST_CONTEXT) if spec.border == "shift" else off_centre + scale


def needs_frame_pixels(spec: InputSpec) -> bool:
    """Whether a detector should be cut from the frame's original pixels, because its authors resized those themselves.

    Specs from before 2026-12 without `exact` are excluded: they are still scored as they were then.
    """
    cut = spec.margins is not None or spec.template is not None or spec.border in ("black", "shift")
    resized = spec.fit != "stretch" or spec.resize_px is not None or spec.interpolation not in ("auto", "bilinear")
    return cut or resized or spec.alignment == "whole_resized"


def _square(box: Edges, scale: float) -> Edges:
    left, top, side = square_around(box, scale)
    return np.array([left, top, left + side, top + side])


def _widened(spec: InputSpec, box: Edges) -> Edges:
    """A box after widening each side; not clipped yet, and in whole pixels only if a rule says so."""
    if spec.margins is None:
        margin = (box[2:] - box[:2]) * (spec.crop_scale - 1) / 2
        return box + np.concatenate([-margin, margin])
    box = np.trunc(box) if spec.margin_rounding == "floor" else box
    size = box[2:] - box[:2]
    of = {"own_side": np.tile(size, 2), "height": size[1], "longer_side": size.max()}[spec.margin_of]
    margin = np.array(spec.margins) * of
    if spec.margin_rounding == "floor":
        margin = np.floor(margin + _ALMOST)
    elif spec.margin_rounding == "round":
        # the authors round one margin, and double it for the one above: 0.2 of 127 px is 25, and 0.4 is 50
        least = min(filter(None, spec.margins), default=1.0)
        margin = np.rint(np.rint(least * of) * np.array(spec.margins) / least)
    edges = box + margin * (-1, -1, 1, 1)
    return np.add(np.trunc(edges), (0, 0, 1, 1)) if spec.margin_rounding == "outward" else edges


def _squared(spec: InputSpec, edges: Edges, frame: NDArray[np.float64]) -> Edges:
    """The square around the longer side of a widened box, limited by the border."""
    side, centre = float((edges[2:] - edges[:2]).max()), (edges[2:] + edges[:2]) / 2
    start = centre - side / 2
    if spec.margin_rounding != "none" or spec.border == "shift":
        # the authors divide twice, which loses a pixel for 6 % of all sides, such as 200 at size_px 224
        side = float(np.trunc(spec.size_px / (spec.size_px / max(side, 1))))
        start = np.floor(centre) - side // 2
    if spec.border == "shift":
        start = np.maximum(start, 0)
    square = np.concatenate([start, start + side])
    return _clipped(square, frame) if spec.border in ("clip", "shift") else square


def _shifted_square(spec: InputSpec, box: Edges, frame: NDArray[np.float64]) -> Edges:
    box = np.trunc(box)
    side = max(np.trunc(spec.crop_scale * (box[2:] - box[:2]).max()), 1)
    start = np.floor((box[:2] + box[2:]) / 2) - side // 2
    start = np.clip(start, 0, frame - 1)
    return np.concatenate([start, start + np.minimum(side, (frame - start).min())])


def _clipped(edges: Edges, frame: NDArray[np.float64]) -> Edges:
    return np.clip(edges, 0, np.tile(frame, 2))


def _at_least_a_pixel(edges: Edges, frame: NDArray[np.float64]) -> Edges:
    start = np.minimum(edges[:2], frame - 1)
    return np.concatenate([start, np.maximum(edges[2:], start + 1)])
