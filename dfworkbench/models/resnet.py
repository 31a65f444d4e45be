"""ResNet-18 and ResNet-34 with one linear layer on top.

He, Zhang, Ren, Sun: Deep Residual Learning for Image Recognition. CVPR 2016, arXiv:1512.03385.
The backbone is torchvision's (BSD-3-Clause).

Differences from the paper: one logit of *fake*, or two of real and fake, instead of 1000 classes.
"""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torchvision import models

from dfworkbench.core.input_spec import InputSpec
from dfworkbench.models.mesonet import IMAGENET_MEAN, IMAGENET_STD
from dfworkbench.models.options import Alignment, SizePx, Stages
from dfworkbench.models.prediction import Prediction

_BUILDERS = {18: models.resnet18, 34: models.resnet34}


class ResNetTrunk(nn.Module):
    """The convolutions of a ResNet without its classifier: `(B, 3, S, S)` -> `(B, 512, S/32, S/32)`, S/32 rounded up.

    Args:
        depth: Layers with weights, 18 or 34.
        weights: "" for random weights, "imagenet" for the published ones, or the path of a file with them.
        stages: How many of the four stages are kept. Three give `(B, 256, S/16, S/16)`: as many cells from a picture of half the
            size, at a fifth of the cost.
    """

    def __init__(self, depth: int, weights: str = "", stages: int = 4) -> None:
        super().__init__()
        self.channels = 2 ** (5 + stages)
        self.net = _BUILDERS[depth]()
        self.net.fc = nn.Identity()  # pyright: ignore[reportAttributeAccessIssue]
        for number in range(stages + 1, 5):
            setattr(self.net, f"layer{number}", nn.Sequential())
        if weights:
            from dfworkbench.models.pretrained import load_imagenet

            load_imagenet(self.net, f"resnet{depth}", weights)

    def forward(self, images: Tensor) -> Tensor:
        """The last feature map."""
        net = self.net
        maps = net.maxpool(net.relu(net.bn1(net.conv1(images))))
        return net.layer4(net.layer3(net.layer2(net.layer1(maps))))

    def pooled(self, images: Tensor) -> Tensor:
        """Global average of the last feature map, `(B, channels)`."""
        return torch.mean(self(images), dim=(2, 3))


def resnet_input(size_px: int, *, crop_scale: float, alignment: Alignment, authors_input: bool) -> InputSpec:
    """Input of a ResNet: ImageNet-normalised RGB, or BGR in 0..255, as many authors of deepfake papers feed it."""
    look: dict[str, Any] = {"mean": IMAGENET_MEAN, "std": IMAGENET_STD}
    if authors_input:
        look = {"channel_order": "bgr", "value_range": (0.0, 255.0)}
    return InputSpec(size_px=size_px, crop_scale=crop_scale, alignment=alignment, **look)


class ResNet(nn.Module):
    """ResNet as a detector: 11,177,025 parameters with 18 layers, 21,285,185 with 34.

    Args:
        depth: Layers with weights, 18 or 34.
        size_px: Height and width of the input.
        crop_scale: Side of the crop over the longer side of the face box, or, with `alignment="five_points"`, over that of
            the canvas of CADDM's authors: 1.0 there is exactly what the CADDM detectors are fed.
        alignment: "box", "five_points" or, for generated pictures and with `crop_scale=1.0`, "whole"; see `InputSpec`.
        authors_input: Feed BGR in 0..255, as published weights of deepfake papers expect, instead of RGB normalised with ImageNet's
            mean and std.
        two_logits: Output two logits, for real and fake, as most papers do. `Prediction.logit` is their difference;
            `aux["class_logits"]`, `(B, 2)`, holds both, for studies that explain one of them.
        weights: "" for random weights, "imagenet" for the published ones, or the path of a file with them.
        unit_features: L2-normalise the features before the linear layer
            (Yermakov et al., WACV 2026).
        stages: How many of the four stages are kept, see `ResNetTrunk`.
    """

    def __init__(
        self,
        depth: int,
        size_px: SizePx = 224,
        crop_scale: float = 1.3,
        alignment: Alignment = "box",
        authors_input: bool = False,
        two_logits: bool = False,
        weights: str = "",
        unit_features: bool = False,
        stages: Stages = 4,
    ) -> None:
        super().__init__()
        self.unit_features = unit_features
        self.name = f"resnet{depth}"
        self.input_spec = resnet_input(size_px, crop_scale=crop_scale, alignment=alignment, authors_input=authors_input)
        self.trunk = ResNetTrunk(depth, weights, stages)
        self.head = nn.Linear(self.trunk.channels, 2 if two_logits else 1)

    def forward(self, images: Tensor) -> Prediction:
        """Score prepared images, `(B, 3, S, S)` float32."""
        features = self.features(images)
        logits = self.head(functional.normalize(features) if self.unit_features else features)
        if self.head.out_features == 1:
            return Prediction(logits.squeeze(1))
        return Prediction(logits[:, 1] - logits[:, 0], {"class_logits": logits})

    def features(self, images: Tensor) -> Tensor:
        """Global average of the last feature map: `(B, 512)`, or `(B, 256)` with three stages."""
        self.input_spec.check(images.shape, self.name)
        return self.trunk.pooled(images)
