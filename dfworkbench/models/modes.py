"""Using a network that somebody else owns: as it would answer, and left as it was."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn


@contextmanager
def evaluating(network: nn.Module) -> Iterator[None]:
    """Eval mode for a block; afterwards, whatever happens there, every module is in the mode it was in."""
    # module by module: a part that was frozen in eval mode must come back so
    modes = [(module, module.training) for module in network.modules()]
    network.eval()
    try:
        yield
    finally:
        for module, training in modes:
            module.training = training


def device_of(network: nn.Module) -> torch.device:
    """Where the weights of a network lie; the CPU for one without weights."""
    return next((p.device for p in network.parameters()), torch.device("cpu"))
