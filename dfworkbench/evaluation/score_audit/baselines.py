"""F9: trivial baselines, i.e. how well non-detector columns (including the path length) rank the rows."""

import re
from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pyarrow.compute as pc
from scipy.special import ndtri

from dfworkbench.evaluation.exchange.wide_scores import WideScores
from dfworkbench.evaluation.metrics.interval import NAN
from dfworkbench.evaluation.metrics.ranked import Ranked, null_error
from dfworkbench.evaluation.score_audit.findings import Finding, listed

#: Headers of columns that are themselves detector scores: shown, but not trivial baselines.
_SCORES = re.compile(r"(^|[\W_])(score|scores|prob|probability|logit|pred|prediction)($|[\W_])", re.IGNORECASE)
_LEVEL = 0.01  # significance level of the test that a column ranks at all, over all columns
_MOST = 5
_ORDER = 0.6
PATH = "length of the path"


def baselines(table: WideScores, aucs: Mapping[str, float]) -> list[Finding]:
    """A red finding for each column that beats a detector (the best five), and notes on other columns and row order.

    Args:
        table: The table.
        aucs: Detector -> its AUC.
    """
    columns = {**table.columns, PATH: pc.utf8_length(table.names).to_numpy(zero_copy_only=False).astype(float)}
    scores = [name for name in columns if _SCORES.search(name)]
    ranks = {name: _auc(table, values) for name, values in columns.items()}
    plain = {name: pair for name, pair in ranks.items() if name not in scores and not np.isnan(pair[0])}
    limit = float(-ndtri(_LEVEL / max(1, len(plain)) / 2))
    best = sorted(plain, key=lambda name: -plain[name][0])
    worst = min(aucs.values())
    winners = [name for name in best if plain[name][0] > worst and plain[name][0] - 0.5 > limit * plain[name][1]]
    top = max(aucs, key=aucs.__getitem__)
    out = [_winner(name, plain[name][0], aucs, top) for name in winners[:_MOST]]
    if table.laid_out:
        out = [_of_folders(one) if one.numbers["column"] == PATH else one for one in out]
    numbers = {
        "auc": {name: plain[name][0] for name in best},
        "further_scores": {name: ranks[name][0] for name in scores},
    }
    words = []
    if best and not winners:
        shown = f"the {PATH}" if best[0] == PATH else best[0]
        words.append(
            f"no column beats a detector beyond chance; the best one is {shown} with AUC {plain[best[0]][0]:.3f}"
        )
    if len(winners) > _MOST:
        words.append(f"{len(winners) - _MOST} further columns beat a detector: {listed(winners[_MOST:])}")
    if scores:
        shown = [f"{name} (AUC {ranks[name][0]:.3f})" for name in scores if not np.isnan(ranks[name][0])]
        words += [f"not counted, because their names say that they are scores: {listed(shown)}"] if shown else []
    if words:
        text = "; ".join(words)
        out.append(Finding("F9", "note", f"{text[0].upper()}{text[1:]}.", numbers=numbers))
    order = _auc(table, table.order.astype(float))[0]
    if order >= _ORDER:
        words_of_order = f"The order of the rows has AUC {order:.3f}: the file is sorted, at least in part, by label."
        out.append(Finding("F9", "note", words_of_order, numbers={"auc_of_order": order}))
    return out


def _winner(name: str, auc: float, aucs: Mapping[str, float], top: str) -> Finding:
    beaten = [one for one, value in aucs.items() if value < auc]
    every = {1: "the detector", 2: "both detectors"}.get(len(aucs), f"all {len(aucs)} detectors")
    whom = f"more than {every} (best: {top}, {aucs[top]:.3f})"
    if len(beaten) < len(aucs):
        whom = f"more than {len(beaten)} of {len(aucs)} detectors ({_named(beaten, [*aucs])})"
    what = "The length of the path" if name == PATH else f"The column {name}"
    return Finding(
        "F9", "red", f"{what}, which is not a detector, has AUC {auc:.3f}: {whom}.",
        numbers={"column": name, "auc": auc, "beats": beaten}, weight=auc - min(aucs.values()) + len(beaten),
    )  # fmt: skip


def _of_folders(one: Finding) -> Finding:
    """Finding for path length if folders name the label: only a note."""
    return replace(one, severity="note", sentence=f"{one.sentence} The folders name the label; no detector sees them.")


def _named(beaten: list[str], all_of: list[str]) -> str:
    rest = [name for name in all_of if name not in beaten]
    return f"all but {listed(rest)}" if len(rest) < len(beaten) else listed(beaten)


def _auc(table: WideScores, values: np.ndarray) -> tuple[float, float]:
    """AUC in the better direction, and its standard error for an uninformative column; NaN if most rows have no value."""
    there = ~np.isnan(values)
    if there.mean() < 0.5 or not all(table.counts(there)):
        return NAN, NAN
    auc = Ranked(table.labels[there], values[there]).auc
    return max(auc, 1 - auc), null_error(*table.counts(there))
