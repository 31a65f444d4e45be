"""RDN: residual dense network for 4x super-resolution, the re-synthesiser of "Beyond the Spectrum".

Zhang et al.: Residual Dense Network for Image Super-Resolution. CVPR 2018, arXiv:1802.08797. In the geometry of He, Yu, Keuper,
Fritz: Beyond the Spectrum: Detecting Deepfakes via Re-Synthesis. IJCAI 2021, arXiv:2105.14376. Names of weights are those of the
authors' code (SSAW14/BeyondtheSpectrum, MIT); none of it is used here.

Differences from the released code: a single option for features and growth, which must be equal there too; small pictures are made
by average pooling, to which the authors' sum over 16 phases is equivalent; dense blocks can be recomputed in the backward pass
instead of stored (`checkpointing`); under autocast the last layer stays in float32.

CPU speed, measured for one block at 64 x 64: 92 ms with PyTorch's layout, 85 ms with channels last, at 80 % of the processor's peak
arithmetic; a buffer of all channels instead of concatenation, and convolving each layer's output once for all later layers, take 5
to 20 % more. With bfloat16 and matrix units (AMX), channels last takes 15.5 ms, the buffer 25. The output of a briefly trained
network is then off by 0.17 grey levels (root mean square), and by 0.28 with the last layer rounded.
"""

from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.checkpoint import checkpoint

from dfworkbench.core.errors import InputError
from dfworkbench.models.options import Positive

#: Super-resolution factor.
Scale = Literal[2, 3, 4]


def box_down(images: Tensor, factor: int = 4) -> Tensor:
    """The mean of each block of `factor` x `factor` pixels: `(B, C, H, W)` -> `(B, C, H / factor, W / factor)`.

    Raises:
        InputError: Height or width is not a multiple of `factor`.
    """
    height, width = images.shape[-2:]
    if height % factor or width % factor:
        raise InputError(
            f"making pictures {factor} times smaller: height and width must be multiples of {factor}; got {height} x {width}. "
            f"Cut them to {height // factor * factor} x {width // factor * factor}; do not resize them."
        )
    return functional.avg_pool2d(images, factor)


class Rdn(nn.Module):
    """22,271,107 parameters in the published geometry; `(B, 3, h, w)` -> `(B, 3, scale h, scale w)`, not clamped.

    One pass over 256 x 256, which makes 1024 x 1024, takes 1.49 * 10^12 multiply-adds. With gradients it keeps 227 kB per small
    pixel in float32, 14.9 GB for this picture; with `checkpointing` 28 kB, 1.8 GB, for 36 % more time (measured at 24 x 24).

    Args:
        scale: Super-resolution factor: 2, 3 or 4.
        features: Channels between the blocks, and added by each dense layer: a block's output is added to its input.
        blocks: Residual dense blocks.
        layers: Dense layers of each block.

    Attributes:
        checkpointing: Recompute each block in the backward pass instead of storing its activations.
    """

    def __init__(self, scale: int = 4, features: Positive = 64, blocks: Positive = 16, layers: Positive = 8) -> None:
        super().__init__()
        self.scale = scale
        self.checkpointing = False
        self.sfe1 = nn.Conv2d(3, features, 3, padding=1)
        self.sfe2 = nn.Conv2d(features, features, 3, padding=1)
        self.rdbs = nn.ModuleList(_DenseBlock(features, layers) for _ in range(blocks))
        self.gff = nn.Sequential(nn.Conv2d(blocks * features, features, 1), nn.Conv2d(features, features, 3, padding=1))
        self.upscale = nn.Sequential(*_upscaling(features, scale))
        self.output = nn.Conv2d(features, 3, 3, padding=1)

    def forward(self, low: Tensor) -> Tensor:
        """The picture enlarged by `scale`."""
        shallow = self.sfe1(low)
        maps, found = self.sfe2(shallow), []
        for block in self.rdbs:
            recompute = self.checkpointing and torch.is_grad_enabled()
            # blocks are deterministic
            maps = checkpoint(block, maps, use_reentrant=False, preserve_rng_state=False) if recompute else block(maps)
            found.append(maps)
        maps = self.upscale(self.gff(torch.cat(found, dim=1)) + shallow)
        with torch.autocast(maps.device.type, enabled=False):  # below 1, bfloat16 has steps of a whole grey level
            return self.output(maps.to(self.output.weight.dtype))


class _DenseLayer(nn.Module):
    """Adds channels to its input."""

    def __init__(self, channels: int, growth: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, growth, 3, padding=1)

    def forward(self, dense: Tensor) -> Tensor:
        return torch.cat([dense, functional.relu(self.conv(dense))], dim=1)


class _DenseBlock(nn.Module):
    """Dense layers, a fusion of all their channels, and the input added."""

    def __init__(self, features: int, layers: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(*(_DenseLayer(features * (number + 1), features) for number in range(layers)))
        self.lff = nn.Conv2d(features * (layers + 1), features, 1)

    def forward(self, maps: Tensor) -> Tensor:
        return maps + self.lff(self.layers(maps))


def _upscaling(features: int, scale: int) -> list[nn.Module]:
    """Up-sample twice by two, or once by two or three."""
    step = 3 if scale == 3 else 2
    once = [nn.Conv2d(features, features * step**2, 3, padding=1), nn.PixelShuffle(step)]
    return once if scale < 4 else [*once, nn.Conv2d(features, features * step**2, 3, padding=1), nn.PixelShuffle(step)]
