"""Validation of an InputSpec: allowed values, and which fields can be combined."""

import math
from typing import TYPE_CHECKING

from dfworkbench.core.errors import ParameterError

if TYPE_CHECKING:
    from dfworkbench.core.input_spec import InputSpec

#: Fields with a fixed set of values.
_CHOICES = {
    "channel_order": ("rgb", "bgr"),
    "alignment": ("box", "five_points", "whole", "whole_resized"),
    "region": ("square", "sides"),
    "border": ("repeat", "black", "clip", "shift"),
    "fit": ("stretch", "letterbox", "shortest_edge"),
    "interpolation": ("auto", "bilinear", "bicubic", "area", "area_down_cubic_up"),
    "margin_of": ("own_side", "height", "longer_side"),
    "margin_rounding": ("floor", "outward", "round", "none"),
    "warp_px": ("size", "native"),
    "pad": ("none", "black"),
}  # fmt: skip
_PILLOW = ("bilinear", "bicubic")


def require_fitting(spec: "InputSpec") -> None:
    """Raise `ParameterError` unless the fields that define the crop can be combined."""
    for name, allowed in _CHOICES.items():
        if getattr(spec, name) not in allowed:
            words = " or ".join(filter(None, (", ".join(map(repr, allowed[:-1])), repr(allowed[-1]))))
            raise ParameterError(f"{name} must be {words}, not {getattr(spec, name)!r}")
    _require_numbers(spec)
    for broken, sentence in (*_of_regions(spec), *_of_resizing(spec), *_of_alignments(spec)):
        if broken:
            raise ParameterError(f"an InputSpec contradicts itself: {sentence}")


def _require_numbers(spec: "InputSpec") -> None:
    if spec.margins is not None and (len(spec.margins) != 4 or not all(0 <= share < 10 for share in spec.margins)):
        raise ParameterError(
            f"margins must be four shares from 0 to below 10, at the left, top, right and bottom; got {spec.margins}"
        )
    points = spec.template
    if points is not None and (
        len(points) != 5
        or any(len(point) != 2 or not all(map(math.isfinite, point)) for point in points)
        or max(math.dist(points[0], point) for point in points) < 1e-3
    ):
        raise ParameterError(f"template must be five (x, y) that differ, as shares of the crop; got {points}")
    if spec.resize_px is not None and spec.resize_px < spec.size_px:
        raise ParameterError(
            f"resize_px must be at least size_px, because the middle is cut out of it; got {spec.resize_px} and {spec.size_px}"
        )


def _of_regions(spec: "InputSpec") -> tuple[tuple[bool, str], ...]:
    widened = spec.margins is not None
    of_margins = spec.margin_of != "own_side" or spec.margin_rounding != "none" or spec.square_after_margins
    return (
        (spec.region == "sides" and spec.alignment != "box",
         f"region 'sides' is of a face box: alignment must be 'box', not {spec.alignment!r}"),
        (widened and spec.region != "sides", "margins widen the sides of a face box: they need region='sides'"),
        (widened and spec.crop_scale != 1, f"margins take the place of crop_scale, which must be 1, not {spec.crop_scale}"),
        (of_margins and not widened, "margin_of, margin_rounding and square_after_margins need margins"),
        (spec.border == "clip" and spec.region != "sides",
         "border 'clip' gives regions that are not square: it needs region='sides'"),
        (spec.border == "shift" and (spec.alignment != "box" or (spec.region == "sides" and not spec.square_after_margins)),
         "border 'shift' moves a square around a face box: it needs region='square', or square_after_margins=True"),
    )  # fmt: skip


def _of_resizing(spec: "InputSpec") -> tuple[tuple[bool, str], ...]:
    resizes = spec.alignment in ("box", "whole_resized") or spec.warp_px == "native"
    return (
        (spec.antialias and spec.interpolation not in _PILLOW,
         "antialias needs interpolation='bilinear' or 'bicubic': 'area', and 'auto' where it shrinks a lot, average already"),
        (spec.resize_px is not None and (spec.fit == "letterbox" or not resizes),
         "resize_px needs something that is resized, and fit='stretch' or 'shortest_edge'"),
        (spec.fit == "letterbox" and spec.alignment != "box", "fit 'letterbox' is of a region: it needs alignment='box'"),
        (spec.fit == "shortest_edge" and not (spec.alignment == "whole_resized" or spec.alignment == "box"),
         "fit 'shortest_edge' needs alignment='whole_resized' or 'box'"),
    )  # fmt: skip


def _of_alignments(spec: "InputSpec") -> tuple[tuple[bool, str], ...]:
    points, whole = spec.alignment == "five_points", not spec.of_faces
    resized = spec.interpolation not in ("auto", "bilinear") or spec.antialias
    return (
        (whole and spec.crop_scale != 1,
         f"crop_scale must be 1 for alignment {spec.alignment!r}, not {spec.crop_scale}: there is nothing around a whole picture. "
         "Set crop_scale=1, or choose another alignment."),
        (whole and spec.border != "repeat", f"border is of faces: alignment {spec.alignment!r} takes pad instead"),
        (spec.alignment == "whole" and (resized or spec.interpolation != "auto"),
         "a window of a picture is never resized: interpolation and antialias need another alignment than 'whole'"),
        (spec.alignment == "whole_resized" and not spec.antialias,
         "alignment 'whole_resized' resizes as Pillow does: it needs antialias=True and interpolation='bilinear' or 'bicubic'"),
        (spec.pad != "none" and spec.alignment != "whole", "pad is of windows of pictures: it needs alignment='whole'"),
        (not points and (spec.template is not None or spec.warp_px != "size"),
         f"template and warp_px are of five points: alignment must be 'five_points', not {spec.alignment!r}"),
        (points and spec.template is None and spec.warp_px != "size", "warp_px 'native' needs a template"),
        (spec.template is not None and spec.border != "black", "a template is black beyond the frame: it needs border='black'"),
        (points and spec.border not in ("repeat", "black"), f"border {spec.border!r} needs alignment='box'"),
        (points and spec.template is not None and spec.warp_px == "size" and resized,
         "five points are brought to their places by a bilinear warp: other interpolation and antialias need warp_px='native'"),
    )  # fmt: skip
