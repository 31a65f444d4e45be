"""Strict CSV parsing: every row has as many cells as headers, every quotation mark is closed, no header is repeated.

If that does not hold, pandas alone shifts, drops or swallows cells. Python's csv module in strict mode checks the text first
(1.2 s for a million rows of four cells); pandas then parses it.
"""

import csv
import io
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import pandas as pd

from dfworkbench.core.errors import TableError

_SEPARATORS = (",", ";", "\t", "|")
_EXCEL = re.compile(r'"?sep=(.)"?\s*')  # a first line specific to Excel
_ENDS = "\r\n"
_SHOWN = 100  # characters


class StrictCsv(NamedTuple):
    """CSV text that passed the check.

    Attributes:
        text: The header line and the rows, each with as many cells as there are headers.
        headers: Headers as written.
        separator: Cell separator.
        lines: Line of the file in which each row begins, counted from 1.
        notes: Notes on lines that are not rows.
    """

    text: str
    headers: list[str]
    separator: str
    lines: list[int]
    notes: list[str]

    def parse(self, **options: Any) -> pd.DataFrame:
        """Parse the table, with line numbers as index; options are those of `pandas.read_csv`."""
        plain: dict[str, Any] = {"sep": self.separator, "index_col": False, "skip_blank_lines": False}
        return pd.read_csv(io.StringIO(self.text), **plain, **options).set_axis(self.lines, axis="index")


@dataclass
class _Lines:
    """Findings by line number."""

    rows: list[int] = field(default_factory=list)
    comments: list[int] = field(default_factory=list)
    empty: list[int] = field(default_factory=list)
    dropped: set[int] = field(default_factory=set)
    shortened: dict[int, str] = field(default_factory=dict)  # first line of a row -> the row without surplus cells
    misfits: list[tuple[int, list[str]]] = field(default_factory=list)


def strict_csv(text: str, what: str, separator: str | None = None) -> StrictCsv:
    """Check CSV text.

    Empty lines, single-cell lines that begin with #, and `sep=;` in the first line are not rows. Empty cells beyond the last
    header are dropped. A cell may contain line breaks, unless its lines look like rows.

    Args:
        text: The whole file.
        what: Start of error messages, such as "reading scores from a.csv".
        separator: Cell separator; by default the most frequent one in the header line.

    Raises:
        TableError: Names the first line that violates a rule, its content, and the number of such lines.
    """
    if "\0" in text:
        line = text.count("\n", 0, text.index("\0")) + 1
        raise TableError(f"{what}: line {line} holds zero bytes; expected text. The file is damaged: get it again.")
    found = _Lines()
    first, separator = _before_rows(text, what, separator, found)
    records = _records(text, separator, first, what)
    _, headers, physical = next(records)
    names = _named(headers, what)
    _leave_out_surplus(found, range(first, first + len(physical)), headers, len(names), separator)
    for start, row, physical in records:
        if len(row) == len(names) and len(physical) == 1 and any(row):
            found.rows.append(start)
        else:
            _place(found, start, row, physical, names, separator, what)
    if found.misfits:
        _refuse_misfits(found.misfits, names, separator, what)
    return StrictCsv(
        "".join(_kept(text, found)) if found.dropped else text, names, separator, found.rows, _sentences(text, found)
    )


def csv_headers(text: str, what: str) -> list[str]:
    """The headers of CSV text, without checking the rows; messages and errors are those of `strict_csv`."""
    first, separator = _before_rows(text, what, None, _Lines())
    _, headers, _ = next(_records(text, separator, first, what))
    return _named(headers, what)


def _before_rows(text: str, what: str, separator: str | None, found: _Lines) -> tuple[int, str]:
    """Line number of the header line, and the separator."""
    for number, line in enumerate(io.StringIO(text, newline=""), start=1):
        said = _EXCEL.fullmatch(line) if number == 1 else None
        if said is None and line.strip() and not re.match(r"#\s*[^\s,;|]", line):
            bare = re.sub(r'"[^"]*"', "", line)
            return number, separator or max(_SEPARATORS, key=bare.count)
        found.dropped.add(number)
        separator = separator or (said[1] if said else None)
        found.comments += [number] if line.startswith("#") else []
    raise TableError(f"{what}: it is empty; expected a line of headers and a line per row. Write it again.")


def _records(text: str, separator: str, first: int, what: str) -> Iterator[tuple[int, list[str], list[str]]]:
    """Line number, cells and physical lines of each row, starting with the header line; the lines are valid until the next row."""
    physical: list[str] = []

    def lines() -> Iterator[str]:
        for number, line in enumerate(io.StringIO(text, newline=""), start=1):
            if number >= first:
                physical.append(line)
                yield line

    reader, start = csv.reader(lines(), delimiter=separator, strict=True), first
    try:
        for row in reader:
            yield start, row, physical
            start = first + reader.line_num
            physical.clear()
    except csv.Error as error:
        raise TableError(
            f"{what}: the row that begins in line {start} is not CSV ({error}): {_shown(physical[0])}. Expected quotation marks in "
            "pairs around whole cells: remove a single one, or write two for a mark inside a quoted cell."
        ) from None


def _named(headers: list[str], what: str) -> list[str]:
    """The headers, without empty ones at the end."""
    bare = [name.strip() for name in headers]
    twice = sorted({name for name in bare if name and bare.count(name) > 1})
    if twice:
        raise TableError(
            f"{what}: the header {twice[0]!r} occurs {bare.count(twice[0])} times; expected every header once, or it is not "
            "known which column is meant. Rename one."
        )
    while len(headers) > 1 and not headers[-1].strip():
        headers = headers[:-1]
    return headers


def _place(
    found: _Lines, start: int, row: list[str], physical: list[str], names: list[str], separator: str, what: str
) -> None:
    """Classify a row that is not obviously valid."""
    span = range(start, start + len(physical))
    if not any(cell.strip() for cell in row):
        found.empty.append(start)
        found.dropped.update(span)
    elif len(row) == 1 < len(names) and row[0].startswith("#"):
        found.comments.append(start)
        found.dropped.update(span)
    elif len(physical) > 1 and all(line.count(separator) >= max(1, len(names) - 1) for line in physical):
        raise TableError(
            f"{what}: a quotation mark that opens in line {start} closes in line {span[-1]}, and each of these lines looks like a "
            f"row of its own ({_shown(physical[0])}). Expected marks in pairs around whole cells: remove a single mark, or the "
            "line breaks inside the cell."
        )
    elif len(row) == len(names) or _leave_out_surplus(found, span, row, len(names), separator):
        found.rows.append(start)
    else:
        found.misfits.append((start, row))


def _leave_out_surplus(found: _Lines, span: range, row: list[str], width: int, separator: str) -> bool:
    """Drop surplus empty cells at the end of a row; False if it is not too long or the cells are not empty."""
    if len(row) <= width or any(cell.strip() for cell in row[width:]):
        return False
    quoted = ('"' + cell.replace('"', '""') + '"' for cell in row[:width])
    found.shortened[span[0]] = separator.join(quoted) + "\n"
    found.dropped.update(span)
    return True


def _refuse_misfits(misfits: list[tuple[int, list[str]]], names: list[str], separator: str, what: str) -> None:
    line, row = misfits[0]
    advice = "If the file was cut off there, get it again; otherwise fill in the row."
    if row[0].startswith("#"):
        advice = "If it is a comment, take it out: only comments without separators are skipped."
    elif len(row) > len(names):
        advice = (
            f"Put cells that hold {separator!r}, such as 0,5 or a name, into quotation marks, or use another separator."
        )
    raise TableError(
        f"{what}: line {line} has {len(row)} cells ({_shown(' | '.join(row))}); expected {len(names)}, as there are headers ("
        f"{_shown(' | '.join(names))}). Lines that do not fit: {len(misfits)}. {advice}"
    )


def _kept(text: str, found: _Lines) -> Iterator[str]:
    for number, line in enumerate(io.StringIO(text, newline=""), start=1):
        if number in found.shortened:
            yield found.shortened[number]
        elif number not in found.dropped:
            yield line


def _sentences(text: str, found: _Lines) -> list[str]:
    notes = []
    for lines, words in ((found.comments, "comment lines (#)"), (found.empty, "lines without any content")):
        if lines:
            notes.append(f"{len(lines)} {words} were skipped (first: line {lines[0]})")
    if found.rows and not text.endswith(("\n", "\r")):
        notes.append(
            f"the last line ({found.rows[-1]}) has no line end: if the file was cut off, its last cell may be incomplete"
        )
    return notes


def _shown(text: str) -> str:
    line = text.rstrip(_ENDS)
    return repr(line if len(line) <= _SHOWN else line[:_SHOWN] + "…")
