"""Weights that anybody can make again, by the name of each entry, and the two pictures that golden numbers are stated for.

A golden number of a published network is what its authors' own class gives with these weights and pictures.
"""

import zlib
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

Shapes = dict[str, tuple[int, ...]]


def seeded(name: str, shape: Iterable[int]) -> Tensor:
    """Value of an entry, from its name and shape alone."""
    shape = tuple(shape)
    last = name.rsplit(".", 1)[-1]
    if last == "num_batches_tracked":
        return torch.zeros(shape, dtype=torch.int64)
    x: Any = np.random.RandomState(zlib.crc32(name.encode())).standard_normal(shape)
    if last == "running_mean":
        x = 0.1 * x
    elif last == "running_var":
        x = 1 + 0.2 * np.abs(x)
    elif len(shape) < 2:
        x = 1 + 0.1 * x if last == "weight" else 0.1 * x
    elif len(shape) > 2 and shape[0] == 1:
        x = 0.1 * x
    else:
        x /= np.sqrt(np.prod(shape[1:]))  # in place: some have millions of values
    return torch.from_numpy(np.asarray(x, np.float32))


def seeded_file(shapes: Mapping[str, Iterable[int]]) -> dict[str, Tensor]:
    return {name: seeded(name, shape) for name, shape in shapes.items()}


def two_pictures(size_px: int) -> Tensor:
    """Noise and a slope, `(2, 3, S, S)` uint8."""
    r, c, k = np.ogrid[:size_px, :size_px, :3]
    noise = np.random.RandomState(0).randint(0, 256, (size_px, size_px, 3))
    pictures = np.stack([noise, (3 * r + 5 * c + 70 * k) % 256]).astype(np.uint8)
    return torch.from_numpy(pictures).permute(0, 3, 1, 2).contiguous()


def by_batch(network: nn.Module) -> nn.Module:
    """Let every 2-d batch norm normalise by the batch, as golden numbers G1 are stated for; all else is in eval mode."""
    network.eval()
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.train()
    return network
