"""Case file sections for lay readers: how to read a likelihood ratio, and what the report is not."""

from html import escape

from dfworkbench.core.html import html_table
from dfworkbench.evidence.case import CaseFile
from dfworkbench.evidence.page.parts import paragraph, quote
from dfworkbench.evidence.rules.words import scale

_EXAMPLE_ODDS, _EXAMPLE_LR = 100, 13


def how_to_read(case: CaseFile) -> str:
    """Explain the LR, the transposed conditional, the verbal scale, and what would change the conclusion."""
    wrong = quote(f"The probability that the face is manipulated is {_EXAMPLE_LR} times higher.")
    table = html_table(["LR, or 1/LR if it is below 1", "in words"], scale(), row_heads=True)
    return (
        paragraph(
            "A **likelihood ratio** (LR) says how many times more probable the findings are if proposition H1 is true than "
            "if H2 is true. The findings are the scores that the detector gave the face. An LR of 1 speaks for neither; "
            "above 1 the findings speak for H1 rather than H2, below 1 for H2 rather than H1: an LR of 1/13 is as strong "
            "for H2 as 13 is for H1."
        )
        + f"<h3>The trap</h3><p>An LR is about the findings, given a proposition. It is never about the proposition, given the "
        f"findings. So the sentence {wrong} would be wrong. How probable a proposition is depends on what else is known.</p>"
        + paragraph(
            f"A worked example. Somebody who, before seeing the findings, held odds of 1 to {_EXAMPLE_ODDS} for H1 and is "
            f"told an LR of {_EXAMPLE_LR} holds odds of {_EXAMPLE_LR} to {_EXAMPLE_ODDS} afterwards: H1 is still held to be "
            "the less probable one. The starting odds come from the other evidence and from the court or the reader, not "
            "from this report, and they are neither asked for nor used here."
        )
        + "<h3>Verbal scale</h3>"
        + table
        + paragraph(
            "A value on an edge belongs to the weaker band. The words of a finding go by the end of its interval that is nearer to "
            "1, so they may be weaker than those of the number. The bands are those of the ENFSI guideline of 2015 as they are "
            "commonly given; they were not compared with the guideline's own table.",
            "soft",
        )
        + "<h3>What would change the conclusion</h3>"
        + _changes(case)
    )


def _changes(case: CaseFile) -> str:
    people, kinds = case.reference.people, ", ".join(case.reference.kinds) or "no kinds named"
    fewest = min(people.values(), default=0)
    items = [
        f"Other propositions: for example another process than those in the reference set ({kinds}).",
        "Another reference set: other people, cameras or compression.",
        f"More reference people: an LR cannot be much higher than their number (here at least {fewest} in each class), so "
        "\u201cmoderately strong support\u201d needs well over 100.",
        "The original file instead of a copy that a platform has compressed again.",
        "Another detector. LRs of several detectors on one face are not independent and must not be multiplied.",
    ]
    return "<ul>" + "".join(f"<li>{escape(item)}</li>" for item in items) + "</ul>"


def what_this_is_not(case: CaseFile) -> str:
    """Conclusions that must not be drawn from the report."""
    items = (
        "It is not a finding on the whole file: sound, text, place, time and context were not looked at.",
        "It does not say who did anything, or why, or with which tool.",
        "It is silent about processes outside the reference set. A face made by another process, or made to deceive this detector, "
        "may look genuine to it.",
        "\u201cNo statement\u201d says nothing in either direction. Neither does \u201cno support for either "
        "proposition\u201d, which is still a statement: the findings are about equally probable under both.",
        "An LR below 1 does not establish that a face is genuine, and an LR above 1 does not establish that it was manipulated.",
        "The number must not be turned into a percentage.",
    )
    if any(file.domain == "generated" for file in case.files):
        items = (
            *items,
            "The evidence is generated demonstration material. The report shows how the method works, on no real person's face.",
        )
    return "<ul>" + "".join(f"<li>{escape(item)}</li>" for item in items) + "</ul>"
