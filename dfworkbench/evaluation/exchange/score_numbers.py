"""Parse numbers in text cells: decimal commas, percentages, and words for missing values."""

import re
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from dfworkbench.core.errors import TableError

_BLANK = ("", "nan", "none", "null", "na", "n/a")
_COMMA_NUMBER = re.compile(r"[+-]?\d*,\d+([eE][+-]?\d+)?")
_THOUSANDS = re.compile(r"[+-]?[1-9]\d{0,2}(,\d{3})+")  # 1,234: either a thousands separator or a decimal comma


def parse_numbers(texts: pd.Series, header: str, source: Path, notes: list[str] | None = None) -> NDArray[np.float64]:
    """Parse the numbers of a column, NaN for empty cells, "nan" and "none".

    Columns with decimal commas, or with % after every number, are understood; a remark is added to `notes`.

    Raises:
        TableError: A cell is not a finite number, or number formats are mixed.
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
