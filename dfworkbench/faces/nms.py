"""Non-maximum suppression by torchvision's compiled operator, without importing torchvision.

`import torchvision` loads all its networks and, through them, the machinery of `torch.compile`: half of the start-up time of a
process that detects faces, which every extraction process does. Only its library is loaded here.
"""

from functools import cache
from importlib.machinery import EXTENSION_SUFFIXES
from importlib.util import find_spec
from pathlib import Path

import torch

_LIBRARIES = ("_C_stable", "_C")  # its name since torchvision 0.29, and before


def nms(boxes: torch.Tensor, scores: torch.Tensor, max_iou: float) -> torch.Tensor:
    """Greedy non-maximum suppression, as `torchvision.ops.nms`.

    Args:
        boxes: `(N, 4)` as x1, y1, x2, y2.
        scores: `(N,)`.
        max_iou: A box that overlaps a better one by more than this intersection over union is dropped.

    Returns:
        `(K,)` int64: the boxes kept, best first.
    """
    _load_library()
    return torch.ops.torchvision.nms(boxes, scores, max_iou)


@cache
def _load_library() -> None:
    """Register torchvision's operators; a later `import torchvision` finds the same library loaded and uses it."""
    if hasattr(torch.ops.torchvision, "nms"):
        return
    package = find_spec("torchvision")
    for folder in (package.submodule_search_locations or ()) if package else ():
        for name in (stem + suffix for stem in _LIBRARIES for suffix in EXTENSION_SUFFIXES):
            if (Path(folder) / name).is_file():
                torch.ops.load_library(str(Path(folder) / name))
                return
    import torchvision.ops  # noqa: F401  an installation of another kind: its own way to its operators
