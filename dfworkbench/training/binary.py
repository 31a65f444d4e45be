"""Plain real/fake training: binary cross-entropy on the logit.

Differences from DeepfakeForensics-v1: the loss is computed from logits, which cannot overflow; classes are balanced by
weights or by sampling instead of by extracting more frames from real files; biases and batch norms have no weight decay.
"""

from collections.abc import Sequence
from typing import Any

import torch
from pydantic import Field
from torch import Tensor
from torch.nn import functional as F

from dfworkbench.core.errors import ParameterError
from dfworkbench.datasets.facial_swap import FacialSwap, SwapSettings
from dfworkbench.datasets.perturb.augment import AugmentSettings, FaceAugment
from dfworkbench.datasets.sample import Transform
from dfworkbench.models.inputs import prepare
from dfworkbench.models.prediction import Prediction
from dfworkbench.training.step import MethodSettings, Step, TrainingMethod
from dfworkbench.training.unit_sphere import alignment_and_uniformity, kept_features

_NO_SWAPS = {"genuine_on_fake": 0.0, "fake_on_genuine": 0.0, "partial": 0.0}


class ClassifierSettings(MethodSettings):
    """Options of every method that classifies real and fake."""

    class_weights: tuple[float, float] | None = Field(
        default=None, description="Loss weights of real and fake samples; None for 1 and 1. See balanced_weights."
    )
    label_smoothing: float = Field(
        default=0.0, ge=0, lt=1, description="0.1 turns the targets 0 and 1 into 0.05 and 0.95."
    )


class BinarySettings(ClassifierSettings):
    """Options of plain training."""

    augment: AugmentSettings | None = Field(default=None, description="Random changes of training samples.")
    swap: SwapSettings | None = Field(
        default=None,
        description="Take the changes of crop and quality from the facial swap instead of augment, without swapping: for a "
        "detector that is compared with one trained by CADDM.",
    )
    alignment: float = Field(
        default=0.0,
        ge=0,
        le=100,
        description="Weight of the alignment loss: features of one class, divided by their length, should be close (Wang and "
        "Isola 2020; 0.1 with Yermakov et al. 2026). 0: off.",
    )
    uniformity: float = Field(
        default=0.0,
        ge=0,
        le=100,
        description="Weight of the uniformity loss: features, divided by their length, should spread over the sphere (Wang and "
        "Isola 2020, t = 2; 0.5 with Yermakov et al. 2026). 0: off.",
    )


class Binary(TrainingMethod):
    """Binary cross-entropy. Options: `BinarySettings`."""

    Settings = BinarySettings

    def __init__(self, detector: Any, **options: Any) -> None:
        super().__init__(detector, **options)
        weights = torch.tensor(self.settings.class_weights or (1.0, 1.0))
        # not persistent: it follows from the data, so a checkpoint must not restore that of other data
        self.register_buffer("class_weights", weights, persistent=False)

    def forward(self, batch: dict[str, Tensor]) -> Step:
        """Loss of a batch; see `training.step`.

        Parts: bce, and in training, if weighted, alignment and uniformity of the detector's features. Validation measures only the
        cross-entropy: the other two depend on which samples happen to share a batch.
        """
        weights = self._feature_weights() if self.training else {}
        if not weights:
            return self.classify(batch)
        with kept_features(self.detector) as features:
            step = self.classify(batch)
        if not features:
            raise ParameterError(
                f"alignment and uniformity of the features of {type(self.detector).__name__}: it scores pictures without calling "
                "its features(images). Let its forward call them, or set both weights to 0."
            )
        found = alignment_and_uniformity(features[-1], batch["label"])
        parts = {name: found[name] for name in weights}
        loss = step.loss + sum(weights[name] * part for name, part in parts.items())
        return step._replace(loss=loss, parts=step.parts | parts)

    def _feature_weights(self) -> dict[str, float]:
        if not isinstance(self.settings, BinarySettings):  # a method derived from this one, with its own options
            return {}
        weights = {"alignment": self.settings.alignment, "uniformity": self.settings.uniformity}
        return {name: weight for name, weight in weights.items() if weight}

    def classify(self, batch: dict[str, Tensor]) -> Step:
        """Cross-entropy of a batch, without other losses."""
        logit = self.predict(batch).logit
        loss = self.cross_entropy(logit, batch["label"])
        return Step(loss, {"bce": loss}, logit)

    def predict(self, batch: dict[str, Tensor]) -> Prediction:
        """The detector's prediction for a batch."""
        return self.detector(prepare(batch["images"], self.detector.input_spec, type(self.detector).__name__))

    def cross_entropy(self, logit: Tensor, label: Tensor) -> Tensor:
        """Mean over the samples `(B,)`, with class weights and label smoothing; scalar, at least float32."""
        logit = logit.to(torch.promote_types(logit.dtype, torch.float32))
        smoothing = self.settings.label_smoothing
        target = label.to(logit.dtype) * (1 - smoothing) + smoothing / 2
        losses = F.binary_cross_entropy_with_logits(logit, target, reduction="none")
        return (losses * self.class_weights[label]).mean()

    def balance_classes(self, labels: Sequence[int]) -> None:
        """Set class weights so that both classes count equally over the training rows."""
        self.class_weights = torch.tensor(balanced_weights(labels), device=self.class_weights.device)

    def train_transform(self) -> Transform | None:
        """The random augmentation of `augment`, or of `swap`."""
        if self.settings.swap is not None:
            return FacialSwap(self.settings.swap.replace(**_NO_SWAPS))
        return FaceAugment(self.settings.augment) if self.settings.augment else None


def balanced_weights(labels: Sequence[int]) -> tuple[float, float]:
    """Class weights that make both classes count equally; their mean over the rows is 1.

    >>> balanced_weights([0, 1, 1, 1])
    (2.0, 0.6666666666666666)
    """
    counts = [sum(1 for label in labels if label == value) for value in (0, 1)]
    if 0 in counts:
        raise ParameterError(
            f"weighting classes: there are {counts[0]} real and {counts[1]} fake rows; both are needed."
        )
    return len(labels) / (2 * counts[0]), len(labels) / (2 * counts[1])
