"""Plain tables for notebooks and pages: no scripts, colours that follow JupyterLab's theme."""

from collections.abc import Iterable, Sequence
from html import escape

FONT = "font-family:var(--jp-ui-font-family,system-ui,sans-serif);font-size:13px;line-height:1.4"
SOFT = "color:var(--jp-ui-font-color2,#5b6673)"
NOTE = "background:#fff3cd;color:#533f03;border-left:4px solid #e0a800;padding:5px 10px;margin:6px 0;border-radius:3px"
_LINE = (
    "border-bottom:1px solid var(--jp-border-color2,#e5e7eb);padding:3px 14px 3px 0;text-align:left;vertical-align:top"
)


def html_table(names: Sequence[str], rows: Iterable[Sequence[object]], bold: Sequence[bool] = ()) -> str:
    """A table of escaped text: column names, rows of as many values each, and which rows are bold."""
    head = "".join(f'<th style="{_LINE};{SOFT}">{escape(name)}</th>' for name in names)
    body = ""
    for at, row in enumerate(rows):
        weight = ";font-weight:600" if at < len(bold) and bold[at] else ""
        body += "<tr>" + "".join(f'<td style="{_LINE}{weight}">{escape(str(value))}</td>' for value in row) + "</tr>"
    return f'<table style="border-collapse:collapse;margin:6px 0"><tr>{head}</tr>{body}</table>'


def note_html(text: str) -> str:
    """A sentence that must not be overlooked; nothing for ""."""
    return f'<div style="{NOTE}">{escape(text)}</div>' if text else ""
