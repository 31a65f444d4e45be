"""Weights and pictures that follow from their shapes alone, as checks of re-synthesis fill them."""

import math

import torch
from torch import Tensor, nn


def fill_wave(network: nn.Module) -> nn.Module:
    """Each parameter a wave over its flattened index, whatever its name; statistics of batch norms stay."""
    return _fill(network, _wave)


def fill_const(network: nn.Module, value: float) -> nn.Module:
    """Each parameter the same number."""
    return _fill(network, lambda name, parameter: torch.full_like(parameter, value))


def ramp(*shape: int) -> Tensor:
    """0 to 1 in equal steps, row by row."""
    count = math.prod(shape)
    return (torch.arange(count, dtype=torch.float64) / (count - 1)).view(shape)


def _fill(network: nn.Module, value) -> nn.Module:
    network = network.double().eval()
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            parameter.copy_(value(name, parameter))
    return network


def _wave(name: str, parameter: Tensor) -> Tensor:
    index = torch.arange(1, parameter.numel() + 1, dtype=torch.float64)
    if parameter.ndim > 1:
        values = torch.sin(0.7 * index) * math.sqrt(2 / parameter[0].numel())
    elif name.endswith("weight"):
        values = 1 + 0.1 * torch.sin(0.7 * index)
    else:
        values = 0.01 * torch.cos(0.7 * index)
    return values.view(parameter.shape)
