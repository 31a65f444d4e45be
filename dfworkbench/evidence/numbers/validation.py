"""Leave-one-person-out validation of an LR system: Cllr, devPAV, misleading evidence, intervals over people, unseen kinds.

All metrics are computed from leave-one-group-out LRs. Every group counts once in its class, also in the PAV calibration behind
Cllr-min, so Cllr-cal is never negative; rates of misleading evidence count rows. Intervals resample groups with all their rows
and keep the LRs fixed. Rates of misleading evidence say little about calibration (P. Vergeer, Y. van Schaik and M. Sjerps,
Forensic Science International 321, 2021), and Cllr-cal and devPAV rest on PAV, which overfits (G. S. Morrison, Forensic Science
International: Synergy 3, 2021): they are reported, but no refusal depends on them.
"""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from dfworkbench.core.names import FAKE, REAL
from dfworkbench.evaluation.metrics.clusters import draw_together
from dfworkbench.evaluation.metrics.interval import NAN, interval_ends
from dfworkbench.evaluation.metrics.likelihood_ratios import (
    cllr,
    cllr_min,
    costs,
    devpav,
    distance_from_diagonal,
    group_weights,
    pav,
)
from dfworkbench.evidence.case import Validation
from dfworkbench.evidence.numbers.lr_system import FEWEST_GROUPS, LrSystem, fits_without_each
from dfworkbench.evidence.reference.scores import Floats, ReferenceScores

DRAWS = 1000
BEYOND = (1, 10, 100)  # thresholds of misleading LRs

# Simulated median upper LR bound of a good system (two Gaussians three standard deviations apart), by people per class.
_GOOD_SYSTEM = {5: 4.0, 10: 6.6, 20: 12.0, 30: 17.0, 50: 26.0, 100: 47.0}


def validate(system: LrSystem, draws: int = DRAWS, seed: int = 0) -> Validation:
    """Compute all validation metrics of an LR system.

    Args:
        system: A fitted LR system.
        draws: Bootstrap draws of groups; 0: no intervals.
        seed: Random seed of the bootstrap.
    """
    rows, llr = system.rows, system.llr
    weights = group_weights(rows.labels, rows.codes)
    times = draw_together(len(rows.groups), draws, seed).fakes.astype(np.float64)
    cost, least = cllr(llr, rows.labels, weights), cllr_min(llr, rows.labels, weights)
    ends = _intervals(rows, llr, times)
    return Validation(
        cllr=cost,
        cllr_low=ends["cllr"][0],
        cllr_high=ends["cllr"][1],
        cllr_min=least,
        cllr_cal=cost - least,
        devpav=devpav(llr, rows.labels, weights),
        misleading=_misleading(rows, llr, times),
        bounds=system.bounds,
        slope=system.whole.slope,
        offset=system.whole.offset,
        kinds=unseen_kinds(rows),
        groups=cllr_by_group(rows, llr),
        llr=llr,
        labels=rows.labels,
        group_codes=rows.codes,
        scores=rows.scores,
        intervals=ends,
    )


def unseen_kinds(rows: ReferenceScores) -> pd.DataFrame:
    """Cllr of each kind of forgery, by fits without this kind and without the person.

    Returns:
        Columns kind, cllr (of its rows and all genuine ones), rows, groups; worst first. Empty if there is only one kind; NaN
        if the other kinds have fewer than two people.
    """
    out = []
    for kind in rows.kind_names if len(rows.kind_names) > 1 else ():
        rest, some = rows.without_kind(kind), rows.with_kind(kind)
        cost = NAN
        if min(rest.groups_of(REAL), rest.groups_of(FAKE)) > 1:
            llr = fits_without_each(rest).llr_each(some.scores, some.codes)
            cost = cllr(llr, some.labels, group_weights(some.labels, some.codes))
        out.append((kind, cost, int((some.labels == FAKE).sum()), some.groups_of(FAKE)))
    table = pd.DataFrame(out, columns=["kind", "cllr", "rows", "groups"])
    return table.sort_values("cllr", ascending=False, ignore_index=True)


def cllr_by_group(rows: ReferenceScores, llr: Floats) -> pd.DataFrame:
    """Cost per group: the mean over its classes of the mean cost of its rows; columns group, cllr, rows, worst first."""
    means, has = _class_means(rows, costs(llr, rows.labels))
    cost = means.sum(axis=0) / has.sum(axis=0)
    table = pd.DataFrame({"group": rows.groups, "cllr": cost, "rows": rows.sizes.sum(axis=0).astype(int)})
    return table.sort_values("cllr", ascending=False, ignore_index=True)


def people_needed(lr: float) -> tuple[int, int]:
    """People per class needed for an LR to exceed `lr` after the bound; its interval needs more.

    Returns:
        The number below which this is impossible for any system (the bound is at most about the number of people; R4 requires
        10), and the number at which the median bound of a good system reaches it: two Gaussians three standard deviations
        apart, simulated up to 100 people and extrapolated with the growth from 50 to 100.
    """
    people, bound = np.array(list(_GOOD_SYSTEM)), np.array(list(_GOOD_SYSTEM.values()))
    if lr <= bound[-1]:
        good = np.interp(lr, bound, people)
    else:
        good = people[-1] + (lr - bound[-1]) * (people[-1] - people[-2]) / (bound[-1] - bound[-2])
    return max(FEWEST_GROUPS, int(np.floor(lr)) + 1), max(FEWEST_GROUPS, int(np.ceil(good)))


def _intervals(rows: ReferenceScores, llr: Floats, times: Floats) -> dict[str, tuple[float, float]]:
    """95 % intervals over groups; `times (draws, G)` holds how often each group is drawn."""
    means, has = _class_means(rows, costs(llr, rows.labels))
    groups = times @ has.T
    cost = _ratio(times @ means.T, groups).mean(axis=1)
    least, deviation = np.full(len(times), NAN), np.full(len(times), NAN)
    weights = group_weights(rows.labels, rows.codes)
    for draw in np.flatnonzero(groups.all(axis=1)):
        drawn = weights * times[draw, rows.codes]
        there = drawn > 0
        line = pav(llr[there], rows.labels[there], drawn[there])
        least[draw] = cllr(line, rows.labels[there], drawn[there])
        deviation[draw] = distance_from_diagonal(llr[there], line)
    figures = {"cllr": cost, "cllr_min": least, "cllr_cal": cost - least, "devpav": deviation}
    return {name: interval_ends(values) for name, values in figures.items()}


def _misleading(rows: ReferenceScores, llr: Floats, times: Floats) -> dict[str, tuple[float, float, float]]:
    """Rates of misleading evidence per class and threshold, with intervals."""
    out = {}
    for label, word, sign in ((FAKE, "manipulated, LR < {}", -1), (REAL, "genuine, LR > {}", 1)):
        mine, total = rows.labels == label, rows.sizes[label]
        for beyond in BEYOND:
            wrong = sign * llr[mine] > np.log10(beyond)
            count = np.bincount(rows.codes[mine], weights=wrong, minlength=len(rows.groups)).astype(np.float64)
            drawn = _ratio(times @ count, times @ total)
            edge = f"1/{beyond}" if label == FAKE and beyond > 1 else str(beyond)
            out[word.format(edge)] = (float(wrong.mean()), *interval_ends(drawn))
    return out


def _class_means(rows: ReferenceScores, values: Floats) -> tuple[Floats, Floats]:
    """Mean of each group's rows by class `(2, G)`, 0 without rows; and whether it has rows, as 0 or 1."""
    count = len(rows.groups)
    sums = np.zeros((2, count))
    for c in (REAL, FAKE):
        mine = rows.labels == c
        sums[c] = np.bincount(rows.codes[mine], weights=values[mine], minlength=count)
    return _ratio(sums, rows.sizes, empty=0.0), (rows.sizes > 0).astype(np.float64)


def _ratio(a: Floats, b: Floats, empty: float = NAN) -> NDArray[np.float64]:
    return np.divide(a, b, out=np.full(np.shape(a), empty), where=np.asarray(b) > 0)
