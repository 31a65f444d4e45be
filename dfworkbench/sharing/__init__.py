"""Share and fetch runs, write model cards, export training histories to TensorBoard and MLflow.

The names below are imported on first use.
"""

from typing import TYPE_CHECKING

from dfworkbench.core.lazy_names import lazy_names

if TYPE_CHECKING:
    from dfworkbench.sharing.exporting import export as export
    from dfworkbench.sharing.fetching import fetch as fetch
    from dfworkbench.sharing.model_card import model_card as model_card
    from dfworkbench.sharing.packing import Packing as Packing
    from dfworkbench.sharing.targets import share as share

_HOMES = {
    "Packing": "dfworkbench.sharing.packing",
    "export": "dfworkbench.sharing.exporting",
    "fetch": "dfworkbench.sharing.fetching",
    "model_card": "dfworkbench.sharing.model_card",
    "share": "dfworkbench.sharing.targets",
}
__all__ = sorted(_HOMES)  # pyright: ignore[reportUnsupportedDunderAll]

__getattr__, __dir__ = lazy_names(__name__, _HOMES)
