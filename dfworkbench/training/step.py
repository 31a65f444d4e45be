"""Base class of training methods, their settings, and the `Step` they return for a batch."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, NamedTuple

from pydantic import ConfigDict
from torch import Tensor, nn

from dfworkbench.core.errors import ParameterError
from dfworkbench.core.settings import Settings
from dfworkbench.datasets.sample import Transform


class Step(NamedTuple):
    """Output of a training method for one batch.

    Attributes:
        loss: Scalar to minimise; a mean over the samples of the batch, so that batches can be split over processes.
        parts: Named parts of the loss, scalars; recorded in the history.
        logit: `(B,)`, log-odds of *fake*, or None if the method does not classify or labels were mixed.
        shares: Named scalars that are measured but not minimised, means over the batch: shares of samples, 0..1, factors of losses
            ("weight_…"), and measures with their unit in the name. Also recorded in the history.
    """

    loss: Tensor
    parts: dict[str, Tensor]
    logit: Tensor | None
    shares: dict[str, Tensor] = {}


class MethodSettings(Settings):
    """Options of a training method: types, bounds, defaults and descriptions. Methods with options define a subclass."""

    model_config = ConfigDict(strict=True)  # any non-empty text is true in Python, even "False"


class TrainingMethod(nn.Module):
    """Base class of training methods: a module that owns a detector and computes the loss of a batch.

    A subclass implements `forward` and overrides the attributes that differ from their defaults.

    Args:
        detector: The network to train.
        **options: Fields of `Settings`.

    Attributes:
        detector: The network, saved for inference; everything else the method owns is for training only.
        settings: The validated options, an instance of `Settings`.
        Settings: Class of the options.
        published: `TrainSettings` values from the publication, for `TrainSettings.published`; empty if unknown.
        own_detectors: Whether it only trains detectors that name it in `trained_by`.
        run_options: Options that name runs. Training resolves them in its workspace and records their files.
        closed_set: Whether it only learns to identify people. It is then trained on the first part of all videos and validated on
            the last part, because it would not know the people in another split.
        real_only: Whether it is trained and validated on real files only.
        decay_vectors: Whether weight decay applies to biases and norms too.
    """

    Settings: ClassVar[type[MethodSettings]] = MethodSettings
    published: ClassVar[Mapping[str, Any]] = {}
    own_detectors: ClassVar[bool] = False
    run_options: ClassVar[tuple[str, ...]] = ()
    closed_set: ClassVar[bool] = False
    real_only: ClassVar[bool] = False
    decay_vectors: ClassVar[bool] = False
    settings: Any

    def __init__(self, detector: Any, **options: Any) -> None:
        super().__init__()
        self.detector = detector
        self.settings = self.Settings(**options)

    def forward(self, batch: dict[str, Tensor]) -> Step:
        """Loss of a batch from `FaceDataset`.

        The batch has images (uint8 RGB), label `(B,)`, row `(B,)`, and for a detector with `identities` also carrier and donor,
        `(B,)`.
        """
        raise NotImplementedError

    def balance_classes(self, labels: Sequence[int]) -> None:
        """Set class weights so that both classes count equally over the training rows (`balance="loss"`).

        Raises:
            ParameterError: The method has no class weights.
        """
        raise ParameterError(
            f"balance = 'loss': the method {type(self).__name__} has no class weights. Choose balance = 'sample' or 'none'."
        )

    def parameter_groups(self, learning_rate: float, weight_decay: float) -> list[dict[str, Any]]:
        """Parameter groups for the optimiser, each with `params`, `lr` and `weight_decay`."""
        return decay_groups(self, learning_rate, weight_decay, vectors=self.decay_vectors)

    def train_transform(self) -> Transform | None:
        """Random changes of training samples; None for no changes."""
        return None

    def eval_transform(self) -> Transform | None:
        """Changes of validation samples; None, because a metric must not depend on chance."""
        return None


def decay_groups(
    module: nn.Module, learning_rate: float, weight_decay: float, *, vectors: bool = False
) -> list[dict[str, Any]]:
    """Parameter groups: matrices and filters with weight decay, vectors (biases, norms) only if `vectors`."""
    trainable = [p for p in module.parameters() if p.requires_grad]
    groups = [
        {"params": [p for p in trainable if vectors or p.ndim > 1], "lr": learning_rate, "weight_decay": weight_decay},
        {"params": [p for p in trainable if not (vectors or p.ndim > 1)], "lr": learning_rate, "weight_decay": 0.0},
    ]
    return [group for group in groups if group["params"]]
