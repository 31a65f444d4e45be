"""Meso4 and MesoInception4 as in DeepfakeBench, which differ from the Keras networks of `models.mesonet` and are in no library.

Afchar, Nozick, Yamagishi, Echizen: MesoNet. WIFS 2018, arXiv:1809.00888. Facts from SCLBD/DeepfakeBench, no code. Differences from
the Keras networks: convolutions have no bias, one batch norm serves two layers, and ReLU precedes the norm in Meso4. Names are
those in the published files, including `Incption1_…`, so that nothing needs renaming.
"""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional


def _convolution(channels_in: int, channels_out: int, kernel: int, dilation: int = 1) -> nn.Conv2d:
    """A convolution that keeps the size of the map."""
    padding = dilation * (kernel // 2)
    return nn.Conv2d(channels_in, channels_out, kernel, padding=padding, dilation=dilation, bias=False)


class _Meso(nn.Module):
    """The penultimate linear layer: `(B, 16, 8, 8)`, from 256 px, -> `(B, 16)`."""

    width = 16

    def __init__(self) -> None:
        super().__init__()
        self.dropout = nn.Dropout(0.5)
        self.fc1 = nn.Linear(16 * 8 * 8, 16)

    def forward_features(self, images: Tensor) -> Tensor:
        raise NotImplementedError

    def forward(self, images: Tensor) -> Tensor:
        """The 16 values before the last layer."""
        hidden = self.fc1(self.dropout(self.forward_features(images).flatten(1)))
        return self.dropout(functional.leaky_relu(hidden, 0.1))


class Meso4(_Meso):
    """Four convolutions: `(B, 3, 256, 256)` -> `(B, 16)`."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.bn1 = _convolution(3, 8, 3), nn.BatchNorm2d(8)
        self.conv2 = _convolution(8, 8, 5)
        self.conv3, self.bn2 = _convolution(8, 16, 5), nn.BatchNorm2d(16)
        self.conv4 = _convolution(16, 16, 5)

    def forward_features(self, images: Tensor) -> Tensor:
        """The last map, `(B, 16, 8, 8)`."""
        layers = (
            (self.conv1, self.bn1, 2),
            (self.conv2, self.bn1, 2),
            (self.conv3, self.bn2, 2),
            (self.conv4, self.bn2, 4),
        )
        maps = images
        for convolution, norm, pool in layers:
            maps = functional.max_pool2d(norm(convolution(maps).relu()), pool)
        return maps


class MesoInception4(_Meso):
    """Two modules of four branches, then two convolutions: `(B, 3, 256, 256)` -> `(B, 16)`."""

    def __init__(self) -> None:
        super().__init__()
        self._add_branches("Incption1", 3, (1, 4, 4, 2))
        self._add_branches("Incption2", 11, (2, 4, 4, 2))
        self.conv1, self.bn1 = _convolution(12, 16, 5), nn.BatchNorm2d(16)
        self.conv2 = _convolution(16, 16, 5)

    def _add_branches(self, name: str, channels_in: int, widths: tuple[int, int, int, int]) -> None:
        self.add_module(f"{name}_conv1", _convolution(channels_in, widths[0], 1))
        for branch, width in enumerate(widths[1:], start=2):
            self.add_module(f"{name}_conv{branch}_1", _convolution(channels_in, width, 1))
            self.add_module(f"{name}_conv{branch}_2", _convolution(width, width, 3, dilation=branch - 1))
        self.add_module(f"{name}_bn", nn.BatchNorm2d(sum(widths)))

    def _branches(self, name: str, maps: Tensor) -> Tensor:
        layers: dict[str, Any] = dict(self.named_children())
        found = [layers[f"{name}_conv1"](maps)]
        found += [layers[f"{name}_conv{i}_2"](layers[f"{name}_conv{i}_1"](maps)) for i in (2, 3, 4)]
        return functional.max_pool2d(layers[f"{name}_bn"](torch.cat(found, dim=1)), 2)

    def forward_features(self, images: Tensor) -> Tensor:
        """The last map, `(B, 16, 8, 8)`."""
        maps = self._branches("Incption2", self._branches("Incption1", images))
        maps = functional.max_pool2d(self.bn1(self.conv1(maps).relu()), 2)
        return functional.max_pool2d(self.bn1(self.conv2(maps).relu()), 4)
