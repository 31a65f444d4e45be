"""`WideScores`: scores of many detectors on the same rows, as read by `wide_reader`."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from scipy.special import expit

from dfworkbench.core.errors import TableError
from dfworkbench.core.names import FAKE, REAL
from dfworkbench.evaluation.exchange.score_csv import Scale

Floats = NDArray[np.float64]

#: Probabilities are clipped to this distance from 0 and 1 before computing log-odds.
CLIP = 1e-6
#: Source of rows without one.
UNNAMED = "(unnamed)"
_SHOWN = 8


class Codes(NamedTuple):
    """One name per row, stored as integer codes.

    Attributes:
        code: `(n,)`, index of each row's name.
        names: The names, sorted.
    """

    code: NDArray[np.int32]
    names: tuple[str, ...]

    @classmethod
    def of(cls, texts: Iterable[str] | pa.Array) -> "Codes":
        """Encode one text per row."""
        coded: Any = texts if isinstance(texts, pa.Array | pa.ChunkedArray) else pa.array(texts, pa.string())
        parts = coded.dictionary_encode()
        whole = parts.combine_chunks() if isinstance(parts, pa.ChunkedArray) else parts
        names = [str(name) for name in whole.dictionary.to_pylist()]
        order = sorted(range(len(names)), key=names.__getitem__)
        place = np.empty(len(names), dtype=np.int32)
        place[order] = np.arange(len(names), dtype=np.int32)
        return cls(place[whole.indices.to_numpy(zero_copy_only=False)], tuple(names[at] for at in order))

    def take(self, rows: NDArray) -> "Codes":
        """Select rows; all names are kept."""
        return Codes(self.code[rows], self.names)

    def merged(self, former: Mapping[str, str]) -> "Codes":
        """Replace names: former name -> new name."""
        names = [former.get(name, name) for name in self.names]
        kept = tuple(sorted(set(names)))
        place = np.array([kept.index(name) for name in names], dtype=np.int32)
        return Codes(place[self.code], kept)


@dataclass(frozen=True, eq=False)
class DetectorScores:
    """Scores of one detector.

    Attributes:
        values: `(n,)`, higher means fake, on the detector's own scale; NaN for no score.
        scale: "probability" (percentages are divided by 100) or "logit".
    """

    values: Floats
    scale: Scale = "probability"

    def probabilities(self, rows: NDArray) -> Floats:
        """Fake probabilities of some rows, clipped to `CLIP` from 0 and 1."""
        values = self.values[rows]
        return np.clip(values if self.scale == "probability" else expit(values), CLIP, 1 - CLIP)

    def log_odds(self, rows: NDArray) -> Floats:
        """Log-odds of the clipped probabilities."""
        p = self.probabilities(rows)
        return np.log(p) - np.log1p(-p)


@dataclass(frozen=True, eq=False)
class WideScores:
    """Scores of K detectors for n labelled rows.

    Attributes:
        title: Name of the table.
        names: `(n,)`, path or id of each row.
        labels: `(n,)`, REAL or FAKE.
        order: `(n,)`, position of each row in the file.
        detectors: Name -> its scores.
        source: Source of each real row and generator of each fake one, or `UNNAMED`; None if no row names one.
        merged: `source` after merging names declared equal.
        people: Identity group of each row; None if not named.
        split: Split of each row; None if not named.
        columns: Further numeric columns, `(n,)` each, NaN for empty cells.
        notes: Remarks on how it was read.
        read: Facts for the record: file, rows, filter.
        laid_out: Whether paths follow the layout of a data set whose folders name the label, which no detector sees.
    """

    title: str
    names: pa.Array
    labels: NDArray[np.int8]
    order: NDArray[np.int64]
    detectors: dict[str, DetectorScores]
    source: Codes | None = None
    merged: Codes | None = None
    people: Codes | None = None
    split: Codes | None = None
    columns: dict[str, Floats] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    read: Mapping[str, Any] = field(default_factory=dict)
    laid_out: bool = False

    def __len__(self) -> int:
        return len(self.labels)

    def counts(self, rows: NDArray | None = None) -> tuple[int, int]:
        """Number of fakes and reals, of all or some rows."""
        labels = self.labels if rows is None else self.labels[rows]
        return int((labels == FAKE).sum()), int((labels == REAL).sum())

    def same_source(self, equal: Mapping[str, str]) -> "WideScores":
        """Merge names of the same source: name -> name of the source.

        Raises:
            TableError: No row has the name, or the table names no sources.
        """
        known = () if self.source is None else self.source.names
        odd = sorted(({*equal} | {*equal.values()}) - {*known})
        if odd or (equal and self.source is None):
            raise TableError(
                f"declaring sources equal: no row of {self.title} is of {', '.join(map(repr, odd[:_SHOWN]))}; "
                f"expected names among {', '.join(known[:40]) or 'a column with sources, which there is not'}. "
                "Correct --same-source."
            )
        return replace(self, merged=None if self.source is None else self.source.merged(equal))

    def take(self, rows: NDArray) -> "WideScores":
        """Select rows."""
        codes = {name: getattr(self, name) for name in ("source", "merged", "people", "split")}
        return replace(
            self, names=self.names.take(pa.array(np.arange(len(self))[rows])), labels=self.labels[rows], order=self.order[rows],
            detectors={name: replace(one, values=one.values[rows]) for name, one in self.detectors.items()},
            columns={name: values[rows] for name, values in self.columns.items()},
            **{name: one if one is None else one.take(rows) for name, one in codes.items()},
        )  # fmt: skip


def one_row_per_file(table: WideScores) -> WideScores:
    """Merge rows with equal name, label and source: each detector's score is the mean of its available scores."""
    names = Codes.of(table.names)
    if len(names.names) == len(table):
        return table
    source = np.zeros(len(table), np.int64) if table.source is None else table.source.code.astype(np.int64)
    key = (names.code.astype(np.int64) * (int(source.max()) + 1) + source) * 2 + table.labels
    _, first, place = np.unique(key, return_index=True, return_inverse=True)
    if len(first) == len(table):
        return table
    order = np.argsort(first)
    rank = np.empty_like(order)
    rank[order] = np.arange(len(order))
    place = rank[place]
    out = table.take(first[order])
    note = f"{len(table):,} rows are of {len(first):,} files: the scores of a file were averaged"
    return replace(
        out, notes=(*table.notes, note),
        detectors={k: replace(out.detectors[k], values=_means(one.values, place)) for k, one in table.detectors.items()},
        columns={name: _means(values, place) for name, values in table.columns.items()},
    )  # fmt: skip


def _means(values: Floats, place: NDArray) -> Floats:
    there = ~np.isnan(values)
    counts = np.bincount(place[there], minlength=int(place.max()) + 1)
    sums = np.bincount(place[there], weights=values[there], minlength=len(counts))
    return np.divide(sums, counts, out=np.full(len(counts), np.nan), where=counts > 0)
