"""Protect CSV files against formula injection: cells that a spreadsheet would run begin with an apostrophe.

Names of files and columns come from other people, and a spreadsheet runs a cell that begins with = + - @, a tab or a line end.
The usual way is followed (OWASP, "CSV Injection"): an apostrophe in front. `plain_cells` takes exactly these apostrophes away
again, so that names come back as they were. Numbers are left as they are, also where they stand as text.
"""

import re
from collections.abc import Callable
from typing import Any

import pandas as pd

_FORMULA = re.compile("'*[=+\\-@\t\r\n\uff1d\uff0b\uff0d\uff20]")  # the last four: full width, which some take likewise
_NUMBER = re.compile(r"'*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")


def safe_cells(frame: pd.DataFrame) -> pd.DataFrame:
    """The table as it is written: headers and cells that a spreadsheet would run begin with an apostrophe."""
    return _each_text(frame, lambda text: f"'{text}" if _would_run(text) else text)


def plain_cells(frame: pd.DataFrame) -> pd.DataFrame:
    """The table that `safe_cells` was given."""
    return _each_text(frame, lambda text: text[1:] if text.startswith("'") and _would_run(text) else text)


def holds_returns(frame: pd.DataFrame) -> bool:
    """Whether a header or cell holds a carriage return."""
    texts = [name for name in frame.columns if _is_text(name)]
    for at in range(frame.shape[1]):
        if not pd.api.types.is_numeric_dtype(frame.iloc[:, at].dtype):
            texts += filter(_is_text, frame.iloc[:, at].unique())
    return any("\r" in text for text in texts)


def _would_run(text: str) -> bool:
    return _FORMULA.match(text) is not None and _NUMBER.fullmatch(text) is None


def _each_text(frame: pd.DataFrame, change: Callable[[str], str]) -> pd.DataFrame:
    columns = {at: _changed(frame.iloc[:, at], change) for at in range(frame.shape[1])}
    out = pd.concat(columns, axis=1) if columns else frame.copy()
    out.columns = [change(name) if isinstance(name, str) else name for name in frame.columns]
    return out


def _changed(cells: Any, change: Callable[[str], str]) -> Any:
    if pd.api.types.is_numeric_dtype(cells.dtype) or pd.api.types.is_datetime64_any_dtype(cells.dtype):
        return cells
    plain = cells.astype(object)
    changes = {text: new for text in set(filter(_is_text, plain)) if (new := change(text)) != text}
    if not changes:
        return cells
    changed = plain.map(lambda cell: changes.get(cell, cell) if _is_text(cell) else cell)
    return changed.astype(cells.dtype) if pd.api.types.is_string_dtype(cells.dtype) else changed


def _is_text(cell: object) -> bool:
    return isinstance(cell, str)
