"""Settings of the facial swap; the defaults are those of CADDM's released code (Dong et al., CVPR 2023)."""

from typing import Any, Literal

from pydantic import Field, model_validator

from dfworkbench.core.settings import Settings

#: Height and width of the windows of a partial swap, for a face crop of 224 px; each is equally likely.
WINDOWS = ((40, 80), (80, 120), (120, 160), (224, 224))


class CropSettings(Settings):
    """Random changes of an aligned crop in training, the same for the swapped picture and its background."""

    scale: float = Field(default=0.9, gt=0.3, le=1.5, description="Mean size of the face; evaluation uses 0.9.")
    scale_spread: float = Field(
        default=0.1, ge=0, le=0.15, description="Standard deviation of the size, truncated at four."
    )
    translation_px: float = Field(
        default=25.0, ge=0, le=60, description="Largest shift in each direction, in pixels of a 224 px crop."
    )
    rotation_deg: float = Field(
        default=30.0, ge=0, le=180, description="Largest rotation; a cubed random number makes small ones frequent."
    )
    stretch_share: float = Field(
        default=0.2, ge=0, le=1, description="Share of crops stretched, for each of two directions."
    )
    stretch: float = Field(default=0.03, ge=0, le=0.2, description="Largest change of a distance by stretching.")


class QualitySettings(Settings):
    """How often each quality change is applied, in this order."""

    jpeg: float = Field(default=0.3, ge=0, le=1, description="Share compressed as JPEG, quality 15 to 79.")
    min_max: float = Field(default=0.5, ge=0, le=1, description="Share with levels stretched to the full range.")
    slow_noise: float = Field(
        default=0.5, ge=0, le=1, description="Share with grey noise at a quarter of the resolution."
    )
    colour: float = Field(default=0.25, ge=0, le=1, description="Share with changed saturation or brightness (HSV).")
    gamma: float = Field(default=1.0, ge=0, le=1, description="Share with changed gamma, 0.6 to 1.4.")
    motion: float = Field(default=0.3, ge=0, le=1, description="Share with motion blur of 1 to 10 px.")
    blur: float = Field(default=0.3, ge=0, le=1, description="Share with 3 x 3 Gaussian blur.")
    noise: float = Field(default=0.3, ge=0, le=1, description="Share with Gaussian noise, half of it strong.")
    tone: float = Field(default=0.3, ge=0, le=1, description="Share mixed with a random colour, up to 30 %.")
    rescale: float = Field(default=0.25, ge=0, le=1, description="Share scaled down by up to 2 and up again.")


class SwapSettings(Settings):
    """Which swaps are made, and how often. Shares are fractions of the fakes; the remaining fakes stay unchanged."""

    mode: Literal["corrected", "released"] = Field(
        default="corrected",
        description="'released' reproduces the bugs of the released code, for comparison; see the package docstring.",
    )
    halve: float = Field(default=0.3, ge=0, le=1, description="Share of samples at half resolution.")
    genuine_on_fake: float = Field(
        default=0.4, ge=0, le=1, description="Share of fakes with the genuine face pasted onto the fake frame."
    )
    fake_on_genuine: float = Field(
        default=0.2, ge=0, le=1, description="Share of fakes with the fake face pasted onto the genuine frame."
    )
    partial: float = Field(
        default=0.2, ge=0, le=1, description="Share of fakes with one window of the fake pasted onto the genuine frame."
    )
    poisson: float = Field(default=0.5, ge=0, le=1, description="Share of swaps with Poisson blending.")
    elastic: float = Field(default=0.5, ge=0, le=1, description="Share of whole faces whose outline is distorted.")
    elastic_amplitude: tuple[int, int] = Field(
        default=(300, 500), description="Smallest and largest amplitude of the distortion, see `masks.elastic`."
    )
    elastic_sigma: float = Field(
        default=0.08,
        gt=0.005,
        le=0.25,
        description="Smoothness of the distortion, as a fraction of the picture's height.",
    )
    flip: float = Field(default=0.5, ge=0, le=1, description="Share of samples mirrored left to right.")
    crop: CropSettings = Field(default=CropSettings(), description="Changes of the aligned crop.")
    quality: QualitySettings = Field(default=QualitySettings(), description="Changes of picture quality.")

    @model_validator(mode="after")
    def _check(self) -> "SwapSettings":
        if (total := self.genuine_on_fake + self.fake_on_genuine + self.partial) > 1 + 1e-9:
            raise ValueError(
                f"the shares genuine_on_fake, fake_on_genuine and partial add up to {total:g}, more than 1; lower one"
            )
        low, high = self.elastic_amplitude
        if not 0 <= low <= high:
            raise ValueError(f"elastic_amplitude must be two numbers, 0 <= least <= largest, not {(low, high)}")
        return self

    @property
    def released(self) -> bool:
        """Whether the bugs of the released code are reproduced."""
        return self.mode == "released"

    @classmethod
    def weaker(cls, share: float) -> dict[str, Any]:
        """Options of a facial swap with quality changes at this fraction (0..1) of the published rates; for small data sets."""
        published = cls()
        quality = {name: round(value * share, 4) for name, value in published.quality.model_dump().items()}
        return {"halve": round(published.halve * share, 4), "quality": quality}
