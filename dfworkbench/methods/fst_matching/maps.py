"""Shared parts of hypotheses 1 and 2: usable maps, Q of each image and threshold, means with intervals."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from dfworkbench.core.errors import InputError
from dfworkbench.evaluation.metrics.interval import Judging, interval_ends
from dfworkbench.evaluation.metrics.measures import GroupMeans, Measure, group_means, group_measure, group_names
from dfworkbench.explain.overlap import (
    FORMS,
    cell_masks,
    flat_cells,
    overlap,
    require_same_shape,
    union_maps,
    unit_maps,
)

#: Name of a model ("carrier", "donor", "detector") -> `(N, L, L)` or `(N, n)` attributions of N images, any scale.
Maps = Mapping[str, ArrayLike]
#: Name of a model -> standard errors in the shape and scale of its maps.
Errors = Mapping[str, ArrayLike]


def chosen_maps(given: Maps, names: Sequence[str], doing: str) -> dict[str, ArrayLike]:
    """The maps of these models, in this order whatever the order given."""
    if set(given) != set(names):
        raise InputError(
            f"{doing}: got maps of {', '.join(given) or 'no model'}; expected {', '.join(names)}. Give one stack of maps for each."
        )
    return {name: given[name] for name in names}


def prepared(
    named: Maps, groups: Sequence | ArrayLike | None, doing: str
) -> tuple[dict[str, NDArray], NDArray, NDArray]:
    """Unit maps, the group of each image, and why an image is not usable ("" if it is)."""
    maps = {name: unit_maps(a) for name, a in named.items()}
    require_same_shape(doing, **maps)
    count = len(next(iter(maps.values())))
    if not count:
        raise InputError(
            f"{doing}: there are no maps, those of at least one image were expected. Attribute some fakes."
        )
    names = group_names(groups, count, doing)
    why = np.array([""] * count, dtype=object)
    for name, a in maps.items():
        empty = np.isnan(flat_cells(a)).any(axis=1) & (why == "")
        why[empty] = f"the map of {name} is 0 everywhere"
    return maps, names, why


def scored(carrier: NDArray, donor: NDArray, detector: NDArray, taus: Sequence[float]) -> tuple[NDArray, NDArray]:
    """`(3, T, N)` values of the forms and `(T, N)` cells in the mask; NaN for images with an all-zero map."""
    union = union_maps(carrier, donor)
    found = overlap(detector, cell_masks(union, np.atleast_1d(taus)))
    broken = np.isnan(flat_cells(union)).any(axis=1) | np.isnan(found.q[0])
    values, cells = np.stack(found[:3]), found.cells.astype(np.float64)
    values[..., broken], cells[..., broken] = np.nan, np.nan
    return values, cells


def checked_errors(errors: Errors, named: Mapping[str, ArrayLike]) -> dict[str, NDArray[np.float64]]:
    """Standard errors of every stack of maps, 0 if none are given; raises `InputError` for other names, shapes or signs."""
    unknown = sorted(set(errors) - set(named))
    if unknown:
        raise InputError(
            f"reading standard errors: {unknown} were given, expected some of {sorted(named)}. Rename them."
        )
    out = {name: np.asarray(errors.get(name, np.zeros(np.shape(a))), dtype=np.float64) for name, a in named.items()}
    for name, a in out.items():
        if a.shape != np.shape(named[name]) or not np.isfinite(a).all() or (a < 0).any():
            raise InputError(
                f"reading standard errors of {name}: got shape {a.shape}, smallest {np.min(a, initial=0):.3g}; expected "
                f"{np.shape(named[name])} finite numbers from 0. Give them in the shape and scale of the maps."
            )
    return out


def mean_curves(values: NDArray, taus: Sequence[float], names: NDArray, draws: int, seed: int) -> pd.DataFrame:
    """One row per form and threshold with the mean over images and its interval."""
    thresholds = np.atleast_1d(taus)
    means = group_means(values.reshape(-1, values.shape[-1]), names, Judging(draws=draws, seed=seed))
    ends = np.array([interval_ends(means.drawn[:, k]) for k in range(len(means.value))])
    columns = {"form": np.repeat(list(FORMS), len(thresholds)), "threshold": np.tile(thresholds, len(FORMS))}
    return pd.DataFrame(columns | {"value": means.value, "low": ends[:, 0], "high": ends[:, 1], "n": means.n})


def form_measures(means: GroupMeans, why: NDArray, chance: NDArray) -> list[Measure]:
    """One `Measure` per form from means `(3,)`; `why` says for each image why it is not usable."""
    reason = str(why[0]) if (why != "").all() else ""
    return [
        group_measure(name, means, k, chance=float(chance[k]), reason=reason) for k, name in enumerate(FORMS.values())
    ]
