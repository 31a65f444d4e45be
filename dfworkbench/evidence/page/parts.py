"""Building blocks of a case page: tables of facts, notes of checks, pictures, formatted numbers."""

import base64
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from html import escape
from typing import Any

from dfworkbench.core.html import html_table
from dfworkbench.evidence.case import Check
from dfworkbench.evidence.rules.words import rounded_lr

_BOLD = re.compile(r"\*\*(.+?)\*\*")
_MOST_LETTERS = 2000  # longest untrusted text shown


def facts(rows: Mapping[str, object] | Iterable[tuple[str, object]]) -> str:
    """A table of names and values; empty values are left out, "" for no rows."""
    pairs = rows.items() if isinstance(rows, Mapping) else rows
    kept = [(name, text(value)) for name, value in pairs if value is not None and value != ""]
    return html_table([], kept, row_heads=True) if kept else ""


def nested(values: Mapping[str, Any]) -> str:
    """A table of nested values, with indented names for nested tables."""
    return facts(_flat(values))


def _flat(values: Mapping[str, Any], above: str = "") -> Iterable[tuple[str, object]]:
    for name, value in values.items():
        words = f"{above}{str(name).replace('_', ' ')}"
        if isinstance(value, Mapping):
            yield from _flat(value, f"{words}: ")
        elif isinstance(value, list | tuple) and any(isinstance(item, Mapping) for item in value):
            for number, item in enumerate(value):
                yield from _flat(item if isinstance(item, Mapping) else {"": item}, f"{words} {number}: ")
        else:
            yield words, value


def text(value: object) -> str:
    """A value as text: numbers shortened, lists joined, long text cut; "-" for nothing."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, int):
        return f"{value:,}" if abs(value) >= 10_000 else str(value)
    if isinstance(value, list | tuple):
        return ", ".join(map(text, value)) or "-"
    words = str(value)
    return words if len(words) <= _MOST_LETTERS else f"{words[:_MOST_LETTERS]}… ({len(words):,} characters)"


def lr_text(llr: float) -> str:
    """Format a log10 LR as an LR; below 1 also as a fraction."""
    if llr >= 0 or math.isinf(llr) or math.isnan(llr):
        return rounded_lr(llr)
    return f"{rounded_lr(llr)} (1/{rounded_lr(-llr)})"


def lr_range(low: float, high: float) -> str:
    """Format an interval of LRs; "-" for none, and one value if the bound cut both ends."""
    if low == high:
        return f"{lr_text(low)} at both ends, which the bound cut"
    return "-" if math.isnan(low) else f"{lr_text(low)} to {lr_text(high)}"


def number(value: float | None, digits: int = 3) -> str:
    """Format a number with fixed decimals; "-" for none."""
    return "-" if value is None or math.isnan(value) else f"{value:.{digits}f}"


def paragraph(words: str, kind: str = "") -> str:
    """Running text, with `**strong**` passages; "" for none."""
    if not words:
        return ""
    inner = _BOLD.sub(r"<strong>\1</strong>", escape(words))
    return f"<p{f' class={kind!r}' if kind else ''}>{inner}</p>"


def check_notes(checks: Sequence[Check]) -> str:
    """Rules that apply, as notes with their codes; "" for none."""
    return "".join(
        f'<div class="dfw-note{" bad" if check.refuses else ""}"><b>{check.code}</b> {escape(check.sentence)}</div>'
        for check in checks
        if check.holds
    )


def checks_table(checks: Sequence[Check]) -> str:
    """Table of all checked rules and what was found."""
    rows = [
        (
            check.code,
            ("refusal" if check.refuses else "reservation") if check.holds else "no",
            check.sentence,
        )
        for check in checks
    ]
    return html_table(["rule", "holds", "what was found"], rows, row_heads=True) if rows else ""


def png(data: bytes | None, words: str, kind: str = "face") -> str:
    """An embedded PNG; "" for none."""
    if not data:
        return ""
    source = "data:image/png;base64," + base64.b64encode(data).decode()
    return f'<img class="{kind}" src="{source}" alt="{escape(words)}">'


def quote(words: str) -> str:
    """A quotation, or an example of wording to avoid."""
    return f"<q>{escape(words)}</q>"


def day(moment: str) -> str:
    """A moment in ISO 8601 as "29 November 2026, 02:48 UTC"; other text as it is."""
    try:
        when = datetime.fromisoformat(moment)
    except ValueError:
        return moment
    return f"{when.day} {when:%B %Y, %H:%M} UTC"
