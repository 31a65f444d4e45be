"""Learning who is shown: the encoders of carrier and donor that FST-Matching's hypotheses are tested with.

Dong et al.: Explaining Deepfake Detection by Analysing Image Matching. ECCV 2022, arXiv:2207.09679. Softmax cross-entropy over
people: a fake counts as a picture of its carrier (source encoder) or of its donor (target encoder), a genuine picture as one of
the person that it shows.

Difference from the released code: the last part of every video is kept for validation, where the code trains on all there is.
"""

from typing import Any, ClassVar, Literal, get_args

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from dfworkbench.core.errors import ParameterError
from dfworkbench.datasets.perturb.augment import AugmentSettings, FaceAugment
from dfworkbench.datasets.sample import Transform
from dfworkbench.models.inputs import prepare
from dfworkbench.training.binary import decay_groups
from dfworkbench.training.step import Step

Role = Literal["carrier", "donor"]


class Identity(nn.Module):
    """Cross-entropy over people.

    Args:
        detector: An encoder, such as identity_resnet18.
        role: Whom a fake shows: "carrier", whose video it is, or "donor", whose face or expression was put in.
        label_smoothing: Share of the target that is spread over all people.
        augment: Strength of the random changes, or None for none, as published.
    """

    own_detectors = True
    closed_set: ClassVar[bool] = True
    real_only: ClassVar[bool] = False
    #: Settings of training as published; the log of the released code names a smaller learning rate, which it does not use.
    published: ClassVar[dict[str, Any]] = {
        "method": "identity", "detector": "identity_resnet18", "detector_options": ["weights=imagenet", "authors_input=true"],
        "epochs": 200, "batch_size": 128, "learning_rate": 1e-3, "schedule": "constant", "weight_decay": 4e-3, "balance": "none",
        "frames_per_video": 1, "flip": 0.0, "box_jitter": 0.0, "colour_jitter": 0.0, "degrade": 0.0,
    }  # fmt: skip

    def __init__(
        self,
        detector: Any,
        *,
        role: Role = "carrier",
        label_smoothing: float = 0.0,
        augment: AugmentSettings | None = None,
    ) -> None:
        super().__init__()
        if role not in get_args(Role) or not 0 <= label_smoothing < 1:
            raise ParameterError(
                f"the method identity: role = {role!r}, label_smoothing = {label_smoothing}; expected a role of "
                f"{', '.join(get_args(Role))}, and 0 to below 1."
            )
        self.detector, self.role = detector, role
        self.label_smoothing = label_smoothing
        self._augment = augment

    def forward(self, batch: dict[str, Tensor]) -> Step:
        """Loss of a batch; see `training.step`. Part: cross_entropy. The share "accuracy" is that of people named rightly."""
        pixels = prepare(batch["images"], self.detector.input_spec, type(self.detector).__name__)
        logits, people = self.detector(pixels).aux["identity_logits"], batch[self.role]
        loss = identity_loss(logits, people, self.label_smoothing)
        return Step(loss, {"cross_entropy": loss}, None, {"accuracy": named_rightly(logits, people)})

    def parameter_groups(self, learning_rate: float, weight_decay: float) -> list[dict[str, Any]]:
        """Weights with decay, biases and batch norms without."""
        return decay_groups(self, learning_rate, weight_decay)

    def train_transform(self) -> Transform | None:
        """The random changes of `augment`."""
        return FaceAugment(self._augment) if self._augment else None

    def eval_transform(self) -> Transform | None:
        """None: a measure must not depend on chance."""
        return None


def identity_loss(logits: Tensor, people: Tensor, label_smoothing: float = 0.0) -> Tensor:
    """Softmax cross-entropy of logits `(B, C)`, mean over the samples; scalar, at least float32.

    Args:
        logits: One per person.
        people: `(B,)`, places of the people; those with -1 are not known and left out. 0 where nobody is known.
        label_smoothing: Share of the target that is spread over all people.
    """
    logits = logits.to(torch.promote_types(logits.dtype, torch.float32))
    losses = F.cross_entropy(logits, people, ignore_index=-1, reduction="sum", label_smoothing=label_smoothing)
    return losses / (people >= 0).sum().clamp(min=1)


def named_rightly(logits: Tensor, people: Tensor) -> Tensor:
    """Share of the known people whose logit is the largest; scalar float64."""
    known = people >= 0
    return ((logits.detach().argmax(dim=1) == people) & known).sum().double() / known.sum().clamp(min=1)
