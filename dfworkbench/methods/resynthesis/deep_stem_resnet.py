"""ResNet with a deep stem and strides 2, 2, 1, 1: classifies the re-synthesis residuals of "Beyond the Spectrum".

He, Yu, Keuper, Fritz: Beyond the Spectrum: Detecting Deepfakes via Re-Synthesis. IJCAI 2021, arXiv:2105.14376. Names of weights
are those of the authors' code (SSAW14/BeyondtheSpectrum, MIT); none of it is used here.

It is not a standard ResNet: three 3 x 3 convolutions, two of them with stride 2, replace the 7 x 7 one, and the stages have strides
2, 2, 1, 1 instead of 1, 2, 2, 2. ImageNet weights do not fit it, so it starts from random ones.

Differences from the released code: dilation is off by default (all scripts of the authors turn it off); the last feature map, which
is never used, is not returned; there is no `pretrained`, which could not work.
"""

import math
from typing import Literal

import torch
from torch import Tensor, nn

#: Layers with weights.
Depth = Literal[18, 34, 50, 101, 152]
_BLOCKS = {18: (2, 2, 2, 2), 34: (3, 4, 6, 3), 50: (3, 4, 6, 3), 101: (3, 4, 23, 3), 152: (3, 8, 36, 3)}
_WIDTHS, _STRIDES, _DILATIONS = (64, 128, 256, 512), (2, 2, 1, 1), (1, 1, 2, 4)
_STEM = 128


class DeepStemResNet(nn.Module):
    """Two logits for a map of any size: `(B, channels, H, W)` -> `(B, 2)`. 23,635,906 parameters with depth 50 and 3 channels.

    Args:
        depth: Layers with weights: 18, 34, 50, 101 or 152.
        channels: Channels of the input.
        dilated: Dilate the convolutions of the last two stages; sizes stay the same.
    """

    def __init__(self, depth: int = 50, channels: int = 3, dilated: bool = False) -> None:
        super().__init__()
        block = _Basic if depth < 50 else _Bottleneck
        self.conv1 = nn.Sequential(
            _conv3(channels, 64, stride=2), nn.BatchNorm2d(64), nn.ReLU(inplace=True),
            _conv3(64, 64, stride=2), nn.BatchNorm2d(64), nn.ReLU(inplace=True),
            _conv3(64, _STEM),
        )  # fmt: skip
        self.bn1 = nn.BatchNorm2d(_STEM)
        self.relu = nn.ReLU(inplace=True)
        self.maxpool = nn.MaxPool2d(3, stride=2, padding=1)
        before = _STEM
        for number, (width, count) in enumerate(zip(_WIDTHS, _BLOCKS[depth], strict=True)):
            dilation = _DILATIONS[number] if dilated else 1
            layers = []
            for position in range(count):
                first = max(1, dilation // 2) if position == 0 else dilation
                layers.append(block(before, width, _STRIDES[number] if position == 0 else 1, first, dilation))
                before = width * block.expansion
            self.add_module(f"layer{number + 1}", nn.Sequential(*layers))
        self.channels = before
        self.fc = nn.Linear(before, 2)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.normal_(module.weight, 0, math.sqrt(2 / (module.kernel_size[0] ** 2 * module.out_channels)))

    def forward(self, maps: Tensor) -> Tensor:
        """Logits `(B, 2)` in the authors' order: class 0 is fake, class 1 is *real*."""
        return self.fc(self.features(maps))

    def features(self, maps: Tensor) -> Tensor:
        """Global average of the last feature map: `(B, 2048)`, or `(B, 512)` with depth 18 and 34."""
        maps = self.maxpool(self.relu(self.bn1(self.conv1(maps))))
        for number in range(1, 5):
            maps = self.get_submodule(f"layer{number}")(maps)
        return torch.mean(maps, dim=(2, 3))


class _Block(nn.Module):
    """A residual block; the first one of a stage has a projection shortcut."""

    expansion: int

    def __init__(self, before: int, width: int, stride: int) -> None:
        super().__init__()
        after = width * self.expansion
        self.downsample: nn.Module = nn.Identity()
        if stride != 1 or before != after:
            self.downsample = nn.Sequential(
                nn.Conv2d(before, after, 1, stride=stride, bias=False), nn.BatchNorm2d(after)
            )
        self.relu = nn.ReLU(inplace=True)


class _Basic(_Block):
    expansion = 1

    def __init__(self, before: int, width: int, stride: int, dilation: int, stage_dilation: int) -> None:
        super().__init__(before, width, stride)
        self.conv1, self.bn1 = _conv3(before, width, stride, dilation), nn.BatchNorm2d(width)
        self.conv2, self.bn2 = _conv3(width, width, 1, stage_dilation), nn.BatchNorm2d(width)

    def forward(self, maps: Tensor) -> Tensor:
        out = self.relu(self.bn1(self.conv1(maps)))
        return self.relu(self.bn2(self.conv2(out)) + self.downsample(maps))


class _Bottleneck(_Block):
    expansion = 4

    def __init__(self, before: int, width: int, stride: int, dilation: int, stage_dilation: int) -> None:
        super().__init__(before, width, stride)
        after = width * self.expansion
        self.conv1, self.bn1 = nn.Conv2d(before, width, 1, bias=False), nn.BatchNorm2d(width)
        self.conv2, self.bn2 = _conv3(width, width, stride, dilation), nn.BatchNorm2d(width)
        self.conv3, self.bn3 = nn.Conv2d(width, after, 1, bias=False), nn.BatchNorm2d(after)

    def forward(self, maps: Tensor) -> Tensor:
        out = self.relu(self.bn1(self.conv1(maps)))
        out = self.relu(self.bn2(self.conv2(out)))
        return self.relu(self.bn3(self.conv3(out)) + self.downsample(maps))


def _conv3(before: int, after: int, stride: int = 1, dilation: int = 1) -> nn.Conv2d:
    return nn.Conv2d(before, after, 3, stride=stride, padding=dilation, dilation=dilation, bias=False)
