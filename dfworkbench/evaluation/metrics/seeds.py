"""What several runs (seeds) of one detector say together: the mean, and a t interval across seeds.

That interval is about training again on the same data. It says nothing about other people or videos, which is what the
bootstrap of `metrics.evaluate` is for; report both.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy.stats import t

from dfworkbench.core.errors import InputError
from dfworkbench.evaluation.metrics.bootstrap import INTERVAL
from dfworkbench.evaluation.metrics.evaluate import DEFAULT_METRICS, evaluate
from dfworkbench.evaluation.scoring.aggregate import DEFAULT_RULE

NAN = float("nan")


class SeedMean(NamedTuple):
    """A figure over seeds.

    Attributes:
        mean: Over the seeds that have a value; NaN if none has.
        low: Lower end of the 95 % t interval; NaN with fewer than two values. It may lie outside 0..1.
        high: Upper end.
        sd: Standard deviation between seeds (n - 1).
        n: Seeds with a value.
        reason: What is odd, else "".
    """

    mean: float
    low: float
    high: float
    sd: float
    n: int
    reason: str

    def text(self, digits: int = 3) -> str:
        """`0.843 [0.801, 0.885], n = 3 seeds`."""
        if not self.n:
            return "not defined"
        band = "" if np.isnan(self.low) else f" [{self.low:.{digits}f}, {self.high:.{digits}f}]"
        return f"{self.mean:.{digits}f}{band}, n = {self.n} seed{'' if self.n == 1 else 's'}"


def mean_over_seeds(values: ArrayLike) -> SeedMean:
    """Mean of one figure over seeds: mean ± t(0.975, n - 1) sd / sqrt(n).

    Args:
        values: One per seed; NaN where a seed has none (a failed run): it is left out, and the reason says so.
    """
    given = np.asarray(values, dtype=np.float64)
    known = given[~np.isnan(given)]
    lost = f"{len(given) - len(known)} of {len(given)} seeds without a value" if len(known) < len(given) else ""
    if len(known) < 2:
        single = "one seed: no interval" if len(known) else "no seed has a value"
        mean = float(known[0]) if len(known) else NAN
        return SeedMean(mean, NAN, NAN, NAN, len(known), "; ".join(filter(None, (single, lost))))
    mean, sd = float(known.mean()), float(known.std(ddof=1))
    half = float(t.ppf(INTERVAL[1], len(known) - 1)) * sd / np.sqrt(len(known))
    return SeedMean(mean, mean - half, mean + half, sd, len(known), lost)


def evaluate_seeds(
    tables: Sequence[pd.DataFrame],
    levels: Sequence[str] = ("video",),
    *,
    rule: str = DEFAULT_RULE,
    metrics: Sequence[str] = DEFAULT_METRICS,
    missing: str = "drop",
) -> pd.DataFrame:
    """All metrics of several runs of one detector.

    Args:
        tables: A score table per seed, of the same files.
        levels: As in `metrics.evaluate`.
        rule: As in `metrics.evaluate`.
        metrics: As in `metrics.evaluate`.
        missing: As in `metrics.evaluate`.

    Returns:
        One row per level and metric: level, metric, mean, low, high, sd, seeds (with a value), worst_coverage (of any seed),
        rule, missing, reason.

    Raises:
        InputError: There is no table.
    """
    if not len(tables):
        raise InputError(
            "summarising seeds: there is no score table, one per seed was expected. Give those of all runs."
        )
    found = [evaluate(table, levels, rule=rule, metrics=metrics, missing=missing, draws=0) for table in tables]
    rows = []
    for number in range(len(found[0])):
        first = found[0].iloc[number]
        mean = mean_over_seeds([table["value"].iloc[number] for table in found])
        coverage = min(table["coverage"].iloc[number] for table in found)
        rows.append(
            {"level": first["level"], "metric": first["metric"], "mean": mean.mean, "low": mean.low, "high": mean.high,
             "sd": mean.sd, "seeds": mean.n, "worst_coverage": coverage, "rule": rule, "missing": missing, "reason": mean.reason}
        )  # fmt: skip
    return pd.DataFrame(rows)
