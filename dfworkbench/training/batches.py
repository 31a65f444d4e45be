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
    """Order of the rows of an epoch.

    Args:
        labels: Labels of all rows, `(N,)`.
        balance: "sample" gives each class N / 2 places: rows of the rarer class are repeated, and a different subset of the others
            is used in each epoch. "repeat" repeats every row of the rarer class by the rounded ratio of the class sizes, and uses
            all others once. Anything else uses every row once.
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
    """Order of the rows of an epoch of pairs: each fake once, after the genuine row that it was made from.

    Args:
        genuine: For each row, the row it was made from, or -1 for genuine rows, `(N,)`.
        seed: Seed of the run.
        epoch: Counted from 1.
    """
    fakes = np.random.default_rng((seed, epoch)).permutation(np.flatnonzero(genuine >= 0))
    return np.stack([genuine[fakes], fakes], axis=1).ravel()


def _repeat(rows: NDArray[np.int64], count: int, rng: np.random.Generator) -> NDArray[np.int64]:
    rounds = [rng.permutation(rows) for _ in range(-(-count // len(rows)))]
    return np.concatenate(rounds)[:count] if rounds else rows[:0]


def split_batches(order: NDArray[np.int64], batch_size: int, rank: int = 0, world: int = 1) -> list[list[int]]:
    """This process's share of each batch. An incomplete last batch is dropped; which rows are left out differs between epochs.

    Very small batches would disturb batch norm. If there are fewer rows than one batch, they form one batch.
    """
    size = min(batch_size, len(order) // world * world)
    share = size // world
    starts = range(0, len(order) - size + 1, size) if size else range(0)
    return [order[start + rank * share : start + (rank + 1) * share].tolist() for start in starts]


def make_loader(dataset: FaceDataset, batches: Sequence[list[int]], *, workers: int, pin: bool) -> DataLoader[Any]:
    """A loader for given batches; it does not touch torch's global random state."""
    return _Loader(
        dataset,
        batch_sampler=batches,  # pyright: ignore[reportArgumentType]
        num_workers=workers,
        collate_fn=collate,
        pin_memory=pin,
        generator=torch.Generator(),
    )


class _Loader(DataLoader):
    """Its workers use one OpenCV thread each: they share the cores."""

    def __iter__(self) -> Any:
        if not self.num_workers:
            return super().__iter__()
        threads = cv2.getNumThreads()
        # stop OpenCV's threads before workers are forked: a worker that set this would wait forever for threads it does not have
        cv2.setNumThreads(1)
        try:
            return super().__iter__()
        finally:
            cv2.setNumThreads(threads)
