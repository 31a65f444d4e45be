"""An audit as a card in a notebook: the verdict in a word and a colour, one line per kind, and the first leaks."""

from html import escape

from dfworkbench.evaluation.audit import KINDS, RED, Audit
from dfworkbench.evaluation.palette import FAKE_RGB, REAL_RGB

_SHOWN = 20
_FONT = "font-family:var(--jp-ui-font-family,system-ui,sans-serif);font-size:13px;line-height:1.4"
_SOFT = "color:var(--jp-ui-font-color2,#5b6673)"
_LINE = (
    "border-bottom:1px solid var(--jp-border-color2,#e5e7eb);padding:3px 14px 3px 0;text-align:left;vertical-align:top"
)


def audit_html(found: Audit) -> str:
    """Plain HTML without scripts."""
    rgb = FAKE_RGB if found.verdict == RED else REAL_RGB
    chip = (
        f'<span style="background:rgb{rgb};color:#fff;border-radius:10px;padding:1px 9px;font-weight:600">'
        f"{found.verdict}</span>"
    )
    head = f"<b>{escape(found.name or 'Leakage audit')}</b> {chip}"
    if not found.saw_pictures:
        head += f' <span style="{_SOFT}">by tables alone: no frames were compared</span>'
    kinds = "".join(_row((KINDS[f.kind], _count(f.count), f.looked_at), bold=bool(f.count)) for f in found.findings)
    table = _table(("what crosses splits", "found", "looked at"), kinds)
    return f'<div style="{_FONT};max-width:1010px">{head}{table}{_leaks(found)}</div>'


def _leaks(found: Audit) -> str:
    if found.rows.empty:
        return ""
    shown = found.rows.head(_SHOWN)
    body = "".join(
        _row((r.kind, f"{r.split_a}: {r.video_a}", f"{r.split_b}: {r.video_b}", r.detail)) for r in shown.itertuples()
    )
    more = len(found.rows) - len(shown)
    rest = f'<div style="{_SOFT}">… and {more} more rows; see .rows and .to_csv(path)</div>' if more else ""
    return _table(("kind", "one side", "other side", "detail"), body) + rest


def _count(count: int | None) -> str:
    return "not looked at" if count is None else str(count)


def _table(names: tuple[str, ...], body: str) -> str:
    head = "".join(f'<th style="{_LINE};{_SOFT}">{name}</th>' for name in names)
    return f'<table style="border-collapse:collapse;margin:6px 0"><tr>{head}</tr>{body}</table>'


def _row(values: tuple[object, ...], *, bold: bool = False) -> str:
    weight = ";font-weight:600" if bold else ""
    return "<tr>" + "".join(f'<td style="{_LINE}{weight}">{escape(str(value))}</td>' for value in values) + "</tr>"
