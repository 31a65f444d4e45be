"""Stylesheet of case files: their parts in pages and notebooks, and the page on screens, phones and A4."""

import re

#: Parts of a case file, both on the page and in notebooks.
_PARTS = """
.dfw .first {border: 1.5px solid var(--dfw-line); border-top: 5px solid #0b4f86; border-radius: 4px; padding: 14px 20px 12px}
.dfw .first h1 {font-size: 22px; margin: 0 0 4px; overflow-wrap: anywhere}
.dfw .first h2 {border: none; font-size: 11.5px; letter-spacing: .06em; text-transform: uppercase; color: var(--dfw-soft);
  margin: 14px 0 2px; padding: 0}
.dfw .first ul {margin: 2px 0 4px; padding-left: 20px}
.dfw .first p {margin: 2px 0 4px; max-width: 92ch} .dfw .reading {font-size: 14px}
.dfw .findings .finding p:first-of-type {font-size: 17px; line-height: 1.45}
.dfw .foot {border-top: 1px solid var(--dfw-line); margin-top: 10px; padding-top: 6px; font-size: 11.5px; color: var(--dfw-soft);
  overflow-wrap: anywhere}
.dfw .finding {display: flex; gap: 14px; align-items: flex-start; padding: 8px 0}
.dfw .findings .finding + .finding {border-top: 1px solid var(--dfw-line)}
.dfw .finding > div:first-child {flex: 0 0 72px} .dfw .finding > div:last-child {flex: 1; min-width: 0}
.dfw img.face, .dfw .face.none {display: block; width: 72px; height: 72px; object-fit: cover; border-radius: 4px}
.dfw .face.none {border: 1px dashed var(--dfw-line); color: var(--dfw-soft); font-size: 11px; padding: 20px 4px; text-align: center}
.dfw .faces {display: flex; flex-wrap: wrap; gap: 10px} .dfw .faces figure {width: 120px; margin: 4px 0}
.dfw .faces figcaption {font-size: 11.5px}
.dfw .side {display: flex; flex-wrap: wrap; gap: 0 36px; align-items: flex-start}
.dfw .charts {display: grid; grid-template-columns: repeat(auto-fit, minmax(min(400px, 100%), 1fr)); gap: 4px 24px}
.dfw figure img {background: #fff; border-radius: 3px; max-width: 100%}
.dfw h4 {font-size: 13.5px; margin: 16px 0 2px} .dfw li {max-width: 80ch; margin: 2px 0}
.dfw li, .dfw dd, .dfw .finding p {overflow-wrap: anywhere}
.dfw dl {display: grid; grid-template-columns: 34px 1fr; gap: 3px 0; margin: 2px 0}
.dfw dl.broad {grid-template-columns: 9em 1fr}
.dfw dt {font-weight: 700} .dfw dd {margin: 0; max-width: 78ch}
.dfw p.soft {font-size: 13px; color: var(--dfw-soft)} .dfw q {font-style: italic}
.dfw.dfw tbody th {border-bottom: 1px solid var(--dfw-line); border-top: none; color: var(--dfw-ink); vertical-align: top;
  white-space: normal; max-width: 26em}
"""
PART_STYLE = f"<style>{_PARTS}</style>"

_PAGE = """
@page {size: A4; margin: 20mm 17mm 18mm;
  @top-left {content: HEAD; font: 8pt "DejaVu Sans", sans-serif; color: #5b6673}
  @top-right {content: "page " counter(page) " of " counter(pages); font: 8pt "DejaVu Sans", sans-serif; color: #5b6673}}
nav b {flex-basis: 100%} pre.log {font-size: 9px; line-height: 1.4}
@media screen and (prefers-color-scheme: dark) {
  body.dfw {--dfw-ink: #e4e8ec; --dfw-soft: #a5b0bb; --dfw-line: #3b454f; --dfw-card: #1b2127; --dfw-tint: #1e252b;
    background: #13181c; color: var(--dfw-ink)}
  a {color: #86bdf0} .dfw-note {background: #3a3110; color: #f6e3a1} .dfw-note.bad {background: #471d12; color: #ffcdbd}
  figure img {padding: 6px}}
@media (max-width: 600px) {.dfw .first {padding: 10px 12px} .dfw .finding > div:first-child {flex-basis: 52px}
  .dfw img.face {width: 52px; height: 52px} .dfw .findings .finding p:first-of-type {font-size: 15.5px}}
@media print {
  .dfw .first {break-after: page; border-width: 0; border-top-width: 4px; padding: 8px 0 0} .dfw .first h1 {font-size: 17pt}
  .dfw .first {font-size: 9.5pt; line-height: 1.4} .dfw .first h2 {margin-top: 9pt; font-size: 8pt} .dfw .finding {padding: 5px 0}
  .dfw .findings .finding p:first-of-type {font-size: 11pt} .dfw .finding {break-inside: avoid}
  .dfw .reading {font-size: 9.5pt} .dfw p.soft {font-size: 9pt} .dfw .foot {font-size: 8pt} h2 {margin-top: 22pt}
  nav {display: flex; font-size: 9.5pt} .side table {font-size: 7.5pt}
  .dfw figure img {width: auto; max-width: 100%; max-height: 95mm} .dfw .charts {display: block} .charts figure {max-width: 130mm}
  pre.log {font-size: 5.5pt; break-inside: auto}}
"""


def page_style(head: str) -> str:
    """Additional CSS of the page; `head` is printed at the top of every sheet."""
    return _PARTS + _PAGE.replace("HEAD", css_text(head))


def css_text(words: str) -> str:
    """Text as a CSS string; all but letters, digits and blanks are escaped, so that it cannot end the string."""
    return '"' + re.sub(r"[^A-Za-z0-9 ]", lambda found: f"\\{ord(found.group()):x} ", words) + '"'
