"""Case file sections for statisticians: reference data and validation of the LR system."""

import math

import pandas as pd

from dfworkbench.core.html import figure_html, html_table
from dfworkbench.evaluation.metrics.likelihood_ratios import misleading
from dfworkbench.evidence.case import CaseFile, Validation
from dfworkbench.evidence.page.parts import facts, lr_text, number, paragraph
from dfworkbench.show.plots.lr_validation import plot_bayes_error, plot_cross_entropy, plot_pav, plot_tippett

_SIDE_BY_SIDE = 3  # rows of tables of people
_NONE = (math.nan, math.nan)


def reference_data(case: CaseFile) -> str:
    """The reference data, and what was checked for overlap."""
    ref = case.reference
    people = "people" if ref.named else "files (people are not named: files of one person count apart)"
    rows = {
        "data set": ref.name,
        "split": ref.split,
        "domain": ref.domain,
        **{f"{people}, {name}": count for name, count in ref.people.items()},
        **{f"files, {name}": count for name, count in ref.files.items()},
        "sources of the genuine files": ref.sources,
        **{f"SHA-256 of {name}": value for name, value in ref.hashes.items()},
    }
    kinds = html_table(["kind of forgery", "files"], list(ref.kinds.items()), right=[False, True], row_heads=True)
    looked = "".join(paragraph(sentence) for sentence in ref.overlap)
    return facts(rows) + (kinds if ref.kinds else "") + (f"<h3>Overlap</h3>{looked}" if looked else "")


def validation(case: CaseFile) -> str:
    """Metrics of the LR system on unseen reference people, as a table and charts."""
    found = case.validation
    if found is None:
        return paragraph("The LR system could not be fitted to the reference set, so there is nothing to validate.")
    return (
        paragraph(
            "Every reference person was left out in turn, the LR system was fitted on the others, and the LRs of the "
            "person left out were taken from that fit. All figures below are of these LRs. Every person counts once; only "
            "rates of misleading evidence and the Tippett plot count rows. Intervals are over people. A Cllr of 0 is "
            "perfect, 1 is what saying nothing costs."
        )
        + figures_table(found)
        + paragraph(
            "Cllr-min, Cllr-cal, devPAV and the PAV plot depend on the PAV fit, which overfits the validation data "
            "(Morrison 2021); no refusal hangs on them alone.",
            "soft",
        )
        + _charts(found)
        + _kinds(found.kinds)
        + _groups(found.groups)
    )


def figures_table(found: Validation) -> str:
    """Cllr and its parts, devPAV, rates of misleading evidence, bounds and the fit."""
    rows = [
        ("Cllr", number(found.cllr), _ends(found.cllr_low, found.cllr_high)),
        ("Cllr-min (discrimination)", number(found.cllr_min), _ends(*found.intervals.get("cllr_min", _NONE))),
        ("Cllr-cal (calibration)", number(found.cllr_cal), _ends(*found.intervals.get("cllr_cal", _NONE))),
        (
            "devPAV",
            "cannot be given" if math.isnan(found.devpav) else number(found.devpav),
            _ends(*found.intervals.get("devpav", _NONE)),
        ),
        *((name, f"{value:.1%}", f"{low:.1%} to {high:.1%}") for name, (value, low, high) in found.misleading.items()),
        (
            "upper bound of an LR",
            lr_text(found.bounds.high),
            f"from {found.bounds.real_groups} people with genuine faces",
        ),
        (
            "lower bound of an LR",
            lr_text(found.bounds.low),
            f"from {found.bounds.fake_groups} people with manipulated faces",
        ),
        ("slope of the fit on all rows", number(found.slope, 4), ""),
        ("offset", number(found.offset, 4), ""),
    ]
    return html_table(["figure", "value", "95 % interval, or where from"], rows, right=[False, True], row_heads=True)


def _ends(low: float, high: float) -> str:
    return "" if math.isnan(low) else f"{number(low)} to {number(high)}"


def charts(found: Validation) -> list[tuple[object, str]]:
    """The four charts with text descriptions."""
    llr, labels, groups = found.llr, found.labels, found.group_codes
    low, high = misleading(llr, labels)
    devpav = "full separation, so it has no finite part" if math.isnan(found.devpav) else f"devPAV {found.devpav:.2f}"
    return [
        (
            plot_tippett(llr, labels),
            f"Tippett plot: {low:.1%} of manipulated reference faces have an LR below 1, {high:.1%} of genuine ones an LR above 1.",
        ),
        (
            plot_cross_entropy(llr, labels, groups),
            f"Empirical cross-entropy over prior odds: at even odds {found.cllr:.2f} bits for these LRs, "
            f"{found.cllr_min:.2f} after PAV, 1 for saying nothing.",
        ),
        (plot_pav(llr, labels, groups), f"PAV plot: distance from the diagonal, {devpav}."),
        (
            plot_bayes_error(llr, labels, groups),
            "Normalised Bayes error: deciding by the LRs is better than by the prior for thresholds from "
            f"{lr_text(found.bounds.low)} to {lr_text(found.bounds.high)}, which are the bounds.",
        ),
    ]


def _charts(found: Validation) -> str:
    return '<div class="charts">' + "".join(figure_html(figure, words) for figure, words in charts(found)) + "</div>"


def _kinds(kinds: pd.DataFrame) -> str:
    if not len(kinds):
        return paragraph(
            "The reference set has one kind of forgery, so it is not known how the LR system does on one it has not seen."
        )
    rows = [(row["kind"], number(row["cllr"]), *_counts(row)) for _, row in kinds.iterrows()]
    words = "The LR system fitted without one kind of forgery, on that kind and all genuine faces: a process it has not seen."
    table = html_table(
        ["kind left out", "Cllr", "rows", "people"], rows, right=[False, True, True, True], row_heads=True
    )
    return f"<h3>Leaving out one kind of forgery</h3>{paragraph(words)}{table}"


def _counts(row: pd.Series) -> list[str]:
    return [str(int(row[name])) if name in row and pd.notna(row[name]) else "-" for name in ("rows", "groups")]


def _groups(groups: pd.DataFrame) -> str:
    rows = [(row["group"], number(row["cllr"]), _counts(row)[0]) for _, row in groups.iterrows()]
    if not rows:
        return ""
    share = -(-len(rows) // _SIDE_BY_SIDE) if len(rows) > 2 * _SIDE_BY_SIDE else len(rows)
    tables = [
        html_table(["person", "Cllr", "rows"], rows[at : at + share], right=[False, True, True], row_heads=True)
        for at in range(0, len(rows), share)
    ]
    return f'<h3>Cllr per reference person, worst first</h3><div class="side">{"".join(tables)}</div>'
