"""Runs for other people and other tools: share and fetch them, write model cards, export histories to TensorBoard and MLflow.

The names below are loaded when they are first used.
"""

import importlib
from typing import TYPE_CHECKING, Any

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


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(importlib.import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'dfworkbench.sharing' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOMES])
