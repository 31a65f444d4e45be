"""F12 and F13: pairwise differences on shared rows, and how often the best detector stays on top."""

from collections.abc import Sequence
from itertools import combinations
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from dfworkbench.evaluation.exchange.wide_scores import WideScores
from dfworkbench.evaluation.metrics.clusters import Wins, bootstrap_p, drawn_aucs
from dfworkbench.evaluation.metrics.delong import holm
from dfworkbench.evaluation.metrics.interval import NAN
from dfworkbench.evaluation.score_audit.findings import Finding, Severity, percent
from dfworkbench.evaluation.score_audit.prepare import Clusters, Judged, drawn_clusters, shared_rows

ALPHA = 0.05
#: Draws per pair below which Holm's correction cannot find anything: the smallest p of a bootstrap is 2 / (draws + 1).
DRAWS_PER_PAIR = 400
_SURE = 0.95
Floats = NDArray[np.float64]


class Pair(NamedTuple):
    """Comparison of two detectors on shared rows.

    Attributes:
        first: Name of the first detector.
        second: Name of the second detector.
        difference: AUC of the first minus that of the second.
        delong_p: Two-sided p-value, treating files as independent.
        delong_holm_p: Corrected for the number of pairs.
        cluster_p: Two-sided p-value from a cluster bootstrap; NaN without clusters.
        cluster_holm_p: Corrected for the number of pairs.
    """

    first: str
    second: str
    difference: float
    delong_p: float
    delong_holm_p: float
    cluster_p: float
    cluster_holm_p: float


class Differences(NamedTuple):
    """All pairs of detectors.

    Attributes:
        pairs: The pairs.
        rows: Number of rows that all detectors scored.
        draws: Number of cluster draws.
        aucs: Detector -> AUC on these rows.
        on_top: Detector -> share of cluster draws in which its AUC is the highest, with ties of k detectors counting 1 / k
            each; empty without clusters.
    """

    pairs: list[Pair]
    rows: int
    draws: int
    aucs: dict[str, float]
    on_top: dict[str, float]

    def survive(self) -> dict[str, int]:
        """Number of significantly different pairs by test, with and without correction."""
        names = ("delong_p", "delong_holm_p", "cluster_p", "cluster_holm_p")
        return {name: sum(getattr(pair, name) < ALPHA for pair in self.pairs) for name in names}


def compare_all(
    table: WideScores, detectors: Sequence[str], clusters: Clusters | None, draws: int, seed: int
) -> Differences:
    """Compare every pair of detectors on the rows that all have scored.

    Args:
        table: The table.
        detectors: At least two.
        clusters: Clusters of its rows, or None.
        draws: Cluster draws; more are made if Holm's correction needs them.
        seed: Seed of the draws.
    """
    rows = shared_rows(table, detectors)
    pairs = list(combinations(range(len(detectors)), 2))
    if min(table.counts(rows)) < 2:
        return Differences([], len(rows), 0, {}, {})
    wins: list[Wins] = []
    aucs: list[float] = []
    placed: tuple[list[Floats], list[Floats]] = ([], [])
    for name in detectors:  # one at a time, because ranks of a million rows take much memory
        one = Judged(name, table, clusters, rows)
        wins, aucs = [*wins, one.wins], [*aucs, one.auc]
        for part, values in zip(placed, one.ranked.placements(), strict=True):
            part.append(values)
    of_fakes, of_reals = (_covariance(np.stack(part)) for part in placed)
    covariance = of_fakes + of_reals
    delong = [_delong_p(aucs, covariance, i, j) for i, j in pairs]
    drawn = _draw(wins, clusters, max(draws, DRAWS_PER_PAIR * len(pairs)) if draws else 0, seed)
    by_cluster = [NAN if drawn is None else bootstrap_p(drawn[:, i], drawn[:, j]) for i, j in pairs]
    corrected = zip(delong, holm(delong).tolist(), by_cluster, holm(by_cluster).tolist(), strict=True)
    out = [
        Pair(detectors[i], detectors[j], aucs[i] - aucs[j], *values)
        for (i, j), values in zip(pairs, corrected, strict=True)
    ]
    named = dict(zip(detectors, aucs, strict=True))
    if drawn is None:
        return Differences(out, len(rows), 0, named, {})
    defined = ~np.isnan(drawn).any(axis=1)
    highest = drawn[defined] == drawn[defined].max(axis=1, keepdims=True)
    top = (highest / highest.sum(axis=1, keepdims=True)).sum(axis=0) / max(1, int(defined.sum()))
    return Differences(out, len(rows), len(drawn), named, dict(zip(detectors, top.tolist(), strict=True)))


def _covariance(placements: Floats) -> Floats:
    return np.atleast_2d(np.cov(placements)) / placements.shape[1]


def _delong_p(aucs: Sequence[float], covariance: Floats, i: int, j: int) -> float:
    difference = aucs[i] - aucs[j]
    variance = covariance[i, i] + covariance[j, j] - 2 * covariance[i, j]
    if variance <= 1e-18:  # two detectors with the same ranking, up to rounding
        return 1.0 if abs(difference) < 1e-12 else NAN
    return float(2 * ndtr(-abs(difference) / np.sqrt(variance)))


def _draw(wins: Sequence[Wins], clusters: Clusters | None, draws: int, seed: int) -> Floats | None:
    if clusters is None or not draws:
        return None
    there, drawn = drawn_clusters(clusters, wins[0], draws, seed)
    if min(there.won.shape) < 2:
        return None
    kept = [drawn_clusters(clusters, one, 1, seed)[0] for one in wins]  # same rows, hence same clusters
    return drawn_aucs(kept, drawn)


def differences(found: Differences, clusters: Clusters | None) -> list[Finding]:
    """F12: number of significantly different pairs by test."""
    if not found.pairs:
        return [
            Finding("F12", "note", f"Detectors cannot be compared: all of them scored {found.rows:,} rows in common.")
        ]
    survive, count = found.survive(), len(found.pairs)
    words = f"Of {count} {'pair' if count == 1 else 'pairs'} of detectors ({found.rows:,} rows that all scored), "
    sure = survive["delong_holm_p"]
    words += (
        f"{sure or 'none'} {'differs' if sure == 1 else 'differ'} by DeLong's test with Holm's correction, which takes "
    )
    words += "files for independent"
    numbers = {
        "rows": found.rows, "pairs": count, "draws": found.draws, **survive,
        "smallest_cluster_p": min((pair.cluster_p for pair in found.pairs), default=NAN),
        "table": [pair._asdict() for pair in found.pairs],
    }  # fmt: skip
    if not found.on_top or clusters is None:
        return [Finding("F12", "note", words + ".", numbers=numbers)]
    left = survive["cluster_holm_p"]
    before = survive["cluster_p"]
    words += f". Over {clusters.words}, {before or 'none'} {'differs' if before == 1 else 'differ'} before the correction and "
    words += f"{left or 'none'} after it."
    lost = survive["delong_holm_p"] - left
    severity: Severity = (
        "red" if not left and 2 * survive["delong_holm_p"] >= count and count > 1 else "amber" if lost > 0 else "note"
    )
    return [Finding("F12", severity, words, numbers=numbers, weight=lost)]


def best_of(found: Differences, clusters: Clusters | None) -> list[Finding]:
    """F13: how often the detector with the highest AUC is on top."""
    if not found.on_top or clusters is None:
        return []
    first = max(found.aucs, key=found.aucs.__getitem__)
    others = sorted((name for name in found.on_top if name != first), key=lambda name: -found.on_top[name])
    words = (
        f"{first} has the highest AUC ({found.aucs[first]:.3f}) and is on top in {percent(found.on_top[first])} of the draws of "
        f"{clusters.words}; next is {others[0]} with {percent(found.on_top[others[0]])}."
    )
    severity: Severity = "note" if found.on_top[first] >= _SURE else "amber"
    return [
        Finding(
            "F13",
            severity,
            words,
            first,
            {"on_top": found.on_top, "draws": found.draws},
            weight=1 - found.on_top[first],
        )
    ]
