"""CSV formula injection: prefix cells that a spreadsheet would execute with an apostrophe.

File and column names come from other people, and a spreadsheet executes cells that begin with = + - @, a tab or a line end. As
OWASP recommends ("CSV Injection"), such cells get a leading apostrophe. `plain_cells` removes exactly these apostrophes, so
that names are restored. Numbers, including numbers stored as text, are left unchanged.
"""

import re
from collections.abc import Callable
from typing import Any

import pandas as pd

_FORMULA = re.compile("'*[=+\\-@\t\r\n\uff1d\uff0b\uff0d\uff20]")  # the last four: full width, which some execute too
_NUMBER = re.compile(r"'*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")


def safe_cells(frame: pd.DataFrame) -> pd.DataFrame:
    """The table for writing: headers and cells that a spreadsheet would execute get a leading apostrophe."""
    return _each_text(frame, lambda text: f"'{text}" if _would_run(text) else text)


def plain_cells(frame: pd.DataFrame) -> pd.DataFrame:
    """Inverse of `safe_cells`."""
    return _each_text(frame, lambda text: text[1:] if text.startswith("'") and _would_run(text) else text)


def holds_returns(frame: pd.DataFrame) -> bool:
    """Whether a header or cell contains a carriage return."""
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
