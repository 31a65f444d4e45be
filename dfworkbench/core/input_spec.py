"""InputSpec: the input that a detector expects, saved with its weights and enforced at inference."""

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, cast

from dfworkbench.core.errors import InputError, ParameterError
from dfworkbench.core.input_checks import require_fitting

_TUPLES = ("value_range", "mean", "std", "margins")


@dataclass(frozen=True)
class InputSpec:
    """Everything between a video frame and a detector's first layer.

    Lists, as read from JSON and TOML, are converted to tuples. Contradictory fields are refused (`core.input_checks`).

    Attributes:
        size_px: Height and width of the square input.
        alignment: What is cut. "box": a region around the face box. "five_points": the face, rotated, scaled and shifted so
            that eyes, nose and mouth corners match those of `faces.alignment`, or `template`. "whole": no face, but a window of
            `size_px` of the picture at its own resolution, for traces that only the finest pixels show; nothing is resized.
            "whole_resized": the whole picture, resized; no faces are searched for.
        crop_scale: Side of the crop, relative to the longer side of the face box for "box" (with `region` "sides", each side
            relative to that side of the box), and to the authors' canvas for "five_points" (1.2 shows 1.2 times as much); 1 for
            whole pictures and with `margins`.
        clip_length: Frames per sample. 1 means images `(B, 3, H, W)`, more means clips `(B, T, 3, H, W)`.
        clip_stride: Distance between the frames of a clip, counted in extracted frames of the track.
        channel_order: "rgb" or "bgr".
        value_range: What 0 and 255 become before mean and std are applied.
        mean: Per channel, in `channel_order`, in units of `value_range`.
        std: Per channel, in the same order and units.
        region: Refines `alignment` "box". "square": the square around the longer side of the box. "sides": each side of the
            box by itself; without `margins`, its edges are cut to whole pixels.
        border: What happens where the region extends beyond the frame. "repeat": border pixels are repeated. "black": filled
            with black. "clip": the region ends there; only with `region` "sides". "shift": a square is moved inside at the left
            and the top, and shortened at the right and the bottom; in whole pixels, see `faces.regions`. A `template` needs
            "black".
        fit: How the region becomes square. "stretch": both sides are resized to `size_px`. "letterbox": the longer side is, and
            the rest is padded with black. "shortest_edge": the shorter side is, and the centre is cropped.
        interpolation: How pixels are resampled. "auto": area when shrinking by more than 1.4, else bilinear. "bilinear",
            "bicubic", "area". "area_down_cubic_up": area when shrinking, bicubic when enlarging. OpenCV's, unless `antialias`
            is set.
        antialias: Use Pillow's resizing, which filters over all source pixels when shrinking; needs `interpolation` "bilinear"
            or "bicubic".
        exact: The face boxes must be those of facenet-pytorch's MTCNN itself (`FaceSettings.exact`): scoring finds faces that
            way, and a data set extracted otherwise is refused.
        margins: What `region` "sides" adds at the left, top, right and bottom, as fractions of `margin_of`; None: use `crop_scale`.
        margin_of: What the margins are fractions of. "own_side": the width of the box at the left and right, its height at the
            top and bottom. "height": the height of the box. "longer_side": the longer side of the box.
        margin_rounding: "floor": the edges of the box and the margins are truncated to whole pixels. "outward": the widened
            edges are truncated, and 1 is added at the right and the bottom. "round": the smallest margin is rounded and the
            others are multiples of it; the widened edges are truncated. "none": no rounding.
        square_after_margins: The region is the square around the longer side of the widened box.
        resize_px: Size to which `fit` resizes before the central `size_px` is cut out. None: `size_px`.
        template: Positions of the five points in the crop, (x, y) as fractions of its side: left and right eye, nose, left and
            right mouth corner, where left means left in the picture. None: CADDM's.
        warp_px: Size of the crop into which the five points are warped. "size": `size_px`. "native": the resolution of the
            face, resized afterwards.
        pad: What "whole" does with a picture smaller than the window. "none": it is refused, and windows start at multiples of
            4 px. "black": it is centred on black; of a larger picture, the window is the exact centre.
    """

    size_px: int = 224
    crop_scale: float = 1.3
    alignment: Literal["box", "five_points", "whole", "whole_resized"] = "box"
    clip_length: int = 1
    clip_stride: int = 1
    channel_order: Literal["rgb", "bgr"] = "rgb"
    value_range: tuple[float, float] = (0.0, 1.0)
    mean: tuple[float, float, float] = (0.0, 0.0, 0.0)
    std: tuple[float, float, float] = (1.0, 1.0, 1.0)
    region: Literal["square", "sides"] = "square"
    border: Literal["repeat", "black", "clip", "shift"] = "repeat"
    fit: Literal["stretch", "letterbox", "shortest_edge"] = "stretch"
    interpolation: Literal["auto", "bilinear", "bicubic", "area", "area_down_cubic_up"] = "auto"
    antialias: bool = False
    exact: bool = False
    margins: tuple[float, float, float, float] | None = None
    margin_of: Literal["own_side", "height", "longer_side"] = "own_side"
    margin_rounding: Literal["floor", "outward", "round", "none"] = "none"
    square_after_margins: bool = False
    resize_px: int | None = None
    template: tuple[tuple[float, float], ...] | None = None
    warp_px: Literal["size", "native"] = "size"
    pad: Literal["none", "black"] = "none"

    def __post_init__(self) -> None:
        for name in _TUPLES:
            if isinstance(getattr(self, name), list):
                object.__setattr__(self, name, tuple(getattr(self, name)))
        if self.template is not None:
            points = cast("Sequence[Sequence[float]]", self.template)
            object.__setattr__(self, "template", tuple(tuple(map(float, point)) for point in points))
        if self.size_px < 1 or self.clip_length < 1 or self.clip_stride < 1:
            raise ParameterError(f"sizes, clip length and stride of an InputSpec must be at least 1; got {self}")
        require_fitting(self)
        if self.crop_scale <= 0 or min(self.std) <= 0 or self.value_range[0] >= self.value_range[1]:
            raise ParameterError(f"crop_scale and std must be positive and value_range increasing; got {self}")

    @property
    def of_faces(self) -> bool:
        """Whether the input is a face crop rather than a whole picture."""
        return self.alignment in ("box", "five_points")

    def sample_shape(self) -> tuple[int, ...]:
        """Shape of one sample: `(3, H, W)`, or `(T, 3, H, W)` for a clip."""
        image = (3, self.size_px, self.size_px)
        return image if self.clip_length == 1 else (self.clip_length, *image)

    def check(self, shape: Sequence[int], detector: str = "this detector") -> None:
        """Raise `InputError` unless `shape` is a batch of `sample_shape()`."""
        expected = self.sample_shape()
        if tuple(shape[1:]) != expected or len(shape) != len(expected) + 1:
            want = ", ".join(map(str, ("B", *expected)))
            raise InputError(
                f"{detector} takes ({want}) {self.channel_order.upper()} images; got {tuple(shape)}. "
                "Cut crops with dfworkbench.faces.cut_for(detector.input_spec, …), which always fit."
            )

    def require_same(self, other: "InputSpec", doing: str) -> None:
        """Raise `InputError` unless a data set cut for `other` fits this detector.

        Args:
            other: The InputSpec that the data set was cut for.
            doing: What is being done, such as "scoring a data set with mesonet4".
        """
        ours, theirs = self.to_dict(), other.to_dict()
        differences = [f"{key} {theirs[key]!r} instead of {ours[key]!r}" for key in ours if ours[key] != theirs[key]]
        if differences:
            raise InputError(
                f"{doing}: it was cut with {', '.join(differences)}. Build the FaceDataset with spec=detector.input_spec: "
                "crops are cut from the stored face tiles when they are read, so nothing is extracted again."
            )

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "InputSpec":
        """Inverse of `to_dict`; unknown keys are refused, because they would change what the network sees."""
        known = {field.name for field in dataclasses.fields(cls)}
        unknown = set(values) - known
        if unknown:
            raise ParameterError(
                f"an InputSpec has no field {sorted(unknown)}; it was saved by a newer dfworkbench. Known: {sorted(known)}"
            )
        return cls(**values)
