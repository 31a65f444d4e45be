"""HTML of a leakage audit for notebooks: verdict as a coloured chip, one line per kind of leak, first leaks."""

from html import escape

from dfworkbench.core.html import html_table, wrap
from dfworkbench.core.palette import FAKE_RGB, REAL_RGB
from dfworkbench.datasets.audit.audit import KINDS, RED, Audit

_SHOWN = 20


def audit_html(found: Audit) -> str:
    """Plain HTML without scripts."""
    head = f"<b>{escape(found.name or 'Leakage audit')}</b> {verdict_html(found)}"
    kinds = [(KINDS[f.kind], "not looked at" if f.count is None else f.count, f.looked_at) for f in found.findings]
    table = html_table(("what crosses splits", "found", "looked at"), kinds, [bool(f.count) for f in found.findings])
    return wrap(f"{head}{table}{_leaks(found)}")


def verdict_html(found: Audit, prefix: str = "") -> str:
    """The verdict as a coloured chip, with a remark if frames were not compared."""
    rgb = FAKE_RGB if found.verdict == RED else REAL_RGB
    chip = f'<span class="dfw-chip" style="background:rgb{rgb}">{escape(prefix)}{found.verdict}</span>'
    rest = "" if found.saw_pictures else ' <span class="dfw-hint">by tables alone: no frames were compared</span>'
    return chip + rest


def _leaks(found: Audit) -> str:
    if found.rows.empty:
        return ""
    shown = found.rows.head(_SHOWN)
    rows = [(r.kind, f"{r.split_a}: {r.video_a}", f"{r.split_b}: {r.video_b}", r.detail) for r in shown.itertuples()]
    more = len(found.rows) - len(shown)
    rest = f'<div class="dfw-hint">… and {more} more rows; see .rows and .to_csv(path)</div>' if more else ""
    return html_table(("kind", "one side", "other side", "detail"), rows) + rest
