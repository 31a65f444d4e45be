"""Read a wide score table, with one column per detector, in bounded memory.

The meaning of a column follows from its header (`score_columns.ROLES`) or is given; detectors are selected by headers or
patterns. All other numeric columns are kept, because the audit compares detectors with them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from dfworkbench.core.errors import TableError
from dfworkbench.core.names import FAKE, REAL
from dfworkbench.evaluation.exchange.detector_columns import DetectorColumn, choose_detectors
from dfworkbench.evaluation.exchange.score_columns import find_columns, require_polarity
from dfworkbench.evaluation.exchange.score_csv import Polarity, Scale, require_scale
from dfworkbench.evaluation.exchange.score_labels import parse_labels
from dfworkbench.evaluation.exchange.score_numbers import parse_numbers
from dfworkbench.evaluation.exchange.score_rows import holds, wanted_values
from dfworkbench.evaluation.exchange.wide_blocks import WideFile, numbers_of, open_wide, texts_of
from dfworkbench.evaluation.exchange.wide_scores import (
    UNNAMED,
    Codes,
    DetectorScores,
    Floats,
    WideScores,
    one_row_per_file,
)

_MOST_CELLS = 250_000_000
_SHOWN = 8


class Reading(NamedTuple):
    """How a wide table is read.

    Attributes:
        detectors: Headers or patterns such as "prob_*", optionally with ":real", ":logit" or ":percent"; empty: the only column
            whose header names a score.
        columns: Role -> header.
        where: Rows to select, as `column=value`.
        polarity: Default meaning of a high score.
        scale: Default scale of the scores.
        fake_label: The number that means fake.
    """

    detectors: Sequence[str] = ()
    columns: Mapping[str, str] = {}
    where: Sequence[str] = ()
    polarity: Polarity = "fake"
    scale: Scale = "probability"
    fake_label: int = FAKE


def read_wide(path: Path | str, how: Reading | None = None) -> WideScores:
    """Read a table with one row per file and one column per detector.

    Raises:
        DataNotFoundError: There is no such file.
        TableError: It cannot be understood; the message names the column or row and what to do.
        ParameterError: A pattern matches no column, or a role or filter names a missing one.
    """
    file, how = open_wide(path), how or Reading()
    chosen = choose_detectors(file.headers, how.detectors, how.columns, (how.polarity, how.scale), file.path)
    rest = [name for name in file.headers if not any(name == one.header for one in chosen)]
    needed = ("path", "label") if chosen else ("path", "label", "score")
    roles = find_columns(rest, how.columns, file.path, needed)
    if not chosen:
        header = roles.get("score") or roles["logit"]
        chosen = [DetectorColumn(header, header, how.polarity, how.scale if "score" in roles else "logit")]
    for one in chosen:
        require_polarity(one.header, one.polarity, file.path)
    return _Reader(file, how, chosen, roles).read()


class _Reader:
    """Collects blocks: text as codes, numbers as arrays, and of the other columns only fully numeric ones."""

    def __init__(
        self, file: WideFile, how: Reading, chosen: Sequence[DetectorColumn], roles: Mapping[str, str]
    ) -> None:
        self.file, self.how, self.chosen, self.roles = file, how, chosen, roles
        self.wanted = wanted_values(file.headers, how.where, file.path)
        self.scores: dict[str, list[Floats]] = {one.header: [] for one in chosen}
        taken = {*self.scores, *roles.values(), *self.wanted}
        self.others: dict[str, list[Floats]] = {name: [] for name in file.headers if name not in taken}
        texts = ("path", "video", "source", "forgery", "dataset", "group", "split")
        self.texts: dict[str, list[pa.Array]] = {role: [] for role in texts if role in roles}
        self.labels: list[NDArray] = []
        self.order: list[NDArray] = []
        self.dropped: list[str] = []
        self.seen: dict[str, dict[str, None]] = {name: {} for name in self.wanted}
        self.rows = 0

    def read(self) -> WideScores:
        names = list(dict.fromkeys([*self.scores, *self.roles.values(), *self.wanted, *self.others]))
        for block in self.file.blocks(names):
            self._add(block)
            if sum(map(len, self.labels)) * (len(self.scores) + len(self.others)) > _MOST_CELLS:
                raise TableError(
                    f"reading {self.file.path}: more than {_MOST_CELLS:,} numbers. Expected fewer: choose rows with "
                    "--where, or split the table."
                )
        if not sum(map(len, self.labels)):
            self._refuse_empty()
        table = self._table()
        labelled = np.isin(table.labels, (REAL, FAKE))
        if not labelled.all():
            note = f"{int((~labelled).sum()):,} of {len(labelled):,} rows have no label, and do not count"
            table = replace(table.take(labelled), notes=(*table.notes, note))
        if not all(table.counts()):
            raise TableError(
                f"auditing {self.file.path}: {table.counts()[0]} fake and {table.counts()[1]} real rows"
                f"{' after the filter ' + ', '.join(self.how.where) if self.how.where else ''}; expected both. Choose other rows."
            )
        return one_row_per_file(table)

    def _add(self, block: pa.RecordBatch) -> None:
        first, count = self.rows, block.num_rows
        self.rows += count
        kept = np.ones(count, dtype=bool)
        for name, values in self.wanted.items():
            cells = texts_of(block.column(name)).to_pandas()
            self.seen[name] |= dict.fromkeys(cells.unique()[:50]) if len(self.seen[name]) < 50 else {}
            kept &= holds(cells, values).to_numpy()
        at = np.flatnonzero(kept)
        block = block.take(pa.array(at))
        self.order.append(first + at)
        lines = first + at + (2 if self.file.separator else 1)
        labels = _series(block.column(self.roles["label"]), lines, self.roles["label"])
        self.labels.append(parse_labels(labels, self.how.fake_label, self.file.path).to_numpy(np.int8))
        for role, parts in self.texts.items():
            parts.append(texts_of(block.column(self.roles[role])))
        for one in self.chosen:
            self.scores[one.header].append(self._numbers(block.column(one.header), one.header, lines, one.scale))
        for header in list(self.others):
            try:
                self.others[header].append(self._numbers(block.column(header), header, lines))
            except TableError:
                self.dropped.append(header)
                del self.others[header]

    def _numbers(self, cells: pa.Array, header: str, lines: NDArray, scale: Scale = "probability") -> Floats:
        """Cells as numbers; decimal commas and percentages are understood, anything else raises an error with its line."""
        values = numbers_of(cells)
        if values is None:
            texts = _series(cells, lines, header)
            texts = texts.str.rstrip("%").str.rstrip() if scale == "percent" else texts
            values = parse_numbers(texts, header, self.file.path)
        return values

    def _refuse_empty(self) -> None:
        if not self.rows:
            raise TableError(
                f"reading {self.file.path}: it has headers, but no row; expected a row per file. Write it again."
            )
        words = "; ".join(
            f"{name} has {', '.join(list(values)[:_SHOWN])}{' …' if len(values) > _SHOWN else ''}"
            for name, values in self.seen.items()
        )
        raise TableError(
            f"reading {self.file.path}: none of {self.rows:,} rows holds {' and '.join(self.how.where)}; expected "
            f"some. {words}: choose among these values."
        )

    def _table(self) -> WideScores:
        texts = {role: pa.chunked_array(parts, pa.string()) for role, parts in self.texts.items()}
        names = texts.get("path", texts.get("video"))
        blank = pd.Series(names.to_pandas() == "")  # pyright: ignore[reportOptionalMemberAccess]
        if blank.any():
            row = int(blank.to_numpy().argmax())
            raise TableError(
                f"reading {self.file.path}: {int(blank.sum())} rows name no file (first: row {row + 1}); expected a "
                "path or an id in every row. Fill it in."
            )
        detectors = {}
        for one in self.chosen:
            values = np.concatenate(self.scores.pop(one.header))
            source = f"{self.file.path}, column {one.header!r}"
            if self.how.detectors:
                require_scale(
                    values, one.scale, source, f"write {one.header}:logit or {one.header}:percent in --detectors"
                )
            else:
                require_scale(values, one.scale, source)
            detectors[one.name] = DetectorScores(
                _oriented(values, one), "logit" if one.scale == "logit" else "probability"
            )
        columns = {name: np.concatenate(parts) for name, parts in self.others.items()}
        columns = {name: values for name, values in columns.items() if not np.isnan(values).all()}
        unread = [name for name in self.dropped if name]
        notes = [*self.file.notes, *([f"columns of text that were not used: {', '.join(unread)}"] if unread else [])]
        source = _sources(texts)
        if source is not None and UNNAMED in source.names:
            count = int((source.code == source.names.index(UNNAMED)).sum())
            notes.append(f"{count:,} rows name no source or generator; they are drawn as one cluster {UNNAMED}")
        return WideScores(
            self.file.path.name, names.combine_chunks(), np.concatenate(self.labels), np.concatenate(self.order),  # pyright: ignore[reportOptionalMemberAccess]
            detectors, source=source, merged=source, people=_people(texts, names), split=_named(texts.get("split")),
            columns=columns, notes=tuple(notes),
            read={"file": self.file.path.name, "rows in the file": self.rows, "where": list(self.how.where)},
        )  # fmt: skip


def _series(cells: pa.Array, lines: NDArray, name: str) -> pd.Series:
    return texts_of(cells).to_pandas().set_axis(lines).rename(name)


def _oriented(values: Floats, one: DetectorColumn) -> Floats:
    if one.scale == "logit":
        return values if one.polarity == "fake" else -values
    values = values / 100 if one.scale == "percent" else values
    return values if one.polarity == "fake" else 1 - values


def _named(texts: pa.ChunkedArray | None) -> Codes | None:
    codes = None if texts is None else Codes.of(texts)
    return None if codes is None or codes.names == ("",) else codes


def _people(texts: Mapping[str, pa.ChunkedArray], names: pa.ChunkedArray) -> Codes | None:
    """The identity group of each row; a file without one forms its own."""
    if _named(texts.get("group")) is None:
        return None
    group = texts["group"].to_pandas()
    return Codes.of(pa.array(group.where(group != "", "file " + names.to_pandas()), pa.string()))


def _sources(texts: Mapping[str, pa.ChunkedArray]) -> Codes | None:
    """The source of each row; without a source column, the kind of forgery, or the data set if that is empty."""
    given = texts.get("source", texts.get("dataset"))
    if "source" not in texts and "forgery" in texts:
        forgery, dataset = texts["forgery"].to_pandas(), texts["dataset"].to_pandas() if "dataset" in texts else ""
        given = pa.chunked_array([pa.array(forgery.where(forgery != "", dataset), pa.string())])
    codes = _named(given)
    return None if codes is None else codes.merged({"": UNNAMED})
