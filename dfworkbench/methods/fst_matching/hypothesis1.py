"""Hypothesis 1 of FST-Matching: does a detector look at cells that matter to neither of a fake's two people?

Dong et al., "Explaining Deepfake Detection by Analysing Image Matching" (ECCV 2022, arXiv:2207.09679): a detector treats cells that
matter neither to the carrier (their "source") nor to the donor (their "target") as artefacts, so Q (see `explain.overlap`) is
positive. Hypothesis 2 is in `hypothesis2`, hypothesis 3 in `hypothesis3`.

Differences from the released code (ours): two forms of Q without its positive null, permutation nulls with p-values, bootstrap
intervals over identity groups, propagated standard errors of the attributions. An image with an all-zero map gets NaN and a reason,
and is left out of the means, while in the code Q becomes NaN for all. An image's mean over thresholds covers those where the form
is defined (Q per area is not for an empty mask).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from dfworkbench.evaluation.metrics.interval import Judging, interval_ends
from dfworkbench.evaluation.metrics.measures import Measure, group_means
from dfworkbench.explain.overlap import FORMS, THRESHOLDS, cell_masks, union_maps, unit_maps
from dfworkbench.methods.fst_matching.maps import (
    Errors,
    Maps,
    checked_errors,
    chosen_maps,
    form_measures,
    mean_curves,
    prepared,
    scored,
)
from dfworkbench.methods.fst_matching.null import NullDraws, draw_null, nan_mean, p_values


@dataclass(frozen=True)
class OverlapStudy:
    """Hypothesis 1 for one detector.

    Attributes:
        measures: Q in its three forms, mean over images and thresholds; `chance` is its mean under the null.
        summary: One row per form: form, name, value, low, high, null, null_low, null_high, p, se, n, left_out.
        curve: One row per form and threshold: form, threshold, value, low, high, null, null_low, null_high, p, cells, n.
        images: One row per image: image (its index), group, then per form its value, `<form>_null`, `<form>_p`,
            `<form>_se` (NaN without standard errors), cells (mean size of the mask), empty_masks (thresholds without any
            cell), reason.
    """

    measures: list[Measure]
    summary: pd.DataFrame
    curve: pd.DataFrame
    images: pd.DataFrame


def overlap_study(
    maps: Maps,
    groups: Sequence | ArrayLike | None = None,
    *,
    taus: Sequence[float] = THRESHOLDS,
    null: str = "cells",
    permutations: int = 999,
    errors: Errors | None = None,
    repeats: int = 100,
    draws: int = 1000,
    seed: int = 0,
) -> OverlapStudy:
    """Q of a detector, per image and on average, against a null.

    Args:
        maps: Attributions of the encoders of "carrier" ("source") and "donor" ("target"), and of the "detector".
        groups: `(N,)`, identity group of each image; by default each image is its own group.
        taus: Thresholds, 0 <= tau < 1.
        null: See `null`: "cells", "shift" or "images".
        permutations: Draws of the null.
        errors: Standard errors of the maps; missing ones count as 0. They are propagated by `repeats` normal draws around the maps,
            independently for each cell; correlated errors of maps that share coalitions are not modelled.
        repeats: Number of draws around the maps.
        draws: Bootstrap resamplings over groups; 0 for no intervals.
        seed: Seed of everything random.

    Raises:
        InputError: Maps do not match each other or are not finite, or standard errors are negative.
        ParameterError: A threshold outside [0, 1).
    """
    doing = "testing hypothesis 1"
    named = chosen_maps(maps, ("carrier", "donor", "detector"), doing)
    units, names, why = prepared(named, groups, doing)
    values, cells = scored(units["carrier"], units["donor"], units["detector"], taus)
    used = np.flatnonzero(why == "")
    nulls = _null(units, used, taus, null, names, permutations, seed)
    se, mean_se = _noise(named, used, taus, errors, repeats, seed)
    images = _image_table(values, cells, names, why)
    for k, form in enumerate(FORMS):
        images[f"{form}_null"], images[f"{form}_p"], images[f"{form}_se"] = nulls.image_mean[k], nulls.image_p[k], se[k]
    means = group_means(nan_mean(values, 1), names, Judging(draws=draws, seed=seed))
    curve = mean_curves(values, taus, names, draws, seed)
    drawn = nulls.curve.reshape(-1, nulls.curve.shape[-1])
    curve = curve.assign(**_null_columns(curve["value"], drawn), cells=list(nan_mean(cells, 1)) * len(FORMS))
    measures = form_measures(means, why, nan_mean(nulls.mean, 1))
    summary = pd.DataFrame([item._asdict() for item in measures])[["name", "value", "low", "high", "n"]]
    summary.insert(0, "form", list(FORMS))
    summary = summary.assign(**_null_columns(means.value, nulls.mean), se=mean_se, left_out=len(why) - len(used))
    return OverlapStudy(measures, summary, curve, images)


def _null(
    maps: Mapping[str, NDArray],
    used: NDArray,
    taus: Sequence[float],
    kind: str,
    names: NDArray,
    permutations: int,
    seed: int,
) -> NullDraws:
    """The null of the usable images; arrays per image are filled up with NaN."""
    thresholds = np.atleast_1d(taus)
    full = np.full((2, len(FORMS), len(names)), np.nan)
    if not len(used):
        curve = np.full((len(FORMS), len(thresholds), permutations), np.nan)
        return NullDraws(curve[:, 0], curve, full[0], full[1])
    masks = cell_masks(union_maps(maps["carrier"][used], maps["donor"][used]), thresholds)
    codes = pd.factorize(names[used])[0]
    found = draw_null(maps["detector"][used], masks, kind, groups=codes, permutations=permutations, seed=seed)
    full[0][:, used], full[1][:, used] = found.image_mean, found.image_p
    return found._replace(image_mean=full[0], image_p=full[1])


def _noise(named, used, taus, errors: Errors | None, repeats: int, seed: int) -> tuple[NDArray, NDArray]:
    """Standard errors `(3, N)` of each image and `(3,)` of the mean, by resampling the maps; NaN without errors."""
    count = len(np.asarray(named["detector"]))
    se = np.full((len(FORMS), count), np.nan)
    if not errors or not len(used) or repeats < 2:
        return se, np.full(len(FORMS), np.nan)
    values = {name: np.asarray(a, dtype=np.float64)[used] for name, a in named.items()}
    spread = checked_errors(errors, named)
    rng = np.random.default_rng([seed, 1])
    found = []
    for _ in range(repeats):
        drawn = [unit_maps(a + spread[name][used] * rng.standard_normal(a.shape)) for name, a in values.items()]
        found.append(nan_mean(scored(drawn[0], drawn[1], drawn[2], taus)[0], 1))
    scores = np.stack(found)
    se[:, used] = np.sqrt(nan_mean((scores - nan_mean(scores, 0)) ** 2, 0) * repeats / (repeats - 1))
    return se, nan_mean(scores, 2).std(axis=0, ddof=1)


def _image_table(values: NDArray, cells: NDArray, names: NDArray, why: NDArray) -> pd.DataFrame:
    means = nan_mean(values, 1)
    no_cells = np.where(why == "", (cells == 0).sum(axis=0), 0)
    words = np.where((why == "") & np.isnan(means[1]), "no mask holds a cell: Q per area is not defined", why)
    table = pd.DataFrame({"image": range(len(why)), "group": names, **dict(zip(FORMS, means, strict=True))})
    return table.assign(cells=nan_mean(cells, 0), empty_masks=no_cells, reason=words)


def _null_columns(observed: ArrayLike, drawn: NDArray) -> dict[str, NDArray]:
    """Columns null, null_low, null_high and p for values `(K,)` with draws `(K, P)`."""
    ends = np.array([interval_ends(row) for row in drawn])
    p = p_values(np.asarray(observed, dtype=np.float64), drawn)
    return {"null": nan_mean(drawn, 1), "null_low": ends[:, 0], "null_high": ends[:, 1], "p": p}
