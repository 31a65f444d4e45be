"""First page of a case file: question, evidence, propositions, finding per person, most important limitations."""

from html import escape

import dfworkbench
from dfworkbench.evidence.case import CaseFile, EvidenceFile, Person
from dfworkbench.evidence.page.parts import day, paragraph, png
from dfworkbench.evidence.rules.words import file_propositions, no_statement

_MOST_LIMITS = 3
#: Short title of each reservation.
RESERVATIONS = {
    "S1": "few reference people",
    "S2": "the halves of the track differ",
    "S3": "weak on unseen kinds of forgery",
    "S4": "calibration",
    "S5": "few sources",
    "S6": "unusual for the reference set",
    "S7": "people not told apart",
    "S8": "uncommitted changes of the software",
    "S9": "cut by the bound",
    "S10": "content credentials not valid",
    "S11": "may be a reference person",
}
_READING = (
    "The finding compares how probable these scores are if H1 is true and if H2 is true. It does not say how probable H1 or H2 "
    "is: that also depends on all else that is known about the case, and is for the reader to judge. The words for its strength "
    "go by the end of the interval that is nearer to 1."
)
_NOT_ALL = "The report gives no percentage, and it speaks of faces only, not of sound, text or context."
_NONE = (
    "\u201cNo statement\u201d speaks neither for H1 nor for H2. It says that this detector and this reference set cannot "
    "answer the question for this face."
)


def first_page(case: CaseFile) -> str:
    """The summary box."""
    blocks = {
        "Question": paragraph(case.question or default_question(case)),
        "Evidence": evidence_list(case),
        "The two propositions": _propositions(case),
        "Findings": findings(case),
        "Most important limits": _limits(case),
    }
    body = "".join(f"<h2>{title}</h2>{inner}" for title, inner in blocks.items())
    title = f"<h1>Case {escape(case.case)}: evidence report</h1>"
    return f'<section class="first" id="first">{title}{body}{_foot(case)}</section>'


def default_question(case: CaseFile) -> str:
    """The question to print if none was given."""
    names = [file.name for file in case.files]
    where = names[0] if len(names) == 1 else f"{len(names)} files"
    return f"Was a face in {where} manipulated?"


def evidence_list(case: CaseFile) -> str:
    """File names with the first digits of their hashes."""
    items = "".join(
        f"<li>{escape(file.name)} <span class='soft'>SHA-256 {escape(file.sha256_before[:12])}\u2026</span></li>"
        for file in case.files
    )
    return f"<ul>{items}</ul>"


def _propositions(case: CaseFile) -> str:
    of_file = "".join(
        f"<dt>{name}</dt><dd>{escape(words)}</dd>"
        for file in case.files
        if file.lr
        for name, words in zip(
            ("H1 of the file", "H2 of the file"), file_propositions(file.name, len(file.people)), strict=True
        )
    )
    each = "They are about each person in turn (k = 1, 2, \u2026)." if len(case.people) > 1 else ""
    pair = f"<dt>H1</dt><dd>{escape(case.h1)}</dd><dt>H2</dt><dd>{escape(case.h2)}</dd>"
    return f"<dl>{pair}</dl>{paragraph(each, 'soft')}" + (f'<dl class="broad">{of_file}</dl>' if of_file else "")


def findings(case: CaseFile) -> str:
    """A row per person and file: thumbnail and sentence, in equal size and weight with or without a statement."""
    rows = "".join(_file(file, several=len(case.files) > 1) for file in case.files)
    with_statement = any(person.lr for person in case.people)
    without = not with_statement or any(not person.lr for person in case.people)
    words = " ".join(filter(None, (_READING if with_statement else "", _NONE if without else "", _NOT_ALL)))
    return (
        f'{paragraph(_what_was_scored(case), "reading")}<div class="findings">{rows}</div>{paragraph(words, "reading")}'
    )


def _what_was_scored(case: CaseFile) -> str:
    name, people = str(case.method.get("detector") or ""), case.reference.people
    return (
        f"The findings are the scores that the detector{f' {name}' if name else ''} gave each face, compared with its scores of a "
        f"reference set, {case.reference.name} ({case.reference.split}): {people.get('genuine', 0)} people with genuine and "
        f"{people.get('manipulated', 0)} with manipulated faces."
    )


def _file(file: EvidenceFile, several: bool) -> str:
    rows = "".join(_person(person, several) for person in file.people)
    if file.sentence or not file.people:
        words = file.sentence or f"No statement can be made about {file.name}. Reason: {file.reason}"
        rows += f'<div class="finding"><div></div><div><b>{escape(file.name)}</b>{paragraph(words)}</div></div>'
    return rows


def _person(person: Person, several: bool) -> str:
    name = f"{person.name} in {person.file}" if several else person.name
    picture = png(person.thumbnail, f"face of {person.name} in {person.file}")
    reservations = "; ".join(f"{RESERVATIONS[one.code]} ({one.code})" for one in person.reservations if one.holds)
    words = f"With reservations, explained under Findings per person: {reservations}." if reservations else ""
    sentence, *further = person.sentence, *(check.code for check in person.refusals[1:])
    if further:  # the first page has room for one reason
        sentence = no_statement(person.name, person.refusals[:1])
        words = f"Further reasons are given under Findings per person: {', '.join(further)}."
    return (
        f'<div class="finding"><div>{picture}</div><div><b>{escape(name)}</b>{paragraph(sentence)}{paragraph(words, "soft")}'
        "</div></div>"
    )


def _limits(case: CaseFile) -> str:
    items = "".join(f"<li>{escape(sentence)}</li>" for sentence in case.limits[:_MOST_LIMITS])
    more = len(case.limits) - _MOST_LIMITS
    rest = f'<p class="soft">{more} more are listed under <a href="#limits">Limits</a>.</p>' if more > 0 else ""
    return f"<ul>{items}</ul>{rest}"


def _foot(case: CaseFile) -> str:
    parts = [
        f"Case {case.case}",
        f"examiner: {case.examiner or 'not named'}",
        day(case.date),
        f"dfworkbench {dfworkbench.__version__}",
    ]
    words = escape(" \u00b7 ".join(filter(None, parts)))
    return f'<div class="foot">{words}<br>Examination head {escape(case.examination_head or "none: no log was kept")}</div>'
