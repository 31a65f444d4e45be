"""The three networks of MTCNN with the weights of the facenet-pytorch wheel, NumPy in and NumPy out.

K. Zhang et al., "Joint Face Detection and Alignment using Multi-task Cascaded Convolutional Networks", 2016.
"""

import functools
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

_CHUNK = 256  # crops per call of a network: bounds memory in a picture full of candidates


class Networks(NamedTuple):
    """P-Net proposes, R-Net refines, O-Net decides and gives landmarks; see the methods of this module."""

    pnet: torch.nn.Module
    rnet: torch.nn.Module
    onet: torch.nn.Module


class HalvingPool(torch.nn.Module):
    """`MaxPool2d(2, 2, ceil_mode=True)` from slices: the same values in a tenth of the time on a CPU."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """`(B, C, H, W)` to `(B, C, ceil(H / 2), ceil(W / 2))`."""
        rows = _larger(x[:, :, 0::2], x[:, :, 1::2], 2)
        return _larger(rows[:, :, :, 0::2], rows[:, :, :, 1::2], 3)


@functools.cache
def load_networks() -> Networks:
    """The networks, in eval mode on the CPU; loaded once per process."""
    from facenet_pytorch.models.mtcnn import ONet, PNet, RNet

    nets = Networks(PNet().eval(), RNet().eval(), ONet().eval())
    nets.pnet.pool1 = HalvingPool()
    for net in nets:
        net.requires_grad_(False)
    return nets


def propose(
    pnet: torch.nn.Module, level: NDArray[np.uint8] | torch.Tensor
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


def judge(net: torch.nn.Module, crops: NDArray[np.uint8] | torch.Tensor) -> tuple[NDArray[np.float32], ...]:
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
