"""Exact batch norm for training on CPUs, over the batches of all processes.

It replaces torch's own for two reasons. With channels last in memory, where convolutions are several times faster, torch 2.14 sums
the statistics in plain float32: over a batch of 16 at 224 px the output is off by 5e-3 and some gradients by 20 %. And torch's
SyncBatchNorm does not run on CPUs. This one is as exact as torch's with channels first, and not slower.
"""

from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn


class ExactBatchNorm(nn.modules.batchnorm._BatchNorm):
    """Drop-in replacement for a batch norm that shares its weights and statistics; evaluation is torch's own."""

    def __init__(self, norm: nn.modules.batchnorm._BatchNorm) -> None:
        super().__init__(norm.num_features, norm.eps, norm.momentum, norm.affine, norm.track_running_stats)
        self._parameters.update(norm._parameters)
        self._buffers.update(norm._buffers)
        self.training = norm.training

    def _check_input_dim(self, input: Tensor) -> None:
        pass  # the network was written for the layer this replaces

    def forward(self, input: Tensor) -> Tensor:
        """Normalise `(B, C, …)`."""
        if not self.training:
            return super().forward(input)
        out, mean, variance, count = _Normalise.apply(input.float(), self.weight, self.bias, self.eps)  # pyright: ignore
        self._track(mean, variance, count)
        return out.to(input.dtype)

    @torch.no_grad()
    def _track(self, mean: Tensor, variance: Tensor, count: int) -> None:
        if self.running_mean is None or self.running_var is None or self.num_batches_tracked is None:
            return
        self.num_batches_tracked += 1
        momentum = 1 / float(self.num_batches_tracked) if self.momentum is None else self.momentum
        self.running_mean.lerp_(mean, momentum)
        self.running_var.lerp_(variance * (count / max(1, count - 1)), momentum)


class _Normalise(torch.autograd.Function):
    """`weight * (x - mean) / sqrt(variance + eps) + bias`, and its gradient with mean and variance as functions of x."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor | None, bias: Tensor | None, eps: float) -> Any:
        over = [d for d in range(x.ndim) if d != 1]
        shape = [1, -1] + [1] * (x.ndim - 2)
        count = x.numel() // x.shape[1] * _world()
        mean = _sum_over_processes(x.sum(over)) / count
        centred = x - mean.view(shape)
        variance = _sum_over_processes((centred * centred).sum(over)) / count
        inverse = torch.rsqrt(variance + eps)
        scale = inverse if weight is None else inverse * weight
        shift = torch.zeros_like(mean) if bias is None else bias
        out = torch.addcmul(shift.view(shape), centred, scale.view(shape))
        ctx.save_for_backward(centred, inverse, scale)
        ctx.layout = (over, shape, count, weight is not None)
        ctx.mark_non_differentiable(mean, variance)
        return out, mean, variance, count

    @staticmethod
    def backward(ctx: Any, gradient: Tensor, *_: Any) -> Any:  # pyright: ignore[reportIncompatibleMethodOverride]
        centred, inverse, scale = ctx.saved_tensors
        over, shape, count, affine = ctx.layout
        # parameters get the gradient of this process's share: the loop averages over processes
        sums = torch.stack([gradient.sum(over), (gradient * centred).sum(over)])
        total = _sum_over_processes(sums.clone()) / count
        out = torch.addcmul((-scale * total[0]).view(shape), gradient, scale.view(shape))
        out.addcmul_(centred, (-scale * inverse.square() * total[1]).view(shape))
        return out, sums[1] * inverse if affine else None, sums[0] if affine else None, None


def _world() -> int:
    return dist.get_world_size() if dist.is_available() and dist.is_initialized() else 1


def _sum_over_processes(value: Tensor) -> Tensor:
    if _world() > 1:
        dist.all_reduce(value)
    return value
