"""Use a network in eval mode and restore its mode; find the device of its weights."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn


@contextmanager
def evaluating(network: nn.Module) -> Iterator[None]:
    """Context manager for eval mode; every module returns to its former mode afterwards, even after an error."""
    # module by module, so that parts frozen in eval mode return to it
    modes = [(module, module.training) for module in network.modules()]
    network.eval()
    try:
        yield
    finally:
        for module, training in modes:
            module.training = training


def device_of(network: nn.Module) -> torch.device:
    """The device of a network's weights; the CPU if it has none."""
    return next((p.device for p in network.parameters()), torch.device("cpu"))
