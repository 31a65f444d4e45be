"""Load FST-Matching weights: files of megvii-research/FST-Matching (Apache-2.0), released or written by its code.

A file is a pickled dict of NumPy arrays, written by MegEngine, which is not needed to read it. It contains one of the paper's four
networks, its *role*. Names are torchvision's; no file names its network, or the people it was trained on.

Polarity: the original's class 1 is fake, so its probability of class 1 is the sigmoid of our logit. The encoders of carrier
("source") and donor ("target") identify people and have no such output; their classes are numbers of FaceForensics++ videos, 0 to
999.

The input is that of the originals: faces aligned by five points, 224 px, BGR in 0..255, no mean and std. But the points are
MTCNN's; the original derives them from dlib's 81, with the eye centres truncated to whole pixels, so crops can differ by a few
pixels. The crop is that of its test.py and of its training without augmentation (scale 1.0); in its demo.py, faces are a tenth
smaller.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from dfworkbench.core.names import require_name
from dfworkbench.media.foreign import read_arrays
from dfworkbench.runs.matching import build_empty, renamed, require_fit, shape_differences

#: Role of a network -> our detector. "source" and "target" are the authors' words, "carrier" and "donor" ours for the same.
ROLES = {
    "source": "identity_resnet18",
    "carrier": "identity_resnet18",
    "target": "identity_resnet18",
    "donor": "identity_resnet18",
    "detection": "resnet18",
    "fst_matching": "fst_matching",
}
_DOING = "importing FST-Matching weights"
_PEOPLE = 1000
_UNTOLD = "num_batches_tracked"
#: From our names to the authors', each applied to the beginning of a name, in this order.
_RENAMES = (
    (r"carrier\.gate\.", "source_se.fc."),
    (r"donor\.gate\.", "target_se.fc."),
    (r"carrier\.", "source_encoder."),
    (r"donor\.", "target_encoder."),
    (r"((?:source|target)_encoder\.)?trunk\.net\.", r"\1"),
    (r"((?:source|target)_encoder\.)?head\.", r"\1fc."),
)


def load_fst_matching(path: Path | str, role: str = "") -> tuple[str, dict[str, Any], nn.Module]:
    """Read FST-Matching weights.

    Args:
        path: A .pkl of the authors or of their training code. Nothing in it is executed.
        role: One of `ROLES`; empty to infer the network from names and shapes: a ResNet-18 with two classes is taken for the
            detector, with any other number for an encoder. Encoders of carriers and donors have the same architecture, and no file
            says which it is: give the role, so that the run's record has it.

    Returns:
        Name of the detector, its options, and the detector in eval mode.

    Raises:
        DataNotFoundError: There is no such file; the message says where to get it.
        UnknownNameError: There is no such role.
        CheckpointError: The file is damaged, contains code, or belongs to another network; the message says what does not fit.
    """
    path = Path(path)
    if role:
        require_name("role of a network of FST-Matching", role, ROLES)
    state = read_arrays(
        path,
        doing=_DOING,
        where_to_get="Get the .pkl through the Google Drive links in the README of "
        "https://github.com/megvii-research/FST-Matching",
        expected="a pickled dict of NumPy arrays by name",
    )
    name = ROLES[role or _likely_role(state)]
    options = _options(name, state)
    net = build_empty(name, **options)
    require_fit(
        _differences(net, state),
        f"{_DOING}: {path} does not fit {f'the role {role!r}, {name}' if role else f'any role; closest is {name}'}",
        f"a file of megvii-research/FST-Matching{'; leave out role= to find the network from the file' if role else ''}",
    )
    own: dict[str, Tensor] = {}
    for key, value in net.state_dict().items():
        array = 0 if key.endswith(_UNTOLD) else state[original_name(key)]
        own[key] = torch.tensor(array, dtype=value.dtype).reshape(value.shape)
    net.load_state_dict(own, assign=True)
    return name, options, net.eval()


def original_name(key: str) -> str:
    """The authors' name for an entry of our state dict."""
    return renamed(key, _RENAMES)


def _differences(net: nn.Module, state: Mapping[str, NDArray[Any]]) -> list[str]:
    norms = {original_name(f"{key}.") for key, module in net.named_modules() if isinstance(module, nn.BatchNorm2d)}
    wanted = {
        original_name(key): tuple(value.shape) for key, value in net.state_dict().items() if not key.endswith(_UNTOLD)
    }
    seen = {key: _shape(key, value, norms) for key, value in state.items()}
    types = [f"{key} has type {state[key].dtype}, expected a float" for key in wanted if not _is_float(state.get(key))]
    return types + shape_differences(wanted, seen)


def _likely_role(state: Mapping[str, NDArray[Any]]) -> str:
    if any(key.startswith(("source_", "target_")) for key in state):
        return "fst_matching"
    return "detection" if _classes(state, "fc.weight") == 2 else "source"


def _options(name: str, state: Mapping[str, NDArray[Any]]) -> dict[str, Any]:
    """The authors' input, and the number of people."""
    if name == "resnet18":
        return {"alignment": "five_points", "authors_input": True, "crop_scale": 1.0, "two_logits": True}
    weight = "source_encoder.fc.weight" if name == "fst_matching" else "fc.weight"
    return {"authors_input": True, "classes": _classes(state, weight) or _PEOPLE}


def _classes(state: Mapping[str, NDArray[Any]], weight: str) -> int:
    """Number of outputs of a linear layer; 0 if there is none."""
    found = state.get(weight)
    return len(found) if found is not None and found.ndim == 2 else 0


def _shape(key: str, array: NDArray[Any], norms: set[str]) -> tuple[int, ...]:
    """The shape of an entry; older MegEngine saves those of batch norms as (1, C, 1, 1), read as (C,)."""
    shape = array.shape
    if key.rpartition(".")[0] + "." in norms and len(shape) == 4 and shape == (1, array.size, 1, 1):
        return (array.size,)
    return shape


def _is_float(array: NDArray[Any] | None) -> bool:
    return array is None or np.issubdtype(array.dtype, np.floating)
