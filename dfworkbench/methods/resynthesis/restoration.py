"""Degradations of small pictures for training a re-synthesiser: noise, lost colour, lost pixels.

He, Yu, Keuper, Fritz: Beyond the Spectrum: Detecting Deepfakes via Re-Synthesis. IJCAI 2021, arXiv:2105.14376. A re-synthesiser
enlarges a small picture. In pure super-resolution the small picture is clean; in the other tasks noise is added (denoising), or
pixels lose their colour (colourisation) or are removed (completion). The target is always the clean full-size picture.

All functions take small pictures `(B, 3, h, w)`, floats in 0..1, and do not modify them; they draw from `generator`, or from
torch's global random numbers for None. Nothing is clipped to 0..1.

Differences from the released code:
- A new picture is returned; the original changes the small one in place, so that no gradient can pass through it.
- Colourisation removes the colour of a few pixels, as in the code, not of the whole picture, as its name suggests.
- JPEG compression is not a task: in the original it does not affect anything that is trained.
"""

from collections.abc import Collection
from typing import Literal

import torch
from torch import Tensor

Task = Literal["super_resolution", "denoising", "completion", "colourisation"]
#: Degradation of a whole batch in fine-tuning.
BatchTask = Literal["none", "denoising", "colourisation"]

#: Share of samples that each task degrades in pre-training: 1 - sqrt(1/2), rounded as in the original.
SAMPLE_SHARE = 0.2929
#: Share of batches degraded in fine-tuning.
BATCH_SHARE = 0.5
_MOST_NOISE = 10 / 255  # pre-training: standard deviation from 0 to this
_BATCH_NOISE = 4 / 255  # fine-tuning: always this
_SAMPLE_PIXELS = (0.05, 0.15)  # share of the pixels that lose their colour or are removed, in pre-training
_BATCH_PIXELS = (0.10, 0.25)  # and in fine-tuning


def add_noise(low: Tensor, std: Tensor | float, generator: torch.Generator | None = None) -> Tensor:
    """Add normal noise to every value; `std`, in units of 0..1, may be `(B, 1, 1, 1)`."""
    return low + std * torch.randn(low.shape, generator=generator, device=low.device, dtype=low.dtype)


def draw_pixels(low: Tensor, share: Tensor | float, generator: torch.Generator | None = None) -> Tensor:
    """Select each pixel with probability `share`, which may be `(B, 1, 1, 1)`; returns `(B, 1, h, w)` bool."""
    return _uniform((len(low), 1, *low.shape[2:]), (0.0, 1.0), low, generator) < share


def grey_pixels(low: Tensor, pixels: Tensor) -> Tensor:
    """Replace the chosen pixels, `(B, 1, h, w)`, by the plain mean of their channels."""
    return torch.where(pixels, low.mean(dim=1, keepdim=True), low)


def remove_pixels(low: Tensor, pixels: Tensor) -> Tensor:
    """Replace the chosen pixels, `(B, 1, h, w)`, by 0."""
    return low.masked_fill(pixels, 0.0)


def degrade_samples(low: Tensor, tasks: Collection[str], generator: torch.Generator | None = None) -> Tensor:
    """Degrade as in pre-training: each sample by each task with probability 0.2929, with its own strength.

    Args:
        low: The small pictures.
        tasks: Names of `Task`; always applied in the order noise, lost pixels, lost colour.
        generator: Source of random numbers.
    """

    def drawn(bounds: tuple[float, float]) -> Tensor:
        return _uniform((len(low), 1, 1, 1), bounds, low, generator)

    for task in ("denoising", "completion", "colourisation"):
        if task not in tasks:
            continue
        chosen = drawn((0.0, 1.0)) < SAMPLE_SHARE
        if task == "denoising":
            low = torch.where(chosen, add_noise(low, drawn((0.0, _MOST_NOISE)), generator), low)
        else:
            pixels = chosen & draw_pixels(low, drawn(_SAMPLE_PIXELS), generator)
            low = remove_pixels(low, pixels) if task == "completion" else grey_pixels(low, pixels)
    return low


def degrade_batch(low: Tensor, task: BatchTask, generator: torch.Generator | None = None) -> Tensor:
    """Degrade as in fine-tuning: with probability one half the whole batch, all samples equally.

    Denoising adds noise of 4/255; colourisation removes the colour of 10 to 25 % of the pixels.

    Returns:
        New pictures; or `low` itself if the batch is not degraded, so that a caller can save work.
    """
    # the draw for the batch is made on the CPU, unless the generator is elsewhere: nobody has to wait for a GPU
    home = generator.device if generator is not None else torch.device("cpu")
    if task == "none" or float(torch.rand((), generator=generator, device=home)) >= BATCH_SHARE:
        return low
    if task == "denoising":
        return add_noise(low, _BATCH_NOISE, generator)
    share = _uniform((1, 1, 1, 1), _BATCH_PIXELS, low, generator)
    return grey_pixels(low, draw_pixels(low, share, generator))


def _uniform(
    shape: tuple[int, ...], bounds: tuple[float, float], like: Tensor, generator: torch.Generator | None
) -> Tensor:
    least, most = bounds
    return least + (most - least) * torch.rand(shape, generator=generator, device=like.device, dtype=like.dtype)
