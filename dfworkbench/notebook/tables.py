"""Tables as people read them: text to the left, numbers to the right, nothing cut off."""

import html
from typing import Any

import pandas as pd

from dfworkbench.notebook.look import wrap


class ReadableTable(pd.DataFrame):
    """A DataFrame that shows itself in the house look. Everything computed from it is a plain DataFrame."""

    @property
    def _constructor(self) -> type[pd.DataFrame]:
        return pd.DataFrame

    def _repr_html_(self) -> str:
        return wrap(table_html(self))


def table_html(frame: pd.DataFrame) -> str:
    """A table with its index as first column."""
    numeric = [pd.api.types.is_numeric_dtype(dtype) for dtype in frame.dtypes]
    head = f"<th>{_text(frame.index.name or '')}</th>"
    head += "".join(f"<th{_side(right)}>{_text(name)}</th>" for name, right in zip(frame.columns, numeric, strict=True))
    body = ""
    for name, *values in frame.itertuples(name=None):
        cells = "".join(f"<td{_side(right)}>{_text(value)}</td>" for value, right in zip(values, numeric, strict=True))
        body += f"<tr><td><b>{_text(name)}</b></td>{cells}</tr>"
    return f'<div style="overflow-x:auto"><table><tr>{head}</tr>{body}</table></div>'


def _side(right: bool) -> str:
    return ' class="number"' if right else ""


def _text(value: Any) -> str:
    if isinstance(value, float):
        return "-" if value != value else f"{value:.4g}"
    return html.escape(str(value))
