"""Which number of a prediction is explained: one value per picture."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from dfworkbench.core.errors import InputError
from dfworkbench.models.prediction import Prediction

#: "logit", or any function of a prediction that returns `(B,)`.
Value = str | Callable[[Prediction], Tensor]


@dataclass(frozen=True)
class ClassLogit:
    """The raw logit of one class, as explained by the code of FST-Matching.

    Adding any function of the picture to all logits does not change the prediction, but changes this value; see `ClassLogOdds`.

    Attributes:
        aux: Name of class logits `(B, C)` in `Prediction.aux`.
        index: Index of the class, 0..C-1.
    """

    aux: str
    index: int

    def __call__(self, prediction: Prediction) -> Tensor:
        """`(B,)`."""
        return _logits(self.aux, self.index, prediction)[:, self.index]


@dataclass(frozen=True)
class ClassLogOdds:
    """Log-odds of one class: its logit minus the logsumexp of the others, log(p / (1 - p)) of the softmax.

    Attributes:
        aux: Name of class logits `(B, C)` in `Prediction.aux`, C at least 2.
        index: Index of the class, 0..C-1.
    """

    aux: str
    index: int

    def __call__(self, prediction: Prediction) -> Tensor:
        """`(B,)`."""
        logits = _logits(self.aux, self.index, prediction)
        others = torch.cat([logits[:, : self.index], logits[:, self.index + 1 :]], dim=1)
        return logits[:, self.index] - others.logsumexp(dim=1)


def detector_logit(prediction: Prediction) -> Tensor:
    """Log-odds of *fake*, `(B,)`."""
    return prediction.logit


def value_function(value: Value) -> Callable[[Prediction], Tensor]:
    """Resolve `value` to a function of a prediction.

    Raises:
        InputError: It is neither "logit" nor callable.
    """
    if callable(value):
        return value
    if value != "logit":
        raise InputError(
            f"choosing what to explain: got {value!r}, expected 'logit' (the detector's log-odds of fake) or a function of the "
            "prediction that gives (B,). For a class take ClassLogit or ClassLogOdds of dfworkbench.explain.shapley.values."
        )
    return detector_logit


def value_name(value: Value) -> str:
    """The value in words, for records: "logit", "ClassLogit(aux='identity', index=3)", or the name of a function."""
    return value if isinstance(value, str) else getattr(value, "__qualname__", None) or repr(value)


def _logits(aux: str, index: int, prediction: Prediction) -> Tensor:
    logits = prediction.aux.get(aux)
    if logits is None or logits.ndim != 2 or not 0 <= index < logits.shape[1]:
        found = "no such entry" if logits is None else f"shape {tuple(logits.shape)}"
        raise InputError(
            f"explaining class {index} of aux {aux!r}: {found} in the prediction, expected (B, C) with C above {index}. "
            f"There: {', '.join(sorted(prediction.aux)) or 'nothing'}. Name an entry and a class that the detector has."
        )
    return logits.float()
