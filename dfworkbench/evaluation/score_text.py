"""CSV files of other programs as text cells: encodings, separators, decimal commas and percentages."""

import csv
import io
import re
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from dfworkbench.errors import DataNotFoundError, TableError

#: Key of `DataFrame.attrs`: sentences about how a file was read, for whoever shows its figures.
NOTES = "reading_notes"

_SEPARATORS = (",", ";", "\t", "|")
_BLANK = ("", "nan", "none", "null", "na", "n/a")
_COMMA_NUMBER = re.compile(r"[+-]?\d*,\d+([eE][+-]?\d+)?")


def read_cells(source: Path) -> pd.DataFrame:
    """All cells of a CSV file as text, under their headers; `attrs[NOTES]` says what was unusual.

    Columns may be separated by commas, semicolons, tabs or bars; the text may be UTF-8, UTF-16 with a mark, or cp1252.

    Raises:
        DataNotFoundError: There is no such file.
        TableError: It is no text, a header stands twice, or its rows do not fit its headers.
    """
    if not source.is_file():
        raise DataNotFoundError(f"reading scores: there is no file {source}. Give a .csv file with a row per score.")
    text, notes = _decoded(source)
    first, _, rest = text.partition("\n")
    separator = next(iter(re.findall(r"^sep=(.)\s*$", first)), "")  # Excel's first line
    text = rest if separator else text
    separator = separator or _separator(text.partition("\n")[0])
    _require_single_headers(next(csv.reader([text.partition("\n")[0]], delimiter=separator), []), source)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", pd.errors.ParserWarning)  # cells beyond the last header would be lost
            cells = pd.read_csv(io.StringIO(text), dtype=str, sep=separator, keep_default_na=False, index_col=False)
    except (ValueError, pd.errors.ParserWarning) as error:
        raise TableError(
            f"reading scores from {source}: it is no readable CSV file ({error}). Expected text with one line of headers and as "
            "many cells in each row; put cells that hold the separator, such as 0,5, into quotation marks."
        ) from error
    cells = cells.fillna("")  # a row with too few cells
    cells.attrs[NOTES] = notes
    return cells


def parse_numbers(texts: pd.Series, header: str, source: Path, notes: list[str] | None = None) -> NDArray[np.float64]:
    """Numbers of a column, NaN for empty cells, "nan" and "none".

    A column whose numbers have decimal commas, or all end in %, is understood; `notes` gets a sentence about it.

    Raises:
        TableError: A cell is no finite number, or numbers are written in several ways.
    """
    said = [] if notes is None else notes
    blank = texts.str.lower().isin(_BLANK)
    plain = texts.where(~blank, "")
    percent = plain.str.endswith("%")
    if percent.any() and (percent | blank).all():
        plain = plain.str.rstrip("%").str.rstrip()
        said.append(f"the column {header!r} has percentages: 50 % is 0.5")
    commas = plain.str.fullmatch(_COMMA_NUMBER)
    if commas.any() and not plain.str.contains(".", regex=False).any():
        plain = plain.where(~commas, plain.str.replace(",", ".", regex=False))
        said.append(f"the column {header!r} has decimal commas: 0,5 is 0.5")
    values = pd.to_numeric(plain.where(~blank), errors="coerce").to_numpy(np.float64)
    bad = np.flatnonzero((np.isnan(values) & ~blank.to_numpy()) | np.isinf(values))
    if len(bad):
        raise TableError(
            f"reading scores from {source}: the column {header!r} has {texts.iloc[bad[0]]!r} in row {texts.index[bad[0]] + 1}, and "
            f"{len(bad)} such cell(s) in all; expected a finite number, written in one way, or nothing. Correct them."
        )
    return values / 100 if percent.any() else values


def _decoded(source: Path) -> tuple[str, list[str]]:
    try:
        raw = source.read_bytes()
        if raw[:2] in (b"\xff\xfe", b"\xfe\xff"):
            return raw.decode("utf-16"), []
        try:
            return raw.decode("utf-8-sig"), []
        except UnicodeDecodeError:
            if b"\0" in raw:
                raise
            return raw.decode("cp1252"), ["the file is not UTF-8 and was read as cp1252 (Western European Windows)"]
    except (ValueError, OSError) as error:
        raise TableError(
            f"reading scores from {source}: it is no readable CSV file ({error}). Expected text, in UTF-8: save it again as CSV."
        ) from error


def _separator(head: str) -> str:
    """The separator that stands most often in the line of headers, outside of quotation marks."""
    bare = re.sub(r'"[^"]*"', "", head)
    return max(_SEPARATORS, key=bare.count)


def _require_single_headers(headers: list[str], source: Path) -> None:
    twice = sorted({name for name in headers if name.strip() and headers.count(name) > 1})
    if twice:
        raise TableError(
            f"reading scores from {source}: the header {twice[0]!r} stands {headers.count(twice[0])} times; expected every header "
            "once, or it is not known which column is meant. Rename one."
        )
