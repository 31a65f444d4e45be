"""Split the sampled times of a face at gaps, and the time span of each sample."""

import itertools

import numpy as np
from numpy.typing import ArrayLike, NDArray

#: A step this many times the median step is a gap: the person was not seen in between.
GAP = 3.0


def stretches(t: ArrayLike) -> list[slice]:
    """Slices of consecutive samples without a gap.

    Args:
        t: `(n,)` rising times or frame numbers.
    """
    t = np.asarray(t, dtype=np.float64)
    if len(t) < 2:
        return [slice(0, len(t))]
    steps = np.diff(t)
    cuts = [0, *(int(i) + 1 for i in np.flatnonzero(steps > GAP * np.median(steps))), len(t)]
    return [slice(a, b) for a, b in itertools.pairwise(cuts)]


def spans(t: ArrayLike, lone: float = 0.2) -> NDArray[np.float64]:
    """Start and end of the time span that each sampled face represents, `(n, 2)`.

    Neighbouring spans meet half-way; at the ends of a stretch they extend by half a median step.

    Args:
        t: `(n,)` rising times or frame numbers.
        lone: Length of the span of a single face.
    """
    t = np.asarray(t, dtype=np.float64)
    if len(t) < 2:
        return np.stack([t - lone / 2, t + lone / 2], axis=-1)
    steps = np.diff(t)
    usual = float(np.median(steps))
    half = np.where(steps > GAP * usual, usual, steps) / 2
    return np.stack([t - np.append(half[0], half), t + np.append(half, half[-1])], axis=-1)
