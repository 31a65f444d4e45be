"""FST-Matching training: classify real and fake, and identify both people of a fake.

Dong et al.: Explaining Deepfake Detection by Analysing Image Matching. ECCV 2022, arXiv:2207.09679. The loss is cross-entropy of
real and fake + 0.5 that of the carrier + 1.0 that of the donor, and a term for the interaction of carrier and donor,

    I = D(U_t, U_s) - D(0, U_s) - D(U_t, 0) + D(0, 0),

where U are the remaining features that `network` classifies and D is its last layer.

Differences from the released code:
- D is affine there, so I and its gradient are 0, whatever the weights: the published term has no effect. It is left out.
  `interaction_weight` with a detector built with `nonlinear` adds ours: for each sample, the interaction for its own class, I_y -
  I_(1-y), goes through softplus, which is bounded below, and is averaged over the batch. The code sums over all pairs of a batch,
  because it uses the labels as columns.
- Genuine pictures and fakes can be balanced; people who are not in the training set do not contribute to the loss.
"""

from typing import Any

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F

from dfworkbench.core.errors import ParameterError
from dfworkbench.datasets.facial_swap import SwapSettings
from dfworkbench.methods.fst_matching.encoder_training import identity_loss, named_rightly
from dfworkbench.training.binary import Binary, ClassifierSettings
from dfworkbench.training.step import Step


class FstMatchingSettings(ClassifierSettings):
    """Options of the method FST-Matching; defaults are as published."""

    carrier_weight: float = Field(default=0.5, ge=0, le=1000, description="Factor of the carrier's cross-entropy.")
    donor_weight: float = Field(default=1.0, ge=0, le=1000, description="Factor of the donor's cross-entropy.")
    interaction_weight: float = Field(
        default=0.0, ge=0, le=1000, description="Factor of our interaction term; 0 leaves it out."
    )
    swap: SwapSettings = Field(
        default=SwapSettings(),
        description="Settings of the facial swap, for its changes of crop and quality, which are those of the paper's training; "
        "nothing is swapped.",
    )


class FstMatching(Binary):
    """Cross-entropy of real and fake, of the carrier and of the donor. Options: `FstMatchingSettings`."""

    Settings = FstMatchingSettings
    settings: FstMatchingSettings
    own_detectors = True
    # one run per compression, or on all of them
    published = {
        "method": "fst_matching", "detector": "fst_matching",
        "detector_options": {"weights": "imagenet", "authors_input": True}, "epochs": 200, "batch_size": 128,
        "learning_rate": 1e-3, "schedule": "constant", "weight_decay": 4e-3, "balance": "none", "frames_per_video": 1,
    }  # fmt: skip

    def __init__(self, detector: Any, **options: Any) -> None:
        super().__init__(detector, **options)
        if self.settings.interaction_weight and isinstance(detector.head, nn.Linear):
            raise ParameterError(
                f"the method fst_matching: interaction_weight = {self.settings.interaction_weight}, but the last layer is linear, "
                "so that the interaction is 0 and nothing can be learned from it. Build the detector with nonlinear=true "
                "(detector_options), or leave interaction_weight at 0."
            )

    def forward(self, batch: dict[str, Tensor]) -> Step:
        """Loss of a batch; see `training.step`. Parts: bce, carrier, donor, interaction."""
        prediction = self.predict(batch)
        parts = {"bce": self.cross_entropy(prediction.logit, batch["label"])}
        shares = {}
        for role in ("carrier", "donor"):
            logits, people = prediction.aux[f"{role}_logits"], batch[role]
            parts[role] = identity_loss(logits, people)
            if self.training:  # people of other splits are unknown
                shares[f"{role}_accuracy"] = named_rightly(logits, people)
        if self.settings.interaction_weight:
            found = interaction(self.detector, prediction.aux["carrier_rest"], prediction.aux["donor_rest"])
            parts["interaction"] = interaction_loss(found, batch["label"])
        weights = {
            "carrier": self.settings.carrier_weight,
            "donor": self.settings.donor_weight,
            "interaction": self.settings.interaction_weight,
        }
        loss = sum((weights[name] * part for name, part in parts.items() if name != "bce"), parts["bce"])
        return Step(loss, parts, prediction.logit, shares)


def interaction(detector: Any, carrier_rest: Tensor, donor_rest: Tensor) -> Tensor:
    """Interaction of carrier and donor, `(B, 2)` per class."""
    nothing = torch.zeros_like(carrier_rest)
    together, alone = detector.decide(carrier_rest, donor_rest), detector.decide(nothing, nothing)
    return together - detector.decide(carrier_rest, nothing) - detector.decide(nothing, donor_rest) + alone


def interaction_loss(found: Tensor, label: Tensor) -> Tensor:
    """Mean of softplus(-(I_y - I_(1-y))): low if the interaction supports the right class; scalar, at least float32.

    Args:
        found: `(B, 2)`, from `interaction`.
        label: `(B,)`, 0 or 1.
    """
    found = found.to(torch.promote_types(found.dtype, torch.float32))
    sign = 2.0 * label - 1.0
    return F.softplus(-sign * (found[:, 1] - found[:, 0])).mean()
