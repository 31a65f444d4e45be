"""Weights of FST-Matching: the files of megvii-research/FST-Matching (Apache-2.0), released ones and those that its code writes.

A file is a pickled dict of NumPy arrays, written by MegEngine, which is not needed to read it. It holds one of the paper's four
networks, its *role*. Names are torchvision's; how a network is called, and for which people it was trained, is in no file.

Polarity: the original's class 1 is fake, so its probability of class 1 is the sigmoid of our logit. The encoders of carrier
("source") and donor ("target") name people and have no such answer; their classes are numbers of FaceForensics++ videos, 0 to 999.

What the networks are fed is what the originals are fed: faces aligned by five points, 224 px, BGR in 0..255, no mean and std. But
the points are MTCNN's; the original takes them from dlib's 81, with the centres of the eyes cut to whole pixels, so crops can
differ by a few pixels. The crop is that of its test.py and of its training without augmentation (scale 1.0); its demo.py shows the
networks faces that are a tenth smaller.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from dfworkbench.core.errors import CheckpointError
from dfworkbench.core.names import require_name
from dfworkbench.media.foreign.numpy_pickles import read_arrays
from dfworkbench.models import build_detector
from dfworkbench.runs.matching import renamed, shape_differences

#: What a network is for -> our detector. "source" and "target" are the authors' words, "carrier" and "donor" ours for the same.
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
    """Read weights of FST-Matching.

    Args:
        path: A .pkl of the authors or of their training code. Nothing in it is executed.
        role: One of `ROLES`; empty finds the network from names and shapes: a ResNet-18 with two classes is taken for the
            detector, with any other number for an encoder. Encoders of carriers and of donors are one network, and no file says
            which it holds: give the role, so that a run's record has it.

    Returns:
        Name of the detector, its options, and the detector in eval mode.

    Raises:
        DataNotFoundError: There is no such file; says where to get it.
        UnknownNameError: There is no such role.
        CheckpointError: The file is damaged, holds code, or belongs to another network; says what does not fit.
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
    with torch.device("meta"):  # the file gives the weights
        net = build_detector(name, **options)
    if found := differences(net, state):
        raise CheckpointError(
            f"{_DOING}: {path} does not fit {f'the role {role!r}, {name}' if role else f'any role; closest is {name}'}, with "
            f"{len(found)} differences: {'; '.join(found[:4])}{'; …' if len(found) > 4 else ''}. Expected a file of "
            f"megvii-research/FST-Matching{'; leave out role= to find the network from the file' if role else ''}."
        )
    own: dict[str, Tensor] = {}
    for key, value in net.state_dict().items():
        array = 0 if key.endswith(_UNTOLD) else state[original_name(key)]
        own[key] = torch.tensor(array, dtype=value.dtype).reshape(value.shape)
    net.load_state_dict(own, assign=True)
    return name, options, net.eval()


def original_name(key: str) -> str:
    """The authors' name of an entry of our state dict."""
    return renamed(key, _RENAMES)


def differences(net: nn.Module, state: Mapping[str, NDArray[Any]]) -> list[str]:
    """In words, under the authors' names, how a file's arrays differ from those of a detector; empty where they fit."""
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
    """What the authors feed, and the number of people."""
    if name == "resnet18":
        return {"alignment": "five_points", "authors_input": True, "crop_scale": 1.0, "two_logits": True}
    weight = "source_encoder.fc.weight" if name == "fst_matching" else "fc.weight"
    return {"authors_input": True, "classes": _classes(state, weight) or _PEOPLE}


def _classes(state: Mapping[str, NDArray[Any]], weight: str) -> int:
    """Number of answers of a linear layer; 0 where there is none."""
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
