"""Tables behind two curves: what a probability is worth, and what abstaining gains."""

import numpy as np
import pandas as pd

from dfworkbench.evaluation.judging.verdicts import binomial_rate
from dfworkbench.evaluation.metrics.curves import Ranking
from dfworkbench.evaluation.metrics.evaluate import usable_rows
from dfworkbench.evaluation.metrics.probability_metrics import BINS, confidence_blocks, mass_bins
from dfworkbench.evaluation.scoring.aggregate import DEFAULT_RULE, to_level

_RELIABILITY = (
    "bin", "lowest", "highest", "mean_probability", "fake_share", "low", "high", "n", "n_fake",
)  # fmt: skip


def reliability_table(
    scores: pd.DataFrame, level: str = "video", *, rule: str = DEFAULT_RULE, missing: str = "drop", bins: int = BINS
) -> pd.DataFrame:
    """Mean fake probability and share of fakes in bins of equal mass, those of the metric "ece".

    Args:
        scores: A score table.
        level: As in `metrics.evaluate`.
        rule: As in `metrics.evaluate`.
        missing: As in `metrics.evaluate`.
        bins: At most as many; equal scores stay in one bin.

    Returns:
        One row per bin that holds rows, rising: bin, lowest, highest (score in it), mean_probability, fake_share, low, high (95 %,
        exact binomial: it takes rows for independent, which frames of one video are not), n, n_fake.
    """
    used = usable_rows(to_level(scores, level, rule), missing)[0]
    if used.empty:
        return pd.DataFrame({name: pd.Series(dtype="float64") for name in _RELIABILITY})
    curve = Ranking(used["label"], used["fake_probability"]).curve()
    weight = curve.fakes_at[0] + curve.reals_at[0]
    counts = pd.DataFrame(
        {"bin": mass_bins(curve, bins)[0], "score": curve.scores, "fakes": curve.fakes_at[0], "n": weight}
    )
    out = []
    for number, part in counts.groupby("bin", sort=True):
        n, fakes = round(part["n"].sum()), round(part["fakes"].sum())
        mean = float((part["score"] * part["n"]).sum() / n)
        out.append((number, part["score"].min(), part["score"].max(), mean, *binomial_rate(fakes, n), n, fakes))
    return pd.DataFrame(out, columns=list(_RELIABILITY))


def risk_coverage(
    scores: pd.DataFrame, level: str = "video", *, rule: str = DEFAULT_RULE, missing: str = "drop"
) -> pd.DataFrame:
    """Error rate of the most confident rows, for every share of rows that is answered (El-Yaniv and Wiener 2010).

    Confidence is |p - 0.5|, a row above 0.5 is called fake; rows of equal confidence are answered together. The area under
    the curve is the metric "aurc".

    Args:
        scores: A score table. Calibrated probabilities make both kinds of verdict equally sure at equal distance from 0.5.
        level: As in `metrics.evaluate`.
        rule: As in `metrics.evaluate`.
        missing: As in `metrics.evaluate`.

    Returns:
        One row per confidence, falling: confidence (answered from there on), answered (rows), coverage (their share of the rows
        that count; `missing` says which do), errors, risk (errors per answered row), best_risk (of a
        detector that errs as often in all, but on the least confident rows).
    """
    used = usable_rows(to_level(scores, level, rule), missing)[0]
    columns = ["confidence", "answered", "coverage", "errors", "risk", "best_risk"]
    if used.empty:
        return pd.DataFrame({name: pd.Series(dtype="float64") for name in columns})
    blocks = confidence_blocks(Ranking(used["label"], used["fake_probability"]).curve())
    answered, errors = np.cumsum(blocks.weight[0]), np.cumsum(blocks.errors[0])
    best = np.maximum(answered - (answered[-1] - errors[-1]), 0) / answered
    values = (
        blocks.confidence,
        answered.astype("int64"),
        answered / answered[-1],
        errors.astype("int64"),
        errors / answered,
        best,
    )
    return pd.DataFrame(dict(zip(columns, values, strict=True)))
