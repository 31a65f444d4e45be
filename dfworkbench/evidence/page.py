"""The page of a case file: self-contained HTML, for the screen (light, dark, phone) and for A4; the PDF is made of it."""

import re
from html import escape
from pathlib import Path

from dfworkbench.core.html import write_page
from dfworkbench.evidence.case import CaseFile
from dfworkbench.evidence.page_findings import applicability, findings_per_person
from dfworkbench.evidence.page_first import first_page
from dfworkbench.evidence.page_reading import how_to_read, what_this_is_not
from dfworkbench.evidence.page_record import evidence_record, limits, log, method, references, reproduction
from dfworkbench.evidence.page_reference import reference_data, validation

PAGE_NAME = "report.html"

#: Besides the style of all pages: dark screens, the findings of page 1, page numbers on paper.
_CSS = """
@page {size: A4; margin: 20mm 17mm 18mm;
  @top-left {content: CASE; font: 8pt "DejaVu Sans", sans-serif; color: #5b6673}
  @top-right {content: "page " counter(page) " of " counter(pages); font: 8pt "DejaVu Sans", sans-serif; color: #5b6673}}
.first {border: 1.5px solid var(--dfw-line); border-top: 5px solid #0b4f86; border-radius: 4px; padding: 14px 20px 12px}
.first h1 {font-size: 22px; margin: 0 0 4px}
.first h2 {border: none; font-size: 11.5px; letter-spacing: .06em; text-transform: uppercase; color: var(--dfw-soft);
  margin: 14px 0 2px; padding: 0}
.first ul {margin: 2px 0 4px; padding-left: 20px} .first p {margin: 2px 0 4px}
.first dl {display: grid; grid-template-columns: 34px 1fr; gap: 3px 0; margin: 2px 0}
dt {font-weight: 700} dd {margin: 0; max-width: 78ch}
.finding {display: flex; gap: 14px; align-items: flex-start; padding: 8px 0}
.findings .finding + .finding {border-top: 1px solid var(--dfw-line)}
.findings .finding p:first-of-type {font-size: 17px; line-height: 1.45}
.finding > div:first-child {flex: 0 0 72px} .finding > div:last-child {flex: 1; min-width: 0}
img.face, .face.none {display: block; width: 72px; height: 72px; object-fit: cover; border-radius: 4px}
.face.none {border: 1px dashed var(--dfw-line); color: var(--dfw-soft); font-size: 11px; padding: 20px 4px; text-align: center}
.faces {display: flex; flex-wrap: wrap; gap: 10px} .faces figure {width: 120px; margin: 4px 0} .faces figcaption {font-size: 11.5px}
.reading {font-size: 14px} p.soft {font-size: 13px}
.foot {border-top: 1px solid var(--dfw-line); margin-top: 10px; padding-top: 6px; font-size: 11.5px; color: var(--dfw-soft);
  overflow-wrap: anywhere}
nav b {flex-basis: 100%} .side {display: flex; flex-wrap: wrap; gap: 0 36px; align-items: flex-start}
.charts {display: grid; grid-template-columns: repeat(auto-fit, minmax(min(400px, 100%), 1fr)); gap: 4px 24px}
figure img {background: #fff; border-radius: 3px}
h4 {font-size: 13.5px; margin: 16px 0 2px} li {max-width: 80ch; margin: 2px 0} li, dd, td, .finding p {overflow-wrap: anywhere}
.dfw.dfw tbody th {border-bottom: 1px solid var(--dfw-line); border-top: none; color: var(--dfw-ink); vertical-align: top;
  white-space: normal; max-width: 26em}
pre.log {font-size: 9px; line-height: 1.4} q {font-style: italic}
@media screen and (prefers-color-scheme: dark) {
  body.dfw {--dfw-ink: #e4e8ec; --dfw-soft: #a5b0bb; --dfw-line: #3b454f; --dfw-card: #1b2127; --dfw-tint: #1e252b;
    background: #13181c; color: var(--dfw-ink)}
  a {color: #86bdf0} .dfw-note {background: #3a3110; color: #f6e3a1} .dfw-note.bad {background: #471d12; color: #ffcdbd}
  figure img {padding: 6px}}
@media (max-width: 600px) {.first {padding: 10px 12px} .finding > div:first-child {flex-basis: 52px}
  img.face {width: 52px; height: 52px} .findings .finding p:first-of-type {font-size: 15.5px}}
@media print {
  .first {break-after: page; border-width: 0; border-top-width: 4px; padding: 8px 0 0} .first h1 {font-size: 17pt}
  .findings .finding p:first-of-type {font-size: 11.5pt} .finding {break-inside: avoid}
  .reading, p.soft {font-size: 9pt} .foot {font-size: 8pt} h2 {margin-top: 22pt}
  nav {display: flex; font-size: 9.5pt} .side table {font-size: 7.5pt}
  figure img {width: auto; max-width: 100%; max-height: 95mm} .charts {display: block} .charts figure {max-width: 130mm}
  pre.log {font-size: 5.5pt}}
"""


def write_case_page(case: CaseFile, path: Path) -> Path:
    """Write the page of a case, whole or not at all; equal cases give equal bytes.

    Raises:
        OutputError: `path` is no .html, cannot be written, or holds something that is not ours.
    """
    style = _CSS.replace("CASE", css_text(f"Case {case.case}"))
    return write_page(path, f"Case {case.case}", page_body(case), "a case file", style)


def page_body(case: CaseFile) -> str:
    """The body of the page."""
    sections = {
        "how": ("How to read this", how_to_read(case)),
        "not": ("What this is not", what_this_is_not(case)),
        "findings": ("Findings per person", findings_per_person(case)),
        "applies": ("Does the reference set apply?", applicability(case)),
        "reference": ("Reference data", reference_data(case)),
        "validation": ("Validation of the LR system", validation(case)),
        "record": ("Evidence record", evidence_record(case)),
        "method": ("Method and settings", method(case)),
        "again": ("Reproduction", reproduction(case)),
        "log": ("Log", log(case)),
        "limits": ("Limits", limits(case)),
        "references": ("References", references()),
    }
    named = {key: f"{number} {title}" for number, (key, (title, _)) in enumerate(sections.items(), start=2)}
    links = "".join(
        f'<a href="#{key}">{escape(name)}</a>' for key, name in [("first", "1 Findings in short"), *named.items()]
    )
    body = "".join(
        f'<section><h2 id="{key}">{escape(named[key])}</h2>{part}</section>' for key, (_, part) in sections.items()
    )
    return f'<main>{first_page(case)}<nav aria-label="Contents"><b>Contents</b>{links}</nav>{body}</main>'


def css_text(words: str) -> str:
    """Text as a string of CSS; all but letters, digits and blanks as code points, so that it cannot end the string."""
    return '"' + re.sub(r"[^A-Za-z0-9 ]", lambda found: f"\\{ord(found.group()):x} ", words) + '"'
