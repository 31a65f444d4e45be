"""Case file sections on findings: score, LR and bound per person, and applicability of the reference set."""

from html import escape

from matplotlib.figure import Figure

from dfworkbench.core.html import figure_html, html_table
from dfworkbench.core.names import FAKE
from dfworkbench.evidence.case import CaseFile, EvidenceFile, Person, Quantity
from dfworkbench.evidence.page.parts import check_notes, facts, lr_range, lr_text, number, paragraph, png, text
from dfworkbench.evidence.rules.refusals import r7_limit
from dfworkbench.evidence.rules.words import BANDS, file_propositions, rounded_lr
from dfworkbench.show.plots.likelihood_ratios import LrBar, plot_lr_bars, plot_score_place, plot_score_timeline


def findings_per_person(case: CaseFile) -> str:
    """LR bars and score distributions, then a part for every person, then for the files."""
    body = check_notes(case.refusals) + _bars(case) + _place(case)
    several = len(case.files) > 1
    for file in case.files:
        body += "".join(_person(person, several) for person in file.people)
        body += check_notes(file.refusals) if not file.people else ""
        body += _file(file)
    return body + paragraph(
        "LRs are never multiplied: not over frames, which gives one score per face, nor over people, files or detectors. "
        "The interval holds the sampling of the reference people and nothing else: not another training of the detector, "
        "another reference set or other frames. Whether an LR may have an interval at all is disputed (Morrison 2017).",
        "soft",
    )


def person_name(person: Person, several: bool) -> str:
    """Name of a person, with the file if the case has several."""
    return f"{person.name} in {person.file}" if several else person.name


def lr_figure(case: CaseFile) -> Figure | None:
    """LR bars of all people with a statement and of files; None if the LR system could not be fitted."""
    if case.validation is None:
        return None
    several = len(case.files) > 1
    named = [(person_name(person, several), person.lr) for person in case.people]
    named += [(f"file {file.name}", file.lr) for file in case.files]
    bars = [LrBar(name, lr.llr, lr.low, lr.high, lr.unbounded_llr) for name, lr in named if lr]
    return plot_lr_bars(bars, case.validation.bounds, BANDS)


def _bars(case: CaseFile) -> str:
    figure = lr_figure(case)
    if figure is None:
        return paragraph("There is no LR and no bound: the LR system could not be fitted to the reference set.")
    values = [
        f"{person_name(person, len(case.files) > 1)}: LR {lr_text(person.lr.llr)}"
        for person in case.people
        if person.lr
    ]
    words = f"Likelihood ratios on a log scale. {'; '.join(values) or 'Nobody has one: no statement possible'}."
    return figure_html(figure, words, broad=True)


def _place(case: CaseFile) -> str:
    found = {
        person_name(person, len(case.files) > 1): person.score for person in case.people if person.score == person.score
    }
    if case.validation is None or not found:
        return ""
    shown = case.validation
    figure = plot_score_place((shown.scores, shown.labels, shown.group_codes), found)
    values = "; ".join(f"{name}: {score:.2f}" for name, score in found.items())
    return figure_html(figure, f"Scores beside those of the reference faces. {values}.", broad=True)


def _person(person: Person, several: bool) -> str:
    picture = png(person.thumbnail, f"face of {person.name} in {person.file}")
    body = f'<div class="finding"><div>{picture}</div><div>{paragraph(person.sentence)}</div></div>'
    body += check_notes(person.refusals) + check_notes(person.reservations) + facts(_facts(person))
    if person.timeline is not None and len(person.timeline) > 1:
        figure = plot_score_timeline(person.timeline["time_s"], person.timeline["score"], person.score)
        words = f"Score of {person.name} over time: mean {number(person.score, 2)} over {person.frames} frames."
        body += figure_html(figure, words, broad=True)
    if person.lr and person.lr.kinds:
        rows = [(kind, lr_text(llr)) for kind, llr in sorted(person.lr.kinds.items())]
        body += "<h4>If H1 is narrowed to one kind of forgery</h4>" + html_table(
            ["kind in the reference set", "LR before the bound"], rows, right=[False, True], row_heads=True
        )
    return f"<h3>{escape(person_name(person, several))}</h3>{body}"


def _facts(person: Person) -> dict[str, object]:
    rows: dict[str, object] = {"track": person.track, "scored frames": person.frames}
    if person.n_eff is not None:
        rows["worth independent frames"] = (
            f"{number(person.n_eff, 1)} (for information: the LR is of one score per face)"
        )
    rows["score (mean log-odds)"] = number(person.score)
    if (lr := person.lr) is None:
        return {**rows, "LR": "none: no statement possible"}
    cut = "not cut" if lr.llr == lr.unbounded_llr else f"cut from {lr_text(lr.unbounded_llr)}"
    rows |= {
        "LR": lr_text(lr.llr),
        "log10 LR": number(lr.llr),
        "interval (sampling of the reference people, nominal 95 %)": lr_range(lr.low, lr.high),
        "bound": f"{lr_text(lr.bound.low)} to {lr_text(lr.bound.high)}; {cut}. It follows from {lr.bound.real_groups} people with "
        f"genuine and {lr.bound.fake_groups} with manipulated reference faces",
    }
    if person.halves:
        rows["LR of odd and of even frames"] = " and ".join(map(rounded_lr, person.halves))
    return rows


def _file(file: EvidenceFile) -> str:
    if file.lr is None:
        return ""
    h1, h2 = file_propositions(file.name, len(file.people))
    rows = {
        "LR": lr_text(file.lr.llr),
        "interval (sampling of the reference people, nominal 95 %)": lr_range(file.lr.low, file.lr.high),
        "H1 of the file": h1,
        "H2 of the file": h2,
    }
    return f"<h3>File {escape(file.name)}</h3>{paragraph(file.sentence)}{facts(rows)}" + paragraph(
        "The LR of a file is the mean of the LRs of its people. That holds if the scores of different people are independent "
        "given the propositions. Compression, which faces of one file share, breaks this, so it is an assumption.",
        "soft",
    )


def applicability(case: CaseFile) -> str:
    """Similarity of evidence and reference set by quantity; domains; nearest reference faces."""
    detector = case.method.get("domain") or "see method"
    rows = [("detector trained on", text(detector)), (f"reference set {case.reference.name}", case.reference.domain)]
    rows += [(f"evidence {file.name}", file.domain) for file in case.files]
    body = "<h3>Domains</h3>" + html_table(["", "generated or real"], rows, row_heads=True)
    fewest = min(case.reference.people.values(), default=0)
    body += paragraph(
        "A face is refused (R7) where p is at most 1 / (people + 1), but not below 0.01. About as large a share of faces "
        f"that do fit is refused in vain: {r7_limit(fewest):.1%} with the {fewest} people of the smaller class. With few "
        "people the test finds only large differences."
    )
    for person in case.people:
        body += _applies(person, len(case.files) > 1)
    return body


def _applies(person: Person, several: bool) -> str:
    body = f"<h3>{escape(person_name(person, several))}</h3>"
    if not person.applicability:
        return body + paragraph("Not compared with the reference set: no statement is possible for another reason.")
    body += paragraph(
        f"All quantities together: p = {number(person.applicability_p)}. This p decides; those of single quantities are for "
        "information. A large p means that there is no sign that the face is unlike the reference set, not that it is like "
        "it."
    )
    names = ["quantity", "evidence", "reference 5 %", "50 %", "95 %", "oddness", "p"]
    rows = [_quantity(one) for one in person.applicability]
    return body + html_table(names, rows, right=[False] + 6 * [True], row_heads=True) + _nearest(person)


def _quantity(one: Quantity) -> list[str]:
    ends = [text(value) if value is not None else "" for value in (one.low, one.middle, one.high)]
    return [one.name, "" if one.evidence is None else text(one.evidence), *ends, number(one.oddness, 2), number(one.p)]


def _nearest(person: Person) -> str:
    if not person.nearest:
        return ""
    items = ""
    for face in person.nearest:
        label = "manipulated" if face.label == FAKE else "genuine"
        words = f"{label}, {face.group}, distance {face.distance:.2f}"
        picture = png(face.thumbnail, f"reference face: {words}") or "<div class='face none'>not printed</div>"
        items += f"<figure>{picture}<figcaption>{escape(words)}</figcaption></figure>"
    return f'<h4>Nearest reference faces by the detector\u2019s features</h4><div class="faces">{items}</div>'
