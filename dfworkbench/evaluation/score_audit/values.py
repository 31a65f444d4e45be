"""F2 to F4: default values on many rows, saturated scores, and ties."""

import numpy as np
from scipy.special import expit

from dfworkbench.evaluation.exchange.wide_scores import CLIP
from dfworkbench.evaluation.metrics.ranked import Ranked
from dfworkbench.evaluation.score_audit.findings import Finding, percent
from dfworkbench.evaluation.score_audit.prepare import Judged

_SHARE, _TIMES, _MOST_DEFAULTS = 0.05, 10, 3  # share of rows; ratio to the next value; values examined
_SATURATED, _MOVED = 0.2, 0.02
_TIED_NOTE, _TIED_AMBER = 0.01, 0.1


def default_value(one: Judged) -> list[Finding]:
    """F2: values on 5 % of the rows or more, ten times as frequent as any other except 0 and 1, where scores accumulate."""
    ranked = one.ranked
    counts = ranked.fakes_at + ranked.reals_at
    ends = np.isin(ranked.distinct, (0.0, 1.0)) if one.scores.scale == "probability" else np.zeros(len(counts), bool)
    out = []
    for at in np.argsort(-counts, kind="stable")[:_MOST_DEFAULTS]:
        others = np.where(ends, 0, counts)
        others[at] = 0
        if counts[at] >= _SHARE * len(one.rows) and counts[at] >= _TIMES * others.max(initial=0):
            out.append(_default(one, int(at), bool(ends[at])))
    return out


def _default(one: Judged, at: int, end: bool) -> Finding:
    ranked, value = one.ranked, float(one.ranked.distinct[at])
    share = float((ranked.fakes_at[at] + ranked.reals_at[at]) / len(one.rows))
    of_fakes, of_reals = float(ranked.fakes_at[at] / ranked.fakes), float(ranked.reals_at[at] / ranked.reals)
    indicator, without = 0.5 + (of_fakes - of_reals) / 2, ranked.auc_without(value)
    beats = max(indicator, 1 - indicator) > one.auc
    rest = "without these rows no pair is left" if np.isnan(without) else f"without these rows it has {without:.3f}"
    return Finding(
        "F2", "red" if beats else "amber",
        f"{one.name} gives exactly {value:g}{'' if end else ', a default,'} to {percent(share)} of its rows "
        f"({percent(of_fakes)} of the fakes, {percent(of_reals)} of the reals). Merely whether a score is {value:g} "
        f"has AUC {indicator:.3f}{', which beats the detector' if beats else ''}; the detector has {one.auc:.3f}, "
        f"{rest}.",
        one.name,
        {"value": value, "share": share, "share_of_fakes": of_fakes, "share_of_reals": of_reals, "auc": one.auc,
         "auc_of_indicator": indicator, "auc_without": without},
        one.rows[ranked.rank == at], max(indicator, 1 - indicator) - one.auc,
    )  # fmt: skip


def saturation(one: Judged) -> list[Finding]:
    """F3: probabilities within 1e-6 of 0 or 1."""
    p = one.values if one.scores.scale == "probability" else expit(one.values)
    at_zero, at_one = p <= CLIP, p >= 1 - CLIP
    share = float((at_zero | at_one).mean())
    clipped = Ranked(one.labels, np.clip(p, CLIP, 1 - CLIP)).auc if share else one.auc
    moved = abs(one.auc - clipped)
    if share <= _SATURATED and moved <= _MOVED:
        return []
    exact = [float((p == end).mean()) for end in (0, 1)]
    return [Finding(
        "F3", "red" if moved > _MOVED else "amber",
        f"{one.name}: {percent(float(at_zero.mean()))} of its probabilities are at most 1e-6 ({percent(exact[0])} exactly 0) and "
        f"{percent(float(at_one.mean()))} at least 1 - 1e-6; {len(one.ranked.distinct):,} distinct values on {len(p):,} rows. AUC "
        f"{one.auc:.3f}, or {clipped:.3f} with probabilities clipped at 1e-6.",
        one.name,
        {"share_at_0": float(at_zero.mean()), "share_at_1": float(at_one.mean()), "exactly_0": exact[0], "exactly_1": exact[1],
         "distinct": len(one.ranked.distinct), "auc": one.auc, "auc_clipped": clipped},
        one.rows[at_zero | at_one], moved,
    )]  # fmt: skip


def ties(one: Judged) -> list[Finding]:
    """F4: fake-real pairs with equal scores."""
    tied = one.ranked.tied
    if tied < _TIED_NOTE:
        return []
    low, high = one.auc - tied / 2, one.auc + tied / 2
    return [Finding(
        "F4", "amber" if tied >= _TIED_AMBER else "note",
        f"{one.name}: {percent(tied)} of the fake-real pairs have equal scores. AUC {one.auc:.3f} counts them half; all lost it "
        f"would be {low:.3f}, all won {high:.3f}.",
        one.name, {"tied_pairs": tied, "auc": one.auc, "auc_all_lost": low, "auc_all_won": high}, weight=tied,
    )]  # fmt: skip
