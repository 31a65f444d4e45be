"""Load published weights into our networks: match names and shapes, and report differences."""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from dfworkbench.core.errors import CheckpointError
from dfworkbench.models import build_detector

Shapes = Mapping[str, tuple[int, ...]]
_SHOWN = 4


def build_empty(name: str, **options: Any) -> Any:
    """Build a detector on the meta device, without memory for its weights (1.2 GB for the largest)."""
    with torch.device("meta"):
        return build_detector(name, **options)


def renamed(key: str, renames: Sequence[tuple[str, str]]) -> str:
    """The authors' name for an entry of our state dict.

    Args:
        key: Our name.
        renames: Pairs of pattern and replacement, applied to the beginning of the name, in this order.
    """
    for pattern, replacement in renames:
        key = re.sub(f"^{pattern}", replacement, key)
    return key


def shapes_of(state: Mapping[str, Tensor], original_name: Callable[[str], str] = str) -> Shapes:
    """Shapes of a state dict, under the authors' names."""
    return {original_name(key): tuple(value.shape) for key, value in state.items()}


def shape_differences(wanted: Shapes, seen: Shapes) -> list[str]:
    """Describe how the shapes in a file differ from those of a network; empty if they match."""
    wrong = [
        f"{key} is {seen[key]}, expected {wanted[key]}" for key in wanted if seen.get(key, wanted[key]) != wanted[key]
    ]
    missing = [f"missing {key} {shape}" for key, shape in wanted.items() if key not in seen]
    # names in a file may be of any length
    return wrong + missing + [f"unexpected {key[:80]} {shape}" for key, shape in seen.items() if key not in wanted]


def require_fit(differences: Sequence[str], unfit: str, expected: str) -> None:
    """Raise `CheckpointError` if a file differs from the closest network.

    Args:
        differences: Descriptions such as those of `shape_differences`.
        unfit: What does not fit, such as "importing CADDM weights: a.pkl does not fit resnet34".
        expected: What was expected and what to do, such as "a file of megvii-research/CADDM …".
    """
    if differences:
        more = "; …" if len(differences) > _SHOWN else ""
        raise CheckpointError(
            f"{unfit}, with {len(differences)} differences: {'; '.join(differences[:_SHOWN])}{more}. Expected {expected}."
        )


def fill(net: nn.Module, state: Mapping[str, Tensor], original_name: Callable[[str], str] = str) -> None:
    """Fill a network on the meta device with the tensors of a matching file.

    The tensors are copied: `read_tensors` returns views of the file, which may change while the network is in use.
    """
    own = {
        key: state[original_name(key)].detach().to(value.dtype, copy=True) for key, value in net.state_dict().items()
    }
    net.load_state_dict(own, assign=True)
