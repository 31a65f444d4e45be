"""Protocol of detectors, and the predictions they return."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, NamedTuple, Protocol

from dfworkbench.core.input_spec import InputSpec

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor


class Prediction(NamedTuple):
    """Output of a detector.

    Attributes:
        logit: `(B,)`, log-odds of *fake*.
        aux: Further outputs for training methods and notebooks; each detector documents its own.
    """

    logit: Tensor
    aux: dict[str, Tensor] = {}


class Detector(Protocol):
    """Interface of a detector, which is also a `torch.nn.Module`. It knows nothing of losses or files.

    All constructor options have defaults; their annotations state types and bounds, which `build_detector` checks.

    Attributes:
        input_spec: The input it expects.
        trained_by: The training method that trains all its parts, selected by `method="auto"`. Optional, like the next two.
        scores_fakes: Whether it distinguishes real from fake; if not, it cannot be used for scoring.
        identities: Names of the people it knows; if there are any, training batches also contain carrier and donor.
    """

    input_spec: InputSpec
    trained_by: ClassVar[str] = "binary"
    scores_fakes: ClassVar[bool] = True
    identities: Sequence[str] = ()

    def __call__(self, images: Tensor) -> Prediction:
        """Score prepared images `(B, 3, H, W)` or clips `(B, T, 3, H, W)`; raises `InputError` for any other size."""
        ...

    def features(self, images: Tensor) -> Tensor:
        """Features of each sample before the classifier, `(B, F)`."""
        ...
