"""Plain real-or-fake training: binary cross-entropy on the logit.

Differences from DeepfakeForensics-v1: the loss is computed from logits, which cannot overflow; classes are balanced by
weights or by sampling instead of by extracting more frames from real files; weight decay spares biases and batch norms.
"""

from collections.abc import Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from dfworkbench.core.errors import ParameterError
from dfworkbench.datasets.facial_swap import FacialSwap, SwapSettings
from dfworkbench.datasets.perturb.augment import AugmentSettings, FaceAugment
from dfworkbench.datasets.sample import Transform
from dfworkbench.models.inputs import prepare
from dfworkbench.models.prediction import Prediction
from dfworkbench.training.step import Step

_NO_SWAPS = {"genuine_on_fake": 0.0, "fake_on_genuine": 0.0, "partial": 0.0}


class Binary(nn.Module):
    """Binary cross-entropy.

    Args:
        detector: What it trains.
        class_weights: Factors of the loss of real and fake samples, or None for 1 and 1. See `balanced_weights`.
        label_smoothing: 0.1 turns the targets 0 and 1 into 0.05 and 0.95.
        augment: Strength of the random changes, or None for none.
        swap: Settings of the facial swap (`datasets.facial_swap`) as a dict: its changes of crop and quality are then made in
            place of `augment`, and nothing is swapped. For a detector that is compared with one trained by CADDM.
    """

    closed_set: ClassVar[bool] = False
    real_only: ClassVar[bool] = False

    def __init__(
        self,
        detector: Any,
        *,
        class_weights: tuple[float, float] | None = None,
        label_smoothing: float = 0.0,
        augment: AugmentSettings | None = None,
        swap: dict[str, Any] | None = None,
    ) -> None:
        super().__init__()
        if not 0 <= label_smoothing < 1:
            raise ParameterError(f"label_smoothing = {label_smoothing}: expected 0 to below 1; 0.1 is common.")
        self.detector = detector
        self.label_smoothing = label_smoothing
        self._augment = augment
        self._swap = None if swap is None else swap_settings(swap).replace(**_NO_SWAPS)
        # not persistent: it follows from the data, so a checkpoint must not bring back that of other data
        self.register_buffer("class_weights", torch.tensor(class_weights or (1.0, 1.0)), persistent=False)

    def forward(self, batch: dict[str, Tensor]) -> Step:
        """Loss of a batch; see `training.step`."""
        logit = self.predict(batch).logit
        loss = self.cross_entropy(logit, batch["label"])
        return Step(loss, {"bce": loss}, logit)

    def predict(self, batch: dict[str, Tensor]) -> Prediction:
        """What the detector says of a batch."""
        return self.detector(prepare(batch["images"], self.detector.input_spec, type(self.detector).__name__))

    def cross_entropy(self, logit: Tensor, label: Tensor) -> Tensor:
        """Mean over the samples `(B,)`, with class weights and label smoothing; scalar, at least float32."""
        logit = logit.to(torch.promote_types(logit.dtype, torch.float32))
        target = label.to(logit.dtype) * (1 - self.label_smoothing) + self.label_smoothing / 2
        losses = F.binary_cross_entropy_with_logits(logit, target, reduction="none")
        return (losses * self.class_weights[label]).mean()

    def balance_classes(self, labels: Sequence[int]) -> None:
        """Weigh the classes so that both count equally over the training rows."""
        self.class_weights = torch.tensor(balanced_weights(labels), device=self.class_weights.device)

    def parameter_groups(self, learning_rate: float, weight_decay: float) -> list[dict[str, Any]]:
        """Weights with decay, biases and batch norms without."""
        return decay_groups(self, learning_rate, weight_decay)

    def train_transform(self) -> Transform | None:
        """The random changes of `augment`, or of `swap`."""
        if self._swap is not None:
            return FacialSwap(self._swap)
        return FaceAugment(self._augment) if self._augment else None

    def eval_transform(self) -> Transform | None:
        """None: a score must not depend on chance."""
        return None


def swap_settings(values: Any) -> SwapSettings:
    """Settings of the facial swap from the option of a method.

    Raises:
        ParameterError: They are no dict, or not those of a facial swap.
    """
    if not isinstance(values, dict):
        raise ParameterError(
            f'settings of the facial swap: swap = {values!r}; expected a dict of SwapSettings, such as {{"partial": 0.3}}.'
        )
    return SwapSettings(**values)


def decay_groups(module: nn.Module, learning_rate: float, weight_decay: float) -> list[dict[str, Any]]:
    """Two groups for the optimiser: matrices and filters with weight decay, vectors (biases, norms) without."""
    trainable = [p for p in module.parameters() if p.requires_grad]
    groups = [
        {"params": [p for p in trainable if p.ndim > 1], "lr": learning_rate, "weight_decay": weight_decay},
        {"params": [p for p in trainable if p.ndim <= 1], "lr": learning_rate, "weight_decay": 0.0},
    ]
    return [group for group in groups if group["params"]]


def balanced_weights(labels: Sequence[int]) -> tuple[float, float]:
    """Weights that let both classes count equally, their mean over the rows being 1.

    >>> balanced_weights([0, 1, 1, 1])
    (2.0, 0.6666666666666666)
    """
    counts = [sum(1 for label in labels if label == value) for value in (0, 1)]
    if 0 in counts:
        raise ParameterError(
            f"weighting classes: there are {counts[0]} real and {counts[1]} fake rows; both are needed."
        )
    return len(labels) / (2 * counts[0]), len(labels) / (2 * counts[1])
