"""Data frames as HTML tables: text left-aligned, numbers right-aligned, nothing truncated."""

import math
from typing import Any

import pandas as pd
from pandas.api.types import is_float_dtype, is_numeric_dtype

from dfworkbench.core.html import html_table, wrap

_DIGITS = 4  # of a number
_SPREAD = 100  # numbers that differ by more are written each in its own way, or the small ones would lose their digits


class ReadableTable(pd.DataFrame):
    """A DataFrame that displays itself in the house style. Anything computed from it is a plain DataFrame."""

    @property
    def _constructor(self) -> type[pd.DataFrame]:
        return pd.DataFrame

    def _repr_html_(self) -> str:
        return wrap(table_html(self))


def table_html(frame: pd.DataFrame) -> str:
    """A table with its index as first column."""
    numeric = [False, *(is_numeric_dtype(dtype) for dtype in frame.dtypes)]
    names = [_text(frame.index.name or ""), *map(_text, frame.columns)]
    columns = [map(_text, frame.index), *(_texts(frame.iloc[:, place]) for place in range(frame.shape[1]))]
    return html_table(names, zip(*columns, strict=True), right=numeric)


def _texts(column: pd.Series) -> list[str]:
    """Cells of a column. Numbers of similar size get the same number of decimals, so that decimal points align."""
    texts = [_text(value) for value in column]
    sizes = column.abs()[column.abs() > 0] if is_float_dtype(column.dtype) else []
    if not len(sizes) or max(sizes) > min(_SPREAD * min(sizes), 10**_DIGITS) or any("e" in text for text in texts):
        return texts
    needed = max(len(text.partition(".")[2]) for text in texts)
    # four digits of the largest number, and at least three of the smallest
    largest, smallest = (math.floor(math.log10(size)) for size in (max(sizes), min(sizes)))
    decimals = min(needed, max(0, _DIGITS - 1 - largest, _DIGITS - 2 - smallest))
    return [text if pd.isna(value) else f"{value:.{decimals}f}" for text, value in zip(texts, column, strict=True)]


def _text(value: Any) -> str:
    if isinstance(value, float):
        return "-" if value != value else f"{value:.{_DIGITS}g}"
    return str(value)
