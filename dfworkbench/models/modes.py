"""Use a network in eval mode and leave it as it was; find the device of its weights."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn


@contextmanager
def evaluating(network: nn.Module) -> Iterator[None]:
    """Eval mode for a block; every module returns to its former mode afterwards, also after an error."""
    # module by module: a part that was frozen in eval mode must come back so
    modes = [(module, module.training) for module in network.modules()]
    network.eval()
    try:
        yield
    finally:
        for module, training in modes:
            module.training = training


def device_of(network: nn.Module) -> torch.device:
    """The device of a network's weights; the CPU for a network without weights."""
    return next((p.device for p in network.parameters()), torch.device("cpu"))
