"""Protocol of detectors, and what they return."""

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
    """Interface of a detector, which is also a `torch.nn.Module`. It knows nothing of losses and files.

    Its constructor takes options with defaults; their annotations state types and bounds, which `build_detector` checks.

    Attributes:
        input_spec: The input it needs.
        trained_by: The training method that trains all its parts; `method="auto"` selects it. Optional, like the next two.
        scores_fakes: Whether it tells real from fake; if not, scoring refuses it.
        identities: Names of the people it knows; if there are any, training batches also hold carrier and donor.
    """

    input_spec: InputSpec
    trained_by: ClassVar[str] = "binary"
    scores_fakes: ClassVar[bool] = True
    identities: Sequence[str] = ()

    def __call__(self, images: Tensor) -> Prediction:
        """Score prepared images `(B, 3, H, W)` or clips `(B, T, 3, H, W)`; refuse any other size with `InputError`."""
        ...

    def features(self, images: Tensor) -> Tensor:
        """Features of each sample before the classifier, `(B, F)`."""
        ...
