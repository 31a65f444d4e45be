"""Settings of self-blended images; defaults are those of the publication (Shiohara and Yamasaki, CVPR 2022)."""

from typing import Self

from pydantic import Field, model_validator

from dfworkbench.core.settings import Settings


class ColourSettings(Settings):
    """Three colour changes, each applied with the same probability."""

    share: float = Field(default=0.3, ge=0, le=1, description="Probability of each of the three changes.")
    rgb_levels: float = Field(
        default=20.0, ge=0, le=128, description="Largest shift of red, green and blue, in levels."
    )
    hsv_levels: float = Field(
        default=0.3,
        ge=0,
        le=90,
        description="Largest shift of hue (of 180 levels), saturation and value (of 256); at 0.3 it is what the conversion "
        "to HSV and back loses.",
    )
    light: float = Field(
        default=0.1, ge=0, le=1, description="Largest change of brightness, as a share of 255, and of contrast."
    )


class MaskSettings(Settings):
    """How the hull of a face becomes the blending mask. Pixels are those of the video frame."""

    elastic_alpha: float = Field(
        default=50.0,
        ge=0,
        le=500,
        description="Strength of the elastic change; it moves an outline by 0.163 alpha / sigma.",
    )
    elastic_sigma: float = Field(default=7.0, ge=1, le=50, description="Smoothness of the elastic change, in pixels.")
    blur_px: tuple[int, int] = Field(
        default=(5, 25), description="Smallest and largest size of both Gaussian filters; odd sizes are drawn."
    )
    ratios: tuple[float, ...] = Field(
        default=(0.25, 0.5, 0.75, 1.0, 1.0, 1.0),
        min_length=1,
        description="Blend ratios, equally likely: the mask is multiplied by one of them.",
    )

    @model_validator(mode="after")
    def _check(self) -> Self:
        low, high = self.blur_px
        if not 1 <= low <= high <= 101:
            raise ValueError(f"blur_px must be two sizes, 1 <= smallest <= largest <= 101, not {self.blur_px}")
        if not all(0 < ratio <= 1 for ratio in self.ratios):
            raise ValueError(f"ratios must be above 0 and at most 1, not {self.ratios}")
        return self


class BlendSettings(Settings):
    """How a self-blended image is made, and how both pictures of a pair are then augmented."""

    colour: ColourSettings = Field(default=ColourSettings(), description="Changes of colour of source or target.")
    mask: MaskSettings = Field(default=MaskSettings(), description="The mask of the blending.")
    shrink: float = Field(
        default=0.5,
        ge=0,
        le=1,
        description="Share of pictures that are scaled down by 2 or 4 and up again; the others are sharpened.",
    )
    shift_x: float = Field(
        default=0.03, ge=0, le=0.2, description="Largest shift of the source, as a share of its width."
    )
    shift_y: float = Field(default=0.015, ge=0, le=0.2, description="The same of its height.")
    scale: float = Field(
        default=0.95, ge=0.5, le=1, description="Smallest scale of the source; the largest is its inverse."
    )
    box_jitter: float = Field(
        default=0.1,
        ge=0,
        le=0.3,
        description="Random crop: how far the face box is moved and scaled, as a share of its side.",
    )
    flip: float = Field(default=0.5, ge=0, le=1, description="Share of pairs mirrored left to right.")
    pair_colour: ColourSettings = Field(
        default=ColourSettings(), description="Changes of colour of both pictures of a pair, the same for both."
    )
    jpeg: float = Field(default=0.5, ge=0, le=1, description="Share of pairs compressed as JPEG.")
    jpeg_quality: tuple[int, int] = Field(default=(40, 100), description="Lowest and highest JPEG quality.")

    @model_validator(mode="after")
    def _check(self) -> Self:
        low, high = self.jpeg_quality
        if not 1 <= low <= high <= 100:
            raise ValueError(
                f"jpeg_quality must be two numbers, 1 <= lowest <= highest <= 100, not {self.jpeg_quality}"
            )
        return self
