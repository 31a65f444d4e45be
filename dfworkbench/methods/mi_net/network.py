"""MI_Net detector: several networks that learn different clues from the same face, and a layer that fuses them.

Ba, Liu, Liu, Wu, Lin, Lu, Ren: Exposing the Deception: Uncovering More Forgery Clues for Deepfake Detection. AAAI 2024,
arXiv:2403.01786. The layers are those of the authors' code (QingyuLiu/Exposing-the-Deception); none of it is used here.

Each of n blocks ("local information blocks") is a separate network that encodes the whole face; only the loss makes it local
(`training`). A small perceptron fuses the n feature vectors into a global one, from which the face is classified. The loss compares
further predictions, from all local vectors and from all but one.

Differences from the released code:
- No 1000-way heads that nothing calls (the original carries one along in each block of MobileNet and EfficientNet).
- Widths are known; the original determines them with a random picture, which disturbs the batch norms of its first block.
- EfficientNet b0 to b7 can be built; the original's call fails, so it is unknown which one the paper used. As in the original,
  padding is that of the variant's own size (b0: 224 px) whatever the input size.
- RGB, as ImageNet weights expect. The original feeds BGR minus the mean of RGB, which its weights need: `bgr=True`.
- Ours: the option `spread`; ResNet-18 as a backbone, and ResNets without their last `stages`, which train in minutes on CPUs.

The blocks run one after another. On CPUs, at 224 px and 8 pictures, one network with n groups of channels takes 1.2 to 1.3 times as
long, and torch.vmap over stacked weights 1.3 to 1.6 times (see benchmarks/mi_net.py).
"""

from typing import Annotated, Any

import torch
from pydantic import Field
from torch import Tensor, nn

from dfworkbench.core.errors import ParameterError
from dfworkbench.core.input_spec import InputSpec
from dfworkbench.methods.mi_net.mobilenet_v1 import MobileNetV1Trunk
from dfworkbench.models.efficientnet import EfficientNetTrunk
from dfworkbench.models.mesonet import IMAGENET_MEAN, IMAGENET_STD
from dfworkbench.models.options import Dropout, FaceAlignment, SizePx, Stages
from dfworkbench.models.prediction import Prediction
from dfworkbench.models.resnet import ResNetTrunk

_HIDDEN = (1000, 500)
#: Parameters by backbone, with four blocks.
PARAMETERS = {
    "resnet18": 47_532_480, "resnet34": 87_965_120, "mobilenet": 17_976_256,
    "efficientnet_b0": 22_339_504, "efficientnet_b1": 32_362_048, "efficientnet_b2": 37_693_768, "efficientnet_b3": 50_255_200,
    "efficientnet_b4": 78_825_696, "efficientnet_b5": 123_155_328, "efficientnet_b6": 173_895_968,
    "efficientnet_b7": 267_261_952,
}  # fmt: skip
#: Native sizes of the EfficientNet variants, b0 first.
_NATIVE_PX = (224, 240, 260, 300, 380, 456, 528, 600)


class MiNet(nn.Module):
    """MI_Net as a detector. Parameters with four blocks: `PARAMETERS`.

    `Prediction.aux` contains logits of real and fake: "class_logits" `(B, 2)` from the global vector, from which `logit` is
    computed, "joint_logits" `(B, 2)` from all n local ones, and "left_out_logits" `(B, n, 2)`, the i-th from all but the i-th; also
    "local_features" `(B, n, d)` and "global_features" `(B, d)`. A batch of one cannot be trained on, because of batch norms.

    Args:
        backbone: "resnet18", "resnet34", "mobilenet", or "efficientnet_b0" to "efficientnet_b7".
        size_px: Height and width of the input.
        crop_scale: Side of the crop over the longer side of the face box, or, with `alignment="five_points"`, over that of
            the canvas of CADDM's authors.
        alignment: "box" or "five_points", see `InputSpec`. The authors do not say how they crop.
        blocks: Number n of networks; at least 2.
        dropout: Dropout probability before the last layer and twice in the fusion.
        bgr: Feed BGR minus ImageNet's mean of RGB, over its std, as weights of the authors' code need it.
        weights: Weights of each block: "" for random ones, "imagenet" for the published ones, or the path of a file with them.
            From a file, all blocks start equal, as in the original, and only the random heads differ.
        spread: Noise added to the filters of all blocks but the first, relative to the standard deviation of each filter bank; 0,
            as published, or small, so that blocks from one file do not start equal.
        stages: How many of the four stages of a ResNet are kept, see `ResNetTrunk`; others are kept whole.

    Raises:
        ParameterError: No weights are published for this backbone, or it is not a ResNet and has no stages to drop.
    """

    trained_by = "mi_net"

    def __init__(
        self,
        backbone: str,
        size_px: SizePx = 224,
        crop_scale: float = 1.3,
        alignment: FaceAlignment = "box",
        blocks: Annotated[int, Field(ge=2)] = 4,
        dropout: Dropout = 0.5,
        bgr: bool = False,
        weights: str = "",
        spread: Annotated[float, Field(ge=0)] = 0.0,
        stages: Stages = 4,
    ) -> None:
        super().__init__()
        self.name = f"mi_net_{backbone}"
        self.input_spec = InputSpec(
            size_px=size_px,
            crop_scale=crop_scale,
            alignment=alignment,
            channel_order="bgr" if bgr else "rgb",
            mean=IMAGENET_MEAN,
            std=IMAGENET_STD,
        )
        trunks = [backbone_trunk(backbone, weights, stages) for _ in range(blocks)]
        for trunk in trunks[1:] if spread else ():
            _add_noise(trunk, spread)
        self.trunks = nn.ModuleList(trunks)
        width: int = trunks[0].channels
        self.fusion = _fusion(blocks * width, width, dropout)
        self.drop = nn.Dropout(dropout)
        self.classifier = nn.Linear(width, 2)
        self.joint_head = nn.Linear(blocks * width, 2)
        self.left_out_heads = nn.ModuleList(nn.Linear((blocks - 1) * width, 2) for _ in range(blocks))

    def forward(self, images: Tensor) -> Prediction:
        """Score prepared images, `(B, 3, S, S)` float32."""
        local, fused = self._look(images)
        logits = self.classifier(self.drop(fused))
        others = [torch.cat([local[:, :i], local[:, i + 1 :]], dim=1).flatten(1) for i in range(local.shape[1])]
        left_out = [head(kept) for head, kept in zip(self.left_out_heads, others, strict=True)]
        fake_less_real = self.joint_head.weight[1] - self.joint_head.weight[0]
        aux = {
            "class_logits": logits,
            "joint_logits": self.joint_head(local.flatten(1)),
            "left_out_logits": torch.stack(left_out, dim=1),
            "block_shares": (local * fake_less_real.view_as(local[0])).sum(dim=2),
            "local_features": local,
            "global_features": fused,
        }
        return Prediction(logits[:, 1] - logits[:, 0], aux)

    def features(self, images: Tensor) -> Tensor:
        """The global vector: `(B, d)`, d = 512 for ResNet-34, 1024 for MobileNet, 1280 to 2560 for EfficientNet."""
        return self._look(images)[1]

    def _look(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Local vectors `(B, n, d)` and the global one `(B, d)`."""
        self.input_spec.check(images.shape, self.name)
        if self.training and len(images) < 2:
            raise ParameterError(
                f"training {self.name}: a batch of {len(images)} sample; batch norms need at least 2. Set batch_size "
                "to 2 or more."
            )
        local = torch.stack([trunk(images).mean(dim=(2, 3)) for trunk in self.trunks], dim=1)
        return local, self.fusion(local.flatten(1))


def backbone_trunk(backbone: str, weights: str = "", stages: int = 4) -> Any:
    """The network of one block, with `channels`, that gives `(B, channels, S/32, S/32)`."""
    family, _, variant = backbone.partition("_")
    if family in ("resnet18", "resnet34"):
        return ResNetTrunk(int(family.removeprefix("resnet")), weights, stages)
    if stages != 4:
        raise ParameterError(
            f"building mi_net_{backbone}: stages = {stages}, but only ResNets have stages to leave out; expected 4. Leave stages "
            "out, or choose mi_net_resnet18 or mi_net_resnet34."
        )
    if family == "efficientnet":
        return EfficientNetTrunk(variant, _NATIVE_PX[int(variant[1:])], weights)
    if weights:
        raise ParameterError(
            f"building mi_net_{backbone}: weights = {weights!r}, but none are published for it; expected '' for random ones."
        )
    return MobileNetV1Trunk()


def _fusion(inputs: int, outputs: int, dropout: float) -> nn.Sequential:
    """Layers from all local vectors to the global one."""
    layers: list[nn.Module] = []
    for width in _HIDDEN:
        layers += [nn.Linear(inputs, width), nn.BatchNorm1d(width), nn.ReLU(), nn.Dropout(dropout)]
        inputs = width
    return nn.Sequential(*layers, nn.Linear(inputs, outputs))


@torch.no_grad()
def _add_noise(trunk: nn.Module, share: float) -> None:
    for parameter in trunk.parameters():
        if parameter.ndim > 1:  # filters; norms stay as they are
            parameter.add_(torch.randn_like(parameter), alpha=share * float(parameter.std()))
