"""MesoInception4: MesoNet with two inception blocks of dilated convolutions, 28,615 parameters.

Afchar, Nozick, Yamagishi, Echizen: MesoNet: a Compact Facial Video Forgery Detection Network. WIFS 2018, arXiv:1809.00888,
section 3.2. The authors' code (DariusAf/MesoNet, Apache-2.0) gives the widths, dilations and the slope of the leaky ReLU.

Differences from the authors' code: one logit of *fake* instead of a sigmoid of *real*.
"""

from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor, nn

from dfworkbench.core.input_spec import InputSpec
from dfworkbench.models.head import small_head
from dfworkbench.models.mesonet import KERAS_EPSILON
from dfworkbench.models.options import Dropout
from dfworkbench.models.prediction import Prediction


def _conv(channels_in: int, channels_out: int, kernel: int, dilation: int = 1) -> nn.Sequential:
    padding = dilation * (kernel // 2)
    return nn.Sequential(nn.Conv2d(channels_in, channels_out, kernel, padding=padding, dilation=dilation), nn.ReLU())


class Inception(nn.Module):
    """Four parallel branches: 1x1; 1x1 then 3x3; the same with dilation 2; with dilation 3. Then batch norm and pooling.

    Args:
        channels_in: Channels of the input.
        widths: Output channels of each branch.
    """

    def __init__(self, channels_in: int, widths: tuple[int, int, int, int]) -> None:
        super().__init__()
        a, b, c, d = widths
        self.branches = nn.ModuleList(
            [
                _conv(channels_in, a, 1),
                nn.Sequential(_conv(channels_in, b, 1), _conv(b, b, 3)),
                nn.Sequential(_conv(channels_in, c, 1), _conv(c, c, 3, dilation=2)),
                nn.Sequential(_conv(channels_in, d, 1), _conv(d, d, 3, dilation=3)),
            ]
        )
        self.out = nn.Sequential(nn.BatchNorm2d(sum(widths), eps=KERAS_EPSILON), nn.MaxPool2d(2))

    def forward(self, maps: Tensor) -> Tensor:
        """`(B, channels_in, H, W)` to `(B, sum(widths), H/2, W/2)`."""
        return self.out(torch.cat([branch(maps) for branch in self.branches], dim=1))


class MesoInception4(nn.Module):
    """MesoInception4 as a detector.

    Args:
        size_px: Height and width of the input; a multiple of 32.
        dropout: Dropout before each of the two linear layers.
        crop_scale: Side of the crop over the longer side of the face box.
    """

    def __init__(
        self,
        size_px: Annotated[int, Field(ge=32, multiple_of=32)] = 256,  # its pooling halves the size five times
        dropout: Dropout = 0.5,
        crop_scale: float = 1.3,
    ) -> None:
        super().__init__()
        self.input_spec = InputSpec(size_px=size_px, crop_scale=crop_scale)
        self.trunk = nn.Sequential(
            Inception(3, (1, 4, 4, 2)),
            Inception(11, (2, 4, 4, 2)),
            nn.Sequential(_conv(12, 16, 5), nn.BatchNorm2d(16, eps=KERAS_EPSILON), nn.MaxPool2d(2)),
            nn.Sequential(_conv(16, 16, 5), nn.BatchNorm2d(16, eps=KERAS_EPSILON), nn.MaxPool2d(4)),
            nn.Flatten(),
        )
        self.head = small_head(16 * (size_px // 32) ** 2, dropout)

    def forward(self, images: Tensor) -> Prediction:
        """Score prepared images, `(B, 3, S, S)` float32."""
        return Prediction(self.head(self.features(images)).squeeze(1))

    def features(self, images: Tensor) -> Tensor:
        """The last convolutional map, flattened: `(B, 1024)` at 256 px."""
        self.input_spec.check(images.shape, "mesoinception4")
        return self.trunk(images)
