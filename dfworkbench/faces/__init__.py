"""Faces: finding them, connecting them through a video, cutting them out."""

import importlib
from typing import TYPE_CHECKING, Any

from dfworkbench.faces.settings import FaceSettings

if TYPE_CHECKING:
    from dfworkbench.faces.crops import ContextCrop as ContextCrop
    from dfworkbench.faces.crops import cut_context as cut_context
    from dfworkbench.faces.crops import cut_for as cut_for
    from dfworkbench.faces.files import faces_in_file as faces_in_file
    from dfworkbench.faces.mtcnn import FaceFinder as FaceFinder

# loaded when first used: the settings must not need torch, nor the crops the detector
_HOMES = {
    "ContextCrop": "dfworkbench.faces.crops",
    "FaceFinder": "dfworkbench.faces.mtcnn",
    "cut_context": "dfworkbench.faces.crops",
    "cut_for": "dfworkbench.faces.crops",
    "faces_in_file": "dfworkbench.faces.files",
}
__all__ = ["ContextCrop", "FaceFinder", "FaceSettings", "cut_context", "cut_for", "faces_in_file"]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(importlib.import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'dfworkbench.faces' has no attribute {name!r}")
