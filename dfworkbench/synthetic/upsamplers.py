"""Traces of image generators: the finest scales of a render are remade by up-sampling layers.

A generator network enlarges small feature maps in stages of two. Whatever it has learnt, the up-sampling operation leaves a trace
of period two (and four, from the stage before): Odena, Dumoulin and Olah, "Deconvolution and Checkerboard Artifacts", Distill 2016;
Zhang, Karaman and Chang, "Detecting and Simulating Artifacts in GAN Fake Images", WIFS 2019, arXiv:1907.06515; Frank et al.,
"Leveraging Frequency Analysis for Deep Fake Image Recognition", ICML 2020, arXiv:2003.08685. Nothing is trained here. Feature maps
of a quarter of the side go through two stages, each consisting of

1. up-sampling: zeros between the samples, then a separable kernel. Transposed convolution is that by definition; nearest neighbours
   and a convolution, bilinear interpolation and sub-pixel convolution are equivalent, each with its own kernel;
2. structure: what the layers of this resolution draw. It is the render's detail at this scale, passed through a nonlinearity that
   keeps strong detail and drops weak detail, as generators do, with a gain that preserves its energy;
3. noise, as in StyleGAN (Karras, Laine and Aila, CVPR 2019, arXiv:1812.04948): noise maps of the lower resolution, up-sampled by a
   low and a high kernel in each direction, and noise of this resolution in the bands they leave empty.

The balance of energies is computed, not fitted: see `Upsampler.spectrum` and `_draw`. So a generated picture has, on average, as
much energy in every band as a recorded one, and only the phase of a pixel reveals it. `bilinear` is a deliberate exception.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from dfworkbench.core.errors import InputError

Maps = NDArray[np.float32]  #: feature maps `(H, W, C)`

STAGES = 2  #: each doubles the side, so that the smallest maps have a quarter of it
THRESHOLD = 0.012  #: detail weaker than this is lost, 0..1 scale


@dataclass(frozen=True)
class Upsampler:
    """One way of enlarging, given as the kernel applied to samples with zeros between them.

    Even taps of a kernel make one phase of pixels, odd taps the other; each must sum to 1 for flat areas to stay flat.

    Attributes:
        what: Description for users.
        low: Kernel of the picture and of smooth noise.
        high: Kernel of the noise maps that carry the finest detail.
        share: Share of the noise energy that comes from the up-sampled maps, in the band where they have the most, 0..1.
        gains: Gains of the four pixels of each 2 x 2 square, row by row, mean 1: the uneven overlap (or separate channels) of the
            last stage. This is what detectors learn first; the rest is in the noise.
        soften: Side taps of a final 3 x 3 convolution `(soften, 1 - 2 soften, soften)`; 0 for none.
    """

    what: str
    low: tuple[float, ...]
    high: tuple[float, ...]
    share: float
    gains: tuple[float, float, float, float] = (1.0, 1.0, 1.0, 1.0)
    soften: float = 0.0

    def enlarge(
        self, maps: Maps, rows: tuple[float, ...] | None = None, columns: tuple[float, ...] | None = None
    ) -> Maps:
        """Twice the size, `(H, W, C)` -> `(2 H, 2 W, C)`, by the low kernel or by those given for rows and columns."""
        rows, columns = rows or self.low, columns or self.low
        margin = 2  # the kernels extend over the border by less
        padded = np.pad(maps, ((margin, margin), (margin, margin), (0, 0)), "edge")
        spread = np.zeros((2 * padded.shape[0], 2 * padded.shape[1], padded.shape[2]), np.float32)
        spread[::2, ::2] = padded
        # The filter correlates: tap j sees the sample j - anchor places further.
        anchor = (len(columns) // 2, len(rows) // 2)
        made = cv2.sepFilter2D(spread, -1, np.array(columns), np.array(rows), anchor=anchor)
        return np.asarray(made, np.float32).reshape(spread.shape)[2 * margin : -2 * margin, 2 * margin : -2 * margin]

    def pattern(self, side: int) -> Maps:
        """The gains over a map enlarged from this side, `(2 side, 2 side, 1)`."""
        return np.tile(np.array(self.gains, np.float32).reshape(2, 2, 1), (side, side, 1))

    def spectrum(self, size: int) -> tuple[NDArray[np.float32], float]:
        """Mean power of the up-sampled noise at the frequencies of `rfft2`, `(size, size // 2 + 1)`; and its gain.

        White noise has the power 1. Zeros between its samples divide that by 4 and leave it white; the kernels multiply it
        by their squared responses. With the gain (of the amplitude) the largest power is `share`.
        """
        power = np.outer(self._power(np.arange(size) / size), self._power(np.arange(size // 2 + 1) / size)) / 4
        gain = self.share / power.max()
        return (gain * power).astype(np.float32), float(np.sqrt(gain))

    def _power(self, frequency: NDArray[np.float64]) -> NDArray[np.float64]:
        """Squared responses of both kernels, summed; frequencies in cycles per pixel."""
        low, high = (np.exp(-2j * np.pi * np.outer(frequency, np.arange(len(k)))) @ k for k in (self.low, self.high))
        return np.abs(low) ** 2 + np.abs(high) ** 2


#: Generators by name. They differ in their kernels, hence in their traces.
UPSAMPLERS = {
    "transposed": Upsampler(
        "transposed convolution, stride 2, kernel 5: three taps overlap on one phase, two on the other",
        low=(0.32, 0.75, 0.53, 0.25, 0.15), high=(0.32, -0.75, 0.53, -0.25, 0.15), share=0.9, gains=(1.015, 1.0, 1.0, 0.985),
    ),
    "nearest": Upsampler(
        "nearest neighbours, then a 3 x 3 convolution: both pixels of a pair see nearly the same",
        low=(0.16, 0.84, 0.84, 0.16), high=(-0.5, 0.5, 0.5, -0.5), share=0.15,
    ),
    "bilinear": Upsampler(
        "bilinear interpolation, then convolutions that do not make good what it blurs: the spectrum bends at its end",
        low=(0.25, 0.75, 0.75, 0.25), high=(-0.25, -0.25, 0.5, 0.5, -0.25, -0.25), share=0.5, soften=0.02,
    ),
    "pixel_shuffle": Upsampler(
        "sub-pixel convolution: each phase is a channel of its own, and channels are never quite alike",
        low=(0.25, 0.75, 0.75, 0.25), high=(0.0, 0.0, 1.0, 0.0), share=0.9, gains=(1.0075, 0.98875, 1.01125, 0.9925),
    ),
}  # fmt: skip


def generate(
    render: NDArray[np.uint8],
    upsampler: Upsampler,
    rng: np.random.Generator,
    noise: float,
    chroma_noise: float = 0.5,
    sharpen: float = 0.0,
) -> NDArray[np.uint8]:
    """Turn a clean render into a generated picture.

    Args:
        render: uint8 RGB `(S, S, 3)` without noise and sharpening; S a multiple of 4.
        upsampler: The generator.
        rng: Random generator for the noise.
        noise: Standard deviation of the noise in the generator's training pictures, as in `camera.Camera`.
        chroma_noise: Colour noise in them, as in `camera.Camera`.
        sharpen: Their sharpening, part of the last convolution.

    Returns:
        uint8 RGB `(S, S, 3)`.

    Raises:
        InputError: If S cannot be halved twice.
    """
    if render.dtype != np.uint8 or render.shape != (len(render), len(render), 3) or len(render) % 2**STAGES:
        raise InputError(
            f"generating a picture: got a render of {render.dtype} {render.shape}; expected uint8 (S, S, 3) RGB with S a "
            f"multiple of {2**STAGES}. Choose such a size."
        )
    clean = (render / 255).astype(np.float32)
    picture = _draw(clean, upsampler)
    maps = _noise(upsampler, rng, len(clean), 4, STAGES)
    grain = maps[..., :1] * (1 - chroma_noise) + maps[..., 1:] * chroma_noise
    grey = clean @ np.array([0.3, 0.59, 0.11], np.float32)
    picture = picture + np.float32(noise) * grain * (1.4 - 0.8 * grey)[..., None]
    picture = picture + np.float32(0.8 * sharpen) * (picture - cv2.GaussianBlur(picture, (0, 0), len(clean) / 256))
    if upsampler.soften:
        last = np.array([upsampler.soften, 1 - 2 * upsampler.soften, upsampler.soften])
        picture = cv2.sepFilter2D(picture, -1, last, last, borderType=cv2.BORDER_REFLECT_101)
    return np.round(np.clip(picture, 0, 1) * 255).astype(np.uint8)


def _draw(clean: Maps, upsampler: Upsampler, stage: int = STAGES) -> Maps:
    """The picture without noise: the smaller one enlarged, plus the detail that the layers of this size draw."""
    if not stage:
        return clean
    side = len(clean) // 2
    smaller = np.asarray(cv2.resize(clean, (side, side), interpolation=cv2.INTER_AREA), np.float32)
    detail = clean - upsampler.enlarge(smaller)
    enlarged = upsampler.enlarge(_draw(smaller, upsampler, stage - 1))
    # Later layers can compensate for the gains of earlier ones; after the last one nothing follows.
    uneven = enlarged * (upsampler.pattern(side) - 1) if stage == STAGES else np.zeros_like(enlarged)
    energy = detail * detail
    drawn = detail * energy / (energy + np.float32(THRESHOLD) ** 2)
    wanted = max(energy.sum() - np.square(uneven).sum(), 0)  # what gains add is not drawn
    drawn *= np.sqrt((wanted + 1e-12) / (np.square(drawn).sum() + 1e-12))
    return enlarged + uneven + drawn


def _noise(upsampler: Upsampler, rng: np.random.Generator, size: int, channels: int, stage: int) -> Maps:
    """Noise maps `(size, size, channels)` of unit deviation, white on average in their spectrum but not in their phases."""
    white = rng.standard_normal((size, size, channels), dtype=np.float32)
    if not stage:
        return white
    power, gain = upsampler.spectrum(size)
    # The share of each frequency that the up-sampled maps leave is filled with phase-independent noise.
    rest = np.sqrt(1 - power)[..., None]
    maps = np.fft.irfft2(np.fft.rfft2(white, axes=(0, 1)) * rest, (size, size), axes=(0, 1)).astype(np.float32)
    for rows in (upsampler.low, upsampler.high):
        for columns in (upsampler.low, upsampler.high):
            maps += gain * upsampler.enlarge(_noise(upsampler, rng, size // 2, channels, stage - 1), rows, columns)
    return maps
