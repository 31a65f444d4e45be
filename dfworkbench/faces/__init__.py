"""Faces: detect them, track them through a video, cut them out. Other packages import these names from here."""

from typing import TYPE_CHECKING

from dfworkbench.core.lazy_names import lazy_names
from dfworkbench.faces.settings import FaceSettings

if TYPE_CHECKING:
    from dfworkbench.faces.crops import cut_for as cut_for
    from dfworkbench.faces.crops import spec_for as spec_for
    from dfworkbench.faces.embedding import describe_weights as describe_weights
    from dfworkbench.faces.embedding import resolve_weights as resolve_weights
    from dfworkbench.faces.face_tile import FaceTile as FaceTile
    from dfworkbench.faces.face_tile import cut_tile as cut_tile
    from dfworkbench.faces.face_tile import cut_whole as cut_whole
    from dfworkbench.faces.face_tile import tile_at as tile_at
    from dfworkbench.faces.faces import FileFaces as FileFaces
    from dfworkbench.faces.faces import NoFaceError as NoFaceError
    from dfworkbench.faces.faces import TrackedFace as TrackedFace
    from dfworkbench.faces.files import faces_in_file as faces_in_file
    from dfworkbench.faces.mtcnn import FaceFinder as FaceFinder
    from dfworkbench.faces.regions import context_scale_for as context_scale_for
    from dfworkbench.faces.regions import region_of as region_of
    from dfworkbench.faces.windows import window_in as window_in

# loaded on first use: settings must not need torch, nor crops the detector
_NAMES = {
    "face_tile": ("FaceTile", "tile_at", "cut_tile", "cut_whole"),
    "crops": ("cut_for", "spec_for"),
    "embedding": ("describe_weights", "resolve_weights"),
    "faces": ("FileFaces", "NoFaceError", "TrackedFace"),
    "files": ("faces_in_file",),
    "mtcnn": ("FaceFinder",),
    "regions": ("context_scale_for", "region_of"),
    "windows": ("window_in",),
}
_HOMES = {name: f"dfworkbench.faces.{module}" for module, names in _NAMES.items() for name in names}
__all__ = [
    "FaceTile", "FaceFinder", "FaceSettings", "FileFaces", "NoFaceError", "TrackedFace", "context_scale_for",
    "tile_at", "cut_tile", "cut_for", "cut_whole", "describe_weights", "faces_in_file", "region_of", "resolve_weights",
    "spec_for", "window_in",
]  # fmt: skip

__getattr__, __dir__ = lazy_names(__name__, _HOMES)
