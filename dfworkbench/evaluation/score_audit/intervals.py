"""F8: AUC intervals over files compared with intervals over clusters."""

from typing import NamedTuple

import numpy as np

from dfworkbench.evaluation.exchange.wide_scores import WideScores
from dfworkbench.evaluation.metrics.clusters import drawn_aucs
from dfworkbench.evaluation.metrics.interval import NAN, Interval, interval_ends
from dfworkbench.evaluation.score_audit.findings import Finding, Severity
from dfworkbench.evaluation.score_audit.prepare import Judged, drawn_clusters

CRUDE, FEWEST = 10, 5


class ByCluster(NamedTuple):
    """Uncertainty of an AUC over clusters.

    Attributes:
        interval: Cluster bootstrap interval.
        left_out: Lowest and highest AUC when leaving out one cluster.
        error: Jackknife standard error.
        fakes: Number of non-empty clusters of fakes.
        reals: Number of non-empty clusters of reals.
        reason: Why there is no interval, else "".
    """

    interval: Interval
    left_out: tuple[float, float]
    error: float
    fakes: int
    reals: int
    reason: str = ""


def few_files(table: WideScores) -> list[Finding]:
    """F8: fewer than ten fakes or reals."""
    fakes, reals = table.counts()
    if min(fakes, reals) >= CRUDE:
        return []
    words = (
        f"{fakes:,} {'fake' if fakes == 1 else 'fakes'} and {reals:,} {'real' if reals == 1 else 'reals'} are few: "
        "every figure here is crude."
    )
    return [Finding("F8", "amber", words, numbers={"fakes": fakes, "reals": reals}, weight=1000.0)]


def over_clusters(one: Judged, draws: int, seed: int) -> ByCluster:
    """The AUC of a detector over its clusters."""
    wins = one.wins
    fakes, reals = int((wins.fakes > 0).sum()), int((wins.reals > 0).sum())
    nothing = Interval(one.auc, n=len(one.rows))
    if one.clusters is None or min(fakes, reals) < 2 or not draws:
        why = "" if one.clusters is None else "under two clusters in a class" if draws else "no draws were asked for"
        return ByCluster(nothing, (NAN, NAN), NAN, fakes, reals, why)
    there, drawn = drawn_clusters(one.clusters, wins, draws, seed)
    low, high = interval_ends(drawn_aucs([there], drawn)[:, 0])
    together = one.clusters.together
    without = np.concatenate(there.leave_one_out(together))
    without = without[~np.isnan(without)]
    interval = Interval(one.auc, low, high, len(one.rows))
    return ByCluster(
        interval, (float(without.min()), float(without.max())), there.jackknife_error(together), fakes, reals
    )


def clusters(one: Judged, found: ByCluster) -> list[Finding]:
    """F8: both intervals of a detector, and how far one cluster can move its AUC."""
    if one.clusters is None:
        return []
    counted = one.clusters.counted(found.fakes, found.reals)
    if np.isnan(found.interval.low):
        words = f"{one.name}: no interval over {one.clusters.words}: {found.reason} ({counted})."
        return [Finding("F8", "note", words, one.name)]
    few = min(found.fakes, found.reals)
    by_file, by_cluster = one.by_file, found.interval
    wider = (by_cluster.high - by_cluster.low) / max(by_file.high - by_file.low, 1e-12)
    left_out = f"with one cluster left out it is {found.left_out[0]:.3f} to {found.left_out[1]:.3f}"
    drawn = f"[{by_cluster.low:.3f}, {by_cluster.high:.3f}] over {counted}"
    files = f"[{by_file.low:.3f}, {by_file.high:.3f}] if files are independent"
    words = f"{left_out}; 95 % {files}, {drawn}" if few < FEWEST else f"95 % {files}, {drawn}; {left_out}"
    crude = f" Crude: {few} {'people' if one.clusters.together else 'clusters in a class'}." if few < CRUDE else ""
    shown = by_file.low > 0.5 >= by_cluster.low
    chance = " Over clusters it is not shown to be better than chance." if shown else ""
    severity: Severity = "amber" if shown or few < CRUDE or wider >= 2 else "note"
    return [Finding(
        "F8", severity, f"{one.name}: AUC {one.auc:.3f}; {words}.{crude}{chance}", one.name,
        {"auc": one.auc, "by_file": [by_file.low, by_file.high], "by_cluster": [by_cluster.low, by_cluster.high],
         "leave_one_out": list(found.left_out), "jackknife_error": found.error, "clusters": [found.fakes, found.reals]},
        weight=wider + 100 * shown,
    )]  # fmt: skip
