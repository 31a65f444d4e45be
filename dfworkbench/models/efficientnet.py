"""EfficientNet b0 to b7 with a small classifier.

Tan, Le: EfficientNet: Rethinking Model Scaling for Convolutional Neural Networks. ICML 2019, arXiv:1905.11946.
The backbone is the package efficientnet-pytorch (Apache-2.0), whose padding equals TensorFlow's.

Differences from the paper: 224 px input for every variant, and a classifier C -> 16 -> 1, as in DeepfakeForensics-v1.

Differences from DeepfakeForensics-v1: dropout stands once before the first linear layer (the original applies it twice in a
row); padding is computed for the actual input size (the original computes it for the native size, which is the same at 224);
ImageNet weights can be loaded (the original always starts from random ones).
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from dfworkbench.core.input_spec import InputSpec
from dfworkbench.models.head import small_head
from dfworkbench.models.mesonet import IMAGENET_MEAN, IMAGENET_STD
from dfworkbench.models.options import Dropout, FaceAlignment, SizePx
from dfworkbench.models.prediction import Prediction


class EfficientNetTrunk(nn.Module):
    """The convolutions of an EfficientNet without its classifier: `(B, 3, S, S)` -> `(B, C, S/32, S/32)`."""

    def __init__(self, variant: str, size_px: int, weights: str = "") -> None:
        super().__init__()
        from efficientnet_pytorch import EfficientNet

        self.net = EfficientNet.from_name(f"efficientnet-{variant}", image_size=size_px, include_top=False)
        self.channels: int = self.net._conv_head.out_channels
        if weights:
            from dfworkbench.models.pretrained import load_imagenet

            load_imagenet(self.net, f"efficientnet_{variant}", weights)

    def forward(self, images: Tensor) -> Tensor:
        """The last feature map."""
        return self.net.extract_features(images)


class EfficientNet(nn.Module):
    """EfficientNet as a detector: 4,028,061 parameters for b0, 10,720,841 for b3, 63,827,953 for b7.

    b3 is the image detector of DeepfakeForensics-v1.

    Args:
        variant: "b0" to "b7".
        size_px: Height and width of the input.
        dropout: Dropout before each of the two linear layers.
        crop_scale: Side of the crop over the longer side of the face box, or, with `alignment="five_points"`, over that of
            the canvas of CADDM's authors: 1.0 there is exactly what the CADDM detectors are fed.
        weights: "" for random weights, "imagenet" for the published ones, or the path of a file with them.
        alignment: "box" or "five_points", see `InputSpec`.
        unit_features: L2-normalise the features before the classifier
            (Yermakov et al., WACV 2026).
    """

    def __init__(
        self,
        variant: str,
        size_px: SizePx = 224,
        dropout: Dropout = 0.5,
        crop_scale: float = 1.3,
        weights: str = "",
        alignment: FaceAlignment = "box",
        unit_features: bool = False,
    ) -> None:
        super().__init__()
        self.unit_features = unit_features
        self.input_spec = InputSpec(
            size_px=size_px, crop_scale=crop_scale, alignment=alignment, mean=IMAGENET_MEAN, std=IMAGENET_STD
        )
        self.name = f"efficientnet_{variant}"
        self.trunk = EfficientNetTrunk(variant, size_px, weights)
        self.head = small_head(self.trunk.channels, dropout)

    def forward(self, images: Tensor) -> Prediction:
        """Score prepared images, `(B, 3, S, S)` float32."""
        features = self.features(images)
        return Prediction(self.head(functional.normalize(features) if self.unit_features else features).squeeze(1))

    def features(self, images: Tensor) -> Tensor:
        """Global average of the last feature map: `(B, C)`, C = 1280 for b0, 1536 for b3."""
        self.input_spec.check(images.shape, self.name)
        return torch.mean(self.trunk(images), dim=(2, 3))
