"""How panels and tables of this package look in a notebook: colours follow JupyterLab's light and dark themes."""

import base64
import html
from typing import Any

CSS = """
.dfw {--dfw-ink: var(--jp-ui-font-color1, #1f2933); --dfw-soft: var(--jp-ui-font-color2, #5b6673);
  --dfw-line: var(--jp-border-color2, #d9dee4); --dfw-card: var(--jp-layout-color1, #fff);
  --dfw-tint: var(--jp-layout-color2, #f4f6f8); --dfw-blue: #2f6db5; --dfw-good: #1d7f4c; --dfw-bad: #c0392b;
  color: var(--dfw-ink); font-family: var(--jp-ui-font-family, system-ui, sans-serif); font-size: 13px; line-height: 1.45}
.dfw-card {border: 1px solid var(--dfw-line, #d9dee4); border-top: 3px solid #2f6db5; border-radius: 6px;
  padding: 12px 16px 14px; max-width: 980px; margin: 4px 0; overflow: visible}
.dfw-title {font-size: 15px; font-weight: 600; margin: 0 0 6px}
.dfw-hint {color: var(--dfw-soft); font-size: 12px; line-height: 1.35}
.dfw-label {font-weight: 600}
.dfw-group {font-size: 11px; font-weight: 600; letter-spacing: .06em; text-transform: uppercase; color: var(--dfw-soft);
  border-bottom: 1px solid var(--dfw-line); padding: 8px 0 2px}
.dfw-good {color: var(--dfw-good)} .dfw-bad {color: var(--dfw-bad); white-space: pre-line}
.dfw-command {display: flex; gap: 10px; align-items: center; background: var(--dfw-tint); border: 1px solid var(--dfw-line);
  border-radius: 4px; padding: 6px 10px; margin-top: 3px}
.dfw-command code {flex: 1; user-select: all; white-space: pre-wrap; overflow-wrap: anywhere; background: none;
  font-family: var(--jp-code-font-family, ui-monospace, monospace); font-size: 12px; color: var(--dfw-ink)}
.dfw-command button {border: 1px solid var(--dfw-line); background: var(--dfw-card); color: var(--dfw-ink);
  border-radius: 4px; padding: 2px 10px; cursor: pointer; font-size: 12px}
.dfw.dfw table {border-collapse: collapse; font-size: 12.5px; margin: 6px 0; background: none; border: none}
.dfw.dfw tr, .dfw.dfw tr:hover {background: none}
.dfw.dfw th {text-align: left; font-weight: 600; border: none; border-bottom: 1.5px solid var(--dfw-line); padding: 3px 14px 3px 0}
.dfw.dfw td {text-align: left; border: none; border-bottom: 1px solid var(--dfw-line); padding: 3px 14px 3px 0; vertical-align: top}
.dfw.dfw td.number, .dfw.dfw th.number {text-align: right; font-variant-numeric: tabular-nums}
.dfw.dfw td.number {white-space: nowrap}
.dfw-columns {display: flex; gap: 0 44px; flex-wrap: wrap; align-items: flex-start}
.dfw-card .widget-html, .dfw-card .widget-html-content {line-height: 1.4; height: auto; margin: 0; overflow: visible}
"""

STYLE = f"<style>{CSS}</style>"


def wrap(inner: str, extra: str = "") -> str:
    """A block of HTML in the house look, for outputs that must stand alone."""
    return f'{STYLE}<div class="dfw {extra}">{inner}</div>'


def picture(figure: Any, words: str) -> str:
    """A figure of `plots` as HTML that stays in a stored notebook; `words` say what it shows, to those who do not see it."""
    data = base64.b64encode(figure._repr_png_()).decode()
    return f'<img style="max-width:100%" alt="{html.escape(words)}" src="data:image/png;base64,{data}">'
