"""CADDM detector: a classifier that also localises forged areas, so that it looks at local traces instead of identities.

Dong et al.: Implicit Identity Leakage: The Stumbling Block to Improving Deepfake Detection Generalization. CVPR 2023,
arXiv:2210.14457. The layers are those of the authors' code (megvii-research/CADDM, Apache-2.0); none of it is used here.

A backbone produces a 7 x 7 map. The artifact detection module (`adm`) shrinks it to one cell and predicts, for 168 anchors, the box
of a forged area and whether there is one. The last cell, added to the average of the backbone's map, is classified.

Differences from the released code:
- One logit, the difference of the two classes (log-odds of *fake*), in training and in evaluation; the original returns
  probabilities in evaluation. The anchors' outputs are available in both.
- The backbone has no 1000-way head; the original carries one along, unused. Its L2 norm and its non-maximum suppression, which
  nothing calls, are omitted; `artifact_boxes` decodes the outputs.
- The original feeds raw BGR in 0..255 to backbones trained on ImageNet-normalised RGB. Published weights need that:
  `authors_input=True`. Otherwise the input is what the backbone was trained on.
- Sizes other than 224 px are refused before the first layer, with a reason. `stages=3` is ours: without the last stage of a ResNet,
  a picture of 112 px gives the 7 x 7 map at a tenth of the cost; anchors and boxes are relative to the crop and do not change.
- ResNet-18 as a backbone is ours.
- Initial weights are given as `weights`, not read from a fixed folder, and are not needed if a checkpoint is loaded afterwards.
"""

from typing import Any

import torch
from torch import Tensor, nn

from dfworkbench.core.errors import ParameterError
from dfworkbench.methods.caddm.adm import ArtifactDetectionModule
from dfworkbench.methods.caddm.anchors import IMAGE_PX, prior_boxes, size_of
from dfworkbench.methods.caddm.artifacts import ArtifactBoxes, artifact_boxes
from dfworkbench.models.efficientnet import EfficientNetTrunk
from dfworkbench.models.options import Stages
from dfworkbench.models.prediction import Prediction
from dfworkbench.models.resnet import ResNetTrunk, resnet_input

#: Dropout of the averaged map, before the ADM's last cell is added.
_DROPOUT = {"resnet18": 0.0, "resnet34": 0.0, "efficientnet_b3": 0.3, "efficientnet_b4": 0.4}


class Caddm(nn.Module):
    """CADDM as a detector for 224 px, or for less with fewer `stages`.

    `Prediction.aux` contains "box_offsets" `(B, 168, 4)`, see `anchors.decode`, and "anchor_logits" `(B, 168, 2)`, of
    genuine and forged. Parameters, of which in the ADM: 33,382,002 and 22,204,464 with resnet18, 43,490,162 and 22,204,464 with
    resnet34, 209,433,178 and 198,733,872
    with efficientnet_b3, 287,943,546 and 270,391,344 with efficientnet_b4.

    Args:
        backbone: "resnet18", "resnet34", "efficientnet_b3" or "efficientnet_b4".
        crop_scale: Side of the crop over that of the canvas onto which the authors align a face by five points.
        authors_input: Feed BGR in 0..255, as published weights need it, instead of RGB normalised with ImageNet's mean and std.
        weights: Weights of the backbone: "" for random ones, "imagenet" for the published ones, or the path of a file with them.
        stages: How many of the four stages of a ResNet are kept. Each one dropped halves the side of the input, see `size_of`.
    """

    trained_by = "caddm"

    def __init__(
        self,
        backbone: str,
        crop_scale: float = 1.0,
        authors_input: bool = False,
        weights: str = "",
        stages: Stages = 4,
    ) -> None:
        super().__init__()
        self.name = f"caddm_{backbone}"
        self.input_spec = resnet_input(
            size_of(stages), crop_scale=crop_scale, alignment="five_points", authors_input=authors_input
        )
        self.trunk = _trunk(backbone, weights, stages)
        self.adm = ArtifactDetectionModule(self.trunk.channels)
        self.drop = nn.Dropout(_DROPOUT[backbone])
        self.classifier = nn.Linear(self.trunk.channels, 2)
        self.priors: Tensor
        self.register_buffer("priors", prior_boxes(), persistent=False)

    def forward(self, images: Tensor) -> Prediction:
        """Score prepared images, `(B, 3, S, S)` float32, S = 224 with four stages."""
        features, offsets, anchor_logits = self._look(images)
        genuine, fake = self.classifier(features).unbind(dim=1)
        return Prediction(fake - genuine, {"box_offsets": offsets, "anchor_logits": anchor_logits})

    def features(self, images: Tensor) -> Tensor:
        """The backbone's averaged map plus the ADM's last cell: `(B, C)`, C = 512 (256 with three stages), 1536 or 1792."""
        return self._look(images)[0]

    @torch.no_grad()
    def artifact_boxes(self, images: Tensor | Prediction, **options: Any) -> list[ArtifactBoxes]:
        """Predicted boxes of forged areas, one entry per image.

        Args:
            images: Prepared images `(B, 3, S, S)`, with the detector in eval mode, or a prediction it has made.
            **options: Arguments of `artifacts.artifact_boxes`: min_score, max_iou, keep, whole.
        """
        prediction: Prediction = self(images) if isinstance(images, Tensor) else images
        return artifact_boxes(prediction, self.priors, **options)

    def _look(self, images: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        self.input_spec.check(images.shape, self.name)
        maps = self.trunk(images)
        offsets, anchor_logits, last = self.adm(maps)
        return self.drop(maps.mean(dim=(2, 3))) + last, offsets, anchor_logits


def _trunk(backbone: str, weights: str, stages: int) -> Any:
    """The backbone, with `channels`, that gives `(B, channels, 7, 7)`."""
    family, _, variant = backbone.partition("_")
    if family != "efficientnet":
        return ResNetTrunk(int(family.removeprefix("resnet")), weights, stages)
    if stages != 4:
        raise ParameterError(
            f"building caddm_{backbone}: stages = {stages}, but an EfficientNet is kept whole; expected 4. Leave stages out, or "
            "choose caddm_resnet18 or caddm_resnet34."
        )
    return EfficientNetTrunk(variant, IMAGE_PX, weights)
