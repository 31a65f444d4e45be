"""dfworkbench: an interactive workbench for deepfake forensics.

The names below are loaded when they are first used, so that `import dfworkbench` stays fast and needs no torch.
"""

import importlib
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from dfworkbench.checkpoints import load_detector as load_detector
    from dfworkbench.evaluation.scoring import score as score
    from dfworkbench.input_spec import InputSpec as InputSpec
    from dfworkbench.models import build_detector as build_detector
    from dfworkbench.models import list_detectors as list_detectors
    from dfworkbench.names import FAKE as FAKE
    from dfworkbench.names import REAL as REAL

_HOMES = {
    "FAKE": "dfworkbench.names",
    "REAL": "dfworkbench.names",
    "InputSpec": "dfworkbench.input_spec",
    "build_detector": "dfworkbench.models",
    "list_detectors": "dfworkbench.models",
    "load_detector": "dfworkbench.checkpoints",
    "score": "dfworkbench.evaluation.scoring",
}
__all__ = [*sorted(_HOMES), "__version__"]  # pyright: ignore[reportUnsupportedDunderAll]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(importlib.import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'dfworkbench' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOMES])
