"""CSV files of other programs as text cells: encodings, separators, decimal commas and percentages."""

import re
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from dfworkbench.core.errors import DataNotFoundError, TableError
from dfworkbench.datasets.tables import csv_headers, plain_cells, strict_csv
from dfworkbench.media.foreign.bounds import bounded_memory, require_cells

#: Key of `DataFrame.attrs`: sentences about how a file was read, for whoever shows its figures.
NOTES = "reading_notes"

_BLANK = ("", "nan", "none", "null", "na", "n/a")
_COMMA_NUMBER = re.compile(r"[+-]?\d*,\d+([eE][+-]?\d+)?")
_THOUSANDS = re.compile(r"[+-]?[1-9]\d{0,2}(,\d{3})+")  # 1,234: a number above a thousand, or one with a decimal comma


def read_cells(source: Path) -> pd.DataFrame:
    """All cells of a CSV file as text, under their headers, with line numbers as index; `attrs[NOTES]` says what was unusual.

    Columns may be separated by commas, semicolons, tabs or bars; the text may be UTF-8, UTF-16 with a mark, or cp1252.

    Raises:
        DataNotFoundError: There is no such file.
        TableError: It is no text, would take too much memory, or is no strict CSV (`datasets.tables.strict_csv`).
    """
    _require_small_file(source)
    with bounded_memory(source, "reading scores", TableError):
        text, notes = _decoded(source)
        checked = strict_csv(text, f"reading scores from {source}")
        try:
            cells = plain_cells(checked.parse(dtype="str", keep_default_na=False))
        except ValueError as error:
            raise TableError(
                f"reading scores from {source}: it is no readable CSV file ({error}). Expected one line of headers and as many "
                "cells in each row: write it again."
            ) from error
    cells.attrs[NOTES] = notes + checked.notes
    return cells


def read_headers(source: Path) -> list[str]:
    """The headers of a CSV file; errors are those of `read_cells`, as far as the line of headers goes."""
    _require_small_file(source)
    with bounded_memory(source, "reading scores", TableError):
        return csv_headers(_decoded(source)[0], f"reading scores from {source}")


def parse_numbers(texts: pd.Series, header: str, source: Path, notes: list[str] | None = None) -> NDArray[np.float64]:
    """Numbers of a column, NaN for empty cells, "nan" and "none".

    A column whose numbers have decimal commas, or all end in %, is understood; `notes` gets a sentence about it.

    Raises:
        TableError: A cell is no finite number, or numbers are written in several ways.
    """
    said = [] if notes is None else notes
    blank = texts.str.lower().isin(_BLANK)
    words = blank & (texts != "")
    if words.any():
        said.append(f"{int(words.sum())} cells of {header!r} hold no number ({texts[words].iloc[0]})")
    plain = texts.where(~blank, "")
    percent = plain.str.endswith("%")
    if percent.any() and (percent | blank).all():
        plain = plain.str.rstrip("%").str.rstrip()
        said.append(f"the column {header!r} has percentages: 50 % is 0.5")
    commas = plain.str.fullmatch(_COMMA_NUMBER)
    if commas.any() and not plain.str.contains(".", regex=False).any():
        _require_decimal_commas(plain[commas], header, source)
        plain = plain.where(~commas, plain.str.replace(",", ".", regex=False))
        said.append(f"the column {header!r} has decimal commas: 0,5 is 0.5")
    values = pd.to_numeric(plain.where(~blank), errors="coerce").to_numpy(np.float64)
    bad = np.flatnonzero((np.isnan(values) & ~blank.to_numpy()) | np.isinf(values))
    if len(bad):
        raise TableError(
            f"reading scores from {source}: the column {header!r} has {texts.iloc[bad[0]]!r} in line {texts.index[bad[0]]}, and "
            f"{len(bad)} such cell(s) in all; expected a finite number, written in one way, or nothing. Correct them."
        )
    return values / 100 if percent.any() else values


def _require_decimal_commas(cells: pd.Series, header: str, source: Path) -> None:
    if cells.str.fullmatch(_THOUSANDS).all():
        raise TableError(
            f"reading scores from {source}: the column {header!r} has {cells.iloc[0]!r} in line {cells.index[0]}, which may be "
            f"{cells.iloc[0].replace(',', '')} or {cells.iloc[0].replace(',', '.')}, and no other cell tells which. Expected "
            "numbers with decimal points and without thousands separators: write them so."
        )


def _require_small_file(source: Path) -> None:
    if not source.is_file():
        raise DataNotFoundError(f"reading scores: there is no file {source}. Give a .csv file with a row per score.")
    require_cells(source, "reading scores", TableError)


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
