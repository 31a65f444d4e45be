"""F11: calibration, and scores as likelihood ratios cross-fitted over generators and sources."""

from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from dfworkbench.core.errors import InputError
from dfworkbench.core.names import FAKE, REAL
from dfworkbench.evaluation.exchange.wide_scores import CLIP, WideScores
from dfworkbench.evaluation.metrics.clusters import Multiplicities, draw_in_turn, draw_together
from dfworkbench.evaluation.metrics.curves import Ranking
from dfworkbench.evaluation.metrics.interval import NAN, interval_ends
from dfworkbench.evaluation.metrics.likelihood_ratios import (
    LN10,
    Bounds,
    LrMap,
    cllr,
    cllr_min,
    costs,
    cross_fitted,
    devpav,
    lr_bounds,
)
from dfworkbench.evaluation.metrics.probability_metrics import brier, ece, log_loss
from dfworkbench.evaluation.score_audit.findings import Finding, Severity
from dfworkbench.evaluation.score_audit.prepare import Clusters, Judged

FOLDS, _MOST_FOLDS = 5, 10
DRAWS = 1000
Floats = NDArray[np.float64]


class LrFigures(NamedTuple):
    """Calibration and likelihood-ratio metrics of a detector's scores.

    Attributes:
        log_loss: Log loss of probabilities clipped at 1e-6, in nats.
        brier: Mean squared error of the probabilities.
        ece: Calibration error over 15 bins of equal mass.
        raw: Cllr of the uncalibrated scores.
        new_generators: Cllr with fits on other generators (folds A), or on other people if people are named.
        new_sources: Cllr with fits on other generators and other real sources (folds B); NaN if there is only one source.
        least: Cllr-min of the uncalibrated scores.
        devpav: devPAV of the cross-fitted LRs (A).
        interval: 95 % interval of `new_generators` over clusters, with fixed LRs.
        bounds: LR bounds of the cross-fitted LRs (A), by clusters.
        slopes: Slopes of the fits A.
        slopes_new_sources: Slopes of the fits B.
    """

    log_loss: float
    brier: float
    ece: float
    raw: float
    new_generators: float
    new_sources: float
    least: float
    devpav: float
    interval: tuple[float, float]
    bounds: Bounds
    slopes: tuple[float, ...]
    slopes_new_sources: tuple[float, ...]


def name_places(table: WideScores) -> NDArray[np.int64]:
    """Rank of each row's name among all names in plain string order, `(n,)`."""
    order = pc.sort_indices(pa.array(table.names)).to_numpy()
    out = np.empty(len(order), dtype=np.int64)
    out[order] = np.arange(len(order))
    return out


def folds_of(one: Judged, places: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64] | None]:
    """Cross-fitting folds A and B of a detector's rows; B is None with fewer than two real sources.

    A (5 folds): fakes by the index of their generator among the sorted names, reals by the rank of their name within their
    source. B (as many folds as real sources, at most 10): reals by the index of their source, fakes by that of their generator.
    In A, people go by their own index. Indices refer to the rows that the detector scored.
    """
    fake = one.labels == FAKE
    if one.clusters is not None and one.clusters.together:
        return _dense(one.clusters.code[one.rows]) % FOLDS, None
    cluster = (
        np.zeros(len(one.rows), np.int64) if one.clusters is None else one.clusters.code[one.rows].astype(np.int64)
    )
    within = np.empty(len(one.rows), dtype=np.int64)
    for label in (True, False):
        rows = np.flatnonzero(fake == label)
        cluster[rows] = _dense(cluster[rows])
        within[rows] = _place_within(cluster[rows], places[one.rows[rows]])
    several = len(np.unique(cluster[fake])) > 1
    a = np.where(fake & several, cluster, within) % FOLDS
    sources = len(np.unique(cluster[~fake]))
    b = cluster % min(sources, _MOST_FOLDS) if sources > 1 and several else None
    return a, b


def _dense(codes: NDArray) -> NDArray[np.int64]:
    return np.unique(codes, return_inverse=True)[1]


def _place_within(group: NDArray[np.int64], key: NDArray[np.int64]) -> NDArray[np.int64]:
    """Rank of each entry within its group, by a key."""
    order = np.lexsort((key, group))
    starts = np.searchsorted(group[order], group[order], side="left")
    out = np.empty(len(group), dtype=np.int64)
    out[order] = np.arange(len(group)) - starts
    return out


def lr_figures(one: Judged, places: NDArray[np.int64], seed: int) -> LrFigures:
    """Compute all metrics of F11."""
    y, x = one.labels, one.scores.log_odds(one.rows)
    p = one.scores.probabilities(one.rows)
    curve = Ranking(y, p).curve()
    a, b = folds_of(one, places)
    l_a, maps_a = _fitted(x, y, a)
    l_b, maps_b = _fitted(x, y, b)
    cost = NAN if l_a is None else cllr(l_a, y)
    names = None if one.clusters is None else one.clusters.code[one.rows]
    return LrFigures(
        *(float(metric(curve)[0]) for metric in (log_loss, brier, ece)),
        raw=cllr(x / LN10, y), new_generators=cost, new_sources=NAN if l_b is None else cllr(l_b, y),
        least=cllr_min(x / LN10, y), devpav=NAN if l_a is None else devpav(l_a, y),
        interval=(NAN, NAN) if l_a is None or one.clusters is None else _interval(costs(l_a, y), one, one.clusters, seed),
        bounds=Bounds(NAN, NAN, 0, 0) if l_a is None else lr_bounds(l_a, y, names),
        slopes=tuple(fit.slope for fit in maps_a), slopes_new_sources=tuple(fit.slope for fit in maps_b),
    )  # fmt: skip


def _fitted(x: Floats, y: NDArray, folds: NDArray | None) -> tuple[Floats | None, list[LrMap]]:
    if folds is None or len(np.unique(folds)) < 2:
        return None, []
    try:
        return cross_fitted(x, y, folds)
    except InputError:  # without one of the folds, only one class is left
        return None, []


def _interval(cost: Floats, one: Judged, clusters: Clusters, seed: int) -> tuple[float, float]:
    """Bootstrap interval of a Cllr: clusters are drawn within each class, or together, with the costs of their rows."""
    code = clusters.code[one.rows]
    sums, sizes = [], []
    for label, count in zip((FAKE, REAL), clusters.sizes, strict=True):
        rows = one.labels == label
        sums.append(np.bincount(code[rows], weights=cost[rows], minlength=count))
        sizes.append(np.bincount(code[rows], minlength=count))
    if clusters.together:
        some = (sizes[0] > 0) | (sizes[1] > 0)
        kept = (some, some)
        drawn = draw_together(int(some.sum()), DRAWS, seed)
    else:
        kept = (sizes[0] > 0, sizes[1] > 0)
        drawn = draw_in_turn(int(kept[0].sum()), int(kept[1].sum()), DRAWS, seed)
    if min(len(drawn.fakes[0]), len(drawn.reals[0])) < 2:
        return NAN, NAN
    return interval_ends(_drawn_cost(sums, sizes, kept, drawn))


def _drawn_cost(
    sums: list[Floats], sizes: list[NDArray], kept: tuple[NDArray, NDArray], drawn: Multiplicities
) -> Floats:
    means = []
    for total, count, some, times in zip(sums, sizes, kept, drawn, strict=True):
        rows = times @ count[some]
        means.append(np.divide(times @ total[some], rows, out=np.full(len(rows), NAN), where=rows > 0))
    return (means[0] + means[1]) / 2


def calibration(one: Judged, found: LrFigures) -> list[Finding]:
    """F11: a note with all metrics; amber if the scores are worse than no information."""
    low, high = found.interval
    worse = found.new_generators >= 1 or high >= 1
    severity: Severity = "amber" if found.raw > 1 or worse else "note"
    interval = "" if np.isnan(low) else f" [{low:.3f}, {high:.3f}]"
    fitted = (
        ""
        if np.isnan(found.new_generators)
        else f", calibrated {found.new_generators:.3f}{interval} on other {fitted_on(one.clusters)}"
    )
    fitted += "" if np.isnan(found.new_sources) else f" and {found.new_sources:.3f} on other real sources"
    words = f"{one.name}: Cllr {found.raw:.3f}{fitted}, {found.least:.3f} at best"
    if not np.isnan(found.bounds.low):
        words += (
            f"; likelihood ratios up to {10**found.bounds.high:.3g} for fake and {10**-found.bounds.low:.3g} for real can be "
            "shown"
        )
    if found.raw > 1:
        words += ". As probabilities, its scores cost more than saying nothing"
    if worse and not np.isnan(found.new_generators):
        words += ". Calibrated, it is not shown to be better than saying nothing"
    words += "."
    return [Finding("F11", severity, words, one.name, _named(found), weight=found.raw)]


def fitted_on(clusters: Clusters | None) -> str:
    """What the folds A are cross-fitted over."""
    return "files" if clusters is None else "people" if clusters.together else "generators"


def _named(found: LrFigures) -> dict[str, object]:
    return {
        "clip": CLIP, "log_loss": found.log_loss, "brier": found.brier, "ece": found.ece, "cllr": found.raw,
        "cllr_new_generators": found.new_generators, "cllr_new_sources": found.new_sources, "cllr_min": found.least,
        "cllr_interval": list(found.interval), "devpav": found.devpav, "log10_lr_bounds": [found.bounds.low, found.bounds.high],
        "groups": [found.bounds.fake_groups, found.bounds.real_groups], "slopes": list(found.slopes),
        "slopes_new_sources": list(found.slopes_new_sources),
    }  # fmt: skip
