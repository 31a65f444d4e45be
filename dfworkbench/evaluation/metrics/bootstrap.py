"""Bootstrap confidence intervals: rows that count, resampling units, metrics of every draw, interval ends."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from dfworkbench.core.names import FAKE, REAL, require_name
from dfworkbench.evaluation.metrics.curve_metrics import METRICS
from dfworkbench.evaluation.metrics.curves import Floats, Ranking, draw_counts
from dfworkbench.evaluation.metrics.interval import NAN, Interval, Judging, interval_ends
from dfworkbench.evaluation.scoring.aggregate import to_level
from dfworkbench.evaluation.scoring.rules import MISSING

#: Minimum files (or groups) per class for an interval or a calibration: docs/decisions/0018-small-samples.md.
FEWEST = 5

_NO_WIDTH = 1e-12


class Drawn(NamedTuple):
    """Metrics of some rows, and their values in every bootstrap draw.

    Attributes:
        values: Metric -> value, NaN where it is not defined.
        draws: Metric -> `(draws,)`; NaN for draws with a single class, and for all draws if there are too few rows.
        n: Number of rows.
        few: Why there are too few rows for intervals, else "".
        confidence: Confidence level of intervals.
    """

    values: dict[str, float]
    draws: dict[str, Floats]
    n: int
    few: str
    confidence: float

    def interval(self, metric: str) -> Interval:
        """A metric with its interval."""
        low, high, why = interval(self.draws[metric], self.confidence)
        return Interval(self.values[metric], low, high, self.n, self.few or why)


def judged_rows(scores: pd.DataFrame, judging: Judging) -> tuple[pd.DataFrame, float]:
    """The rows of a score table that count, and the coverage: the share of its labelled rows with a score.

    Raises:
        TableError: See `aggregate.to_level`.
    """
    return usable_rows(to_level(scores, judging.level, judging.rule), judging.missing)


def usable_rows(rows: pd.DataFrame, missing: str = "drop") -> tuple[pd.DataFrame, float]:
    """The labelled rows of a table from `to_level` after applying the policy for missing scores, and the coverage before it."""
    value = MISSING[require_name("policy for missing scores", missing, MISSING)]
    labelled = rows[rows["label"].isin((REAL, FAKE))]
    scored = labelled["fake_probability"].notna()
    coverage = float(scored.mean()) if len(labelled) else NAN
    if value is None:
        return labelled[scored], coverage
    return labelled.assign(fake_probability=labelled["fake_probability"].fillna(value)), coverage


def draw_metrics(rows: pd.DataFrame, judging: Judging, metrics: Sequence[str]) -> Drawn:
    """Bootstrap the metrics of rows from `judged_rows`. Tables with the same videos get the same draws, which can be subtracted."""
    ranking = Ranking(rows["label"], rows["fake_probability"])
    values = {name: float(METRICS[name](ranking.curve())[0]) if len(rows) else NAN for name in metrics}
    codes, units = unit_codes(rows, judging.unit)
    few = too_few(rows["label"], codes, judging.unit) if judging.draws else ""
    if few or rows.empty or not judging.draws:
        nothing = np.full(judging.draws, NAN)
        return Drawn(values, dict.fromkeys(metrics, nothing), len(rows), few, judging.confidence)
    drawn = resample(ranking, codes, draw_counts(units, judging.draws, judging.seed), tuple(metrics))
    return Drawn(values, drawn, len(rows), "", judging.confidence)


def resample(
    ranking: Ranking, unit: NDArray[np.intp], counts: NDArray[np.int32], metrics: tuple[str, ...], budget: int = 100_000
) -> dict[str, Floats]:
    """Compute every metric for every bootstrap draw.

    Args:
        ranking: The rows, sorted.
        unit: `(n,)`, for each row the column of `counts` that holds its video.
        counts: `(draws, units)` from `curves.draw_counts`.
        metrics: Names in `METRICS`.
        budget: Numbers in memory at a time; draws are processed in chunks.

    Returns:
        Metric -> `(draws,)`.
    """
    unit = unit[ranking.order]
    chunk = max(1, budget // max(1, len(unit)))
    parts: dict[str, list[Floats]] = {name: [] for name in metrics}
    for start in range(0, len(counts), chunk):
        curve = ranking.curve(np.take(counts[start : start + chunk], unit, axis=1))
        for name in metrics:
            parts[name].append(METRICS[name](curve))
    return {name: np.concatenate(part) if part else np.empty(0) for name, part in parts.items()}


def unit_codes(rows: pd.DataFrame, unit: str) -> tuple[NDArray[np.intp], int]:
    """Index of each row's resampling unit ("video" or "group"), and the number of units.

    Indices follow video_id, so that neither row order nor level affects the draws. A file without an identity group forms its own.
    """
    videos = rows["video_id"]
    names = videos if unit == "video" else rows["group"].where(rows["group"] != "", "video " + videos)
    order = np.argsort(videos.to_numpy(dtype=str), kind="stable")
    codes = np.empty(len(rows), dtype=np.intp)
    codes[order], known = pd.factorize(names.iloc[order])
    return codes, len(known)


def too_few(labels: ArrayLike, codes: ArrayLike, unit: str, fewest: int = FEWEST) -> str:
    """Why there are too few rows for an interval, or "".

    Args:
        labels: `(n,)`, REAL or FAKE.
        codes: `(n,)`, the resampling unit of each row.
        unit: Name of a unit.
        fewest: Minimum units of each class that is present.
    """
    known, of = np.asarray(labels), np.asarray(codes)
    for label, kind in ((REAL, "real"), (FAKE, "fake")):
        count = len(np.unique(of[known == label]))
        if 0 < count < fewest:
            return f"{count} {kind} {unit}{'' if count == 1 else 's'}: no interval below {fewest}"
    return ""


def interval(drawn: Floats, confidence: float = 0.95) -> tuple[float, float, str]:
    """Ends of the interval of bootstrap draws, and a remark if anything is odd, else "".

    If all draws are equal, as for a detector without errors on few files, there is no interval: zero width would suggest certainty.
    """
    low, high = interval_ends(drawn, confidence)
    if np.isnan(low):
        return NAN, NAN, "no resampling holds both classes" if len(drawn) else ""
    if high - low < _NO_WIDTH:
        return NAN, NAN, "all resamplings give the same value: no interval"
    lost = int(np.isnan(drawn).sum())
    return low, high, f"interval without {lost} one-class resamplings" if lost > 0.05 * len(drawn) else ""


def interval_of_difference(first: Floats, second: Floats, confidence: float = 0.95) -> tuple[float, float, str]:
    """Like `interval`, for `first` minus `second`, draw by draw.

    Two results that vary but are equal in every draw do not differ: here an interval of zero width is valid.
    """
    low, high, why = interval(first - second, confidence)
    if np.isnan(low) and not np.isnan(interval(first, confidence)[0]):
        low, high = interval_ends(first - second, confidence)
        return low, high, "" if not np.isnan(low) else why
    return low, high, why
