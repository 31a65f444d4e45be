"""Notebook support: settings as widgets, live training curves, and the strict runner that executes notebooks unattended.

Names are imported lazily: the command line needs the runner and the doctor, but no widgets.
"""

import sys
from typing import TYPE_CHECKING

from dfworkbench.core.lazy_names import lazy_names

if TYPE_CHECKING:
    from dfworkbench.notebook.doctor import Doctor as Doctor
    from dfworkbench.notebook.doctor import examine as examine
    from dfworkbench.notebook.live import LiveCurves as LiveCurves
    from dfworkbench.notebook.panel import SettingsPanel as SettingsPanel
    from dfworkbench.notebook.runner import run_notebook as run_notebook

# If rfc3987-syntax is installed, jsonschema (imported by nbformat) compiles 38 grammars of internet addresses: two seconds for
# every command, for a check that no notebook needs. So it is hidden from jsonschema.
sys.modules.setdefault("rfc3987_syntax", None)  # pyright: ignore[reportArgumentType]

_HOMES = {
    "Doctor": "dfworkbench.notebook.doctor",
    "LiveCurves": "dfworkbench.notebook.live",
    "SettingsPanel": "dfworkbench.notebook.panel",
    "examine": "dfworkbench.notebook.doctor",
    "run_notebook": "dfworkbench.notebook.runner",
}
__all__ = sorted(_HOMES)  # pyright: ignore[reportUnsupportedDunderAll]

__getattr__, __dir__ = lazy_names(__name__, _HOMES)
