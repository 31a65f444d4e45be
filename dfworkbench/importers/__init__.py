"""Published weights of other people's code, as detectors of ours: one module per source, one call for all."""

from dfworkbench.importers.released import IMPORTERS, load_released
from dfworkbench.importers.save import save_released

__all__ = ["IMPORTERS", "load_released", "save_released"]
