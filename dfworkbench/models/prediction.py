"""What every detector is and what it returns."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol

from dfworkbench.core.input_spec import InputSpec

if TYPE_CHECKING:
    from torch import Tensor


class Prediction(NamedTuple):
    """Output of a detector.

    Attributes:
        logit: `(B,)`, log-odds of *fake*.
        aux: Whatever else a training method or a notebook reads; a detector documents its own names.
    """

    logit: Tensor
    aux: dict[str, Tensor] = {}


class Detector(Protocol):
    """What a detector offers; besides, it is a `torch.nn.Module`. It knows nothing of losses and files."""

    input_spec: InputSpec

    def __call__(self, images: Tensor) -> Prediction:
        """Score prepared images `(B, 3, H, W)` or clips `(B, T, 3, H, W)`; refuse any other size with `InputError`."""
        ...

    def features(self, images: Tensor) -> Tensor:
        """Description of each sample before the classifier, `(B, F)`."""
        ...
