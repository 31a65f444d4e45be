"""One form for every result of this floor: a value with its interval, beside what chance would give."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from dfworkbench.evaluation.metrics.bootstrap import INTERVAL
from dfworkbench.evaluation.metrics.curves import draw_counts

NAN = float("nan")


class Measure(NamedTuple):
    """One figure.

    Attributes:
        name: What was measured, in words; equal names are put side by side.
        value: NaN where it is not defined.
        low: Lower end of the 95 % interval, or NaN.
        high: Upper end, or NaN.
        chance: What a detector would reach that knows nothing, or NaN.
        n: How many entries (frames, images, fakes, videos) the value was computed from.
        reason: Why the value or its interval is NaN, else "".
    """

    name: str
    value: float
    low: float = NAN
    high: float = NAN
    chance: float = NAN
    n: int = 0
    reason: str = ""

    def text(self, digits: int = 2) -> str:
        """`0.43 [0.31, 0.55]`; without interval where there is none, "not defined" without value."""
        if np.isnan(self.value):
            return "not defined"
        interval = "" if np.isnan(self.low) else f" [{self.low:.{digits}f}, {self.high:.{digits}f}]"
        return f"{self.value:.{digits}f}{interval}"


def measures_table(measures: Mapping[str, Sequence[Measure]], digits: int = 2) -> pd.DataFrame:
    """Results of several detectors side by side, as text.

    Args:
        measures: Detector -> its measures.
        digits: After the point.

    Returns:
        One row per measure in order of first appearance; a column "chance", then one per detector with cells such as
        "0.43 [0.31, 0.55]". A detector that lacks a measure has "". Chance levels that differ between detectors (other
        identities were scored) are given as a range.
    """
    names = list(dict.fromkeys(measure.name for row in measures.values() for measure in row))
    by_name = {detector: {measure.name: measure for measure in row} for detector, row in measures.items()}
    table = pd.DataFrame(index=pd.Index(names, name="measure"))
    levels = {name: [row[name].chance for row in by_name.values() if name in row] for name in names}
    table["chance"] = [_chance_text(levels[name], digits) for name in names]
    for detector, row in by_name.items():
        table[detector] = [row[name].text(digits) if name in row else "" for name in names]
    return table


def measures_frame(measures: Mapping[str, Sequence[Measure]]) -> pd.DataFrame:
    """The same as numbers: one row per detector and measure, columns detector and those of `Measure` (`name` as measure)."""
    rows = [{"detector": detector, **item._asdict()} for detector, row in measures.items() for item in row]
    frame = pd.DataFrame(rows, columns=["detector", *Measure._fields])
    return frame.rename(columns={"name": "measure"})


def _chance_text(levels: Sequence[float], digits: int) -> str:
    seen = sorted({f"{level:.{digits}f}" for level in levels if not np.isnan(level)}, key=float)
    return seen[0] if len(seen) == 1 else f"{seen[0]} to {seen[-1]}" if seen else ""


def mean_measure(
    name: str,
    values: ArrayLike,
    units: ArrayLike,
    *,
    chance: float = NAN,
    unit: str = "video",
    draws: int = 1000,
    seed: int = 0,
) -> Measure:
    """The mean of `values` with a 95 % bootstrap interval over `units`.

    Entries of one unit are alike, so a resampling draws whole units with all their entries; the mean is over entries. Where
    all values are 0, or all are 1, every resampling gives the same; the interval then is the exact binomial one (Clopper and
    Pearson 1934) for as many trials as there are units, so that 0 of 6 does not pass for certainty.

    Args:
        name: Of the measure.
        values: `(n,)`, shares from 0 to 1, no NaN.
        units: `(n,)`, the unit of each entry (video, identity, identity group).
        chance: See `Measure`.
        unit: What a unit is, for the reason.
        draws: Bootstrap resamplings; 0 for no interval.
        seed: Of the resampling.
    """
    numbers = np.asarray(values, dtype=np.float64)
    if not len(numbers):
        return Measure(name, NAN, chance=chance, reason="nothing to measure")
    codes, known = pd.factorize(np.asarray(units))
    value = float(numbers.mean())
    if len(known) < 2 or not draws:
        why = f"1 {unit}: too few for an interval" if draws else ""
        return Measure(name, value, chance=chance, n=len(numbers), reason=why)
    if value in (0.0, 1.0):
        edge = INTERVAL[0] ** (1 / len(known))
        low, high = (0.0, 1 - edge) if value == 0 else (edge, 1.0)
    else:
        low, high = _interval(numbers, codes, draw_counts(len(known), draws, seed))
    return Measure(name, value, low, high, chance, len(numbers))


def _interval(values: NDArray[np.float64], codes: NDArray, counts: NDArray[np.int32]) -> tuple[float, float]:
    sums, sizes = np.bincount(codes, weights=values), np.bincount(codes)
    low, high = np.quantile((counts @ sums) / (counts @ sizes), INTERVAL)
    return float(low), float(high)
