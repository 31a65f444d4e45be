"""InputSpec: what a detector must be fed. It is saved with the weights and enforced at inference."""

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, cast

from dfworkbench.core.errors import InputError, ParameterError

#: Fields that are one of a few words.
_CHOICES = {
    "channel_order": ("rgb", "bgr"), "alignment": ("box", "five_points", "whole"), "region": ("square", "sides"),
    "border": ("repeat", "clip"), "fit": ("stretch",), "interpolation": ("auto", "bilinear"),
}  # fmt: skip


@dataclass(frozen=True)
class InputSpec:
    """Everything between a video frame and a detector's first layer.

    Attributes:
        size_px: Height and width of the square input.
        alignment: How a face is cut. "box": a square centred on the face box. "five_points": turned, scaled and moved so that
            eyes, nose and corners of the mouth come to lie as in `faces.alignment`. "whole": no face at all, but a window of
            `size_px` of the picture at its own resolution, for what shows in the finest pixels only; nothing is resized.
        crop_scale: Side of the crop: over the longer side of the face box for "box" (with `region` "sides", each side over
            that side of the box), over that of the authors' canvas for "five_points"; 1 for "whole".
        clip_length: Frames per sample. 1 means images `(B, 3, H, W)`, more means clips `(B, T, 3, H, W)`.
        clip_stride: Distance between the frames of a clip, counted in extracted frames of the track.
        channel_order: "rgb" or "bgr".
        value_range: What 0 and 255 become before mean and std are applied.
        mean: Per channel, in `channel_order`, in units of `value_range`.
        std: Per channel, likewise.
        region: Refines `alignment` "box". "square": the square around the longer side of the box. "sides": each side of the
            box by itself, its edges cut to whole pixels.
        border: Where the region reaches beyond the frame. "repeat": its border pixels are repeated. "clip": the region ends
            there; only with `region` "sides".
        fit: How the region becomes square. "stretch": both sides are resized to `size_px`.
        interpolation: Of the resizing. "auto": area where it shrinks by more than 1.4, else bilinear. "bilinear".
        antialias: Average over the pixels that become one when it shrinks, as Pillow does; needs `interpolation` "bilinear".
        exact: The face boxes must be those of facenet-pytorch's MTCNN itself (`FaceSettings.exact`): scoring looks for faces
            so, and a data set that was extracted otherwise is refused.
    """

    size_px: int = 224
    crop_scale: float = 1.3
    alignment: Literal["box", "five_points", "whole"] = "box"
    clip_length: int = 1
    clip_stride: int = 1
    channel_order: Literal["rgb", "bgr"] = "rgb"
    value_range: tuple[float, float] = (0.0, 1.0)
    mean: tuple[float, float, float] = (0.0, 0.0, 0.0)
    std: tuple[float, float, float] = (1.0, 1.0, 1.0)
    region: Literal["square", "sides"] = "square"
    border: Literal["repeat", "clip"] = "repeat"
    fit: Literal["stretch"] = "stretch"
    interpolation: Literal["auto", "bilinear"] = "auto"
    antialias: bool = False
    exact: bool = False

    def __post_init__(self) -> None:
        if self.size_px < 1 or self.clip_length < 1 or self.clip_stride < 1:
            raise ParameterError(f"sizes, clip length and stride of an InputSpec must be at least 1; got {self}")
        for name, allowed in _CHOICES.items():
            if getattr(self, name) not in allowed:
                words = " or ".join(filter(None, (", ".join(map(repr, allowed[:-1])), repr(allowed[-1]))))
                raise ParameterError(f"{name} must be {words}, not {getattr(self, name)!r}")
        self._require_fitting_choices()
        if self.alignment == "whole" and self.crop_scale != 1:
            raise ParameterError(
                f"crop_scale must be 1 for alignment 'whole', not {self.crop_scale}: a window of a picture is never resized. "
                "Leave out the crop scale, or choose another alignment."
            )
        if self.crop_scale <= 0 or min(self.std) <= 0 or self.value_range[0] >= self.value_range[1]:
            raise ParameterError(f"crop_scale and std must be positive and value_range increasing; got {self}")

    def _require_fitting_choices(self) -> None:
        if self.region == "sides" and self.alignment != "box":
            raise ParameterError(f"region 'sides' is of a face box: alignment must be 'box', not {self.alignment!r}")
        if self.border == "clip" and self.region != "sides":
            raise ParameterError("border 'clip' gives regions that are not square: it needs region='sides'")
        if self.antialias and self.interpolation == "auto":
            raise ParameterError(
                "antialias needs interpolation='bilinear': 'auto' averages by itself where it shrinks by much"
            )

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
        """Raise `InputError` unless a data set that was cut for `other` is what this detector must be fed.

        Args:
            other: The InputSpec that the data set was cut for.
            doing: What is being done, such as "scoring a data set with mesonet4".
        """
        ours, theirs = self.to_dict(), other.to_dict()
        differences = [f"{key} {theirs[key]!r} instead of {ours[key]!r}" for key in ours if ours[key] != theirs[key]]
        if differences:
            raise InputError(
                f"{doing}: it was cut with {', '.join(differences)}. Build the FaceDataset with spec=detector.input_spec."
            )

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "InputSpec":
        """The inverse of `to_dict`; unknown keys are refused, because they would change what the network sees."""
        known = {field.name for field in dataclasses.fields(cls)}
        unknown = set(values) - known
        if unknown:
            raise ParameterError(
                f"an InputSpec has no field {sorted(unknown)}; it was saved by a newer dfworkbench. Known: {sorted(known)}"
            )
        lists_to_tuples: dict[str, Any] = {
            k: tuple(cast("list[float]", v)) if isinstance(v, list) else v for k, v in values.items()
        }
        return cls(**lists_to_tuples)
