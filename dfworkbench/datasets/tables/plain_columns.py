"""Convert columns of other programs (categories, sparse, decimals, bytes) to plain text or numbers."""

import decimal
import numbers

import numpy as np
import pandas as pd

_NUMBERS = (numbers.Real, np.bool_, decimal.Decimal)
_LARGEST = 2.0**63  # range of an int64, exclusive


def plain_column(cells: pd.Series, dtype: str) -> pd.Series:
    """A column whose cells are text, numbers or missing.

    Args:
        cells: A column of any type.
        dtype: Target type: "str", "int64", "float64" or "bool".

    Raises:
        ValueError: Cells are something else, such as dates, lists or complex numbers, or do not convert to whole numbers or
            booleans if those are required.
    """
    kind = "U" if isinstance(cells.dtype, pd.StringDtype) else getattr(cells.dtype, "kind", "O")
    if not isinstance(cells.dtype, np.dtype) and not pd.api.types.is_string_dtype(cells.dtype):
        cells, kind = cells.astype(object), "O"
    if kind in "mMcV":
        raise ValueError(f"cells of type {cells.dtype}; expected {'text' if dtype == 'str' else 'numbers'}")
    if kind == "O":
        cells = _plain_cells(cells, dtype)
    if dtype == "int64" and kind != "i":
        _require_whole(cells)
    if dtype == "bool" and (texts := [cell for cell in cells.unique() if isinstance(cell, str)]):
        raise ValueError(f"text such as {texts[0]!r}; expected true and false")  # bool("False") is true
    return cells


def _plain_cells(cells: pd.Series, dtype: str) -> pd.Series:
    readable = (str, *_NUMBERS, bytes) if dtype == "str" else (str, *_NUMBERS)  # Parquet stores some text as binary
    kinds = cells[cells.notna()].map(type)
    for kind in kinds.unique():
        if not issubclass(kind, readable):
            first = cells[cells.map(lambda cell, kind=kind: isinstance(cell, kind))].iloc[0]
            raise ValueError(f"a cell of type {kind.__name__}: {str(first)[:80]}; expected text or numbers")
    if any(issubclass(kind, bytes) for kind in kinds.unique()):
        return cells.map(lambda cell: cell.decode("utf-8") if isinstance(cell, bytes) else cell)
    return cells


def _require_whole(cells: pd.Series) -> None:
    # the schema reports text that is not a number
    values = pd.to_numeric(cells, errors="coerce").astype("float64").dropna()
    broken = values[(values % 1 != 0) | (values.abs() >= _LARGEST)]
    if len(broken):
        raise ValueError(f"{len(broken)} cells that are not whole numbers, first {broken.iloc[0]:g}")
