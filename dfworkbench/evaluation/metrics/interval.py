"""`Judging`: settings for evaluating score tables; `Interval`: a value with its confidence interval.

Every function that returns an interval takes a `Judging`; for the same table and an equal `Judging`, all functions return equal
intervals.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, field_validator
from scipy.special import betaincinv

from dfworkbench.core.settings import Settings
from dfworkbench.evaluation.scoring.aggregate import ALIASES, DEFAULT_RULE, Rule
from dfworkbench.evaluation.scoring.rules import Missing

NAN = float("nan")


class Judging(Settings):
    """How metrics and their intervals are computed from a score table."""

    level: Literal["frame", "track", "video"] = Field(default="video", description="What counts as one row.")
    rule: Rule = Field(default=DEFAULT_RULE, description="How the faces of a file are aggregated.")
    missing: Missing = Field(default="drop", description="What a file without a score counts as; drop leaves it out.")
    unit: Literal["video", "group"] = Field(
        default="video",
        description="What the bootstrap draws: videos, or identity groups with all their videos (a file without one is its own).",
    )
    draws: int = Field(default=1000, ge=0, le=100_000, description="Bootstrap draws; 0: no intervals.")
    seed: int = Field(default=0, ge=0, le=2**32 - 1, description="Random seed of the bootstrap.")
    confidence: float = Field(default=0.95, gt=0, lt=1, description="Confidence level of the intervals.")

    @field_validator("level", mode="before")
    @classmethod
    def _by_one_name(cls, level: str) -> str:
        return ALIASES.get(level, level)


#: Bootstrap over identity groups, for questions about people. With fewer than a dozen groups such intervals are too narrow.
PEOPLE = Judging(unit="group")


@dataclass(frozen=True)
class Interval:
    """A value with its confidence interval.

    Attributes:
        value: NaN if undefined.
        low: Lower end; NaN without an interval.
        high: Upper end.
        n: Number of entries (rows, images, seeds) that the value was computed from.
        reason: Why value or interval is NaN, or a remark on them; "" for none.
    """

    value: float
    low: float = NAN
    high: float = NAN
    n: int = 0
    reason: str = ""

    def text(self, digits: int = 3, *, percent: bool = False) -> str:
        """`0.912 [0.871, 0.950]`; only the value if there is no interval, "not defined" if there is no value."""
        if np.isnan(self.value):
            return "not defined"
        value, low, high = (f"{x:.{digits}{'%' if percent else 'f'}}" for x in (self.value, self.low, self.high))
        return value if np.isnan(self.low) else f"{value} [{low}, {high}]"


def tails(confidence: float) -> tuple[float, float]:
    """The two quantiles of a central interval: 0.025 and 0.975 for a confidence of 0.95."""
    low = round((1 - confidence) / 2, 12)  # (1 - 0.95) / 2 is 0.025000000000000022
    return low, 1 - low


def interval_ends(drawn: NDArray[np.float64], confidence: float = 0.95) -> tuple[float, float]:
    """Percentile interval of draws `(draws,)`; NaN if fewer than two are defined."""
    finite = drawn[~np.isnan(drawn)]
    if len(finite) < 2:
        return NAN, NAN
    low, high = np.quantile(finite, tails(confidence))
    return float(low), float(high)


def binomial_interval(k: int, n: int, confidence: float = 0.95) -> Interval:
    """The proportion k / n with its exact interval (Clopper and Pearson 1934); NaN for n = 0."""
    if not n:
        return Interval(NAN, reason="nothing to count")
    lower, upper = tails(confidence)
    low = float(betaincinv(k, n - k + 1, lower)) if k else 0.0
    high = float(betaincinv(k + 1, n - k, upper)) if k < n else 1.0
    return Interval(k / n, low, high, n)
