"""How score tables are judged, and a figure with its interval: the values `Judging` and `Interval`.

Every function that gives an interval takes a `Judging`; equal ones give equal intervals for the same table, whatever function is
asked.
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
    """How figures and their intervals are computed from a score table."""

    level: Literal["frame", "track", "video"] = Field(default="video", description="What a row of the metrics is.")
    rule: Rule = Field(default=DEFAULT_RULE, description="How the faces of a file become one number.")
    missing: Missing = Field(default="drop", description="What a file without score counts as; drop leaves it out.")
    unit: Literal["video", "group"] = Field(
        default="video",
        description="What the bootstrap draws: videos, or identity groups with all their videos (a file without one is its own).",
    )
    draws: int = Field(default=1000, ge=0, le=100_000, description="Resamplings for the intervals; 0: no intervals.")
    seed: int = Field(default=0, ge=0, le=2**32 - 1, description="Seed of the resampling.")
    confidence: float = Field(default=0.95, gt=0, lt=1, description="Share of resamplings that an interval holds.")

    @field_validator("level", mode="before")
    @classmethod
    def _by_one_name(cls, level: str) -> str:
        return ALIASES.get(level, level)


#: For questions about people: who resembles whom is drawn together. With fewer than a dozen groups such intervals are too narrow.
PEOPLE = Judging(unit="group")


@dataclass(frozen=True)
class Interval:
    """A figure and how sure it is.

    Attributes:
        value: NaN where the figure is not defined.
        low: Lower end; NaN without interval.
        high: Upper end.
        n: Entries (rows, images, seeds) that the value was computed from.
        reason: Why value or interval is NaN, or what is odd about them; "" if nothing.
    """

    value: float
    low: float = NAN
    high: float = NAN
    n: int = 0
    reason: str = ""

    def text(self, digits: int = 3, *, percent: bool = False) -> str:
        """`0.912 [0.871, 0.950]`; the value alone without interval, "not defined" without value."""
        if np.isnan(self.value):
            return "not defined"
        value, low, high = (f"{x:.{digits}{'%' if percent else 'f'}}" for x in (self.value, self.low, self.high))
        return value if np.isnan(self.low) else f"{value} [{low}, {high}]"


def tails(confidence: float) -> tuple[float, float]:
    """The two quantiles between which a share `confidence` lies: 0.025 and 0.975 for 0.95."""
    low = round((1 - confidence) / 2, 12)  # (1 - 0.95) / 2 is 0.025000000000000022
    return low, 1 - low


def interval_ends(drawn: NDArray[np.float64], confidence: float = 0.95) -> tuple[float, float]:
    """Quantiles of draws `(draws,)` between which a share `confidence` lies; NaN where fewer than two are defined."""
    finite = drawn[~np.isnan(drawn)]
    if len(finite) < 2:
        return NAN, NAN
    low, high = np.quantile(finite, tails(confidence))
    return float(low), float(high)


def binomial_interval(k: int, n: int, confidence: float = 0.95) -> Interval:
    """The share k / n with its exact interval (Clopper and Pearson 1934); NaN for n = 0."""
    if not n:
        return Interval(NAN, reason="nothing to count")
    lower, upper = tails(confidence)
    low = float(betaincinv(k, n - k + 1, lower)) if k else 0.0
    high = float(betaincinv(k + 1, n - k, upper)) if k < n else 1.0
    return Interval(k / n, low, high, n)
