"""The bootstrap: which rows count, what is drawn, every metric in every draw, and the ends of an interval."""

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

#: Files (or groups) of a class below which there is no interval and no calibration: docs/decisions/0018-small-samples.md.
FEWEST = 5

_NO_WIDTH = 1e-12


class Drawn(NamedTuple):
    """Metrics of some rows, and their values in every resampling.

    Attributes:
        values: Metric -> value, NaN where it is not defined.
        draws: Metric -> `(draws,)`; NaN where a resampling holds one class only, and everywhere if the rows are too few.
        n: Rows.
        few: Why the rows are too few for intervals, else "".
        confidence: That of intervals.
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
    """The rows of a score table that count, and the share of its labelled rows that have a score.

    Raises:
        TableError: See `aggregate.to_level`.
    """
    return usable_rows(to_level(scores, judging.level, judging.rule), judging.missing)


def usable_rows(rows: pd.DataFrame, missing: str = "drop") -> tuple[pd.DataFrame, float]:
    """The labelled rows of a table from `to_level` after the policy for missing scores, and the coverage before it."""
    value = MISSING[require_name("policy for missing scores", missing, MISSING)]
    labelled = rows[rows["label"].isin((REAL, FAKE))]
    scored = labelled["fake_probability"].notna()
    coverage = float(scored.mean()) if len(labelled) else NAN
    if value is None:
        return labelled[scored], coverage
    return labelled.assign(fake_probability=labelled["fake_probability"].fillna(value)), coverage


def draw_metrics(rows: pd.DataFrame, judging: Judging, metrics: Sequence[str]) -> Drawn:
    """Metrics of rows from `judged_rows`. Tables of the same videos are drawn alike: their draws can be subtracted."""
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
    """Every metric for every bootstrap draw.

    Args:
        ranking: The rows, sorted.
        unit: `(n,)`, for each row the column of `counts` that holds its video.
        counts: `(draws, units)` from `curves.draw_counts`.
        metrics: Names in `METRICS`.
        budget: Numbers held at a time; draws are worked off in chunks.

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
    """For each row the number of its resampling unit ("video" or "group"), and how many units there are.

    Numbers go by video_id, so that neither the order of rows nor their level changes what is drawn. A file without an identity
    group is its own.
    """
    videos = rows["video_id"]
    names = videos if unit == "video" else rows["group"].where(rows["group"] != "", "video " + videos)
    order = np.argsort(videos.to_numpy(dtype=str), kind="stable")
    codes = np.empty(len(rows), dtype=np.intp)
    codes[order], known = pd.factorize(names.iloc[order])
    return codes, len(known)


def too_few(labels: ArrayLike, codes: ArrayLike, unit: str, fewest: int = FEWEST) -> str:
    """Why rows are too few for an interval, or "".

    Args:
        labels: `(n,)`, REAL or FAKE.
        codes: `(n,)`, the resampling unit of each row.
        unit: What a unit is called.
        fewest: Units that each class must have which is there.
    """
    known, of = np.asarray(labels), np.asarray(codes)
    for label, kind in ((REAL, "real"), (FAKE, "fake")):
        count = len(np.unique(of[known == label]))
        if 0 < count < fewest:
            return f"{count} {kind} {unit}{'' if count == 1 else 's'}: no interval below {fewest}"
    return ""


def interval(drawn: Floats, confidence: float = 0.95) -> tuple[float, float, str]:
    """Ends of the interval of bootstrap draws, and what is odd about it, else "".

    Draws that are all alike, as of a detector that makes no mistake on few files, give no interval: one of no width would say that
    the figure is certain.
    """
    low, high = interval_ends(drawn, confidence)
    if np.isnan(low):
        return NAN, NAN, "no resampling holds both classes" if len(drawn) else ""
    if high - low < _NO_WIDTH:
        return NAN, NAN, "all resamplings give the same value: no interval"
    lost = int(np.isnan(drawn).sum())
    return low, high, f"interval without {lost} one-class resamplings" if lost > 0.05 * len(drawn) else ""


def interval_of_difference(first: Floats, second: Floats, confidence: float = 0.95) -> tuple[float, float, str]:
    """Like `interval`, of `first` minus `second`, draw by draw.

    Two figures that vary, and are alike in every resampling, differ by nothing: that is an interval of no width.
    """
    low, high, why = interval(first - second, confidence)
    if np.isnan(low) and not np.isnan(interval(first, confidence)[0]):
        low, high = interval_ends(first - second, confidence)
        return low, high, "" if not np.isnan(low) else why
    return low, high, why
