"""Hypothesis 3 of FST-Matching: a detector's attributions change more under compression than those of the two encoders.

Dong et al., "Explaining Deepfake Detection by Analysing Image Matching" (ECCV 2022, arXiv:2207.09679), in the form of the released
code: delta is the mean of the cosines between the maps of a raw frame and of its compressed versions. By itself it says little:

* Maps with a common positive part have a high cosine whatever they show (unrelated noise images, untrained networks: 0.73 to 0.92).
  Ours: the same value between images of *unrelated* people is reported beside each result, and delta is also given centred
  (Pearson).
* Noise of the attributions lowers it. Ours: the reliability of the maps (the expected cosine of two independent estimates of one
  map), and delta divided by what the reliabilities allow (Spearman's correction for attenuation, 1904).

Use the landmarks of the raw frame for all versions, otherwise delta also measures the shift of the crops.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from dfworkbench.core.errors import InputError
from dfworkbench.evaluation.metrics.interval import Judging
from dfworkbench.evaluation.metrics.measures import NAN, GroupMeans, Measure, group_means, group_measure, group_names
from dfworkbench.explain.map_likeness import cell_iou, flat_units, map_cosines, reliability, top_cells, top_iou
from dfworkbench.explain.overlap import flat_cells, require_same_shape, unit_maps
from dfworkbench.methods.fst_matching.null import nan_mean

REFERENCE = "raw"

#: Column of a stability study -> its name in tables and figures.
STABILITY = {"delta": "delta, as published", "delta_centred": "delta, centred", "top_iou": "IoU of the top 20 %"}
CORRECTED = "delta, corrected for noise"

Maps = Mapping[str, ArrayLike]


@dataclass(frozen=True)
class StabilityStudy:
    """Hypothesis 3 for one model.

    Attributes:
        measures: Delta as published, centred delta, IoU of the highest fifth of the cells (each with its mean over images of
            unrelated people as chance), delta corrected for noise, and the reliability of the maps of each compression.
        images: One row per image: image, group, delta, delta_centred, top_iou, `cosine_<compression>`,
            `reliability_<compression>` (NaN if unknown), reason.
    """

    measures: list[Measure]
    images: pd.DataFrame


def stability_study(
    maps: Maps,
    groups: Sequence | ArrayLike | None = None,
    *,
    again: Maps | None = None,
    errors: Maps | None = None,
    share: float = 0.2,
    draws: int = 1000,
    seed: int = 0,
) -> StabilityStudy:
    """Similarity of one model's attributions before and after compression.

    Args:
        maps: Compression ("raw" and others) -> `(N, L, L)` or `(N, n)` attributions of the same images in the same order.
        groups: `(N,)`, identity group of each image; by default each image is its own group.
        again: A second estimate of each map with other random coalitions. The best basis for the correction: it compares raw maps
            of one estimate with compressed maps of the other, so coalitions may be shared between compressions.
        errors: Standard errors of the maps, used if `again` is not given. The correction then assumes that the errors of raw and
            compressed maps are independent; with shared coalitions it overcorrects.
        share: Share of the cells that count as highest, for their IoU.
        draws: Bootstrap resamplings over groups; 0 for no intervals.
        seed: Seed of the resampling.

    Raises:
        InputError: Compressions do not match, or maps differ in shape or are not finite.
        ParameterError: `share` outside (0, 1].
    """
    first = _checked(maps, "maps")
    count = len(first[REFERENCE])
    names = group_names(groups, count, "measuring stability")
    other = {"again": again, "errors": errors}
    second = {name: _like(given, first, name) for name, given in other.items() if given is not None}
    others = [name for name in first if name != REFERENCE]
    images = pd.DataFrame({"image": range(count), "group": names})
    images = images.assign(
        delta=_average([map_cosines(first[REFERENCE], first[name]) for name in others]),
        delta_centred=_average([map_cosines(first[REFERENCE], first[name], centred=True) for name in others]),
        top_iou=_average([top_iou(first[REFERENCE], first[name], share) for name in others]),
        **{f"cosine_{name}": map_cosines(first[REFERENCE], first[name]) for name in others},
        **{f"reliability_{name}": _reliability(a, second, name) for name, a in first.items()},
    )
    chance = _unrelated(first, others, names, share)
    means = group_means(images[list(STABILITY)].to_numpy(dtype=np.float64).T, names, Judging(draws=draws, seed=seed))
    reason = "a map is 0 everywhere, or flat, in every image"
    measures = [
        group_measure(label, means, k, chance=chance[column], reason=reason)
        for k, (column, label) in enumerate(STABILITY.items())
    ]
    measures.append(_corrected(first, second, others, names, draws, seed))
    measures += _reliabilities(images, list(first), names, draws, seed)
    return StabilityStudy(measures, images.assign(reason=_why(first)))


def _corrected(first: Maps, second: Mapping, others: list[str], names: NDArray, draws: int, seed: int) -> Measure:
    """Mean cosine over the root of the product of mean reliabilities, since dividing single images would amplify noise."""
    kinds = [REFERENCE, *others]
    known = [_reliability(first[name], second, name) for name in kinds]
    if not second:
        return Measure(CORRECTED, NAN, reason="neither a second estimate nor standard errors were given")
    if "again" in second:
        again = second["again"]
        pairs = [
            _average([map_cosines(first[REFERENCE], again[name]), map_cosines(again[REFERENCE], first[name])])
            for name in others
        ]
    else:
        pairs = [map_cosines(first[REFERENCE], first[name]) for name in others]
    means = group_means(np.stack([*pairs, *known]), names, Judging(draws=draws, seed=seed))
    value = _disattenuated(means.value[None], len(others))
    drawn = _disattenuated(means.drawn, len(others))
    found = GroupMeans(value, drawn[:, None], means.n[:1], means.reason)
    return group_measure(CORRECTED, found, 0, reason="the maps of a compression are nothing but noise")


def _disattenuated(means: NDArray, others: int) -> NDArray[np.float64]:
    """`(D,)` from means `(D, K)`: cosines of the compressions, reliability of raw, those of the compressions."""
    known = means[:, others:]
    room = np.where(known > 0, known, np.nan)
    return (means[:, :others] / np.sqrt(room[:, :1] * room[:, 1:])).mean(axis=1)


def _reliability(maps: ArrayLike, second: Mapping, name: str) -> NDArray[np.float64]:
    if "again" in second:
        return map_cosines(maps, second["again"][name])
    if "errors" in second:
        return reliability(maps, second["errors"][name])
    return np.full(len(np.asarray(maps)), np.nan)


def _reliabilities(images: pd.DataFrame, kinds: list[str], names: NDArray, draws: int, seed: int) -> list[Measure]:
    means = group_means(
        images[[f"reliability_{name}" for name in kinds]].to_numpy().T, names, Judging(draws=draws, seed=seed)
    )
    reason = "neither a second estimate nor standard errors were given"
    return [group_measure(f"reliability, {name}", means, k, reason=reason) for k, name in enumerate(kinds)]


def _unrelated(maps: Maps, others: list[str], names: NDArray, share: float) -> dict[str, float]:
    """The same values between raw maps of one image and compressed maps of another, of different people."""
    strange = names[:, None] != names[None, :]
    out = {}
    for column, centred in (("delta", False), ("delta_centred", True)):
        raw = flat_units(maps[REFERENCE], centred)
        grids = [raw @ flat_units(maps[name], centred).T for name in others]
        out[column] = _mean(_average(grids)[strange])
    raw = top_cells(maps[REFERENCE], share)
    tops = [top_cells(maps[name], share) for name in others]
    grids = [cell_iou(raw[:, None], top[None], raw.astype(np.float64) @ top.T) for top in tops]
    return out | {"top_iou": _mean(_average(grids)[strange])}


def _average(parts: Sequence[NDArray]) -> NDArray[np.float64]:
    """Plain mean; NaN for an image that lacks one compression."""
    return np.mean(parts, axis=0)


def _mean(values: NDArray) -> float:
    return float(nan_mean(values, 0))


def _why(maps: Maps) -> NDArray:
    why = np.array([""] * len(np.asarray(maps[REFERENCE])), dtype=object)
    for name, a in maps.items():
        flat = flat_cells(np.asarray(a))
        for words, found in (("0 everywhere", ~flat.any(axis=1)), ("flat", np.ptp(flat, axis=1) == 0)):
            why[found & (why == "")] = f"the map of {name} is {words}"
    return why


def _checked(maps: Maps, word: str) -> dict[str, NDArray[np.float64]]:
    if REFERENCE not in maps or len(maps) < 2:
        raise InputError(
            f"measuring stability: got {word} of {', '.join(maps) or 'nothing'}; expected {REFERENCE!r} and at least one other "
            "compression. Attribute the same frames at each compression."
        )
    out = {name: np.asarray(a, dtype=np.float64) for name, a in maps.items()}
    require_same_shape("measuring stability", **out)
    for a in out.values():
        unit_maps(a)  # refuses non-finite numbers
    if not len(out[REFERENCE]):
        raise InputError(
            "measuring stability: there are no maps, those of at least one image were expected. Attribute some."
        )
    return out


def _like(given: Maps, maps: Mapping[str, NDArray], word: str) -> dict[str, NDArray[np.float64]]:
    if set(given) != set(maps):
        raise InputError(
            f"measuring stability: `{word}` has {', '.join(given) or 'nothing'}, expected {', '.join(maps)}. "
            "Give one stack for each compression."
        )
    out = {name: np.asarray(given[name], dtype=np.float64) for name in maps}
    for name, a in out.items():
        require_same_shape(f"measuring stability with `{word}`", maps=maps[name], given=a)
    return out
