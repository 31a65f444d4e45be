"""F10: hints of leakage, i.e. where to look; none proves leakage."""

from collections.abc import Sequence

import numpy as np
import pyarrow.compute as pc
from numpy.typing import NDArray

from dfworkbench.evaluation.exchange.wide_scores import Codes, WideScores
from dfworkbench.evaluation.score_audit.findings import Finding, listed, percent
from dfworkbench.evaluation.score_audit.prepare import Judged, shared_rows

_TRAINING = {"train", "training", "trn"}
_FOUND, _ELSE = 0.995, 0.7
_ODD = np.uint64(0x9E3779B97F4A7C15)


def table_hints(table: WideScores, detectors: Sequence[str]) -> list[Finding]:
    """Hints about the table: rows of a training split, equal names, equal rows, equal columns."""
    return [*_training(table), *_names(table), *_rows(table, detectors), *_columns(table, detectors)]


def source_hints(one: Judged) -> list[Finding]:
    """Sources or generators that a detector detects almost perfectly while it does badly on the rest."""
    if one.clusters is None or one.clusters.together:
        return []
    wins = one.wins
    out = []
    for words, names, axis, sizes in (
        ("the fakes of", one.clusters.fakes, 1, wins.fakes),
        ("fakes against the reals of", one.clusters.reals, 0, wins.reals),
    ):
        of_each = wins.of_fakes() if axis == 1 else wins.against_reals()
        total = float(wins.reals.sum() if axis == 1 else wins.fakes.sum())
        for at in np.flatnonzero(of_each >= _FOUND):
            rest = float(sizes.sum() - sizes[at])
            others = float((wins.won.sum() - of_each[at] * sizes[at] * total) / (rest * total)) if rest else 1.0
            if others < _ELSE:
                out.append(Finding(
                    "F10", "amber",
                    f"Hint: {one.name} has AUC {of_each[at]:.3f} on {words} {names[at]}, and {others:.3f} on the rest.",
                    one.name, {"source": names[at], "auc": float(of_each[at]), "auc_of_the_rest": others}, weight=0.5,
                ))  # fmt: skip
    return out


def _training(table: WideScores) -> list[Finding]:
    if table.split is None:
        return []
    wanted = [at for at, name in enumerate(table.split.names) if name.lower() in _TRAINING]
    rows = np.flatnonzero(np.isin(table.split.code, wanted))
    if not len(rows):
        return []
    share = len(rows) / len(table)
    words = f"Hint: {len(rows):,} rows ({percent(share)}) are of the split {table.split.names[wanted[0]]!r}."
    return [Finding("F10", "red", words, numbers={"rows": len(rows), "share": share}, rows=rows, weight=2.0)]


def _names(table: WideScores) -> list[Finding]:
    """Equal file names under two labels or in two splits; skipped if names are frame numbers, which all files share."""
    bare = Codes.of(pc.replace_substring_regex(table.names, r"^.*[/\\]", ""))
    if len(bare.names) * 2 < len(table):
        return []
    out = []
    split = None if table.split is None else table.split.code
    for what, codes in (("labels", table.labels), ("splits", split)):
        if codes is None:
            continue
        several = _several(bare.code, codes, len(bare.names))
        rows = np.flatnonzero(several[bare.code])
        if len(rows):
            count, first = int(several.sum()), bare.names[int(np.flatnonzero(several)[0])]
            words = f"Hint: {count:,} file names occur under two {what} (first: {first}; {len(rows):,} rows)."
            out.append(
                Finding("F10", "amber", words, numbers={f"names_under_two_{what}": count}, rows=rows, weight=1.0)
            )
    return out


def _several(name: NDArray, codes: NDArray, count: int) -> NDArray[np.bool_]:
    """Whether the rows of each name have several codes."""
    low, high = np.full(count, np.iinfo(np.int64).max), np.full(count, -1)
    np.minimum.at(low, name, codes)
    np.maximum.at(high, name, codes)
    return low < high


def _rows(table: WideScores, detectors: Sequence[str]) -> list[Finding]:
    """Rows with equal scores of all detectors, if there are two or more detectors."""
    if len(detectors) < 2:
        return []
    rows = shared_rows(table, detectors)
    key = np.zeros(len(rows), dtype=np.uint64)
    with np.errstate(over="ignore"):
        for name in detectors:
            bits = np.ascontiguousarray(table.detectors[name].values[rows] + 0.0).view(np.uint64)
            key = (key ^ _mixed(bits)) * _ODD
    _, place, counts = np.unique(key, return_inverse=True, return_counts=True)
    again = counts[place] > 1
    if not again.any():
        return []
    found = rows[again]
    sets = np.unique(place[again], return_inverse=True)[1]
    apart = _several(sets, table.labels[found].astype(np.int64), int(sets.max()) + 1)
    crossing = (
        np.zeros(len(apart), bool) if table.source is None else _several(sets, table.source.code[found], len(apart))
    )
    of_all = "both detectors" if len(detectors) == 2 else f"all {len(detectors)} detectors"
    words = f"Hint: {len(found):,} rows in {len(apart):,} sets are equal in the scores of {of_all}"
    across = int(crossing[sets].sum())
    words += f"; {across:,} of these rows are in sets of several sources or generators" if across else ""
    words += f"; {int(apart[sets].sum()):,} of them are in sets of both labels" if apart.any() else ""
    numbers = {
        "rows": len(found),
        "sets": len(apart),
        "rows_across_sources": across,
        "rows_across_labels": int(apart[sets].sum()),
    }
    return [
        Finding(
            "F10", "amber" if (crossing | apart).any() else "note", words + ".", numbers=numbers, rows=found, weight=0.8
        )
    ]


def _mixed(bits: NDArray[np.uint64]) -> NDArray[np.uint64]:
    mixed = bits * _ODD
    return mixed ^ (mixed >> np.uint64(29))


def _columns(table: WideScores, detectors: Sequence[str]) -> list[Finding]:
    """Pairs of numeric columns, at least one a detector, that are equal wherever both have values."""
    columns = {**{name: table.detectors[name].values for name in detectors}, **table.columns}
    by_content: dict[int, list[str]] = {}
    for name, values in columns.items():
        there = values[~np.isnan(values)]
        if len(there) and there.min() < there.max():
            by_content.setdefault(hash(np.ascontiguousarray(values + 0.0).tobytes()), []).append(name)
    out = []
    for names in by_content.values():
        if len(names) > 1 and any(name in detectors for name in names):
            words = f"Hint: the columns {listed(names)} are equal in every row."
            out.append(Finding("F10", "amber", words, numbers={"columns": names}, weight=0.9))
    return out
