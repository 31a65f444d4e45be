"""Compare detectors: paired AUC differences on shared rows, and means over runs.

`compare_detectors` reports two tests. The paired bootstrap draws videos, or people (identity groups) with all their videos:
draw people if videos share them. DeLong's test is customary in the field and treats every row as independent. Both are
corrected for the number of pairs with Holm's method.
"""

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from dfworkbench.core.errors import InputError, TableError
from dfworkbench.core.names import FAKE, require_name
from dfworkbench.evaluation.metrics.bootstrap import (
    draw_metrics,
    interval,
    interval_of_difference,
    judged_rows,
    too_few,
    unit_codes,
)
from dfworkbench.evaluation.metrics.curve_metrics import METRICS
from dfworkbench.evaluation.metrics.delong import delong_test, holm
from dfworkbench.evaluation.metrics.interval import NAN, Judging
from dfworkbench.evaluation.metrics.measures import Measure

_COLUMNS = (
    "first", "second", "auc_first", "auc_second", "difference", "low", "high", "bootstrap_p", "bootstrap_holm_p", "delong_p",
    "holm_p", "n", "n_fake", "n_real", "units", "unit", "level", "rule", "missing", "notes",
)  # fmt: skip

Draws = NDArray[np.float64]


def drawn_metric(
    name: str, scores: pd.DataFrame, judging: Judging = Judging(), *, metric: str = "auc"
) -> tuple[Measure, Draws]:
    """A metric of a score table, and its value in every bootstrap draw, `(draws,)`.

    With equal judging, tables of the same videos get the same draws, which can be subtracted.

    Args:
        name: Name of the measure.
        scores: A score table.
        judging: How rows, metric and interval are computed.
        metric: Name in `curve_metrics.METRICS`.

    Raises:
        UnknownNameError: There is no such metric.
    """
    require_name("metric", metric, METRICS)
    used, level = judged_rows(scores, judging)[0], judging.level
    drawn = draw_metrics(used, judging, (metric,))
    found, chance = drawn.interval(metric), 0.5 if metric == "auc" else NAN
    if np.isnan(found.value):
        kinds = "fake" if (used["label"] == FAKE).all() else "real"
        seen = f"no labelled {level} with a score" if used.empty else f"only {kinds} {level}s"
        reason = f"{seen}: {metric if metric != 'auc' else 'AUC'} needs both classes"
        return Measure(name, NAN, chance=chance, n=len(used), reason=reason), np.full(judging.draws, NAN)
    return Measure.of(name, found, chance), drawn.draws[metric]


def mean_auc(name: str, tables: Sequence[pd.DataFrame], judging: Judging = Judging()) -> tuple[Measure, Draws]:
    """Mean AUC over several runs (seeds) of one detector, on the same videos.

    The interval covers the resampling of videos or groups, with the same draws for all runs. Variation between runs is another
    question, about which a few seeds say little.

    Raises:
        InputError: No tables, or tables with different videos.
    """
    _require_same_videos(tables, name)
    found = [drawn_metric(name, table, judging) for table in tables]
    measures, drawn = [measure for measure, _ in found], np.mean([values for _, values in found], axis=0)
    value = float(np.mean([measure.value for measure in measures]))
    low, high, why = interval(drawn, judging.confidence)
    return Measure(name, value, low, high, 0.5, measures[0].n, measures[0].reason or why), drawn


def compare_auc(
    name: str, tables: Sequence[pd.DataFrame], others: Sequence[pd.DataFrame], judging: Judging = Judging()
) -> Measure:
    """Mean AUC of `tables` minus that of `others`, with a paired bootstrap interval.

    Raises:
        InputError: The tables have different videos.
    """
    _require_same_videos([*tables, *others], name)
    first, drawn = mean_auc(name, tables, judging)
    second, other_drawn = mean_auc(name, others, judging)
    low, high, why = interval_of_difference(drawn, other_drawn, judging.confidence)
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
                "expected the same videos, or the difference would reflect the videos. Score both on the same split."
            )


def compare_detectors(tables: Mapping[str, pd.DataFrame], judging: Judging = Judging()) -> pd.DataFrame:
    """AUC differences of all pairs of detectors.

    Args:
        tables: Detector -> score table; tables may have different rows, each pair is compared on shared rows.
        judging: How rows, metrics and intervals are computed; a row dropped for lack of a score is dropped for both detectors.
            If no groups are named, videos are drawn, with a note.

    Returns:
        One row per pair: first, second, auc_first, auc_second, difference (first minus second), low, high (paired
        bootstrap), bootstrap_p, delong_p (both two-sided), bootstrap_holm_p, holm_p (DeLong, corrected over the pairs of this
        table), n, n_fake, n_real (shared rows), units (number and kind of resampling units), level, rule, missing, notes.

    Raises:
        InputError: Fewer than two tables.
        TableError: A row is real for one detector and fake for another, or two rows have one name.
    """
    if len(tables) < 2:
        raise InputError(
            f"comparing detectors: {len(tables)} score tables, at least two were expected. Give name -> table."
        )
    rows = {name: _rows(name, table, judging) for name, table in tables.items()}
    out = [_pair(a, b, _shared(a, b, rows[a], rows[b]), judging) for a, b in combinations(rows, 2)]
    table = pd.DataFrame(out).assign(level=judging.level, rule=judging.rule, missing=judging.missing)
    table["holm_p"], table["bootstrap_holm_p"] = holm(table["delong_p"]), holm(table["bootstrap_p"])
    return table[list(_COLUMNS)]


def _rows(name: str, table: pd.DataFrame, judging: Judging) -> pd.DataFrame:
    rows = judged_rows(table, judging)[0]
    twice = rows["row_id"].duplicated()
    if twice.any():
        raise TableError(
            f"comparing detectors: the table of {name!r} has {twice.sum()} rows with a row_id of another, first "
            f"{rows.loc[twice, 'row_id'].iloc[0]!r}; expected each once, or rows cannot be paired. Remove the copies."
        )
    return rows


def _shared(a: str, b: str, first: pd.DataFrame, second: pd.DataFrame) -> tuple[pd.DataFrame, int]:
    """Shared rows with `fake_probability` and `other`, and the number of rows that only one has."""
    other = second[["row_id", "label", "fake_probability"]].rename(columns={"fake_probability": "other"})
    both = first.merge(other, on="row_id", suffixes=("", "_other"))
    odd = both["label"] != both["label_other"]
    if odd.any():
        raise TableError(
            f"comparing detectors: {odd.sum()} rows have one label in the table of {a!r} and another in that of {b!r}, first "
            f"{both.loc[odd, 'row_id'].iloc[0]!r}; expected equal labels. Score both on the same data set."
        )
    return both, len(first) + len(second) - 2 * len(both)


def _pair(a: str, b: str, shared: tuple[pd.DataFrame, int], judging: Judging) -> dict[str, Any]:
    rows, lost = shared
    fakes = int((rows["label"] == FAKE).sum())
    notes = [f"{lost} rows that only one has scored are left out"] if lost else []
    if judging.unit == "group" and len(rows) and (rows["group"] == "").all():
        judging, notes = judging.replace(unit="video"), [*notes, "no identity groups named: videos are drawn"]
    codes, units = unit_codes(rows, judging.unit)
    out = {
        "first": a, "second": b, "n": len(rows), "n_fake": fakes, "n_real": len(rows) - fakes, "units": units,
        "unit": judging.unit,
    }  # fmt: skip
    numbers = dict.fromkeys(("auc_first", "auc_second", "difference", "low", "high", "bootstrap_p", "delong_p"), NAN)
    if fakes in (0, len(rows)):
        seen = f"only {'fake' if fakes else 'real'} rows are shared" if len(rows) else "no row is shared"
        return {**out, **numbers, "notes": "; ".join([f"{seen}: AUC needs both classes", *notes])}
    test = delong_test(rows["label"], rows["fake_probability"], rows["other"])
    numbers |= {"auc_first": test.first, "auc_second": test.second, "difference": test.first - test.second}
    few = too_few(rows["label"], codes, judging.unit)
    tables = (rows, rows.assign(fake_probability=rows["other"]))  # both use the same draws
    first, second = (draw_metrics(table, judging, ("auc",)).draws["auc"] for table in tables)
    numbers["low"], numbers["high"], odd = interval_of_difference(first, second, judging.confidence)
    numbers |= {"bootstrap_p": _bootstrap_p(first - second), "delong_p": test.p}
    if units < len(rows):
        notes.append(
            f"DeLong takes {len(rows)} rows for independent, they come from {units} {judging.unit}s: its p is too small"
        )
    return {**out, **numbers, "notes": "; ".join(filter(None, [*notes, few or odd, test.reason]))}


def _bootstrap_p(drawn: Draws) -> float:
    """Two-sided bootstrap p-value of no difference, 2 (1 + smaller tail) / (1 + draws); never 0."""
    finite = drawn[~np.isnan(drawn)]
    if len(finite) < 2:
        return NAN
    rarer = min((finite <= 0).sum(), (finite >= 0).sum())
    return float(min(1.0, 2 * (1 + rarer) / (1 + len(finite))))
