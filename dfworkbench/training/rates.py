"""Stateless learning-rate schedules: functions of the settings, the step and the validation losses so far."""

import math
from collections.abc import Sequence
from itertools import pairwise

from dfworkbench.training.settings import TrainSettings

#: Steps from the highest to the lowest rate of the schedule "waves", as published with Exposing the Deception.
_WAVE = 150
#: Number of validation losses that `halvings` looks at.
_MEMORY = 5


def learning_rate(settings: TrainSettings, step: int, steps: int) -> float:
    """Learning rate of a step, counted from 0 over the `steps` of the whole run, before any halving."""
    if settings.schedule == "constant":
        return settings.learning_rate
    if settings.schedule == "steps":
        epoch = step * settings.epochs // steps + 1
        begun = {first: rate for first, rate in settings.rates.items() if first <= epoch}
        return begun[max(begun)] if begun else settings.learning_rate
    done = step % (steps // settings.epochs) / _WAVE if settings.schedule == "waves" else step / steps
    return settings.learning_rate * 0.5 * (1 + math.cos(math.pi * done))


def halvings(losses: Sequence[float]) -> int:
    """How often the learning rate has been halved after epochs with these validation losses.

    It is halved if the loss rose anywhere in the last five epochs; counting then starts afresh. This is the rule of Exposing the
    Deception (Ba et al., AAAI 2024), whose released code applies it to the test split.
    """
    count, recent = 0, []
    for loss in losses:
        recent = [*recent, loss][-_MEMORY:]
        if len(recent) == _MEMORY and any(b > a for a, b in pairwise(recent)):
            count, recent = count + 1, []
    return count
