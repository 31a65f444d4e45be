"""Sampling order and batch sharding: a function of (seed, epoch) only, whatever the number of processes."""

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import DataLoader

from dfworkbench.datasets.face_dataset import FaceDataset, collate


def epoch_order(labels: NDArray[np.int64], balance: str, seed: int, epoch: int) -> NDArray[np.int64]:
    """The rows of an epoch in order.

    Args:
        labels: Labels of all rows, `(N,)`.
        balance: "sample" gives every class N / 2 places: rows of the rarer class come several times, of the others a
            different part in each epoch. "repeat" gives every row of the rarer class as often as the commoner one is larger,
            rounded, and all others once. Anything else gives every row once.
        seed: Seed of the run.
        epoch: Counted from 1.
    """
    rng = np.random.default_rng((seed, epoch))
    if balance not in ("sample", "repeat"):
        return rng.permutation(len(labels))
    classes, counts = np.unique(labels, return_counts=True)
    if balance == "repeat":
        times = dict(zip(classes, np.rint(counts.max(initial=0) / counts).astype(int), strict=True))
        return rng.permutation(np.repeat(np.arange(len(labels)), [times[label] for label in labels]))
    drawn = [_repeat(np.flatnonzero(labels == value), len(labels) // len(classes), rng) for value in classes]
    return rng.permutation(np.concatenate(drawn))


def paired_order(genuine: NDArray[np.int64], seed: int, epoch: int) -> NDArray[np.int64]:
    """The rows of an epoch of pairs in order: each fake once, behind the genuine row that it was made from.

    Args:
        genuine: For each row the row it was made from, -1 for rows that are genuine, `(N,)`.
        seed: Seed of the run.
        epoch: Counted from 1.
    """
    fakes = np.random.default_rng((seed, epoch)).permutation(np.flatnonzero(genuine >= 0))
    return np.stack([genuine[fakes], fakes], axis=1).ravel()


def _repeat(rows: NDArray[np.int64], count: int, rng: np.random.Generator) -> NDArray[np.int64]:
    rounds = [rng.permutation(rows) for _ in range(-(-count // len(rows)))]
    return np.concatenate(rounds)[:count] if rounds else rows[:0]


def split_batches(order: NDArray[np.int64], batch_size: int, rank: int = 0, world: int = 1) -> list[list[int]]:
    """This process's share of each batch; an incomplete last batch is left out, other rows miss out in the next epoch.

    Batches of very few samples would disturb batch norm. Fewer rows than one batch make one batch.
    """
    size = min(batch_size, len(order) // world * world)
    share = size // world
    starts = range(0, len(order) - size + 1, size) if size else range(0)
    return [order[start + rank * share : start + (rank + 1) * share].tolist() for start in starts]


def make_loader(dataset: FaceDataset, batches: Sequence[list[int]], *, workers: int, pin: bool) -> DataLoader[Any]:
    """A loader of given batches; it leaves torch's global random state alone."""
    return _Loader(
        dataset,
        batch_sampler=batches,  # pyright: ignore[reportArgumentType]
        num_workers=workers,
        collate_fn=collate,
        pin_memory=pin,
        generator=torch.Generator(),
    )


class _Loader(DataLoader):
    """Its workers use one thread of OpenCV each: they share the cores among themselves."""

    def __iter__(self) -> Any:
        if not self.num_workers:
            return super().__iter__()
        threads = cv2.getNumThreads()
        # ends OpenCV's threads before workers are forked: a worker that set it would wait for ever for threads it has not
        cv2.setNumThreads(1)
        try:
            return super().__iter__()
        finally:
            cv2.setNumThreads(threads)
