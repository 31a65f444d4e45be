"""The three MTCNN networks with the weights from the facenet-pytorch wheel, NumPy in and NumPy out.

K. Zhang et al., "Joint Face Detection and Alignment using Multi-task Cascaded Convolutional Networks", 2016, figure 2; the
numbers of channels are those of the weights. The wheel is not imported, only its three weight files are read: importing it would
import torchvision, half of the start-up time of a process that detects faces.
"""

import functools
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from dfworkbench.core.errors import MissingDependencyError

_CHUNK = 256  # crops per call of a network: limits memory for a picture full of candidates


class Networks(NamedTuple):
    """P-Net proposes, R-Net refines, O-Net decides and predicts landmarks; see the functions of this module."""

    pnet: nn.Module
    rnet: nn.Module
    onet: nn.Module


class HalvingPool(nn.Module):
    """`MaxPool2d(2, 2, ceil_mode=True)` from slices: the same values in a tenth of the time on a CPU."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """`(B, C, H, W)` to `(B, C, ceil(H / 2), ceil(W / 2))`."""
        rows = _larger(x[:, :, 0::2], x[:, :, 1::2], 2)
        return _larger(rows[:, :, :, 0::2], rows[:, :, :, 1::2], 3)


class _ColumnsFirst(nn.Module):
    """`(B, C, H, W)` to `(B, W * H * C)`: the order in which the published fully connected layers read their input."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.permute(0, 3, 2, 1).flatten(1)


class _Network(nn.Module):
    """Sequential layers, then parallel heads, the first of which gives the probability of a face.

    Modules are named like the weights in the file; forward returns regression, landmarks (if any), probability.
    """

    def __init__(self, layers: dict[str, nn.Module], heads: dict[str, nn.Module]) -> None:
        super().__init__()
        for name, module in (layers | heads).items():
            self.add_module(name, module)
        self._layers, self._heads = tuple(layers), tuple(heads)

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, ...]:
        for name in self._layers:
            x = self.get_submodule(name)(x)
        judged, *others = (self.get_submodule(name)(x) for name in self._heads)
        return (*others, judged.softmax(dim=1))


def _halving(size: int) -> nn.Module:
    return nn.MaxPool2d(size, 2, ceil_mode=True)


def _pnet() -> _Network:
    layers = {
        "conv1": nn.Conv2d(3, 10, 3), "prelu1": nn.PReLU(10), "pool1": HalvingPool(),
        "conv2": nn.Conv2d(10, 16, 3), "prelu2": nn.PReLU(16), "conv3": nn.Conv2d(16, 32, 3), "prelu3": nn.PReLU(32),
    }  # fmt: skip
    return _Network(layers, {"conv4_1": nn.Conv2d(32, 2, 1), "conv4_2": nn.Conv2d(32, 4, 1)})


def _rnet() -> _Network:
    layers = {
        "conv1": nn.Conv2d(3, 28, 3), "prelu1": nn.PReLU(28), "pool1": _halving(3),
        "conv2": nn.Conv2d(28, 48, 3), "prelu2": nn.PReLU(48), "pool2": _halving(3),
        "conv3": nn.Conv2d(48, 64, 2), "prelu3": nn.PReLU(64), "flat": _ColumnsFirst(),
        "dense4": nn.Linear(576, 128), "prelu4": nn.PReLU(128),
    }  # fmt: skip
    return _Network(layers, {"dense5_1": nn.Linear(128, 2), "dense5_2": nn.Linear(128, 4)})


def _onet() -> _Network:
    layers = {
        "conv1": nn.Conv2d(3, 32, 3), "prelu1": nn.PReLU(32), "pool1": _halving(3),
        "conv2": nn.Conv2d(32, 64, 3), "prelu2": nn.PReLU(64), "pool2": _halving(3),
        "conv3": nn.Conv2d(64, 64, 3), "prelu3": nn.PReLU(64), "pool3": _halving(2),
        "conv4": nn.Conv2d(64, 128, 2), "prelu4": nn.PReLU(128), "flat": _ColumnsFirst(),
        "dense5": nn.Linear(1152, 256), "prelu5": nn.PReLU(256),
    }  # fmt: skip
    heads: dict[str, nn.Module] = {
        "dense6_1": nn.Linear(256, 2), "dense6_2": nn.Linear(256, 4), "dense6_3": nn.Linear(256, 10),
    }  # fmt: skip
    return _Network(layers, heads)


@functools.cache
def load_networks() -> Networks:
    """The networks, in eval mode on the CPU; loaded once per process.

    Raises:
        MissingDependencyError: facenet-pytorch is not installed.
    """
    wheel = find_spec("facenet_pytorch")
    if wheel is None or wheel.origin is None:
        raise MissingDependencyError(
            "loading the face detector: the package facenet-pytorch, which has its weights, is not installed. Expected version "
            "2.5.3: pip install facenet-pytorch==2.5.3"
        )
    folder = Path(wheel.origin).parent / "data"
    with torch.device("meta"):  # otherwise initial weights would be drawn, changing the caller's random state
        nets = Networks(_pnet(), _rnet(), _onet())
    for name, net in nets._asdict().items():
        weights = torch.load(folder / f"{name}.pt", map_location="cpu", weights_only=True)
        # some are stored transposed, and sums over such weights are rounded differently
        net.load_state_dict({key: value.contiguous() for key, value in weights.items()}, assign=True)
        net.eval().requires_grad_(False)
    return nets


def propose(
    pnet: nn.Module, level: NDArray[np.uint8] | torch.Tensor
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """P-Net over one picture of the pyramid: `(h, w, 3)` uint8 RGB, or a float tensor `(1, 3, h, w)` in 0..255.

    Returns:
        Probability of a face `(r, c)` and regression `(4, r, c)` for each cell; cell (i, j) sees the 12 x 12 pixels
        from (2i, 2j) on.
    """
    with torch.inference_mode():
        if isinstance(level, np.ndarray):  # stays channels-last, which is the faster layout here
            level = torch.from_numpy(level).permute(2, 0, 1)[None].float()
        regression, probability = pnet(_normalise(level))
        return probability[0, 1].numpy(), regression[0].numpy()


def judge(net: nn.Module, crops: NDArray[np.uint8] | torch.Tensor) -> tuple[NDArray[np.float32], ...]:
    """R-Net or O-Net over crops.

    Args:
        net: `rnet` or `onet` from `load_networks`.
        crops: `(n, s, s, 3)` uint8 RGB, or a float tensor `(n, 3, s, s)` in 0..255; s is 24 or 48.

    Returns:
        Probability `(n,)`, regression `(n, 4)` and, from O-Net, five landmarks as x1..x5, y1..y5 `(n, 10)`.
    """
    with torch.inference_mode():
        if isinstance(crops, np.ndarray):
            crops = torch.from_numpy(crops).permute(0, 3, 1, 2).float()
        outs = [net(_normalise(part)) for part in crops.split(_CHUNK)]
        joined = [torch.cat(parts).numpy() for parts in zip(*outs, strict=True)]
    regression, *points, probability = joined
    return (probability[:, 1], regression, *points)


def _larger(first: torch.Tensor, second: torch.Tensor, dim: int) -> torch.Tensor:
    if first.shape[dim] == second.shape[dim]:
        return torch.maximum(first, second)
    pairs = second.shape[dim]  # an odd row or column at the end has no partner
    joined = torch.maximum(first.narrow(dim, 0, pairs), second)
    return torch.cat([joined, first.narrow(dim, pairs, 1)], dim)


def _normalise(values: torch.Tensor) -> torch.Tensor:
    return (values - 127.5) * 0.0078125
