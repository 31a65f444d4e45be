"""Training: settings, methods and the loop. Names that need torch are loaded when first used."""

import importlib
from typing import TYPE_CHECKING, Any

from dfworkbench.training.settings import TrainSettings

if TYPE_CHECKING:
    from dfworkbench.training.loop import Epoch as Epoch
    from dfworkbench.training.loop import fit as fit
    from dfworkbench.training.start import prepare as prepare
    from dfworkbench.training.start import train as train

_HOMES = {"Epoch": "loop", "fit": "loop", "prepare": "start", "train": "start"}
__all__ = ["Epoch", "TrainSettings", "fit", "prepare", "train"]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
