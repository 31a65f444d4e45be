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
        aux: Whatever else a training method or a notebook reads; a detector documents its own names.
    """

    logit: Tensor
    aux: dict[str, Tensor] = {}


class Detector(Protocol):
    """What a detector offers; besides, it is a `torch.nn.Module`. It knows nothing of losses and files.

    Its constructor takes options with defaults; their annotations state types and bounds, which `build_detector` checks.

    Attributes:
        input_spec: What it is fed.
        trained_by: The training method that trains all its parts; `method="auto"` takes it. May be left out, as the next two.
        scores_fakes: Whether it tells real from fake; scoring refuses the others.
        identities: Names of the people that it knows; for these training adds carrier and donor to its batches.
    """

    input_spec: InputSpec
    trained_by: ClassVar[str] = "binary"
    scores_fakes: ClassVar[bool] = True
    identities: Sequence[str] = ()

    def __call__(self, images: Tensor) -> Prediction:
        """Score prepared images `(B, 3, H, W)` or clips `(B, T, 3, H, W)`; refuse any other size with `InputError`."""
        ...

    def features(self, images: Tensor) -> Tensor:
        """Description of each sample before the classifier, `(B, F)`."""
        ...
