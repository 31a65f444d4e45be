"""The notebook side: settings as widgets, live curves, and the strict runner that executes notebooks without a person.

Names are loaded when they are first used: the command line needs the runner and the doctor, but no widgets.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dfworkbench.notebook.doctor import Doctor as Doctor
    from dfworkbench.notebook.doctor import examine as examine
    from dfworkbench.notebook.live import LiveCurves as LiveCurves
    from dfworkbench.notebook.panel import SettingsPanel as SettingsPanel
    from dfworkbench.notebook.runner import run_notebook as run_notebook

_HOMES = {
    "Doctor": "doctor",
    "LiveCurves": "live",
    "SettingsPanel": "panel",
    "examine": "doctor",
    "run_notebook": "runner",
}
__all__ = sorted(_HOMES)  # pyright: ignore[reportUnsupportedDunderAll]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOMES])
