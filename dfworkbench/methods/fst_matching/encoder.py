"""Identity encoder for the FST-Matching studies: a ResNet-18 that identifies the person in a picture.

Dong et al.: Explaining Deepfake Detection by Analysing Image Matching. ECCV 2022, arXiv:2207.09679: a ResNet-18 with one class
per person. Trained on the carriers of fakes it is the paper's *source encoder*, on the donors its *target encoder*.

Differences from the released code: classes are the people in the training set, whose names are saved with the weights, not
FaceForensics++ video numbers 0 to 999; the last layer is initialised at random, not with the ImageNet classifier that happens to
have 1000 classes as well; any input size from 32 px.

An encoder knows only the people that it was trained on, and does not classify real and fake: its `Prediction.logit` is NaN.
"""

from collections.abc import Sequence

from torch import Tensor, nn

from dfworkbench.models.options import FaceAlignment, Positive, SizePx
from dfworkbench.models.prediction import Prediction
from dfworkbench.models.resnet import ResNetTrunk, resnet_input


class IdentityResNet18(nn.Module):
    """ResNet-18 that identifies people: 11,689,512 parameters for 1000 of them.

    `Prediction.aux["identity_logits"]` is `(B, C)`, one logit per person.

    Args:
        identities: Names of the people, as in the video table's carrier and donor; class i is `identities[i]`. Set by training.
        classes: Number of people if their names are unknown, as in published weights.
        size_px: Height and width of the input.
        crop_scale: Side of the crop, see `InputSpec`; with five points, 1.0 is the authors' input.
        alignment: "five_points", as published, or "box", see `InputSpec`.
        authors_input: Feed BGR in 0..255, as published weights need it, instead of RGB normalised with ImageNet's mean and std.
        weights: Weights of the trunk: "" for random weights, "imagenet" for the published ones, or the path of a file with them.
    """

    trained_by = "identity"
    scores_fakes = False

    def __init__(
        self,
        identities: Sequence[str] = (),
        classes: Positive = 1000,
        size_px: SizePx = 224,
        crop_scale: float = 1.0,
        alignment: FaceAlignment = "five_points",
        authors_input: bool = False,
        weights: str = "",
    ) -> None:
        super().__init__()
        self.identities = list(identities)
        self.input_spec = resnet_input(size_px, crop_scale=crop_scale, alignment=alignment, authors_input=authors_input)
        self.trunk = ResNetTrunk(18, weights)
        self.head = nn.Linear(self.trunk.channels, len(self.identities) or classes)

    def forward(self, images: Tensor) -> Prediction:
        """Identify the people in prepared images, `(B, 3, S, S)` float32."""
        features = self.features(images)
        return Prediction(features.new_full((len(features),), float("nan")), {"identity_logits": self.head(features)})

    def features(self, images: Tensor) -> Tensor:
        """The last feature map averaged over the picture: `(B, 512)`."""
        self.input_spec.check(images.shape, "identity_resnet18")
        return self.trunk.pooled(images)
