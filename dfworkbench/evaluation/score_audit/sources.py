"""F5 to F7: polarity per source, AUC within and between sources, and sources with a single label."""

from typing import NamedTuple

import numpy as np

from dfworkbench.core.names import FAKE, REAL
from dfworkbench.evaluation.exchange.wide_scores import UNNAMED, Codes, WideScores
from dfworkbench.evaluation.metrics.interval import NAN, Interval
from dfworkbench.evaluation.metrics.ranked import Ranked
from dfworkbench.evaluation.score_audit.findings import Finding, Severity, percent
from dfworkbench.evaluation.score_audit.prepare import Judged

_LOWER_AMBER, _LOWER_RED = 0.05, 0.1  # within against pooled


def polarity(one: Judged, by_cluster: Interval) -> list[Finding]:
    """F5: reals that score above fakes, overall or for single real sources; over files if there is no cluster interval."""
    found, words = one.by_file, "files"
    if one.clusters is not None and not np.isnan(by_cluster.high):
        found, words = by_cluster, one.clusters.words
    if found.high < 0.5:
        return [Finding(
            "F5", "red",
            f"{one.name} ranks reals above fakes: AUC {found.text()} over {words}, all of it below 0.5. If a high score was meant "
            "to say real, read it with that polarity.",
            one.name, {"auc": one.auc, "low": found.low, "high": found.high}, weight=0.5 - found.high,
        )]  # fmt: skip
    against = against_sources(one)
    if not against:
        return []
    low, high = min(against, key=against.__getitem__), max(against, key=against.__getitem__)
    if not against[low] < 0.5 < against[high]:
        return []
    below = sum(value < 0.5 for value in against.values())
    return [Finding(
        "F5", "amber",
        f"{one.name}: AUC of all fakes against single real sources runs from {against[low]:.3f} ({low}) to {against[high]:.3f} "
        f"({high}); it is below 0.5 against {below} of {len(against)}.",
        one.name, {"auc": one.auc, "against": against}, weight=0.5 - against[low],
    )]  # fmt: skip


def against_sources(one: Judged) -> dict[str, float]:
    """AUC of all fakes against the reals of each source, at most 50; empty if no source is named."""
    source = one.table.source
    if source is None:
        return {}
    if one.clusters is not None and not one.clusters.together:
        values = dict(zip(one.clusters.reals, one.wins.against_reals().tolist(), strict=True))
        return {name: value for name, value in values.items() if not np.isnan(value)}
    code, real = source.code[one.rows], one.labels == REAL
    present = np.unique(code[real])[:50]
    return {source.names[at]: one.ranked.auc_of(~real | (code == at)) for at in present}


class Parts(NamedTuple):
    """Decomposition of an AUC: auc = share x within + (1 - share) x between.

    Attributes:
        auc: Pooled AUC.
        within: Mean AUC within sources, weighted by their fake-real pairs; NaN if none has both labels.
        between: AUC over pairs from two sources; NaN if there are none.
        share: Share of pairs within a source.
        error: Upper bound of the standard error of `within`: the variance of an AUC is at most A (1 - A) / min(fakes, reals).
        pairs: Source -> (fakes, reals), for sources with both labels.
    """

    auc: float
    within: float
    between: float
    share: float
    error: float
    pairs: dict[str, tuple[int, int]]


def take_apart(ranked: Ranked, source: Codes) -> Parts:
    """Split the AUC into pooled, within and between sources; `source` has the same rows, and unnamed rows are in no source."""
    sizes = [np.bincount(source.code[ranked.fake == kind], minlength=len(source.names)) for kind in (True, False)]
    named = [name != UNNAMED for name in source.names]
    both = np.flatnonzero(sizes[0].astype(float) * sizes[1] * named)
    won = pairs = variance = 0.0
    by_source = np.split(np.argsort(source.code, kind="stable"), np.cumsum(sizes[0] + sizes[1])[:-1])
    for here in (by_source[at] for at in both):
        part = Ranked(ranked.fake[here], ranked.rank[here])
        count = float(part.fakes) * part.reals
        won, pairs = won + part.auc * count, pairs + count
        variance += count**2 * part.auc * (1 - part.auc) / min(part.fakes, part.reals)
    total = float(ranked.fakes) * ranked.reals
    share = pairs / total
    within = won / pairs if pairs else NAN
    between = (ranked.auc - (share * within if pairs else 0.0)) / (1 - share) if share < 1 else NAN
    counts = {source.names[at]: (int(sizes[0][at]), int(sizes[1][at])) for at in both}
    return Parts(ranked.auc, within, between, share, float(np.sqrt(variance)) / pairs if pairs else NAN, counts)


def pooled_and_within(one: Judged) -> list[Finding]:
    """F6: AUC within sources that have both labels, compared with the pooled AUC."""
    source = one.table.merged
    if source is None:
        return []
    parts = take_apart(one.ranked, source.take(one.rows))
    if np.isnan(parts.within) or np.isnan(parts.between):  # all pairs, or none, are within a source
        return []
    lower = parts.auc - parts.within
    beyond = lower > 1.96 * parts.error
    severity: Severity = "red" if beyond and lower > _LOWER_RED else "amber" if lower > _LOWER_AMBER else "note"
    where = ", ".join(f"{name} ({fakes:,} x {reals:,})" for name, (fakes, reals) in list(parts.pairs.items())[:3])
    more = f" and {len(parts.pairs) - 3} more" if len(parts.pairs) > 3 else ""
    return [Finding(
        "F6", severity,
        f"{one.name}: pooled AUC {parts.auc:.3f}; within sources {parts.within:.3f} ({where}{more}; {percent(parts.share)} of all "
        f"pairs), between sources {parts.between:.3f}.",
        one.name,
        {"pooled": parts.auc, "within": parts.within, "between": parts.between, "share_of_pairs": parts.share,
         "error_of_within_at_most": parts.error, "sources": {name: list(pair) for name, pair in parts.pairs.items()}},
        weight=lower,
    )]  # fmt: skip


def one_label(table: WideScores) -> list[Finding]:
    """F7: share of rows whose source has only one label."""
    if table.source is None or table.merged is None:
        return [Finding(
            "F7", "note", "No column names sources or generators: whether they explain the figures cannot be seen in this table.",
        )]  # fmt: skip
    there = np.array([name != UNNAMED for name in table.source.names])[table.source.code]
    named, merged = (_one_label_rows(table, codes) & there for codes in (table.source, table.merged))
    share, as_named = (float(rows.sum() / there.sum()) for rows in (merged, named))
    every = "Every row" if there.all() else "Every row that names a source"
    numbers = {"share": share, "share_as_named": as_named, "sources": len(table.merged.names)}
    rows, equal = np.flatnonzero(merged), table.source.names != table.merged.names
    before = ""
    if equal and as_named != share:
        before = f" By the names in the table, {percent(as_named)} of the rows are in sources that hold one label only."
    if share == 1:
        words = (
            f"{every} is in a source that holds one label only: every figure here is confounded with the source. If some names "
            "stand for one source, say so with --same-source."
        )
        return [Finding("F7", "red", words, numbers=numbers, rows=rows, weight=1.0)]
    if not share:
        words = f"Every source holds both labels.{before}"
        return [Finding("F7", "note", words, numbers=numbers)]
    of_rows = "the rows" if there.all() else "the rows that name a source"
    words = f"{percent(share)} of {of_rows} are in sources that hold one label only.{before}"
    return [Finding("F7", "amber" if share >= 0.5 else "note", words, numbers=numbers, rows=rows, weight=share)]


def _one_label_rows(table: WideScores, codes: Codes) -> np.ndarray:
    counts = [np.bincount(codes.code[table.labels == label], minlength=len(codes.names)) for label in (FAKE, REAL)]
    return (np.minimum(*counts) == 0)[codes.code]
