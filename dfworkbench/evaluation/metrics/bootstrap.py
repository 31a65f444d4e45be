"""Bootstrap intervals over videos or identity groups: what is drawn, every metric for every draw, and the ends of an interval."""

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from dfworkbench.core.errors import TableError
from dfworkbench.core.names import FAKE, REAL
from dfworkbench.evaluation.metrics.curve_metrics import METRICS
from dfworkbench.evaluation.metrics.curves import Floats, Ranking

UNITS = {"video": "video_id", "group": "group"}
INTERVAL = (0.025, 0.975)

#: Files (or groups) of a class below which there is no interval and no calibration: docs/decisions/0018-small-samples.md.
FEWEST = 5

_NO_WIDTH = 1e-12


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

    Raises:
        TableError: Groups are asked for and no row names one.
    """
    if unit == "video":
        codes, videos = pd.factorize(rows["video_id"])
        return codes, len(videos)
    if len(rows) and (rows["group"] == "").all():
        raise TableError(
            "bootstrapping over groups: the score table names no identity groups (column 'group' is empty). "
            "Use unit='video', or score a data set whose video table has groups."
        )
    return people_codes(rows)


def people_codes(rows: pd.DataFrame) -> tuple[NDArray[np.intp], int]:
    """For each row the number of its identity group, and how many there are; a file without group is its own."""
    codes, groups = pd.factorize(rows["group"].where(rows["group"] != "", "video " + rows["video_id"]))
    return codes, len(groups)


def too_few(labels: ArrayLike, codes: ArrayLike, unit: str, fewest: int = FEWEST) -> str:
    """Why rows are too few for an interval, or "".

    Args:
        labels: `(n,)`, REAL or FAKE.
        codes: `(n,)`, the resampling unit of each row.
        unit: Its name, for the words.
        fewest: Units that each class must have which is there.
    """
    known, of = np.asarray(labels), np.asarray(codes)
    for label, kind in ((REAL, "real"), (FAKE, "fake")):
        count = len(np.unique(of[known == label]))
        if 0 < count < fewest:
            return f"{count} {kind} {unit}{'' if count == 1 else 's'}: no interval below {fewest}"
    return ""


def interval(drawn: NDArray[np.float64]) -> tuple[float, float, str]:
    """Ends of the 95 % interval of bootstrap draws, and what is odd about it, else "".

    Draws that are all alike, as of a detector that makes no mistake on few files, give no interval: one of no width would say that
    the figure is certain.
    """
    finite = drawn[~np.isnan(drawn)]  # resamplings that hold one class only say nothing
    if len(finite) < 2:
        return float("nan"), float("nan"), "no resampling holds both classes" if len(drawn) else ""
    low, high = np.quantile(finite, INTERVAL)
    if high - low < _NO_WIDTH:
        return float("nan"), float("nan"), "all resamplings give the same value: no interval"
    lost = len(drawn) - len(finite)
    return float(low), float(high), f"interval without {lost} one-class resamplings" if lost > 0.05 * len(drawn) else ""


def interval_of_difference(first: NDArray[np.float64], second: NDArray[np.float64]) -> tuple[float, float, str]:
    """Like `interval`, of `first` minus `second`, draw by draw.

    Two figures that vary, and are alike in every resampling, differ by nothing: that is an interval of no width.
    """
    low, high, why = interval(first - second)
    finite = (first - second)[~np.isnan(first - second)]
    if np.isnan(low) and len(finite) > 1 and not np.isnan(interval(first)[0]):
        return (*np.quantile(finite, INTERVAL).tolist(), "")
    return low, high, why


def interval_text(value: float, low: float, high: float) -> str:
    """`0.912 [0.871, 0.950]`; without interval where there is none."""
    if np.isnan(value):
        return "not defined"
    return f"{value:.3f}" + ("" if np.isnan(low) else f" [{low:.3f}, {high:.3f}]")
