"""Data tables of three curves: ROC curve with bootstrap band, reliability diagram, risk-coverage curve."""

import numpy as np
import pandas as pd

from dfworkbench.evaluation.metrics.bootstrap import judged_rows, too_few, unit_codes
from dfworkbench.evaluation.metrics.curves import Curve, Floats, Ranking, draw_counts
from dfworkbench.evaluation.metrics.interval import Judging, binomial_interval, tails
from dfworkbench.evaluation.metrics.probability_metrics import BINS, confidence_blocks, mass_bins

_RELIABILITY = ("bin", "lowest", "highest", "mean_probability", "fake_share", "low", "high", "n", "n_fake")
_RISK = ("confidence", "answered", "coverage", "errors", "risk", "best_risk")


def roc_band(scores: pd.DataFrame, judging: Judging = Judging(), *, points: int = 201) -> pd.DataFrame:
    """The ROC curve with its bootstrap band.

    Returns:
        fpr, tpr, low, high on `points` evenly spaced false alarm rates; empty if one class is missing. low and high are NaN if
        there are too few files for an interval, or all draws give the same curve.
    """
    used = judged_rows(scores, judging)[0]
    if used["label"].nunique() < 2:
        return _empty("fpr", "tpr", "low", "high")
    grid, none = np.linspace(0, 1, points), np.full(points, np.nan)
    ranking = Ranking(used["label"], used["fake_probability"])
    codes, units = unit_codes(used, judging.unit)
    tpr = _tpr_on(grid, ranking.curve())[0]
    low, high = none, none
    if judging.draws and not too_few(used["label"], codes, judging.unit):
        counts, order = draw_counts(units, judging.draws, judging.seed), codes[ranking.order]
        chunk = max(1, 2_000_000 // len(codes))
        drawn = [_tpr_on(grid, ranking.curve(counts[i : i + chunk][:, order])) for i in range(0, len(counts), chunk)]
        curves = np.concatenate(drawn)
        curves = curves[~np.isnan(curves).any(axis=1)]
        if len(curves):
            low, high = np.quantile(curves, tails(judging.confidence), axis=0)
        if np.nanmax(high - low, initial=0.0) == 0:
            low = high = none
    return pd.DataFrame({"fpr": grid, "tpr": tpr, "low": low, "high": high})


def _tpr_on(grid: Floats, curve: Curve) -> Floats:
    out = np.full((len(curve.hits), len(grid)), np.nan)
    for row, (hits, alarms) in enumerate(zip(curve.hits, curve.alarms, strict=True)):
        if hits[-1] > 0 and alarms[-1] > 0:
            out[row] = np.interp(grid, alarms / alarms[-1], hits / hits[-1])  # on a vertical step, its upper end
            out[row, 0] = hits[np.searchsorted(alarms, 0, side="right") - 1] / hits[-1]
    return out


def reliability_table(scores: pd.DataFrame, judging: Judging = Judging(), *, bins: int = BINS) -> pd.DataFrame:
    """Reliability: mean fake probability and share of fakes in bins of equal mass, as in the metric "ece".

    Args:
        scores: A score table.
        judging: Its level, rule, missing and confidence.
        bins: Maximum number of bins; equal scores stay in one bin.

    Returns:
        One row per non-empty bin, in increasing order: bin, lowest, highest (score in it), mean_probability, fake_share, low,
        high (exact binomial; treats rows as independent, which frames of one video are not), n, n_fake.
    """
    used = judged_rows(scores, judging)[0]
    if used.empty:
        return _empty(*_RELIABILITY)
    curve = Ranking(used["label"], used["fake_probability"]).curve()
    weight = curve.fakes_at[0] + curve.reals_at[0]
    counts = pd.DataFrame(
        {"bin": mass_bins(curve, bins)[0], "score": curve.scores, "fakes": curve.fakes_at[0], "n": weight}
    )
    out = []
    for number, part in counts.groupby("bin", sort=True):
        n, fakes = round(part["n"].sum()), round(part["fakes"].sum())
        mean, share = float((part["score"] * part["n"]).sum() / n), binomial_interval(fakes, n, judging.confidence)
        lowest, highest = part["score"].min(), part["score"].max()
        out.append((number, lowest, highest, mean, share.value, share.low, share.high, n, fakes))
    return pd.DataFrame(out, columns=list(_RELIABILITY))


def risk_coverage(scores: pd.DataFrame, judging: Judging = Judging()) -> pd.DataFrame:
    """Risk-coverage curve: error rate of the most confident rows at every coverage (El-Yaniv and Wiener 2010).

    Confidence is |p - 0.5|, and a row above 0.5 is called fake; rows of equal confidence are answered together. The area under
    the curve is the metric "aurc".

    Args:
        scores: A score table. With calibrated probabilities, both verdicts are equally certain at equal distance from 0.5.
        judging: Its level, rule and missing.

    Returns:
        One row per confidence, in decreasing order: confidence (answered at or above it), answered (rows), coverage (their
        share of the rows that count), errors, risk (errors per answered row), best_risk (of a detector with as many errors in
        total, all on the least confident rows).
    """
    used = judged_rows(scores, judging)[0]
    if used.empty:
        return _empty(*_RISK)
    blocks = confidence_blocks(Ranking(used["label"], used["fake_probability"]).curve())
    answered, errors = np.cumsum(blocks.weight[0]), np.cumsum(blocks.errors[0])
    best = np.maximum(answered - (answered[-1] - errors[-1]), 0) / answered
    values = (
        blocks.confidence, answered.astype("int64"), answered / answered[-1], errors.astype("int64"), errors / answered, best,
    )  # fmt: skip
    return pd.DataFrame(dict(zip(_RISK, values, strict=True)))


def _empty(*columns: str) -> pd.DataFrame:
    return pd.DataFrame({name: pd.Series(dtype="float64") for name in columns})
