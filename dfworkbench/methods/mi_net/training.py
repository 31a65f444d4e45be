"""Training of MI_Net (Exposing the Deception): each local block must carry information that the others lack.

Ba et al.: Exposing the Deception: Uncovering More Forgery Clues for Deepfake Detection. AAAI 2024, arXiv:2403.01786. The loss is a
weighted sum of the cross-entropies of all heads, the global and the local information loss (`mi_losses`); weights are
learned (`loss_weights`). Pictures and labels are mixed in pairs (Zhang et al., mixup, ICLR 2018).

Differences from the released code:
- The head of all blocks together is trained whenever an information loss is on. There, without the global loss, the local one
  compares with a head that keeps its random initial weights; `train_joint_head="global"` reproduces that.
- Fixed weights are assigned by name. There they are assigned by position, so that the local loss gets the weight of a global one
  that is off.
- With mixed pictures, accuracy weights each prediction by the shares of its two labels; there it uses the first label.
- Weights are learned at `weights_rate` times the schedule, without weight decay, and are resumed with the run.
- The optimiser persists for the whole run; there, it is reset in every epoch. The learning rate is halved (`halve_rate`) and the
  best epoch selected on validation data, there on the test split.
- How often real files are repeated (`balance="repeat"`) is computed from the data; there it is in a table of data sets, four to six
  times.
- With several processes, the local loss is that of the whole batch; pictures are mixed within each process's share.
"""

from typing import Annotated, Any, Literal, Self

import torch
import torch.distributed as dist
from pydantic import Field, model_validator
from torch import Tensor
from torch.nn import functional as F

from dfworkbench.datasets.sample import Transform
from dfworkbench.methods.mi_net.augment import ClueAugment, ClueSettings
from dfworkbench.methods.mi_net.loss_weights import AutomaticWeights, FixedWeights
from dfworkbench.methods.mi_net.mi_losses import (
    Direction,
    Distance,
    Reduction,
    cross_entropies,
    local_information_loss,
    posterior_distances,
)
from dfworkbench.models.inputs import prepare
from dfworkbench.training.binary import Binary, ClassifierSettings
from dfworkbench.training.step import Step, decay_groups

#: Published factors of fixed weights.
SCALES = {"classification": 1.0, "global": 2.0, "local": 10.0}


class MiNetSettings(ClassifierSettings):
    """Options of the method mi_net; defaults are as published."""

    local_loss: bool = Field(default=True, description="Whether each block must know something that the others do not.")
    global_loss: bool = Field(default=True, description="Whether the global vector must know all that the blocks know.")
    distance: Distance = Field(default="kl", description="Distance of posteriors, see posterior_distances.")
    direction: Direction = Field(default="published", description="Direction of the divergence kl.")
    reduction: Reduction = Field(default="published", description="Reduction of the divergence kl.")
    temperature: float = Field(default=1.5, ge=0.01, le=100, description="Temperature of the posteriors.")
    weighting: Literal["automatic", "scales", "sum"] = Field(
        default="automatic", description="Weights of the losses: learned, the fixed ones of scales, or 1."
    )
    scales: dict[Literal["classification", "global", "local"], Annotated[float, Field(ge=0, le=1e6)]] = Field(
        default={}, description="Factors that differ from SCALES, by its names."
    )
    weights_rate: float = Field(default=1e-3, ge=0, le=1, description="Learning rate of automatic weights.")
    mixup: float = Field(
        default=0.5,
        ge=0,
        le=100,
        description="Both parameters of the beta distribution that shares of mixed pictures are drawn from; 0 mixes none.",
    )
    train_joint_head: Literal["any", "global"] = Field(
        default="any", description="Which information loss trains the head of all blocks; published: global."
    )
    clue_augment: ClueSettings = Field(default=ClueSettings(), description="Settings of the random changes.")

    @model_validator(mode="after")
    def _scales_are_used(self) -> Self:
        if self.scales and self.weighting != "scales":
            raise ValueError(
                f"scales = {self.scales} with weighting = {self.weighting!r}, which has no fixed factors; set "
                'weighting="scales", or leave scales out'
            )
        return self


class MiNetTraining(Binary):
    """Cross-entropies of all heads, and both information losses. Options: `MiNetSettings`.

    For detectors with local blocks, such as mi_net_resnet34. Heads that no loss trains are frozen.
    """

    Settings = MiNetSettings
    settings: MiNetSettings
    own_detectors = True
    # for FaceForensics++
    published = {
        "method": "mi_net", "detector": "mi_net_resnet34", "detector_options": {"weights": "imagenet", "bgr": True},
        "epochs": 10, "batch_size": 256, "optimizer": "adam", "learning_rate": 1e-3, "schedule": "waves", "halve_rate": True,
        "weight_decay": 1e-6, "balance": "repeat", "frames_per_video": 1000,
    }  # fmt: skip

    def __init__(self, detector: Any, **options: Any) -> None:
        super().__init__(detector, **options)
        chosen = self.settings
        self.joint_head = chosen.global_loss or (chosen.local_loss and chosen.train_joint_head == "any")
        self.distance = chosen.model_dump(include={"distance", "direction", "reduction", "temperature"})
        active = ["classification", *["global"] * chosen.global_loss, *["local"] * chosen.local_loss]
        factors = {**SCALES, **chosen.scales} if chosen.weighting == "scales" else dict.fromkeys(SCALES, 1.0)
        self.weights = (
            AutomaticWeights(active)
            if chosen.weighting == "automatic"
            else FixedWeights({name: factors[name] for name in active})
        )
        self._freeze_idle_heads()

    def forward(self, batch: dict[str, Tensor]) -> Step:
        """Loss of a batch; see `training.step`.

        Parts: classification (sum of the trained cross-entropies), of these bce (the decision), joint_bce and left_out_bce (mean of
        the heads); global_information, local_information. Shares: accuracy of the other heads, and in training the factor of each
        loss, weight_….
        """
        images = prepare(batch["images"], self.detector.input_spec, type(self.detector).__name__)
        fake, targets = batch["label"].double(), self._targets(batch["label"])
        mixed = self.training and self.settings.mixup > 0
        if mixed:
            images, fake, targets = mix(self.settings.mixup, images, fake, targets)
        prediction = self.detector(images)
        decision, joint, left_out = (prediction.aux[f"{name}_logits"] for name in ("class", "joint", "left_out"))
        parts = self._classification(decision, joint, left_out, targets)
        losses = {"classification": parts["classification"]}
        if self.settings.global_loss:
            losses["global"] = posterior_distances(decision[:, None], joint, **self.distance)[0]
        if self.settings.local_loss:
            distances = posterior_distances(left_out, joint, **self.distance)
            # in validation, processes may have different numbers of batches: they must not wait for each other
            losses["local"] = local_information_loss(_over_processes(distances) if self.training else distances)
        parts |= {f"{name}_information": loss for name, loss in losses.items() if name != "classification"}
        shares = self._shares(decision, joint, left_out, fake)
        if mixed:  # the loop would compare the decision with the labels before mixing
            shares["accuracy"] = _accuracy(decision, fake)
        return Step(self.weights(losses), parts, None if mixed else prediction.logit, shares)

    def parameter_groups(self, learning_rate: float, weight_decay: float) -> list[dict[str, Any]]:
        """Parameter groups of a plain detector, and automatic weights with their own rate."""
        groups = decay_groups(self.detector, learning_rate, weight_decay)
        weights = list(self.weights.parameters())
        return (
            [*groups, {"params": weights, "lr": self.settings.weights_rate, "weight_decay": 0.0}] if weights else groups
        )

    def train_transform(self) -> Transform:
        """The augmentation of the released code."""
        return ClueAugment(self.settings.clue_augment)

    def _targets(self, label: Tensor) -> Tensor:
        """Share of each class times the weight of the sample, `(B, 2)`."""
        smoothing = self.settings.label_smoothing
        targets = F.one_hot(label, 2) * (1 - smoothing) + smoothing / 2
        return targets * self.class_weights[label][:, None]

    def _classification(self, decision: Tensor, joint: Tensor, left_out: Tensor, targets: Tensor) -> dict[str, Tensor]:
        heads = [("bce", decision[:, None])]
        if self.joint_head:
            heads.append(("joint_bce", joint[:, None]))
        if self.settings.local_loss:
            heads.append(("left_out_bce", left_out))
        found = cross_entropies(torch.cat([logits for _, logits in heads], dim=1), targets)
        each = found.split([logits.shape[1] for _, logits in heads])
        named = {name: values.mean() for (name, _), values in zip(heads, each, strict=True)}
        return {"classification": found.sum(), **named}

    def _shares(self, decision: Tensor, joint: Tensor, left_out: Tensor, fake: Tensor) -> dict[str, Tensor]:
        shares = {}
        if self.joint_head:
            shares["joint_accuracy"] = _accuracy(joint, fake)
        if self.settings.local_loss:
            for number, logits in enumerate(left_out.unbind(dim=1), 1):
                shares[f"left_out_{number}_accuracy"] = _accuracy(logits, fake)
        if self.training:
            shares |= {f"weight_{name}": factor for name, factor in self.weights.factors().items()}
        return shares

    def _freeze_idle_heads(self) -> None:
        # several processes would wait for their gradients, and weight decay would change them
        self.detector.joint_head.requires_grad_(self.joint_head)
        self.detector.left_out_heads.requires_grad_(self.settings.local_loss)


def mix(alpha: float, images: Tensor, *targets: Tensor) -> tuple[Tensor, ...]:
    """Mix each sample with another of its batch, all by one share, drawn from torch's CPU random numbers.

    Args:
        alpha: Both parameters of the beta distribution of the share, above 0.
        images: `(B, …)` floats.
        *targets: `(B, …)`, mixed in the same way.
    """
    share = torch.distributions.Beta(alpha, alpha).sample().item()
    order = torch.randperm(len(images)).to(images.device)
    return tuple(values.lerp(values[order], 1 - share) for values in (images, *targets))


def _accuracy(logits: Tensor, fake: Tensor) -> Tensor:
    """Share of correct decisions of one head; `logits` `(B, 2)`, `fake` `(B,)` the share of fake in each sample."""
    says_fake = (logits[:, 1] > logits[:, 0]).to(fake.dtype)
    return (says_fake * fake + (1 - says_fake) * (1 - fake)).mean()


def _over_processes(values: Tensor) -> Tensor:
    """Means over all processes; each one's gradient is that of its own values, because gradients are averaged later."""
    if not (dist.is_available() and dist.is_initialized()):
        return values
    means = values.detach().clone()
    dist.all_reduce(means)
    return values + (means / dist.get_world_size() - values).detach()
