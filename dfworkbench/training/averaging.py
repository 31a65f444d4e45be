"""Exponential moving average (EMA) of the weights over the steps of a training.

Polyak, Juditsky: Acceleration of Stochastic Approximation by Averaging. SIAM J. Control Optim. 30(4), 1992. Tarvainen, Valpola:
Mean Teachers Are Better Role Models. NeurIPS 2017, arXiv:1703.01780. Step n moves the average a to d a + (1 - d) w with
d = min(decay, (1 + n) / (10 + n)), as in TensorFlow's ExponentialMovingAverage: without the second term, the first, random weights
would weigh for 1 / (1 - decay) steps.

The averaged weights are those that are validated, chosen and saved; the optimiser goes on from its own. Running statistics of batch
norms are averaged like weights: they were measured on the unaveraged weights, and no batches are spent to measure them anew.
"""

from functools import partial
from typing import Any

from torch import Tensor
from torch.optim.swa_utils import PARAM_LIST, AveragedModel, get_ema_multi_avg_fn


def average_of(method: Any, decay: float) -> AveragedModel:
    """A copy of a method that follows it with every `update_parameters(method)`.

    Args:
        method: The method, on its device.
        decay: Share of the average that stays at each step, 0..1.
    """
    return AveragedModel(method, multi_avg_fn=partial(_follow, decay), use_buffers=True).eval()


def _follow(decay: float, averaged: PARAM_LIST, current: PARAM_LIST, steps: Tensor | int) -> None:
    if averaged[0].is_floating_point():
        get_ema_multi_avg_fn(min(decay, float((1 + steps) / (10 + steps))))(averaged, current, steps)
        return
    for ours, theirs in zip(averaged, current, strict=True):  # counters of batches, of which there is no mean
        ours.copy_(theirs)
