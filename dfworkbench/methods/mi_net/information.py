"""Information measures of a detector's blocks: what each knows that the others do not, and whether they look at different places.

After Ba et al., "Exposing the Deception: Uncovering More Forgery Clues for Deepfake Detection" (AAAI 2024, arXiv:2403.01786), which
trains such blocks (`network`, `mi_losses`) and shows no numbers of what each came to know. With Z all local vectors,
z_i one of them, G the global one and exact posteriors,

    I(z_i; y | Z without z_i) = E KL(p(y | Z) || p(y | Z without z_i)),    I(Z; y) - I(G; y) = E KL(p(y | Z) || p(y | G)).

The heads of a network are not exact posteriors: the result says how far the heads differ, and is information only as far as they
are calibrated. The published losses use the reverse divergence, which is not information even for exact posteriors.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from dfworkbench.core.errors import InputError
from dfworkbench.evaluation.metrics.interval import Judging
from dfworkbench.evaluation.metrics.measures import Measure, group_means, group_measure, group_names, mean_measure
from dfworkbench.explain.map_likeness import map_cosines, top_iou

Floats = NDArray[np.float64]


class MapOverlap(NamedTuple):
    """Similarity of the attribution maps of n blocks; means over the images where both have a map.

    Attributes:
        cosine: `(n, n)`, -1..1, symmetric.
        iou: `(n, n)`, 0..1, IoU of the highest cells.
        images: `(n, n)`, number of images of each mean, which is NaN if there are none.
    """

    cosine: NDArray[np.float64]
    iou: NDArray[np.float64]
    images: NDArray[np.int64]


def divergences(joint_logits: ArrayLike, other_logits: ArrayLike, *, reverse: bool = False) -> NDArray[np.float64]:
    """KL(joint || other) of each sample in nats.

    Args:
        joint_logits: `(N, 2)`.
        other_logits: `(N, 2)`, or `(N, n, 2)` for n heads.
        reverse: Whether to compute KL(other || joint), as in the losses.

    Returns:
        `(N,)` or `(N, n)`.

    Raises:
        InputError: Shapes do not match.
    """
    joint, other = _log_posteriors(joint_logits), _log_posteriors(other_logits)
    if joint.ndim != 2 or other.ndim not in (2, 3) or (len(joint), 2) != (len(other), other.shape[-1]):
        raise InputError(
            f"comparing posteriors: joint logits are {joint.shape} and the others {other.shape}; expected (N, 2), and (N, 2) or "
            "(N, n, 2). Give logits of the same samples."
        )
    joint = joint if other.ndim == 2 else joint[:, None]
    first, second = (other, joint) if reverse else (joint, other)
    return (np.exp(first) * (first - second)).sum(axis=-1)


@dataclass(frozen=True, eq=False)
class HeadLogits:
    """Logits of real and fake of N samples by every head of a detector with n blocks.

    Attributes:
        decision: `(N, 2)`, from the global vector.
        joint: `(N, 2)`, from all blocks.
        left_out: `(N, n, 2)`, the i-th from all blocks except the i-th.

    Raises:
        InputError: Shapes do not match.
    """

    decision: Floats
    joint: Floats
    left_out: Floats

    def __post_init__(self) -> None:
        shapes = [np.shape(logits) for logits in (self.decision, self.joint, self.left_out)]
        if len(shapes[2]) != 3 or {*shapes[:2], (shapes[2][0], shapes[2][2])} != {(len(self.joint), 2)}:
            raise InputError(
                f"reading the logits of heads: got {', '.join(map(str, shapes))}; expected (N, 2), (N, 2) and (N, n, 2). Give "
                "outputs of the same samples."
            )

    def checked_labels(self, labels: ArrayLike) -> NDArray[np.int64]:
        """Labels `(N,)`, 0 real and 1 fake, after checking that there is one per sample."""
        truth = np.asarray(labels)
        if truth.shape != (len(self.joint),):
            raise InputError(
                f"measuring heads: there are logits of {len(self.joint)} samples and labels {truth.shape}; expected "
                f"({len(self.joint)},). Give labels of the same samples."
            )
        return truth.astype(np.int64)


def information_measures(
    logits: HeadLogits, groups: ArrayLike | None = None, *, draws: int = 1000, seed: int = 0
) -> list[Measure]:
    """Information about the label that only one block has, and that lost in the global vector, in nats.

    Labels are not used: confident outputs count, right or wrong. `missed_measures` uses the labels.

    Args:
        logits: Outputs of every head.
        groups: `(N,)`, identity group of each sample, for the intervals; by default each sample is its own group.
        draws: Resamplings of groups; 0 for no intervals.
        seed: Seed of the resampling.

    Returns:
        n + 1 measures, the global gap last; the minimum is 0, for a block that adds nothing.
    """
    found = [*divergences(logits.joint, logits.left_out).T, divergences(logits.joint, logits.decision)]
    names = [f"information only block {i} has (nats)" for i in range(1, len(found))]
    names.append("information lost by the global vector (nats)")
    units = group_names(groups, len(found[0]), "measuring information")
    means = group_means(np.stack(found), units, Judging(draws=draws, seed=seed))
    return [group_measure(name, means, k, chance=0.0) for k, name in enumerate(names)]


def missed_measures(
    logits: HeadLogits, labels: ArrayLike, groups: ArrayLike | None = None, *, draws: int = 1000, seed: int = 0
) -> list[Measure]:
    """Increase of the log loss without each block: E ln p(y | Z) - ln p(y | Z without z_i), in nats.

    For exact posteriors this is the information of `information_measures`; for others it counts only what the labels confirm, and
    is below 0 if the prediction is better without the block. Arguments as there, plus `labels` `(N,)`, 0 real and 1 fake.

    Returns:
        n measures.
    """
    truth = logits.checked_labels(labels)
    samples = np.arange(len(truth))
    without = _log_posteriors(logits.left_out)[samples, :, truth]
    rise = _log_posteriors(logits.joint)[samples, truth][:, None] - without
    units = group_names(groups, len(truth), "measuring what is missed")
    means = group_means(rise.T, units, Judging(draws=draws, seed=seed))
    names = [f"log loss added without block {i + 1} (nats)" for i in range(rise.shape[1])]
    return [group_measure(name, means, k, chance=0.0) for k, name in enumerate(names)]


def accuracy_measures(
    logits: HeadLogits, labels: ArrayLike, groups: ArrayLike | None = None, *, draws: int = 1000, seed: int = 0
) -> list[Measure]:
    """Accuracy of every head; that without a block hardly drops if the others know what it knows.

    Arguments as in `missed_measures`.

    Returns:
        n + 2 measures, the decision first; chance is the share of the commoner class.
    """
    truth = logits.checked_labels(labels)
    heads = {"accuracy of the decision": logits.decision, "accuracy of all blocks together": logits.joint}
    heads |= {f"accuracy without block {i + 1}": a for i, a in enumerate(np.moveaxis(logits.left_out, 1, 0))}
    units, judging = group_names(groups, len(truth), "measuring accuracy"), Judging(draws=draws, seed=seed)
    chance = max(float(truth.mean()), 1 - float(truth.mean())) if len(truth) else float("nan")
    return [
        mean_measure(name, (a[:, 1] > a[:, 0]) == (truth > 0), units, judging, chance=chance, unit="group")
        for name, a in heads.items()
    ]  # fmt: skip


def map_overlap(maps: ArrayLike, share: float = 0.2) -> MapOverlap:
    """Similarity of the blocks' attribution maps: do they look at the same places?

    Args:
        maps: `(n, N, L, L)`, attributions of each block for the same images; flat maps are ignored.
        share: Share of the cells that count as highest.

    Raises:
        InputError: Wrong shape.
        ParameterError: The share is not above 0 and at most 1.
    """
    a = np.asarray(maps, dtype=np.float64)
    if a.ndim != 4:
        raise InputError(
            f"comparing the maps of blocks: got shape {a.shape}, expected (n, N, L, L) with the blocks first. For one image "
            "give maps[:, None]."
        )
    cosine, iou, images = (np.full((len(a), len(a)), fill) for fill in (np.nan, np.nan, 0))
    for i, j in np.ndindex(images.shape):
        likeness, shared = map_cosines(a[i], a[j]), top_iou(a[i], a[j], share)
        used = ~np.isnan(shared)
        images[i, j] = used.sum()
        if used.any():
            cosine[i, j], iou[i, j] = likeness[used].mean(), shared[used].mean()
    return MapOverlap(cosine, iou, images.astype(np.int64))


def _log_posteriors(logits: ArrayLike) -> NDArray[np.float64]:
    x = np.asarray(logits, dtype=np.float64)
    return x - np.logaddexp.reduce(x, axis=-1, keepdims=True)
