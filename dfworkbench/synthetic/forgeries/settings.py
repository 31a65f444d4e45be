"""Settings of the forgeries: how strong their traces are."""

from pydantic import Field

from dfworkbench.core.settings import Settings


class ForgerySettings(Settings):
    """Parameters of the five forgeries; the two demo sets use different values."""

    deepfakes_samples: tuple[int, int] = Field(
        default=(44, 60), description="Side of the face that Deepfakes generates, px, from and to"
    )
    faceshifter_samples: tuple[int, int] = Field(
        default=(58, 76), description="Side of the face that FaceShifter generates, px, from and to"
    )
    colour_error: float = Field(
        default=4.0, ge=0, le=40, description="Standard deviation of a swap's colour error, levels of 0..255"
    )
    landmark_tremble: float = Field(
        default=0.006, ge=0, le=0.05, description="FaceSwap's landmark noise, share of the face's height"
    )
    photo_sharpness: float = Field(
        default=1.0,
        ge=0,
        le=1,
        description="How much softer (or, a third as much, sharper) the photograph of FaceSwap is at most",
    )
    photo_quality: tuple[int, int] = Field(
        default=(18, 40), description="JPEG quality of FaceSwap's photograph at the frame's size, from and to"
    )
    expression_gain: float = Field(
        default=1.15, ge=0, le=2, description="How much Face2Face and NeuralTextures exaggerate the donor"
    )
    retexture_blur: tuple[float, float] = Field(
        default=(0.7, 1.15), description="Softness of Face2Face's texture at 256 px frames, px"
    )
    grain: tuple[float, float] = Field(
        default=(0.3, 1.1), description="Share of lost fine detail that is made up for by grain, from and to"
    )
    checkerboard: float = Field(
        default=0.07, ge=0, le=0.5, description="Unevenness of the kernels of NeuralTextures' generator"
    )
