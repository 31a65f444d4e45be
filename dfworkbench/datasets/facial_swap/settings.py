"""Settings of the facial swap; the defaults are those of CADDM's released code (Dong et al., CVPR 2023)."""

from typing import Any, Literal

from pydantic import Field, model_validator

from dfworkbench.core.settings import Settings

#: Height and width of the windows of a partial swap, for a face crop of 224 px; each has the same share of the partial swaps.
WINDOWS = ((40, 80), (80, 120), (120, 160), (224, 224))


class CropSettings(Settings):
    """How an aligned crop is changed while training; the same change for the swapped picture and its background."""

    scale: float = Field(default=0.9, gt=0.3, le=1.5, description="Mean size of the face; 0.9 is that of evaluation.")
    scale_spread: float = Field(default=0.1, ge=0, le=0.15, description="Standard deviation of the size, cut at four.")
    translation_px: float = Field(
        default=25.0, ge=0, le=60, description="Largest shift to every side, in pixels of a crop of 224."
    )
    rotation_deg: float = Field(
        default=30.0, ge=0, le=180, description="Largest rotation; a cubed random number makes small ones frequent."
    )
    stretch_share: float = Field(default=0.2, ge=0, le=1, description="Share of crops stretched, for each of two ways.")
    stretch: float = Field(default=0.03, ge=0, le=0.2, description="Largest change of a distance by stretching.")


class QualitySettings(Settings):
    """How often each change of quality is made; they follow one another in this order."""

    jpeg: float = Field(default=0.3, ge=0, le=1, description="Share compressed as JPEG, quality 15 to 79.")
    min_max: float = Field(default=0.5, ge=0, le=1, description="Share whose levels are spread to the whole range.")
    slow_noise: float = Field(
        default=0.5, ge=0, le=1, description="Share with grey noise of a quarter of the resolution."
    )
    colour: float = Field(default=0.25, ge=0, le=1, description="Share with another saturation or brightness (HSV).")
    gamma: float = Field(default=1.0, ge=0, le=1, description="Share with another gamma, 0.6 to 1.4.")
    motion: float = Field(default=0.3, ge=0, le=1, description="Share with motion blur of 1 to 10 px.")
    blur: float = Field(default=0.3, ge=0, le=1, description="Share with a Gaussian blur of 3 x 3 pixels.")
    noise: float = Field(default=0.3, ge=0, le=1, description="Share with Gaussian noise, half of it strong.")
    tone: float = Field(default=0.3, ge=0, le=1, description="Share mixed with a random colour, up to 30 %.")
    rescale: float = Field(default=0.25, ge=0, le=1, description="Share scaled down by up to 2 and up again.")


class SwapSettings(Settings):
    """What is swapped how often. Shares of swaps are shares of the fakes; what is left of them stays as it is."""

    mode: Literal["corrected", "released"] = Field(
        default="corrected",
        description="'released' repeats the slips of the released code, to compare with it; see the package.",
    )
    halve: float = Field(default=0.3, ge=0, le=1, description="Share of samples of half the resolution.")
    genuine_on_fake: float = Field(
        default=0.4, ge=0, le=1, description="Share of fakes with the genuine face laid over the fake frame."
    )
    fake_on_genuine: float = Field(
        default=0.2, ge=0, le=1, description="Share of fakes with the fake face laid over the genuine frame."
    )
    partial: float = Field(
        default=0.2, ge=0, le=1, description="Share of fakes with one window of the fake laid over the genuine frame."
    )
    poisson: float = Field(default=0.5, ge=0, le=1, description="Share of swaps blended by Poisson's equation.")
    elastic: float = Field(default=0.5, ge=0, le=1, description="Share of whole faces whose outline is distorted.")
    elastic_amplitude: tuple[int, int] = Field(
        default=(300, 500), description="Least and largest amplitude of the distortion, see `masks.elastic`."
    )
    elastic_sigma: float = Field(
        default=0.08, gt=0.005, le=0.25, description="Smoothness of the distortion, as a share of the picture's height."
    )
    flip: float = Field(default=0.5, ge=0, le=1, description="Share of samples mirrored left to right.")
    crop: CropSettings = Field(default=CropSettings(), description="How the aligned crop is changed.")
    quality: QualitySettings = Field(default=QualitySettings(), description="How the quality is changed.")

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
        """Whether the slips of the released code are repeated."""
        return self.mode == "released"

    @classmethod
    def weaker(cls, share: float) -> dict[str, Any]:
        """Options of a facial swap whose crops lose quality in this share (0..1) of the published cases; for small data sets."""
        published = cls()
        quality = {name: round(value * share, 4) for name, value in published.quality.model_dump().items()}
        return {"halve": round(published.halve * share, 4), "quality": quality}
