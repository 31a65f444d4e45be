"""The shared stylesheet and HTML parts of notebooks, cards and pages: tables, notes, figures. No scripts.

Colours follow JupyterLab's light and dark themes; elsewhere the light theme is used.
"""

import base64
import io
from collections.abc import Iterable, Sequence
from html import escape
from itertools import chain, repeat, zip_longest
from pathlib import Path
from typing import Any, NamedTuple

from dfworkbench.core.outputs import PAGE, mark_page, require_replaceable
from dfworkbench.core.workspace import atomic_path

_CSS = """
.dfw {--dfw-ink: var(--jp-ui-font-color1, #1f2933); --dfw-soft: var(--jp-ui-font-color2, #5b6673);
  --dfw-line: var(--jp-border-color2, #d9dee4); --dfw-card: var(--jp-layout-color1, #fff);
  --dfw-tint: var(--jp-layout-color2, #f4f6f8); --dfw-blue: #2f6db5; --dfw-good: #1d7f4c; --dfw-bad: #c0392b;
  color: var(--dfw-ink); font-family: var(--jp-ui-font-family, system-ui, sans-serif); font-size: 13px; line-height: 1.45}
.dfw-card {border: 1px solid var(--dfw-line, #d9dee4); border-top: 3px solid #2f6db5; border-radius: 6px;
  padding: 12px 16px 14px; max-width: 980px; margin: 4px 0; overflow: visible}
.dfw-card.plain {border-top: 1px solid var(--dfw-line); padding: 10px 14px; margin: 6px 0}
.dfw-title {font-size: 15px; font-weight: 600; margin: 0 0 6px}
.dfw-hint {color: var(--dfw-soft); font-size: 12px; line-height: 1.35}
.dfw-label {font-weight: 600}
.dfw-group {font-size: 11px; font-weight: 600; letter-spacing: .06em; text-transform: uppercase; color: var(--dfw-soft);
  border-bottom: 1px solid var(--dfw-line); padding: 8px 0 2px}
.dfw-good {color: var(--dfw-good)} .dfw-bad {color: var(--dfw-bad); white-space: pre-line}
.dfw-note {background: #fff3cd; color: #533f03; border-left: 4px solid #e0a800; border-radius: 3px; padding: 5px 10px;
  margin: 6px 0; max-width: 980px}
.dfw-note.bad {background: #fbe3dc; color: #6b1d08; border-color: #b3401f}
.dfw-chip {border-radius: 10px; padding: 1px 9px; font-weight: 600; white-space: nowrap; color: #fff}
.dfw-command {display: flex; gap: 10px; align-items: center; background: var(--dfw-tint); border: 1px solid var(--dfw-line);
  border-radius: 4px; padding: 6px 10px; margin-top: 3px}
.dfw-command code {flex: 1; user-select: all; white-space: pre-wrap; overflow-wrap: anywhere; background: none;
  font-family: var(--jp-code-font-family, ui-monospace, monospace); font-size: 12px; color: var(--dfw-ink)}
.dfw-command button {border: 1px solid var(--dfw-line); background: var(--dfw-card); color: var(--dfw-ink);
  border-radius: 4px; padding: 2px 10px; cursor: pointer; font-size: 12px}
.dfw-scroll {overflow-x: auto; margin: 6px 0}
.dfw.dfw table {border-collapse: collapse; font-size: 12.5px; margin: 0; background: none; border: none}
.dfw.dfw tr, .dfw.dfw tr:hover {background: none}
.dfw.dfw th {text-align: left; font-weight: 600; border: none; border-bottom: 1.5px solid var(--dfw-line); padding: 3px 14px 3px 0}
.dfw.dfw td {text-align: left; border: none; border-bottom: 1px solid var(--dfw-line); padding: 3px 14px 3px 0; vertical-align: top}
.dfw.dfw td.number, .dfw.dfw th.number {text-align: right; font-variant-numeric: tabular-nums}
.dfw.dfw td.number {white-space: nowrap}
.dfw.dfw td.wide {min-width: 22em; white-space: pre-line; overflow-wrap: anywhere}
.dfw.dfw tr.strong td, .dfw.dfw td:first-child {font-weight: 600}
.dfw td small {display: block; font-size: 12px; color: var(--dfw-soft); white-space: nowrap}
.dfw-columns {display: flex; gap: 0 44px; flex-wrap: wrap; align-items: flex-start}
.dfw-card .widget-html, .dfw-card .widget-html-content {line-height: 1.4; height: auto; margin: 0; overflow: visible}
"""

#: Extra styles of a standalone page: readable on a phone and on paper.
_PAGE_CSS = """
* {box-sizing: border-box}
html {-webkit-text-size-adjust: 100%}
body.dfw {margin: 0 auto; max-width: 1020px; padding: 28px 20px 60px; background: #fff;
  font: 15px/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "DejaVu Sans", sans-serif}
header {border-top: 5px solid #0b4f86; padding-top: 14px}
h1 {font-size: 27px; line-height: 1.2; margin: 0 0 6px; letter-spacing: -.01em}
h2 {font-size: 20px; margin: 44px 0 8px; padding-top: 10px; border-top: 1px solid var(--dfw-line)}
h3 {font-size: 15.5px; margin: 26px 0 4px}
p {margin: 6px 0 10px; max-width: 74ch}
.lead {font-size: 17px; max-width: 68ch}
.soft, figcaption, th {color: var(--dfw-soft)}
nav {font-size: 13.5px; margin: 14px 0 0; display: flex; flex-wrap: wrap; gap: 2px 18px}
a {color: #0b4f86}
.dfw-note {padding: 7px 12px; margin: 8px 0; max-width: 80ch}
.dfw.dfw table {font-size: 13.5px; line-height: 1.4; font-variant-numeric: tabular-nums}
.dfw.dfw th, .dfw.dfw td {padding: 5px 18px 5px 0}
.dfw.dfw th {vertical-align: bottom; white-space: nowrap}
figure {margin: 12px 0 4px}
figure img {display: block; max-width: 100%; height: auto}
figure.broad img {min-width: 660px}
figcaption {font-size: 13px; max-width: 80ch}
pre {background: var(--dfw-tint); border: 1px solid var(--dfw-line); border-radius: 4px; padding: 6px 10px; margin: 6px 0 14px;
  font: 11.5px/1.5 ui-monospace, "DejaVu Sans Mono", monospace; white-space: pre-wrap; overflow-wrap: anywhere}
pre b {font: 600 11px/1.5 system-ui, "DejaVu Sans", sans-serif; color: var(--dfw-soft); display: block}
@media (max-width: 600px) {body.dfw {padding: 14px 14px 40px; font-size: 14.5px} h1 {font-size: 23px} .lead {font-size: 15.5px}
  .dfw.dfw th, .dfw.dfw td {padding-right: 12px}}
@media print {body.dfw {max-width: none; padding: 0; font-size: 10.5pt} nav {display: none} h2, h3 {break-after: avoid}
  figure, tr, .dfw-note, pre {break-inside: avoid} .dfw-scroll {overflow: visible} .dfw.dfw table {font-size: 8.5pt}
  .dfw.dfw th, .dfw.dfw td {padding-right: 8pt} .dfw.dfw td.wide, figure.broad img {min-width: 0}
  a {color: inherit; text-decoration: none}}
"""

STYLE = f"<style>{_CSS}</style>"
#: Style of text cells. JupyterLab right-aligns all cells, and drops the stylesheet from untrusted notebooks.
LEFT = ' style="text-align:left"'
_LONG = 60  # a cell with at least this many characters is running text


class Link(NamedTuple):
    """A link, also as a cell of a table."""

    href: str
    words: str

    def html(self) -> str:
        """The link."""
        return f'<a href="{escape(self.href)}">{escape(self.words)}</a>'


def wrap(inner: str, extra: str = "") -> str:
    """Wrap HTML together with the stylesheet, for self-contained outputs; `extra` holds further CSS classes."""
    return f'{STYLE}<div class="dfw {extra}">{inner}</div>'


def html_table(
    names: Sequence[object],
    rows: Iterable[Sequence[object]],
    bold: Sequence[bool] = (),
    *,
    right: Sequence[bool] = (),
    row_heads: bool = False,
) -> str:
    """An HTML table; all text is escaped.

    Args:
        names: Column headings; empty for a table without a head.
        rows: Text, or a `Link`, per cell. Lines after the first are set small; long text gets a wide column.
        bold: Per row, whether it is emphasised.
        right: Per column, whether it holds numbers, aligned to the right.
        row_heads: The first cell of each row names it, for screen readers.
    """
    sides = [' class="number"' if number else LEFT for number in right]
    head = "".join(
        f'<th scope="col"{side}>{escape(str(name))}</th>' for name, side in zip_longest(names, sides, fillvalue=LEFT)
    )
    body = ""
    for row, strong in zip(rows, chain(bold, repeat(False)), strict=False):
        first = [f'<th scope="row"{LEFT}>{escape(str(row[0]))}</th>'] if row_heads else []
        cells = "".join(
            [*first, *(_cell(value, side) for value, side in [*zip_longest(row, sides, fillvalue=LEFT)][len(first) :])]
        )
        body += f"<tr{' class=strong' if strong else ''}>{cells}</tr>"
    head = f"<thead><tr>{head}</tr></thead>" if names else ""
    return f'<div class="dfw-scroll"><table>{head}<tbody>{body}</tbody></table></div>'


def _cell(value: object, side: str) -> str:
    if isinstance(value, Link):
        return f"<td{side}>{value.html()}</td>"
    if len(str(value)) > _LONG:
        return f'<td class="wide"{LEFT}>{escape(str(value))}</td>'
    first, _, rest = str(value).partition("\n")
    return f"<td{side}>{escape(first)}{f'<small>{escape(rest)}</small>' if rest else ''}</td>"


def note_html(text: str, bad: bool = False) -> str:
    """A highlighted note, red if `bad`; "" for an empty sentence."""
    return f'<div class="dfw-note{" bad" if bad else ""}">{escape(text)}</div>' if text else ""


def picture(figure: Any, words: str) -> str:
    """A matplotlib figure as a PNG that is kept in a saved notebook; `words` is the alternative text."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=110)
    data = base64.b64encode(buffer.getvalue()).decode()
    return f'<img style="max-width:100%" alt="{escape(words)}" src="data:image/png;base64,{data}">'


def figure_html(figure: Any, words: str, broad: bool = False) -> str:
    """A matplotlib figure as SVG with a caption; on a phone, a `broad` figure scrolls instead of shrinking."""
    import matplotlib as mpl

    buffer = io.BytesIO()
    with mpl.rc_context({"svg.hashsalt": "dfworkbench"}):  # equal figures give equal bytes
        figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    source = "data:image/svg+xml;base64," + base64.b64encode(buffer.getvalue()).decode()
    image = f'<img width="{round(figure.get_figwidth() * 100)}" src="{source}" alt="{escape(words)}">'
    kind = ' class="broad"' if broad else ""
    return f'<figure{kind}><div class="dfw-scroll">{image}</div><figcaption>{escape(words)}</figcaption></figure>'


def write_page(path: Path, title: str, body: str, what: str, style: str = "") -> Path:
    """Write a standalone page atomically.

    Args:
        path: An .html file; only a page written by dfworkbench is replaced.
        title: Title of the browser tab.
        body: HTML of the body.
        what: What is written, for messages, such as "a report".
        style: Additional CSS.

    Raises:
        OutputError: `path` does not end in .html, or the existing file was not written by dfworkbench.
    """
    require_replaceable(path, PAGE)
    page = (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{_CSS}{_PAGE_CSS}{style}</style></head>"
        f'<body class="dfw">{body}</body></html>\n'
    )
    with atomic_path(path, what) as temporary:
        temporary.write_text(mark_page(page), encoding="utf-8")
    return path
