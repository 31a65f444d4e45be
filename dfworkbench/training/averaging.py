"""Exponential moving average (EMA) of the weights over training steps.

Polyak, Juditsky: Acceleration of Stochastic Approximation by Averaging. SIAM J. Control Optim. 30(4), 1992. Tarvainen, Valpola:
Mean Teachers Are Better Role Models. NeurIPS 2017, arXiv:1703.01780. Step n moves the average a to d a + (1 - d) w with
d = min(decay, (1 + n) / (10 + n)), as in TensorFlow's ExponentialMovingAverage: without the second term, the random initial weights
would dominate for about 1 / (1 - decay) steps.

The averaged weights are validated, selected and saved; the optimiser continues from its own weights. Running statistics of batch
norms are averaged like weights: they were measured with the unaveraged weights, and no batches are spent on measuring them again.
"""

from functools import partial
from typing import Any

from torch import Tensor
from torch.optim.swa_utils import PARAM_LIST, AveragedModel, get_ema_multi_avg_fn


def average_of(method: Any, decay: float) -> AveragedModel:
    """A copy of a method whose weights average those of the method at every `update_parameters(method)`.

    Args:
        method: The method, on its device.
        decay: Share of the average that is kept at each step, 0..1.
    """
    return AveragedModel(method, multi_avg_fn=partial(_follow, decay), use_buffers=True).eval()


def _follow(decay: float, averaged: PARAM_LIST, current: PARAM_LIST, steps: Tensor | int) -> None:
    if averaged[0].is_floating_point():
        get_ema_multi_avg_fn(min(decay, float((1 + steps) / (10 + steps))))(averaged, current, steps)
        return
    for ours, theirs in zip(averaged, current, strict=True):  # batch counters, which have no mean
        ours.copy_(theirs)
