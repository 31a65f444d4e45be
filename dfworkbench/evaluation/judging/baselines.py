"""Trivial baselines (mean colour, block statistics), to reveal data sets that can be solved without seeing the forgery.

Each video gives one row of features; a logistic regression is fitted on the training videos and evaluated on videos of unseen
identities.
"""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from dfworkbench.core.errors import InputError
from dfworkbench.core.names import FAKE, REAL

Crops = NDArray[np.uint8]  #: crops of one video, `(N, H, W, 3)` RGB
_LUMA = np.array([0.299, 0.587, 0.114], np.float32)


def colour_features(crops: Crops) -> NDArray[np.float64]:
    """Mean and standard deviation of each channel, averaged over the crops, `(6,)`."""
    pixels = _checked(crops).reshape(len(crops), -1, 3).astype(np.float64)
    return np.concatenate([pixels.mean(axis=1).mean(axis=0), pixels.std(axis=1).mean(axis=0)])


def block_features(crops: Crops) -> NDArray[np.float64]:
    """Block and sharpness statistics of the luma, `(12,)`.

    For blocks of 8 and 16 pixels, across columns and across rows: the ratio of the mean absolute step at block boundaries to
    that elsewhere, at the phase with the largest ratio (4 values); the log energy of the differences at distances 1, 2, 4 and 8
    and of the Laplacian (5); the log ratio of the finest to coarser energies, and its spread over the frames (3).
    """
    luma = _checked(crops).astype(np.float32) @ _LUMA
    steps = [np.abs(np.diff(luma, axis=axis)).mean(axis=3 - axis) for axis in (2, 1)]
    blocks = [_block_step(step, size) for step in steps for size in (8, 16)]
    energies = [np.log(_energy(luma, distance) + 1e-3) for distance in (1, 2, 4, 8)]
    laplacian = (
        4 * luma[:, 1:-1, 1:-1] - luma[:, :-2, 1:-1] - luma[:, 2:, 1:-1] - luma[:, 1:-1, :-2] - luma[:, 1:-1, 2:]
    )
    fine = np.log(np.square(laplacian).mean(axis=(1, 2)) + 1e-3)
    levels = [*(e.mean() for e in energies), fine.mean()]
    ratios = [(energies[0] - energies[1]).mean(), (energies[0] - energies[3]).mean(), fine.std()]
    return np.array([*blocks, *levels, *ratios], np.float64)


FEATURES: dict[str, Callable[[Crops], NDArray[np.float64]]] = {
    "mean colour": colour_features,
    "block statistics": block_features,
}


def baseline_auc(
    features: ArrayLike,
    labels: ArrayLike,
    train: ArrayLike,
    test: ArrayLike,
    groups: Sequence[str] | None = None,
    seed: int = 0,
) -> float:
    """Video AUC of a logistic regression, fitted on the training rows and evaluated on the test rows.

    Args:
        features: One row per video, `(V, F)`.
        labels: 0 real, 1 fake, `(V,)`.
        train: True for training videos, `(V,)`.
        test: True for held-out videos, `(V,)`.
        groups: Identity group of each video; a group must not be in both parts.
        seed: Seed of the solver.

    Raises:
        InputError: A part lacks a class, or an identity group is in both parts.
    """
    x, y = np.asarray(features, np.float64), np.asarray(labels)
    fit, held_out = np.asarray(train, bool), np.asarray(test, bool)
    for name, part in (("training", fit), ("held-out", held_out)):
        if set(y[part]) != {REAL, FAKE}:
            raise InputError(
                f"baselines: the {name} videos have the labels {sorted(set(y[part].tolist()))}; both {REAL} (real) and {FAKE} "
                "(fake) are needed. Use more videos or another split."
            )
    if groups is not None:
        shared = {g for g, f in zip(groups, fit, strict=True) if f} & {
            g for g, h in zip(groups, held_out, strict=True) if h
        }
        if shared:
            raise InputError(
                f"baselines: the groups {sorted(shared)[:3]} are in both training and held-out videos. Split by group."
            )
    model = make_pipeline(
        StandardScaler(), LogisticRegression(class_weight="balanced", max_iter=2000, random_state=seed)
    )
    model.fit(x[fit], y[fit])
    return float(roc_auc_score(y[held_out], model.decision_function(x[held_out])))


def baselines(
    crops: Sequence[Crops], labels: ArrayLike, split: Sequence[str], groups: Sequence[str] | None = None, seed: int = 0,
    fit_on: Sequence[str] = ("train",), test_on: Sequence[str] = ("test",),
) -> Mapping[str, float]:  # fmt: skip
    """Held-out video AUC of every baseline.

    Args:
        crops: Crops of each video, `(N, H, W, 3)` uint8 RGB; the same number per video is used, that of the shortest one.
        labels: 0 real, 1 fake, one per video.
        split: "train", "val" or "test" of each video.
        groups: Identity group of each video.
        seed: Seed of the solver.
        fit_on: Splits to fit on.
        test_on: Splits to evaluate on.

    Returns:
        Baseline -> AUC; chance is 0.5.
    """
    train, test = np.isin(split, list(fit_on)), np.isin(split, list(test_on))
    # Maxima and spreads depend on the number of crops; unequal numbers would separate the classes.
    fewest = min(len(video) for video in crops)
    equal = [video[np.arange(fewest) * len(video) // fewest] for video in crops]
    return {
        name: baseline_auc(np.stack([extract(video) for video in equal]), labels, train, test, groups, seed)
        for name, extract in FEATURES.items()
    }


def _checked(crops: Crops) -> Crops:
    if crops.ndim != 4 or crops.shape[-1] != 3 or not len(crops) or min(crops.shape[1:3]) < 32:
        raise InputError(
            f"baselines: got crops of shape {crops.shape}; expected (N, H, W, 3) uint8 RGB with N >= 1 and sides of at least 32 px."
        )
    return crops


def _block_step(steps: NDArray, size: int) -> float:
    """Ratio of the mean step at block boundaries to that elsewhere, at the best phase; `steps` is `(N, L)`."""
    mean = steps.mean(axis=0)
    phases = np.arange(len(mean)) % size
    return float(
        max(np.log((mean[phases == p].mean() + 1e-3) / (mean[phases != p].mean() + 1e-3)) for p in range(size))
    )


def _energy(luma: NDArray[np.float32], distance: int) -> NDArray[np.float32]:
    across = luma[:, :, distance:] - luma[:, :, :-distance]
    down = luma[:, distance:] - luma[:, :-distance]
    return np.square(across).mean(axis=(1, 2)) + np.square(down).mean(axis=(1, 2))
