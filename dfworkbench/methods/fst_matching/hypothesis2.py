"""Hypothesis 2 of FST-Matching: is training on fakes more effective with their carriers and donors in the training set?

Dong et al. (ECCV 2022, arXiv:2207.09679) train one detector on a "paired" and one on an "unpaired" set (see
`pairs`) and compare Q (see `explain.overlap`) over thresholds.

Repeat it for several seeds and with halves exchanged, and report both detectors' test AUC beside the difference: a detector that is
simply worse also has a different Q.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from dfworkbench.evaluation.metrics.interval import Judging
from dfworkbench.evaluation.metrics.measures import Measure, group_means
from dfworkbench.explain.overlap import FORMS, THRESHOLDS
from dfworkbench.methods.fst_matching.maps import Maps, chosen_maps, form_measures, mean_curves, prepared, scored
from dfworkbench.methods.fst_matching.null import nan_mean


@dataclass(frozen=True)
class PairingStudy:
    """Hypothesis 2 for one pair of detectors.

    Attributes:
        measures: "paired", "unpaired" and "difference" -> Q in its three forms.
        curves: One row per kind, form and threshold: kind, form, threshold, value, low, high, n.
        images: One row per image: image, group, per form `<form>_paired`, `<form>_unpaired`, `<form>_difference`, reason.
    """

    measures: dict[str, list[Measure]]
    curves: pd.DataFrame
    images: pd.DataFrame


def pairing_study(
    maps: Maps,
    groups: Sequence | ArrayLike | None = None,
    *,
    taus: Sequence[float] = THRESHOLDS,
    draws: int = 1000,
    seed: int = 0,
) -> PairingStudy:
    """Q over thresholds for two detectors on the same images, and its differences, per image.

    Args:
        maps: Attributions of the encoders of "carrier" and "donor", of the "paired" detector, whose training set contains the
            carriers and donors of its fakes, and of the "unpaired" one, with as many other people (`pairs`).
        groups: `(N,)`, identity group of each image; by default each image is its own group.
        taus: Thresholds, 0 <= tau < 1.
        draws: Bootstrap resamplings over groups; 0 for no intervals.
        seed: Seed of the resampling.

    Raises:
        InputError: Maps do not match each other or are not finite.
        ParameterError: A threshold outside [0, 1).
    """
    doing = "testing hypothesis 2"
    named = chosen_maps(maps, ("carrier", "donor", "paired", "unpaired"), doing)
    units, names, why = prepared(named, groups, doing)
    of = {kind: scored(units["carrier"], units["donor"], units[kind], taus)[0] for kind in ("paired", "unpaired")}
    of["difference"] = of["paired"] - of["unpaired"]
    tables = [mean_curves(x, taus, names, draws, seed).assign(kind=kind) for kind, x in of.items()]
    curves = pd.concat(tables, ignore_index=True)
    images = pd.DataFrame({"image": range(len(why)), "group": names})
    for k, form in enumerate(FORMS):
        images = images.assign(**{f"{form}_{kind}": nan_mean(x, 1)[k] for kind, x in of.items()})
    chance = {"paired": np.full(3, np.nan), "unpaired": np.full(3, np.nan), "difference": np.zeros(3)}
    measures = {
        kind: form_measures(group_means(nan_mean(x, 1), names, Judging(draws=draws, seed=seed)), why, chance[kind])
        for kind, x in of.items()
    }
    return PairingStudy(measures, curves[["kind", *curves.columns.drop("kind")]], images.assign(reason=why))


def pairing_summary(studies: Sequence[PairingStudy]) -> pd.DataFrame:
    """Differences (paired minus unpaired) over several training sets, seeds and exchanged halves.

    Returns:
        One row per form: form, name, mean, sd (NaN for one study), positive (studies with a difference above 0), studies.
    """
    found = np.array([[item.value for item in study.measures["difference"]] for study in studies]).reshape(
        -1, len(FORMS)
    )
    sd = found.std(axis=0, ddof=1) if len(found) > 1 else np.full(len(FORMS), np.nan)
    columns = {"form": list(FORMS), "name": list(FORMS.values()), "mean": nan_mean(found, 0), "sd": sd}
    return pd.DataFrame(columns | {"positive": (found > 0).sum(axis=0), "studies": len(found)})
