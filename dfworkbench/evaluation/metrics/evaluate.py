"""`evaluate`: metrics of a score table with bootstrap intervals, and over several runs (seeds) of one detector.

Frames of one video are alike, so the bootstrap draws whole videos (or identity groups) with all their rows. Rows without a
score stay in the table; `Judging.missing` sets what they count as, and every metric is reported with its coverage.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy.special import stdtrit

from dfworkbench.core.errors import InputError, TableError
from dfworkbench.core.names import FAKE, REAL, require_name
from dfworkbench.datasets.audit.leak_note import table_note
from dfworkbench.evaluation.metrics.bootstrap import draw_metrics, judged_rows
from dfworkbench.evaluation.metrics.curve_metrics import METRICS, TPR_AT
from dfworkbench.evaluation.metrics.curves import Curve, Floats, Ranking
from dfworkbench.evaluation.metrics.interval import NAN, Interval, Judging, tails
from dfworkbench.evaluation.scoring.aggregate import ALIASES, LEVELS

DEFAULT_METRICS = ("auc", "eer", "average_precision", "accuracy", "balanced_accuracy")

_NEED_BOTH = ("auc", "eer", "balanced_accuracy", "partial_auc", *TPR_AT)
_COLUMNS = (
    "level", "metric", "value", "low", "high", "n", "n_fake", "n_real", "videos", "coverage", "rule", "missing", "unit", "reason",
    "note",
)  # fmt: skip


def metric_of(metric: str | Callable[[Curve], Floats], labels: ArrayLike, scores: ArrayLike) -> float:
    """Compute one metric from labels and scores; NaN if undefined.

    Args:
        metric: Name in `curve_metrics.METRICS`, or a function like those, such as `partial(ece, bins=5)`.
        labels: `(n,)`, 1 for fake, 0 for real.
        scores: `(n,)`, fake probabilities.

    Raises:
        UnknownNameError: There is no such metric.
        InputError: Lists of different lengths, other labels, or a score that is not a number.
    """
    function = METRICS[require_name("metric", metric, METRICS)] if isinstance(metric, str) else metric
    y, p = np.asarray(labels), np.asarray(scores, dtype=np.float64)
    if y.shape != p.shape or y.ndim != 1:
        raise InputError(
            f"computing a metric: labels {y.shape} and scores {p.shape} must be two lists of the same length."
        )
    if not np.isin(y, (REAL, FAKE)).all() or np.isnan(p).any():
        raise InputError(
            "computing a metric: labels must be 0 (real) or 1 (fake) and scores numbers; drop rows that are not."
        )
    return float(function(Ranking(y, p).curve())[0]) if len(y) else NAN


def evaluate(
    scores: pd.DataFrame,
    levels: Sequence[str] = LEVELS,
    judging: Judging = Judging(),
    *,
    metrics: Sequence[str] = DEFAULT_METRICS,
) -> pd.DataFrame:
    """Compute all metrics of a score table.

    Args:
        scores: A score table (`tables.SCORES`). Rows with label -1 are ignored.
        levels: Any of "frame", "track", "video", or "clip" and "person", see `aggregate.ALIASES`; the level in `judging` is not
            used.
        judging: How rows, metrics and intervals are computed.
        metrics: Names in `curve_metrics.METRICS`.

    Returns:
        One row per level and metric: level, metric, value, low, high (NaN where a class has fewer than `bootstrap.FEWEST` files),
        n, n_fake, n_real (rows that count), videos, coverage (share of the labelled rows of this level with a score), rule,
        missing, unit, reason (why a value or interval is NaN, or a remark on it, else ""), note (the warning for the whole
        table, see `leak_note`, else "").

    Raises:
        UnknownNameError: There is no such level or metric.
        TableError: Groups are to be drawn but no row names one, or the table cannot be aggregated.
    """
    for name in metrics:
        require_name("metric", name, METRICS)
    parts = [_evaluate_level(scores, str(level), judging, metrics) for level in levels]
    about = {"rule": judging.rule, "missing": judging.missing, "unit": judging.unit, "note": table_note(scores)}
    return pd.concat(parts, ignore_index=True).assign(**about)[list(_COLUMNS)]


def _evaluate_level(scores: pd.DataFrame, level: str, judging: Judging, metrics: Sequence[str]) -> pd.DataFrame:
    require_name("level", level, (*LEVELS, *ALIASES))
    used, coverage = judged_rows(scores, judging.replace(level=level))
    if judging.unit == "group" and len(used) and (used["group"] == "").all():
        raise TableError(
            "bootstrapping over groups: the score table names no identity groups (column 'group' is empty). "
            "Use unit='video', or score a data set whose video table has groups."
        )
    n_fake, drawn, out = int((used["label"] == FAKE).sum()), draw_metrics(used, judging, metrics), []
    for name in metrics:
        found = drawn.interval(name)
        undefined = np.isnan(found.value)
        reason = _why_nan(name, len(used), n_fake) if undefined else found.reason or _coarse(name, len(used) - n_fake)
        row = {"level": level, "metric": name, "value": found.value, "low": found.low, "high": found.high}
        out.append({**row, "reason": reason})
    counts = {"n": len(used), "n_fake": n_fake, "n_real": len(used) - n_fake, "videos": used["video_id"].nunique()}
    return pd.DataFrame(out).assign(**counts, coverage=coverage)


def _why_nan(metric: str, n: int, n_fake: int) -> str:
    if n == 0:
        return "no labelled row with a score"
    if n_fake in (0, n) and (metric in _NEED_BOTH or n_fake == 0):
        needs = "both classes" if metric in _NEED_BOTH else "fakes"
        return f"only {'real' if n_fake == 0 else 'fake'} rows: {metric} needs {needs}"
    return "no row is called fake"


def _coarse(metric: str, n_real: int) -> str:
    if metric not in TPR_AT or TPR_AT[metric] * n_real >= 1:
        return ""
    return f"interpolated: no threshold has a false-alarm rate between 0 and {1 / n_real:.2g} with {n_real} real rows"


def row_interval(row: Any) -> Interval:
    """The interval in a row (of `itertuples`) of any table with the columns value, low and high."""
    return Interval(row.value, row.low, row.high)


def metrics_text(table: pd.DataFrame) -> str:
    """Format a table from `evaluate` for printing: value, interval, counts and coverage, followed by its warnings."""
    lines, width = [], max([17, *table["metric"].str.len()])
    for row in table.itertuples():
        value, why = row_interval(row).text(), f"; {row.reason}" if row.reason else ""
        lines.append(
            f"{row.level:>5} {row.metric:<{width}} {value}  n = {row.n} ({row.n_fake} fake, {row.n_real} real) "
            f"from {row.videos} videos, coverage {row.coverage:.1%}{why}"
        )
    return "\n".join(lines + [f"NOTE: {note}" for note in table_notes(table)])


def table_notes(table: pd.DataFrame) -> list[str]:
    """The warnings of a table from `evaluate`, one sentence each; usually none."""
    return [str(note) for note in dict.fromkeys(table["note"]) if note] if "note" in table else []


def lost_intervals(table: pd.DataFrame) -> list[str]:
    """Why metrics of a table from `evaluate` have a value but no interval, one sentence each; usually none."""
    lost = table[table["value"].notna() & table["low"].isna() & (table["reason"] != "")]
    return [
        f"{', '.join(str(name) for name in part['metric'].unique())}: {reason}."
        for reason, part in lost.groupby("reason", sort=False)
    ]


def mean_over_seeds(values: ArrayLike, confidence: float = 0.95) -> Interval:
    """Mean of a metric over runs with its t interval: mean ± t(0.975, n - 1) sd / sqrt(n) for 95 %.

    The interval covers retraining on the same data, and may extend beyond 0..1. It does not cover other people or videos, which
    the bootstrap of `evaluate` does; report both.

    Args:
        values: One per seed; NaN (a failed run) is left out, and the reason says so.
        confidence: Confidence level of the interval.
    """
    given = np.asarray(values, dtype=np.float64)
    known = given[~np.isnan(given)]
    lost = f"{len(given) - len(known)} of {len(given)} seeds without a value" if len(known) < len(given) else ""
    if len(known) < 2:
        single = "one seed: no interval" if len(known) else "no seed has a value"
        reason = "; ".join(filter(None, (single, lost)))
        return Interval(float(known[0]) if len(known) else NAN, n=len(known), reason=reason)
    mean = float(known.mean())
    half = float(stdtrit(len(known) - 1, tails(confidence)[1])) * float(known.std(ddof=1)) / np.sqrt(len(known))
    return Interval(mean, mean - half, mean + half, len(known), lost)


def evaluate_seeds(
    tables: Sequence[pd.DataFrame],
    levels: Sequence[str] = ("video",),
    judging: Judging = Judging(),
    *,
    metrics: Sequence[str] = DEFAULT_METRICS,
) -> pd.DataFrame:
    """Compute all metrics over several runs of one detector.

    Args:
        tables: One score table per seed, with the same files.
        levels: As in `evaluate`.
        judging: Its rule, missing and confidence.
        metrics: As in `evaluate`.

    Returns:
        One row per level and metric: level, metric, mean, low, high, sd (between seeds, n - 1), seeds (number with a value),
        worst_coverage (lowest of any seed), rule, missing, reason.

    Raises:
        InputError: There is no table.
    """
    if not len(tables):
        raise InputError(
            "summarising seeds: there is no score table, one per seed was expected. Give those of all runs."
        )
    found = pd.concat([evaluate(table, levels, judging.replace(draws=0), metrics=metrics) for table in tables])
    rows = []
    for (level, metric), part in found.groupby(["level", "metric"], sort=False):
        mean = mean_over_seeds(part["value"], judging.confidence)
        rows.append(
            {"level": level, "metric": metric, "mean": mean.value, "low": mean.low, "high": mean.high,
             "sd": part["value"].std(), "seeds": mean.n, "worst_coverage": part["coverage"].min(), "rule": judging.rule,
             "missing": judging.missing, "reason": mean.reason}
        )  # fmt: skip
    return pd.DataFrame(rows)
