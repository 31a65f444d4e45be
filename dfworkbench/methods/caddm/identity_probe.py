"""Identity probe: how well a linear classifier identifies people from the frozen features of a detector.

CADDM (Dong et al., "Implicit Identity Leakage", CVPR 2023) measures identity leakage with a linear identity classifier on
trained detectors. Its data, split and settings are not known to us: the protocols here are ours, and results are comparable between
detectors probed with the same rows, but not with the paper's.
"""

import warnings
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from dfworkbench.core.errors import ParameterError
from dfworkbench.core.names import require_name
from dfworkbench.datasets.sample_people import checked, genuine
from dfworkbench.evaluation.metrics.interval import Judging
from dfworkbench.evaluation.metrics.measures import NAN, Measure, mean_measure

#: Protocol -> what it measures, in words for reports.
PROTOCOLS = {
    "same_video": "same video, later: trained on the beginning of each genuine video, tested on its end",
    "other_video": "other video: tested on genuine videos of the same people that were left out of training",
}
_WORDS = {"same_video": "same video, later", "other_video": "other video"}
_MAX_ITERATIONS = 1000

Fold = tuple[NDArray[np.bool_], NDArray[np.bool_]]  # which rows are for training, which for testing


@dataclass(frozen=True)
class Probe:
    """Result of an identity probe.

    Attributes:
        protocol: Name in `PROTOCOLS`.
        top1: Share of test frames whose person is identified, mean over people; chance is 1/K.
        top5: Share of test frames whose person is among the five likeliest; chance is 5/K.
        identities: K, number of classes.
        videos: Number of videos used.
        train_frames: Training frames of the largest fold.
        test_frames: Number of frames tested.
        left_out: Number of genuine videos that could not be used: too few frames, or no second video of the person.
        converged: Whether every fit reached its optimum.
    """

    protocol: str
    top1: Measure
    top5: Measure
    identities: int
    videos: int
    train_frames: int
    test_frames: int
    left_out: int
    converged: bool

    @property
    def measures(self) -> list[Measure]:
        """Measures for `measures_table`."""
        return [self.top1, self.top5]


def identity_probe(
    features: ArrayLike,
    rows: pd.DataFrame,
    *,
    protocol: Literal["same_video", "other_video"] = "same_video",
    train_share: float = 0.8,
    skip: int = 0,
    folds: int = 5,
    C: float = 1.0,
    draws: int = 1000,
    seed: int = 0,
) -> Probe:
    """Fit a multinomial logistic regression to identities, on genuine videos.

    Features are standardised on the training part; people have equal weight in the fit and in the result, however long their videos
    are. The interval shows how much depends on who was tested: it resamples identities with all their frames, without refitting.

    Args:
        features: `(N, F)` from `frozen_features`.
        rows: N rows with video_id, identity, and frame (or time_s); rows whose `label` is not real take no part, nor do
            those whose identity is "". See `people.with_people`.
        protocol: See `PROTOCOLS`. "other_video" tests every video once: videos are split into `folds` parts, and each fold trains
            on the other videos of the same people.
        train_share: Share of each video's frames used for training, for "same_video".
        skip: Rows left out between the training and the test part of a video. For clips: (clip_length - 1) * clip_stride if every
            clip start has a row, so that no frame is in both; fewer, or none, if starts were subsampled by `frames_per_video`. A
            video too short for this is left out.
        folds: Maximum number of fits, for "other_video".
        C: Inverse strength of the L2 penalty, as in scikit-learn.
        draws: Bootstrap resamplings; 0 for no intervals.
        seed: Seed of the resampling.

    Raises:
        InputError: Features do not match the rows, or are not finite.
        TableError: A column is missing, or a video has several tracks.
        ParameterError: A number out of range.
    """
    require_name("identity probe protocol", protocol, PROTOCOLS)
    _check_numbers(train_share, skip, folds, C)
    order = "frame" if "frame" in rows or "time_s" not in rows else "time_s"
    x, rows = checked(features, rows, ("video_id", "identity", order), "probing identities")
    keep = genuine(rows)
    x, rows = x[keep], rows[keep].reset_index(drop=True)
    if protocol == "same_video":
        folds_of, why = [time_split(rows, train_share, skip, order)], "no genuine video has frames for both parts"
    else:
        folds_of, why = video_folds(rows, folds), "no identity has two genuine videos"
    return _probe(x, rows, folds_of, protocol, why, C, draws, seed)


def time_split(rows: pd.DataFrame, train_share: float = 0.8, skip: int = 0, order: str = "frame") -> Fold:
    """Split each video into its beginning and end.

    Args:
        rows: Rows with video_id and `order`.
        train_share: Share of a video's distinct frames used for training, rounded down, at least one.
        skip: Frames between the two parts that belong to neither.
        order: The column with the time of a frame.

    Returns:
        Masks of training rows and of test rows, `(N,)` each. A video without frames for both parts is in neither.
    """
    place = rows.groupby("video_id", sort=False)[order].rank(method="dense").to_numpy() - 1
    count = rows.groupby("video_id", sort=False)[order].transform("nunique").to_numpy()
    cut = np.maximum(1, np.floor(train_share * count + 1e-9))  # 0.7 * 10 is slightly below 7
    usable = cut + skip < count
    return usable & (place < cut), usable & (place >= cut + skip)


def video_folds(rows: pd.DataFrame, folds: int = 5) -> list[Fold]:
    """Training and test rows such that every video of a person with two or more is tested once, and trained on the others."""
    videos = rows[["identity", "video_id"]].drop_duplicates().sort_values(["identity", "video_id"])
    groups = videos.groupby("identity")["video_id"]
    number, count = groups.cumcount().to_numpy(), groups.transform("size").to_numpy()
    # dealt in turn, so that every person with two videos has some in two parts
    part = pd.Series(np.where(count > 1, number % folds, -1), index=videos["video_id"])
    of_row = rows["video_id"].map(part).to_numpy()
    return [((of_row >= 0) & (of_row != fold), of_row == fold) for fold in range(int(of_row.max(initial=-1)) + 1)]


def _check_numbers(train_share: float, skip: int, folds: int, C: float) -> None:
    wrong = {"train_share": not 0 < train_share < 1, "skip": skip < 0, "folds": folds < 2, "C": C <= 0}
    if any(wrong.values()):
        raise ParameterError(
            f"probing identities: got train_share {train_share}, skip {skip}, folds {folds}, C {C}; expected train_share "
            f"between 0 and 1, skip >= 0, folds >= 2, C > 0. Change {', '.join(name for name, bad in wrong.items() if bad)}."
        )


def _probe(
    x: NDArray, rows: pd.DataFrame, folds_of: list[Fold], protocol: str, nothing: str, C: float, draws: int, seed: int
) -> Probe:
    used, tested = np.zeros(len(rows), dtype=bool), np.zeros(len(rows), dtype=bool)
    for train, test in folds_of:
        used, tested = used | train | test, tested | test
    identity = rows["identity"].to_numpy()
    people, videos = len(pd.unique(identity[used])), rows["video_id"][used].nunique()
    why = _why_not(x, people, folds_of, nothing if len(rows) else "no genuine video with a known identity")
    if why:
        top1, top5, converged = _undefined(1, protocol, people, why), _undefined(5, protocol, people, why), True
    else:
        place, converged = _places(x, identity, folds_of, C)
        of = (place[tested], identity[tested], people, protocol, draws, seed)
        top1, top5 = _top(1, *of), _top(5, *of)
    return Probe(
        protocol=protocol,
        top1=top1,
        top5=top5,
        identities=people,
        videos=videos,
        train_frames=max((int(train.sum()) for train, _ in folds_of), default=0),
        test_frames=int(tested.sum()),
        left_out=rows["video_id"].nunique() - videos,
        converged=converged,
    )


def _why_not(x: NDArray, people: int, folds_of: list[Fold], nothing: str) -> str:
    if people < 2:
        return nothing if people == 0 else "1 identity: nobody to tell it from"
    return "" if all(_scale(x[train]).any() for train, _ in folds_of) else "all features are constant"


def _undefined(k: int, protocol: str, people: int, why: str) -> Measure:
    return Measure(_name(k, protocol), NAN, chance=k / people if people > k else NAN, reason=why)


def _name(k: int, protocol: str) -> str:
    return f"identity probe, {_WORDS[protocol]}: top-{k}"


def _top(
    k: int, place: NDArray[np.int64], identity: NDArray, people: int, protocol: str, draws: int, seed: int
) -> Measure:
    name = _name(k, protocol)
    if people <= k:
        return Measure(name, NAN, n=len(place), reason=f"{people} identities: top-{k} is always right")
    shares = pd.Series(place < k).groupby(identity).mean()
    measure = mean_measure(
        name, shares, shares.index, Judging(draws=draws, seed=seed), chance=k / people, unit="identity"
    )
    return measure._replace(n=len(place))


def _places(x: NDArray, identity: NDArray, folds_of: list[Fold], C: float) -> tuple[NDArray[np.int64], bool]:
    """For each test row, how many people the classifier ranks above the right one; -1 for other rows."""
    place, converged = np.full(len(x), -1), True
    for train, test in folds_of:
        scores, classes, done = _fit(x[train], identity[train], x[test], C)
        right = np.searchsorted(classes, identity[test])
        own = scores[np.arange(len(scores)), right]
        place[test] = (scores > own[:, None]).sum(axis=1)
        converged &= done
    return place, converged


def _fit(x: NDArray, y: NDArray, test: NDArray, C: float) -> tuple[NDArray, NDArray, bool]:
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression
    from threadpoolctl import threadpool_limits

    mean, scale = x.mean(axis=0, dtype=np.float64), _scale(x)
    model = LogisticRegression(C=C, class_weight="balanced", max_iter=_MAX_ITERATIONS)  # lbfgs: no randomness
    # the arrays are small: on a busy machine, BLAS threads waiting for each other take a hundred times as long as one thread
    with threadpool_limits(1, user_api="blas"), warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", ConvergenceWarning)
        model.fit((x - mean) * scale, y)
    scores = model.decision_function((test - mean) * scale)
    scores = np.stack([-scores, scores], axis=1) if scores.ndim == 1 else scores
    return scores, model.classes_, not any(issubclass(w.category, ConvergenceWarning) for w in caught)


def _scale(x: NDArray) -> NDArray[np.float64]:
    """One over the standard deviation; 0 for constant features, which would only add rounding errors."""
    spread = x.std(axis=0, dtype=np.float64)
    size = np.abs(x).max(axis=0, initial=0.0)
    return np.divide(1.0, spread, out=np.zeros_like(spread), where=spread > 1e-6 * size)
