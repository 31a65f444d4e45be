"""Which of several detectors is better, on the rows that both of a pair have scored.

Two answers stand side by side. The paired bootstrap draws people (identity groups) with all their videos, and is the one to
trust where videos share people; DeLong's test is the field's custom and takes every row for independent. Both are corrected
for the number of pairs after Holm.
"""

from collections.abc import Mapping
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from dfworkbench.core.errors import InputError, TableError
from dfworkbench.core.names import FAKE, require_name
from dfworkbench.evaluation.metrics.bootstrap import UNITS, interval_of_difference, resample, too_few, unit_codes
from dfworkbench.evaluation.metrics.curves import Ranking, draw_counts
from dfworkbench.evaluation.metrics.delong import delong_test, holm
from dfworkbench.evaluation.metrics.evaluate import MISSING, usable_rows
from dfworkbench.evaluation.scoring.aggregate import DEFAULT_RULE, to_level

NAN = float("nan")
_COLUMNS = (
    "first", "second", "auc_first", "auc_second", "difference", "low", "high", "bootstrap_p", "bootstrap_holm_p", "delong_p",
    "holm_p", "n", "n_fake", "n_real", "units", "unit", "level", "rule", "missing", "notes",
)  # fmt: skip


def compare_detectors(
    tables: Mapping[str, pd.DataFrame],
    level: str = "video",
    *,
    rule: str = DEFAULT_RULE,
    missing: str = "drop",
    unit: str = "group",
    draws: int = 2000,
    seed: int = 0,
) -> pd.DataFrame:
    """AUC differences of all pairs of detectors.

    Args:
        tables: Detector -> its score table; tables may hold different rows, each pair is judged on those it shares.
        level: As in `metrics.evaluate`.
        rule: As in `metrics.evaluate`.
        missing: What a row without score counts as, see `metrics.MISSING`; "drop" leaves it out for both of a pair.
        unit: What is drawn, "group" or "video". Without any group named, videos are drawn and the notes say so.
        draws: Bootstrap resamplings.
        seed: Of the resampling.

    Returns:
        One row per pair: first, second, auc_first, auc_second, difference (first minus second), low, high (95 %, paired
        bootstrap), bootstrap_p, delong_p (both two-sided), bootstrap_holm_p, holm_p (of DeLong's; corrected over the pairs of
        this table), n, n_fake, n_real (shared rows), units (drawn) and what they are, level, rule, missing, notes.

    Raises:
        InputError: Fewer than two tables.
        TableError: A row is real for one detector and fake for another, or two rows have one name.
    """
    if len(tables) < 2:
        raise InputError(
            f"comparing detectors: {len(tables)} score tables, at least two were expected. Give name -> table."
        )
    require_name("policy for missing scores", missing, MISSING)
    require_name("resampling unit", unit, UNITS)
    rows = {name: _rows(name, table, level, rule, missing) for name, table in tables.items()}
    out = [_pair(a, b, _shared(a, b, rows[a], rows[b]), unit, draws, seed) for a, b in combinations(rows, 2)]
    table = pd.DataFrame(out).assign(level=level, rule=rule, missing=missing)
    table["holm_p"], table["bootstrap_holm_p"] = holm(table["delong_p"]), holm(table["bootstrap_p"])
    return table[list(_COLUMNS)]


def _rows(name: str, table: pd.DataFrame, level: str, rule: str, missing: str) -> pd.DataFrame:
    rows = usable_rows(to_level(table, level, rule), missing)[0]
    twice = rows["row_id"].duplicated()
    if twice.any():
        raise TableError(
            f"comparing detectors: the table of {name!r} has {twice.sum()} rows with a row_id of another, first "
            f"{rows.loc[twice, 'row_id'].iloc[0]!r}; expected each once, or rows cannot be paired. Remove the copies."
        )
    return rows


def _shared(a: str, b: str, first: pd.DataFrame, second: pd.DataFrame) -> tuple[pd.DataFrame, int]:
    """The rows of both with `fake_probability` and `other`, and how many only one of them has."""
    other = second[["row_id", "label", "fake_probability"]].rename(columns={"fake_probability": "other"})
    both = first.merge(other, on="row_id", suffixes=("", "_other"))
    odd = both["label"] != both["label_other"]
    if odd.any():
        raise TableError(
            f"comparing detectors: {odd.sum()} rows have one label in the table of {a!r} and another in that of {b!r}, first "
            f"{both.loc[odd, 'row_id'].iloc[0]!r}; expected equal labels. Score both on the same data set."
        )
    return both, len(first) + len(second) - 2 * len(both)


def _pair(a: str, b: str, shared: tuple[pd.DataFrame, int], unit: str, draws: int, seed: int) -> dict[str, Any]:
    rows, lost = shared
    fakes = int((rows["label"] == FAKE).sum())
    notes = [f"{lost} rows that only one has scored are left out"] if lost else []
    if unit == "group" and len(rows) and (rows["group"] == "").all():
        unit, notes = "video", [*notes, "no identity groups named: videos are drawn"]
    codes, units = unit_codes(rows, unit)
    out = {
        "first": a,
        "second": b,
        "n": len(rows),
        "n_fake": fakes,
        "n_real": len(rows) - fakes,
        "units": units,
        "unit": unit,
    }
    numbers = dict.fromkeys(("auc_first", "auc_second", "difference", "low", "high", "bootstrap_p", "delong_p"), NAN)
    if fakes in (0, len(rows)):
        seen = f"only {'fake' if fakes else 'real'} rows are shared" if len(rows) else "no row is shared"
        return {**out, **numbers, "notes": "; ".join([f"{seen}: AUC needs both classes", *notes])}
    test = delong_test(rows["label"], rows["fake_probability"], rows["other"])
    numbers |= {"auc_first": test.first, "auc_second": test.second, "difference": test.first - test.second}
    few = too_few(rows["label"], codes, unit)
    first, second = _drawn(rows, codes, draw_counts(units, draws, seed)) if draws and not few else (np.empty(0),) * 2
    numbers["low"], numbers["high"], odd = interval_of_difference(first, second)
    numbers |= {"bootstrap_p": _bootstrap_p(first - second), "delong_p": test.p}
    if units < len(rows):
        notes.append(
            f"DeLong takes {len(rows)} rows for independent, they come from {units} {unit}s: its p is too small"
        )
    return {**out, **numbers, "notes": "; ".join(filter(None, [*notes, few, odd, test.reason]))}


def _drawn(
    rows: pd.DataFrame, codes: NDArray[np.intp], counts: NDArray[np.int32]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """AUC of the first and of the second in every resampling, the same videos being drawn for both."""
    first, second = (
        resample(Ranking(rows["label"], rows[column]), codes, counts, ("auc",))["auc"]
        for column in ("fake_probability", "other")
    )
    return first, second


def _bootstrap_p(drawn: NDArray[np.float64]) -> float:
    """Two-sided: twice the share of resamplings on the rarer side of 0, of which there always is one more, so never 0."""
    finite = drawn[~np.isnan(drawn)]
    if len(finite) < 2:
        return NAN
    rarer = min((finite <= 0).sum(), (finite >= 0).sum())
    return float(min(1.0, 2 * (1 + rarer) / (1 + len(finite))))
