"""Training: settings, methods and the loop. Names that need torch are loaded when first used."""

from typing import TYPE_CHECKING

from dfworkbench.core.lazy_names import lazy_names
from dfworkbench.training.settings import TrainSettings

if TYPE_CHECKING:
    from dfworkbench.training.loop import Epoch as Epoch
    from dfworkbench.training.loop import fit as fit
    from dfworkbench.training.start import prepare as prepare
    from dfworkbench.training.start import train as train

_HOMES = {
    "Epoch": "dfworkbench.training.loop",
    "fit": "dfworkbench.training.loop",
    "prepare": "dfworkbench.training.start",
    "train": "dfworkbench.training.start",
}
__all__ = ["Epoch", "TrainSettings", "fit", "prepare", "train"]

__getattr__, __dir__ = lazy_names(__name__, _HOMES)
