"""The artifact detection module (ADM) of CADDM: locates forged areas in a face from the feature map of a backbone.

Dong et al., CVPR 2023, arXiv:2210.14457 (see `network`), with heads as in SSD: Liu et al., SSD: Single Shot MultiBox
Detector. ECCV 2016, arXiv:1512.02325. The layers are those of the authors' code (megvii-research/CADDM, Apache-2.0); none of it
is used here.

The 7 x 7 map of the backbone is shrunk to 5, 3 and 1 cells; on each of the four maps a head predicts, for two anchors per cell
(`anchors`), the box of a forged area and whether there is one.
"""

import torch
from torch import Tensor, nn

from dfworkbench.methods.caddm.anchors import ANCHORS_PER_CELL, LEVELS


class ShrinkingBlock(nn.Module):
    """Residual block without padding in its first convolution: `(B, C, H, W)` to `(B, C, H - kernel + 1, W - kernel + 1)`."""

    def __init__(self, channels: int, kernel: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels, kernel)
        self.bn1 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels)
        self.shortcut = nn.Sequential(nn.Conv2d(channels, channels, kernel, bias=False), nn.BatchNorm2d(channels))

    def forward(self, maps: Tensor) -> Tensor:
        """The smaller map, non-negative."""
        main = self.bn2(self.conv2(torch.relu(self.bn1(self.conv1(maps)))))
        return torch.relu(main + self.shortcut(maps))


class LastBlock(nn.Module):
    """Residual block from 3 x 3 cells to one; unlike the others it has no norms."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels, 3)
        self.conv2 = nn.Conv2d(channels, channels, 1)
        self.shortcut = nn.Conv2d(channels, channels, 3)

    def forward(self, maps: Tensor) -> Tensor:
        """`(B, C, 3, 3)` to `(B, C, 1, 1)`, non-negative."""
        return torch.relu(self.conv2(torch.relu(self.conv1(maps))) + self.shortcut(maps))


class ArtifactDetectionModule(nn.Module):
    """Pyramid of four maps and their heads: 84 C² + 360 C + 48 parameters.

    Args:
        channels: C of the backbone's map and of all maps.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.levels = nn.ModuleList([*(ShrinkingBlock(channels, k) for k in (1, 3, 3)), LastBlock(channels)])
        self.box_heads = _heads(channels, 4)
        self.class_heads = _heads(channels, 2)

    def pyramid(self, maps: Tensor) -> list[Tensor]:
        """`(B, C, 7, 7)` to four maps with 7, 5, 3 and 1 cells per side."""
        made: list[Tensor] = []
        for level in self.levels:
            maps = level(maps)
            made.append(maps)
        return made

    def forward(self, maps: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """`(B, C, 7, 7)` to offsets `(B, 168, 4)`, class logits (genuine, forged) `(B, 168, 2)`, and the last map `(B, C)`."""
        pyramid = self.pyramid(maps)
        return _answers(self.box_heads, pyramid, 4), _answers(self.class_heads, pyramid, 2), pyramid[-1].flatten(1)


def _heads(channels: int, numbers: int) -> nn.ModuleList:
    kernels = [3 if level.cells > 1 else 1 for level in LEVELS]
    return nn.ModuleList([nn.Conv2d(channels, ANCHORS_PER_CELL * numbers, k, padding=k // 2) for k in kernels])


def _answers(heads: nn.ModuleList, pyramid: list[Tensor], numbers: int) -> Tensor:
    """Outputs in the order of the prior boxes: level, row, column, anchor."""
    maps = [head(level).permute(0, 2, 3, 1) for head, level in zip(heads, pyramid, strict=True)]
    return torch.cat([cells.reshape(len(cells), -1, numbers) for cells in maps], dim=1)
