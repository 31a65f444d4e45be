"""Assemble the page of a case file: self-contained HTML for screens (light, dark, phone) and A4, source of the PDF."""

from collections.abc import Callable
from html import escape
from pathlib import Path

from dfworkbench.core.html import write_page
from dfworkbench.evidence.case import CaseFile
from dfworkbench.evidence.page.findings import applicability, findings_per_person
from dfworkbench.evidence.page.first import first_page
from dfworkbench.evidence.page.reading import how_to_read, what_this_is_not
from dfworkbench.evidence.page.record import evidence_record, limits, log, method, references, reproduction
from dfworkbench.evidence.page.reference import reference_data, validation
from dfworkbench.evidence.page.style import page_style

#: Sections after the first page: key -> title and the function that writes it.
SECTIONS: dict[str, tuple[str, Callable[[CaseFile], str]]] = {
    "how": ("How to read this", how_to_read),
    "not": ("What this is not", what_this_is_not),
    "findings": ("Findings per person", findings_per_person),
    "applies": ("Does the reference set apply?", applicability),
    "reference": ("Reference data", reference_data),
    "validation": ("Validation of the LR system", validation),
    "record": ("Evidence record", evidence_record),
    "method": ("Method and settings", method),
    "again": ("Reproduction", reproduction),
    "log": ("Log", log),
    "limits": ("Limits", limits),
    "references": ("References", lambda _: references()),
}


def write_case_page(case: CaseFile, path: Path) -> Path:
    """Write the page of a case atomically; equal cases give equal bytes.

    Raises:
        OutputError: `path` does not end in .html, cannot be written, or holds a file that dfworkbench did not write.
    """
    return write_page(path, f"Case {case.case}", page_body(case), "a case file", page_style(f"Case {case.case}"))


def page_body(case: CaseFile) -> str:
    """The body of the page."""
    named = {key: f"{number} {title}" for number, (key, (title, _)) in enumerate(SECTIONS.items(), start=2)}
    contents = {"first": "1 Findings in short", **named}
    links = "".join(f'<a href="#{key}">{escape(name)}</a>' for key, name in contents.items())
    body = "".join(
        f'<section><h2 id="{key}">{escape(named[key])}</h2>{part(case)}</section>'
        for key, (_, part) in SECTIONS.items()
    )
    return f'<main>{first_page(case)}<nav aria-label="Contents"><b>Contents</b>{links}</nav>{body}</main>'
