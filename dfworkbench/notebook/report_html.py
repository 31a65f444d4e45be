"""The page of a report: one file that opens anywhere. No scripts, nothing that is fetched; readable on a phone and on paper."""

import base64
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import NamedTuple

import matplotlib as mpl
import pandas as pd
from matplotlib.figure import Figure

from dfworkbench.core.outputs import PAGE, mark_page, require_replaceable
from dfworkbench.core.workspace import atomic_path

CSS = """
:root {--ink: #1f2933; --soft: #5b6673; --line: #dfe3e8; --tint: #f5f7f9; --blue: #0b4f86; --fake: #b3401f}
* {box-sizing: border-box}
html {-webkit-text-size-adjust: 100%}
body {margin: 0 auto; max-width: 1020px; padding: 28px 20px 60px; color: var(--ink); background: #fff;
  font: 15px/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "DejaVu Sans", sans-serif}
header {border-top: 5px solid var(--blue); padding-top: 14px}
h1 {font-size: 27px; line-height: 1.2; margin: 0 0 6px; letter-spacing: -.01em}
h2 {font-size: 20px; margin: 44px 0 8px; padding-top: 10px; border-top: 1px solid var(--line)}
h3 {font-size: 15.5px; margin: 26px 0 4px}
p {margin: 6px 0 10px; max-width: 74ch}
.lead {font-size: 17px; max-width: 68ch}
.soft, small, figcaption {color: var(--soft)}
small {font-size: 12px; display: block; white-space: nowrap}
nav {font-size: 13.5px; margin: 14px 0 0; display: flex; flex-wrap: wrap; gap: 2px 18px}
a {color: var(--blue)}
.note {background: #fff3cd; color: #533f03; border-left: 4px solid #e0a800; padding: 7px 12px; margin: 8px 0; max-width: 80ch}
.note.bad {background: #fbe3dc; color: #6b1d08; border-color: var(--fake)}
.scroll {overflow-x: auto; margin: 8px 0}
table {border-collapse: collapse; font-size: 13.5px; line-height: 1.4; font-variant-numeric: tabular-nums}
th {text-align: left; font-weight: 600; color: var(--soft); border-bottom: 1.5px solid var(--line); padding: 4px 18px 4px 0;
  vertical-align: bottom; white-space: nowrap}
td {border-bottom: 1px solid var(--line); padding: 5px 18px 5px 0; vertical-align: top}
td:first-child {font-weight: 600}
td.wide {min-width: 22em}
td.text {white-space: pre-line; overflow-wrap: anywhere}
figure {margin: 12px 0 4px}
figure img {display: block; max-width: 100%; height: auto}
figure.broad img {min-width: 660px}
figcaption {font-size: 13px; max-width: 80ch}
pre {background: var(--tint); border: 1px solid var(--line); border-radius: 4px; padding: 6px 10px; margin: 6px 0 14px;
  font: 11.5px/1.5 ui-monospace, "DejaVu Sans Mono", monospace; white-space: pre-wrap; overflow-wrap: anywhere}
pre b {font: 600 11px/1.5 system-ui, "DejaVu Sans", sans-serif; color: var(--soft); display: block}
@media (max-width: 600px) {body {padding: 14px 14px 40px; font-size: 14.5px} h1 {font-size: 23px} .lead {font-size: 15.5px}
  th, td {padding-right: 12px}}
@media print {body {max-width: none; padding: 0; font-size: 10.5pt} nav {display: none} h2, h3 {break-after: avoid}
  figure, tr, .note, pre {break-inside: avoid} .scroll {overflow: visible} table {font-size: 8.5pt} th, td {padding-right: 8pt}
  td.wide {min-width: 0} figure.broad img {min-width: 0} a {color: inherit; text-decoration: none}}
"""


@dataclass(frozen=True)
class Link:
    """A link, also as a table's cell.

    Attributes:
        href: Relative to the page.
        words: To click on.
    """

    href: str
    words: str

    def html(self) -> str:
        """The link."""
        return f'<a href="{escape(self.href)}">{escape(self.words)}</a>'


class Section(NamedTuple):
    """A part of the page.

    Attributes:
        title: Its heading.
        body: HTML.
    """

    title: str
    body: str


def page_html(title: str, lead: str, notes: Iterable[str], sections: Sequence[Section]) -> str:
    """The whole page.

    Args:
        title: Of the page.
        lead: What came out, in one or two sentences; text.
        notes: What must be read beside every figure; HTML of `note_html`.
        sections: In their order.
    """
    links = "".join(f'<a href="#s{at}">{escape(part.title)}</a>' for at, part in enumerate(sections, 1))
    body = "".join(
        f'<section><h2 id="s{at}">{escape(part.title)}</h2>{part.body}</section>' for at, part in enumerate(sections, 1)
    )
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{CSS}</style></head><body>"
        f'<header><h1>{escape(title)}</h1><p class="lead">{escape(lead)}</p>{"".join(notes)}<nav>{links}</nav></header>'
        f"<main>{body}</main></body></html>\n"
    )


def write_page(path: Path, page: str) -> Path:
    """Write it whole or not at all.

    Raises:
        OutputError: `path` is no .html, or a file is there that is no page of ours.
    """
    require_replaceable(path, PAGE)
    with atomic_path(path, "a report") as temporary:
        temporary.write_text(mark_page(page), encoding="utf-8")
    return path


def note_html(text: str, bad: bool = False) -> str:
    """A sentence that must not be overlooked."""
    return f'<p class="note{" bad" if bad else ""}">{escape(text)}</p>'


def words_html(text: str) -> str:
    """A paragraph."""
    return f"<p>{escape(text)}</p>"


def command_html(command: str, words: str = "made by") -> str:
    """A command that makes what stands above."""
    return f"<pre><b>{escape(words)}</b>{escape(command)}</pre>" if command else ""


def table_html(frame: pd.DataFrame, wide: Sequence[str] = ()) -> str:
    """A table of text; in a cell, what follows the first line is set small. Columns in `wide` are running text."""
    head = "".join(f"<th>{escape(str(name))}</th>" for name in frame.columns)
    body = ""
    for values in frame.itertuples(index=False, name=None):
        cells = (_cell(value, str(name) in wide) for name, value in zip(frame.columns, values, strict=True))
        body += f"<tr>{''.join(cells)}</tr>"
    return f'<div class="scroll"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'


def figure_html(figure: Figure, words: str, broad: bool = False) -> str:
    """A figure as vector graphics inside the page, with words for those who cannot see it."""
    kind = ' class="broad"' if broad else ""
    width = round(figure.get_figwidth() * 100)
    return (
        f'<figure{kind}><div class="scroll"><img width="{width}" src="{_svg(figure)}" alt="{escape(words)}"></div>'
        f"<figcaption>{escape(words)}</figcaption></figure>"
    )


def _svg(figure: Figure) -> str:
    buffer = io.BytesIO()
    with mpl.rc_context({"svg.hashsalt": "dfworkbench"}):  # equal figures give equal bytes
        figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    return "data:image/svg+xml;base64," + base64.b64encode(buffer.getvalue()).decode()


def _cell(value: object, wide: bool) -> str:
    if isinstance(value, Link):
        return f"<td>{value.html()}</td>"
    if wide:
        return f'<td class="wide text">{escape(str(value))}</td>'
    first, _, rest = str(value).partition("\n")
    return f"<td>{escape(first)}{f'<small>{escape(rest)}</small>' if rest else ''}</td>"
