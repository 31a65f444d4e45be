"""MesoNet4: four small convolution blocks and a two-layer classifier, 24,089 parameters at 224 px.

Afchar, Nozick, Yamagishi, Echizen: MesoNet: a Compact Facial Video Forgery Detection Network. WIFS 2018, arXiv:1809.00888.

Differences from the paper, as in DeepfakeForensics-v1: convolutions have no bias (a batch norm follows anyway), 224 px
instead of 256, one logit of *fake* instead of a sigmoid of *real*.

Differences from DeepfakeForensics-v1: other sizes than 224 px are possible, because the last map is pooled to 7 x 7 (at
224 px it is 7 x 7 already); crops are squares around the face box that keep the aspect ratio.
"""

from typing import Any

from torch import Tensor, nn

from dfworkbench.core.input_spec import InputSpec
from dfworkbench.models.head import small_head
from dfworkbench.models.options import Alignment, Dropout, SizePx
from dfworkbench.models.prediction import Prediction

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)
KERAS_EPSILON = 1e-3  # Keras's batch norm epsilon (torch: 1e-5); the published weights need it


class MesoNet4Trunk(nn.Sequential):
    """The convolution blocks, without a head: `(B, 3, S, S)` -> `(B, 784)`. 11,512 parameters.

    Args:
        published: As in the authors' Keras code, see `MesoNet4`.
    """

    feature_count = 16 * 7 * 7

    def __init__(self, *, published: bool = False) -> None:
        def block(channels_in: int, channels_out: int, kernel: int, pool: int) -> nn.Sequential:
            return nn.Sequential(
                nn.Conv2d(channels_in, channels_out, kernel, padding=kernel // 2, bias=published),
                nn.ReLU(),
                nn.BatchNorm2d(channels_out, eps=KERAS_EPSILON if published else 1e-5),
                nn.MaxPool2d(pool),
            )

        super().__init__(
            block(3, 8, 3, 2),
            block(8, 8, 5, 2),
            block(8, 16, 5, 2),
            block(16, 16, 5, 4),
            nn.Identity() if published else nn.AdaptiveAvgPool2d(7),  # identity at 224 px
            nn.Flatten(),
        )


class MesoNet4(nn.Module):
    """MesoNet4 as a detector.

    Args:
        size_px: Height and width of the input.
        dropout: Dropout before each of the two linear layers.
        crop_scale: Side of the crop over the longer side of the face box.
        published: As in the authors' Keras code (DariusAf/MesoNet), for their weights: convolutions with bias, Keras's
            batch norm, no pooling to 7 x 7, pictures in 0..1 without mean and std. Published weights are for 256 px.
        alignment: "box", "five_points" or, for generated pictures and with `crop_scale=1.0`, "whole"; see `InputSpec`.
    """

    def __init__(
        self,
        size_px: SizePx = 224,
        dropout: Dropout = 0.5,
        crop_scale: float = 1.3,
        published: bool = False,
        alignment: Alignment = "box",
    ) -> None:
        super().__init__()
        normal: dict[str, Any] = {} if published else {"mean": IMAGENET_MEAN, "std": IMAGENET_STD}
        self.input_spec = InputSpec(size_px=size_px, crop_scale=crop_scale, alignment=alignment, **normal)
        self.trunk = MesoNet4Trunk(published=published)
        self.head = small_head(16 * (size_px // 32) ** 2 if published else MesoNet4Trunk.feature_count, dropout)

    def forward(self, images: Tensor) -> Prediction:
        """Score prepared images, `(B, 3, S, S)` float32."""
        return Prediction(self.head(self.features(images)).squeeze(1))

    def features(self, images: Tensor) -> Tensor:
        """The last convolutional map, flattened: `(B, 784)`."""
        self.input_spec.check(images.shape, "mesonet4")
        return self.trunk(images)
