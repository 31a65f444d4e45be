"""FST-Matching detector: separates identity features of the two people of a fake from the rest, which it classifies.

Dong et al.: Explaining Deepfake Detection by Analysing Image Matching. ECCV 2022, arXiv:2207.09679. The layers are those of the
authors' code (megvii-research/FST-Matching, Apache-2.0); none of it is used here.

Two ResNet-18 encode a picture. A gate in each encoder selects the features of the person, from which it identifies the carrier
("source") or the donor ("target"); real or fake is classified from the features that both gates leave over.

Differences from the released code: one logit, the difference of the two classes (both are in `aux`); identity classes are the
people in the training set; an adaptive instead of a fixed 7 x 7 average, equal at 224 px; and the option `nonlinear`.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from dfworkbench.models.options import FaceAlignment, Positive, SizePx
from dfworkbench.models.prediction import Prediction
from dfworkbench.models.resnet import ResNetTrunk, resnet_input

_REDUCTION = 16
_HIDDEN = 256


class FstMatching(nn.Module):
    """23,446,610 parameters for 1000 people.

    `Prediction.aux` contains "class_logits" `(B, 2)` of real and fake, "carrier_logits" and "donor_logits" `(B, C)` of the people,
    and "carrier_rest" and "donor_rest" `(B, 512)`, the features left over by the gates.

    Args:
        identities: Names of the people, as in the video table's carrier and donor. Set by training.
        classes: Number of people if their names are unknown, as in published weights.
        size_px: Height and width of the input.
        crop_scale: Side of the crop, see `InputSpec`; with five points, 1.0 is the authors' input.
        alignment: "five_points", as published, or "box", see `InputSpec`.
        authors_input: Feed BGR in 0..255, as published weights need it, instead of RGB normalised with ImageNet's mean and std.
        nonlinear: Classify with a hidden layer of 256 units instead of linearly. Ours: only then is there an interaction of carrier
            and donor that can be trained, see `training`; the published one is 0 whatever the weights.
        weights: Weights of both trunks: "" for random weights, "imagenet" for the published ones, or the path of a file with them.
    """

    trained_by = "fst_matching"

    def __init__(
        self,
        identities: Sequence[str] = (),
        classes: Positive = 1000,
        size_px: SizePx = 224,
        crop_scale: float = 1.0,
        alignment: FaceAlignment = "five_points",
        authors_input: bool = False,
        nonlinear: bool = False,
        weights: str = "",
    ) -> None:
        super().__init__()
        self.identities = list(identities)
        people = len(self.identities) or classes
        self.input_spec = resnet_input(size_px, crop_scale=crop_scale, alignment=alignment, authors_input=authors_input)
        self.carrier, self.donor = _Encoder(people, weights), _Encoder(people, weights)
        width = self.carrier.trunk.channels + self.donor.trunk.channels
        self.head: nn.Module = nn.Linear(width, 2)
        if nonlinear:
            self.head = nn.Sequential(nn.Linear(width, _HIDDEN), nn.ReLU(), nn.Linear(_HIDDEN, 2))

    def forward(self, images: Tensor) -> Prediction:
        """Score prepared images, `(B, 3, S, S)` float32."""
        self.input_spec.check(images.shape, "fst_matching")
        carrier_logits, carrier_rest = self.carrier(images)
        donor_logits, donor_rest = self.donor(images)
        logits = self.decide(carrier_rest, donor_rest)
        aux = {
            "class_logits": logits,
            "carrier_logits": carrier_logits,
            "donor_logits": donor_logits,
            "carrier_rest": carrier_rest,
            "donor_rest": donor_rest,
        }
        return Prediction(logits[:, 1] - logits[:, 0], aux)

    def features(self, images: Tensor) -> Tensor:
        """The classified features, `(B, 1024)`: those of the donor, then those of the carrier, without identity."""
        self.input_spec.check(images.shape, "fst_matching")
        return torch.cat([self.donor(images)[1], self.carrier(images)[1]], dim=1)

    def decide(self, carrier_rest: Tensor, donor_rest: Tensor) -> Tensor:
        """Logits of real and fake, `(B, 2)`, from the features left over by the gates, `(B, 512)` each."""
        return self.head(torch.cat([donor_rest, carrier_rest], dim=1))


class _Encoder(nn.Module):
    """Classifies identity from the gated part of the features, and returns the rest."""

    def __init__(self, people: int, weights: str) -> None:
        super().__init__()
        self.trunk = ResNetTrunk(18, weights)
        width, narrow = self.trunk.channels, self.trunk.channels // _REDUCTION
        self.gate = nn.Sequential(
            nn.Linear(width, narrow, bias=False), nn.ReLU(), nn.Linear(narrow, width, bias=False), nn.Sigmoid()
        )
        self.head = nn.Linear(width, people)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Identity logits `(B, C)` and the rest `(B, 512)`."""
        features = self.trunk.pooled(images)
        related = features * self.gate(features)
        return self.head(related), features - related
