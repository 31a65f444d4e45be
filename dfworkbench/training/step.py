"""What every training method is and what it returns."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, Protocol

if TYPE_CHECKING:
    from torch import Tensor

    from dfworkbench.datasets.sample import Transform


class Step(NamedTuple):
    """Output of a training method for one batch.

    Attributes:
        loss: Scalar to minimise; a mean over the samples of the batch, so that batches can be split over processes.
        parts: Named parts of the loss, scalars; they go into the history.
        logit: `(B,)`, log-odds of *fake*, or None for a method that classifies nothing, and where labels were mixed.
        shares: Named scalars that are measured and not minimised, means over the batch: shares of its samples, 0..1,
            factors of losses ("weight_…"), and measures whose names bear their unit. They go into the history too.
    """

    loss: Tensor
    parts: dict[str, Tensor]
    logit: Tensor | None
    shares: dict[str, Tensor] = {}


class TrainingMethod(Protocol):
    """What a training method offers; besides, it is a `torch.nn.Module` that owns a detector.

    Attributes:
        detector: What is saved for inference; whatever else the method owns only training needs.
        closed_set: Whether it learns who is shown and nothing else. It is then trained on the first part of the videos of all
            splits, and validated on the last, because other people would be unknown to it.
        real_only: Whether it learns from real files alone and is validated on them.
    """

    detector: Any
    closed_set: ClassVar[bool]
    real_only: ClassVar[bool]

    def __call__(self, batch: dict[str, Tensor]) -> Step:
        """Loss of a batch of `FaceDataset`.

        It has images uint8 RGB, label `(B,)`, row `(B,)`, and for a detector with `identities` also carrier and donor, `(B,)`.
        """
        ...

    def parameter_groups(self, learning_rate: float, weight_decay: float) -> list[dict[str, Any]]:
        """Groups for the optimiser, each with `params`, `lr` and `weight_decay`."""
        ...

    def train_transform(self) -> Transform | None:
        """Random changes of training samples."""
        ...

    def eval_transform(self) -> Transform | None:
        """Changes of validation samples; None as a rule."""
        ...
