"""Baselines for attribution maps against true masks: centre prior, random maps, a flat map, and their chance level."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.stats import hypergeom

from dfworkbench.core.errors import InputError
from dfworkbench.evaluation.metrics.measures import NAN, Measure
from dfworkbench.explain.map_scores import MapScores, cell_shares, forged_cells, score_maps, summarise_maps

#: Names that `compare_maps` uses for them.
BASELINES = ("centre prior", "random maps", "flat map")


def chance_scores(mask: ArrayLike, grid: tuple[int, ...]) -> MapScores:
    """Mean scores of maps on `grid` whose cells are in random order; NaN for an empty mask.

    Pointing and energy equal the forged share. Average precision and IoU of few cells exceed those of a flat map: for k of n cells
    (H_n + (k - 1) (n - H_n) / (n - 1)) / n with the harmonic number H_n (Bestgen 2015), and the mean of h / (2 k - h) over a
    hypergeometric number h of hits.
    """
    m = np.asarray(mask, dtype=bool)
    if not m.any():
        return MapScores(*[NAN] * 4)
    shares = cell_shares(m, grid)
    n, k = shares.size, int(forged_cells(shares).sum())
    harmonic = float((1 / np.arange(1, n + 1)).sum())
    precision = (harmonic + (k - 1) * (n - harmonic) / max(n - 1, 1)) / n
    hits = np.arange(max(0, 2 * k - n), k + 1)
    iou = float((hypergeom.pmf(hits, n, k, k) * hits / (2 * k - hits)).sum())
    return MapScores(iou, float(shares.mean()), float(shares.mean()), precision)


def mean_mask(masks: Sequence[ArrayLike], grid: tuple[int, int]) -> NDArray[np.float64]:
    """The centre prior: how often each cell is forged in a reference set (not the evaluated one), `grid`, 0..1.

    Raises:
        InputError: All masks are empty.
    """
    known = [cell_shares(mask, grid) for mask in masks if np.asarray(mask).any()]
    if not known:
        raise InputError(
            f"taking the mean of {len(masks)} masks: none of them marks a forged pixel, at least one was expected. "
            "Give the masks of fakes, of the training split."
        )
    return np.mean(known, axis=0)


def compare_maps(
    maps: Mapping[str, Sequence[ArrayLike] | NDArray],
    masks: Sequence[ArrayLike] | NDArray,
    video_ids: Sequence[str],
    *,
    prior: ArrayLike,
    groups: Sequence | ArrayLike | None = None,
    repeats: int = 10,
    draws: int = 1000,
    seed: int = 0,
) -> dict[str, list[Measure]]:
    """Attributions beside their baselines, for `measures_table` and `show.plots.comparison.plot_measures`.

    Args:
        maps: Name (detector, attribution method) -> one map `(h, w)` per picture.
        masks: One mask `(H, W)` bool per picture.
        video_ids: One video id per picture.
        prior: `(h, w)`, a map that ignores the picture, see `mean_mask`.
        groups: Identity group of each picture, for the intervals; by default the video.
        repeats: Random maps per picture, independent normal values on the grid of the first maps.
        draws: Bootstrap resamplings; 0 for no intervals.
        seed: Seed of random maps and resampling.

    Returns:
        The given names, then "centre prior", "random maps" and "flat map"; the chance level is the mean of `chance_scores` on each
        map's grid.

    Raises:
        InputError: No maps, other shapes, or a name already used by a baseline.
    """
    taken = [name for name in maps if name in BASELINES]
    if not maps or taken:
        raise InputError(
            f"comparing attributions: got {', '.join(maps) or 'no maps'}; expected at least one name, and none of "
            f"{', '.join(BASELINES)}. Name the maps after their detector or method."
        )
    grid = np.shape(next(iter(maps.values()))[0]) if len(masks) else np.shape(prior)
    fixed = {"centre prior": np.asarray(prior), "flat map": np.ones(grid)}
    stacks = dict(maps) | {name: [one] * len(masks) for name, one in fixed.items()}
    tables = {name: score_maps(given, masks, video_ids, groups) for name, given in stacks.items()}
    tables["random maps"] = _random_table(masks, video_ids, groups, grid, repeats, seed)
    grids = {name: np.shape(given[0]) if len(given) else grid for name, given in stacks.items()}
    levels = {shape: _mean_chance(masks, shape) for shape in {grid, *grids.values()}}
    return {
        name: summarise_maps(tables[name], chance=levels[grids.get(name, grid)], draws=draws, seed=seed)
        for name in (*maps, *BASELINES)
    }


def _mean_chance(masks: Sequence[ArrayLike] | NDArray, grid: tuple[int, ...]) -> MapScores:
    known = [chance_scores(mask, grid) for mask in masks if np.any(mask)]
    return MapScores(*map(float, np.mean(known, axis=0))) if known else MapScores(*[NAN] * 4)


def _random_table(masks, video_ids, groups, grid: tuple[int, ...], repeats: int, seed: int) -> pd.DataFrame:
    """Mean over `repeats` maps for each picture."""
    rng = np.random.default_rng(seed)
    tables = [
        score_maps(rng.standard_normal((len(masks), *grid)), masks, video_ids, groups) for _ in range(max(1, repeats))
    ]
    fields = list(MapScores._fields)
    means = np.mean([table[fields].to_numpy(dtype=np.float64) for table in tables], axis=0)
    return tables[0].assign(**dict(zip(fields, means.T, strict=True)))
