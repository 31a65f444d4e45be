"""Video AUC with every bootstrap draw, means over seeds, and differences between detectors on the same videos."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from dfworkbench.core.errors import InputError
from dfworkbench.core.names import FAKE, require_name
from dfworkbench.evaluation.metrics.bootstrap import (
    UNITS,
    interval,
    interval_of_difference,
    people_codes,
    resample,
    too_few,
    unit_codes,
)
from dfworkbench.evaluation.metrics.curve_metrics import METRICS
from dfworkbench.evaluation.metrics.curves import Ranking, draw_counts
from dfworkbench.evaluation.metrics.evaluate import usable_rows
from dfworkbench.evaluation.metrics.measures import NAN, Measure
from dfworkbench.evaluation.scoring.aggregate import DEFAULT_RULE, to_level


def drawn_metric(
    name: str,
    scores: pd.DataFrame,
    metric: str = "auc",
    level: str = "video",
    *,
    rule: str = DEFAULT_RULE,
    missing: str = "drop",
    unit: str = "group",
    draws: int = 1000,
    seed: int = 0,
) -> tuple[Measure, NDArray[np.float64]]:
    """A metric of a score table, and its value in every resampling, `(draws,)`.

    Resampled are, unless `unit` is "video", identity groups with all their videos: the question is about people, and videos of
    one person are alike. A video without a group is its own. With fewer than a dozen groups such intervals are too narrow, and with
    fewer than `bootstrap.FEWEST` of a class there is none.

    Score tables with the same videos in the same order are resampled alike for equal seeds: their draws can be subtracted.

    Raises:
        UnknownNameError: There is no such metric, level, rule, policy or unit.
    """
    require_name("metric", metric, METRICS)
    require_name("resampling unit", unit, UNITS)
    used, nothing = usable_rows(to_level(scores, level, rule), missing)[0], np.full(draws, NAN)
    chance = 0.5 if metric == "auc" else NAN
    ranking = Ranking(used["label"], used["fake_probability"])
    value = float(METRICS[metric](ranking.curve())[0]) if len(used) else NAN
    if np.isnan(value):
        kinds = "fake" if (used["label"] == FAKE).all() else "real"
        seen = f"no labelled {level} with a score" if used.empty else f"only {kinds} {level}s"
        return Measure(
            name,
            NAN,
            chance=chance,
            n=len(used),
            reason=f"{seen}: {metric if metric != 'auc' else 'AUC'} needs both classes",
        ), nothing
    units, groups = people_codes(used) if unit == "group" else unit_codes(used, unit)
    reason = too_few(used["label"], units, "identity group" if unit == "group" else unit) if draws else ""
    if not draws or reason:
        return Measure(name, value, chance=chance, n=len(used), reason=reason), nothing
    drawn = resample(ranking, units, draw_counts(groups, draws, seed), (metric,))[metric]
    low, high, why = interval(drawn)
    return Measure(name, value, low, high, chance, len(used), why), drawn


def drawn_auc(
    name: str,
    scores: pd.DataFrame,
    *,
    rule: str = DEFAULT_RULE,
    missing: str = "drop",
    unit: str = "group",
    draws: int = 1000,
    seed: int = 0,
) -> tuple[Measure, NDArray[np.float64]]:
    """Video AUC of a score table, and its value in every resampling; see `drawn_metric`."""
    return drawn_metric(name, scores, rule=rule, missing=missing, unit=unit, draws=draws, seed=seed)


def mean_auc(
    name: str,
    tables: Sequence[pd.DataFrame],
    *,
    level: str = "video",
    rule: str = DEFAULT_RULE,
    draws: int = 1000,
    seed: int = 0,
) -> tuple[Measure, NDArray[np.float64]]:
    """The mean over several runs (seeds) of one detector, on the same videos.

    The interval is over people, drawn alike for all runs; how runs differ is another question, and a small number of seeds
    says little about it.

    Raises:
        InputError: No table, or tables of different videos.
    """
    _require_same_videos(tables, name)
    # in one order, so that all draw the same videos
    tables = [table.sort_values("video_id", kind="stable") for table in tables]
    found = [drawn_metric(name, table, "auc", level, rule=rule, draws=draws, seed=seed) for table in tables]
    measures, drawn = [measure for measure, _ in found], np.mean([values for _, values in found], axis=0)
    value = float(np.mean([measure.value for measure in measures]))
    low, high, why = interval(drawn)
    return Measure(name, value, low, high, 0.5, measures[0].n, measures[0].reason or why), drawn


def compare_auc(
    name: str,
    tables: Sequence[pd.DataFrame],
    others: Sequence[pd.DataFrame],
    *,
    level: str = "video",
    rule: str = DEFAULT_RULE,
    draws: int = 1000,
    seed: int = 0,
) -> Measure:
    """Mean AUC of `tables` minus that of `others`, with a paired bootstrap interval over the people of the videos.

    Raises:
        InputError: The tables are of different videos.
    """
    _require_same_videos([*tables, *others], name)
    first, drawn = mean_auc(name, tables, level=level, rule=rule, draws=draws, seed=seed)
    second, other_drawn = mean_auc(name, others, level=level, rule=rule, draws=draws, seed=seed)
    low, high, why = interval_of_difference(drawn, other_drawn)
    return Measure(name, first.value - second.value, low, high, 0.0, first.n, first.reason or second.reason or why)


def _require_same_videos(tables: Sequence[pd.DataFrame], name: str) -> None:
    if not tables:
        raise InputError(f"comparing detectors by {name}: there is no score table, at least one was expected.")
    videos = [set(table.loc[table["fake_probability"].notna(), "video_id"]) for table in tables]
    for other in videos[1:]:
        if other != videos[0]:
            odd = sorted(other ^ videos[0])
            raise InputError(
                f"comparing detectors by {name}: {len(odd)} videos have a score of one and none of another (first: {odd[0]!r}); "
                "expected the same videos, or the difference would be one of videos. Score both on the same split."
            )
