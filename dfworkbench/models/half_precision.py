"""Networks with bfloat16 weights: half the memory, and faster on CPUs with AMX or AVX-512 BF16 and on GPUs.

Linear layers with few outputs, such as the last layers of detectors, stay in float32: a bfloat16 logit has 8 significant bits, so
near 5 all logits within 0.03 would tie.
"""

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import TypeGuard

import torch
from torch import Tensor, nn

from dfworkbench.core.errors import InputError
from dfworkbench.models.modes import device_of

_FEW_OUTPUTS = 8


def in_bfloat16(network: nn.Module, *, keep: bool = True) -> nn.Module:
    """Convert a network to bfloat16 weights, for use within `own_precision`.

    Args:
        network: In float32, or already in bfloat16.
        keep: Return a copy and leave the network unchanged. Otherwise the network itself is converted, weight by weight, so that
            float32 and bfloat16 weights are never all in memory together.
    """
    kept = {id(p) for module in network.modules() if _is_head(module) for p in module.parameters(recurse=False)}
    weights = [t for t in (*network.parameters(), *network.buffers()) if t.is_floating_point() and id(t) not in kept]
    if all(tensor.dtype == torch.bfloat16 for tensor in weights):
        return network
    if keep:  # deepcopy uses what its memo holds instead of copying it
        network = copy.deepcopy(network, {id(tensor): _as_bfloat16(tensor) for tensor in weights})
    else:
        for tensor in weights:
            tensor.data = tensor.data.to(torch.bfloat16)
    for module in network.modules():
        if _is_head(module):
            module.forward = partial(_in_float32, module)  # pyright: ignore[reportAttributeAccessIssue]  (another argument name)
    return network


@contextmanager
def own_precision(network: nn.Module, name: str = "this detector") -> Iterator[None]:
    """Context manager: compute in the precision of a network's weights.

    Raises:
        InputError: The weights are bfloat16 and the network cannot compute with them.
    """
    if not any(p.dtype == torch.bfloat16 for p in network.parameters()):
        yield
        return
    try:
        with torch.autocast(device_of(network).type, torch.bfloat16):
            yield
    except (RuntimeError, TypeError) as error:
        if isinstance(error, torch.OutOfMemoryError):
            raise
        raise InputError(
            f"computing with {name} in bfloat16: it cannot ({str(error).partition(chr(10))[0]}). Expected a network whose layers "
            "all take bfloat16; use precision=32-true."
        ) from error


def _is_head(module: nn.Module) -> TypeGuard[nn.Linear]:
    return isinstance(module, nn.Linear) and module.out_features <= _FEW_OUTPUTS


def _as_bfloat16(tensor: Tensor) -> Tensor:
    half = tensor.detach().to(torch.bfloat16)
    return nn.Parameter(half, requires_grad=tensor.requires_grad) if isinstance(tensor, nn.Parameter) else half


def _in_float32(layer: nn.Linear, features: Tensor) -> Tensor:
    with torch.autocast(features.device.type, enabled=False):
        return nn.functional.linear(features.float(), layer.weight, layer.bias)
