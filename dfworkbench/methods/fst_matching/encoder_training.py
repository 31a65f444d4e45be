"""Training of identity encoders (for carriers or donors) for the hypotheses of FST-Matching.

Dong et al.: Explaining Deepfake Detection by Analysing Image Matching. ECCV 2022, arXiv:2207.09679. Softmax cross-entropy over
people: a fake counts as a picture of its carrier (source encoder) or of its donor (target encoder), a genuine picture as one of the
person shown.

Difference from the released code: the last part of every video is reserved for validation, while the code trains on everything.
"""

from typing import Literal

import torch
from pydantic import Field
from torch import Tensor
from torch.nn import functional as F

from dfworkbench.datasets.perturb.augment import AugmentSettings, FaceAugment
from dfworkbench.datasets.sample import Transform
from dfworkbench.models.inputs import prepare
from dfworkbench.training.step import MethodSettings, Step, TrainingMethod


class IdentitySettings(MethodSettings):
    """Options of the method identity."""

    role: Literal["carrier", "donor"] = Field(
        default="carrier",
        description="Whom a fake shows: the carrier, whose video it is, or the donor, whose face or expression was put in.",
    )
    label_smoothing: float = Field(default=0.0, ge=0, lt=1, description="Share of the target spread over all people.")
    augment: AugmentSettings | None = Field(default=None, description="Random changes; none, as published.")


class Identity(TrainingMethod):
    """Cross-entropy over people, for an encoder such as identity_resnet18. Options: `IdentitySettings`."""

    Settings = IdentitySettings
    settings: IdentitySettings
    own_detectors = True
    closed_set = True
    # the log of the released code names a smaller learning rate, which it does not use
    published = {
        "method": "identity", "detector": "identity_resnet18",
        "detector_options": {"weights": "imagenet", "authors_input": True}, "epochs": 200, "batch_size": 128,
        "learning_rate": 1e-3, "schedule": "constant", "weight_decay": 4e-3, "balance": "none", "frames_per_video": 1,
        "flip": 0.0, "box_jitter": 0.0, "colour_jitter": 0.0, "degrade": 0.0,
    }  # fmt: skip

    def forward(self, batch: dict[str, Tensor]) -> Step:
        """Loss of a batch; see `training.step`. Part: cross_entropy. Share: "accuracy", people identified correctly."""
        pixels = prepare(batch["images"], self.detector.input_spec, type(self.detector).__name__)
        logits, people = self.detector(pixels).aux["identity_logits"], batch[self.settings.role]
        loss = identity_loss(logits, people, self.settings.label_smoothing)
        return Step(loss, {"cross_entropy": loss}, None, {"accuracy": named_rightly(logits, people)})

    def train_transform(self) -> Transform | None:
        """The random changes of `augment`."""
        return FaceAugment(self.settings.augment) if self.settings.augment else None


def identity_loss(logits: Tensor, people: Tensor, label_smoothing: float = 0.0) -> Tensor:
    """Softmax cross-entropy of logits `(B, C)`, mean over the samples; scalar, at least float32.

    Args:
        logits: One logit per person.
        people: `(B,)`, class indices; -1 is an unknown person, who is ignored. The loss is 0 if nobody is known.
        label_smoothing: Share of the target that is spread over all people.
    """
    logits = logits.to(torch.promote_types(logits.dtype, torch.float32))
    losses = F.cross_entropy(logits, people, ignore_index=-1, reduction="sum", label_smoothing=label_smoothing)
    return losses / (people >= 0).sum().clamp(min=1)


def named_rightly(logits: Tensor, people: Tensor) -> Tensor:
    """Share of the known people whose logit is the largest; scalar float64."""
    known = people >= 0
    return ((logits.detach().argmax(dim=1) == people) & known).sum().double() / known.sum().clamp(min=1)
