"""MobileNetV1 without its classifier.

Howard, Zhu, Chen, Kalenichenko, Wang, Weyand, Andreetto, Adam: MobileNets: Efficient Convolutional Neural Networks for Mobile
Vision Applications. arXiv:1704.04861.

Differences from the paper: full width only; no 1000-way head; any picture size from 32 px.
"""

from torch import Tensor, nn

#: Channels and stride of the depthwise separable blocks.
_BLOCKS = ((64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2), *[(512, 1)] * 5, (1024, 2), (1024, 1))
_STEM = 32


class MobileNetV1Trunk(nn.Module):
    """The convolutions: `(B, 3, S, S)` -> `(B, 1024, S/32, S/32)`, S/32 rounded up; 3,206,976 parameters."""

    channels = 1024

    def __init__(self) -> None:
        super().__init__()
        layers = [nn.Sequential(*_convolution(3, _STEM, 3, stride=2))]
        width = _STEM
        for out, stride in _BLOCKS:
            depthwise = _convolution(width, width, 3, stride=stride, groups=width)
            layers.append(nn.Sequential(*depthwise, *_convolution(width, out, 1)))
            width = out
        self.model = nn.Sequential(*layers)

    def forward(self, images: Tensor) -> Tensor:
        """The last feature map."""
        return self.model(images)


def _convolution(inputs: int, outputs: int, side: int, *, stride: int = 1, groups: int = 1) -> list[nn.Module]:
    layer = nn.Conv2d(inputs, outputs, side, stride, padding=side // 2, groups=groups, bias=False)
    return [layer, nn.BatchNorm2d(outputs), nn.ReLU(inplace=True)]
