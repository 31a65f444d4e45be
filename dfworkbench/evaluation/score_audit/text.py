"""Text report of a score audit for the terminal: top three findings, all others by kind, table of metrics."""

import re
import textwrap
from collections.abc import Iterable

import numpy as np

from dfworkbench.evaluation.score_audit.audit import Audit
from dfworkbench.evaluation.score_audit.findings import KINDS, Finding, by_weight

_WIDTH = 118
_KEPT = "\0"  # placeholder for a non-breaking space
RED = "Red: a figure does not mean what it seems to."
NOTHING = "Nothing red or amber was found."
#: Kinds whose notes are covered by the table of metrics.
_IN_TABLE = ("F8", "F11")


def audit_text(audit: Audit) -> str:
    """Format an audit as text."""
    parts = [_head(audit), "", "WHAT MATTERS MOST"]
    for at, one in enumerate(audit.headlines, 1):
        parts += [
            _wrapped(
                f"{one.severity.upper()}, {one.code} {one.title}. {one.sentence}{audit.likewise(one)}", f"  {at}. "
            )
        ]
    parts += [] if audit.headlines else [f"  {NOTHING}"]
    parts += ["", "ALL FINDINGS"]
    for code in audit.codes():
        parts += [f"  {code} {KINDS[code].title}"]
        shown = [one for one in by_weight(audit.of(code)) if not _in_table(one)]
        parts += [_wrapped(sentence, f"    {severity:<5}  ") for severity, sentence in _grouped(shown)]
        if len(shown) < len(audit.of(code)):
            count = len(audit.of(code)) - len(shown)
            rest = f"{count} {'note' if count == 1 else 'notes'}: see the figures below."
            parts += [_wrapped(rest if shown else f"Nothing but {rest}", "           ")]
    parts += ["", "FIGURES", *_figures(audit), _wrapped(about_cllr(audit.fitted_on), "  ")]
    if audit.left_out:
        by_reason: dict[str, list[str]] = {}
        for name, why in audit.left_out.items():
            by_reason.setdefault(why, []).append(name)
        parts += ["", "NOT JUDGED", *(_wrapped(f"{', '.join(names)} {why}", "  ") for why, names in by_reason.items())]
    parts += [_wrapped(f"NOTE: {note}", "") for note in audit.table.notes]
    return "\n".join(parts)


def _in_table(one: Finding) -> bool:
    """Whether the table of metrics covers a finding; a reason for a missing interval has no numbers and is not in it."""
    return one.severity == "note" and one.code in _IN_TABLE and bool(one.numbers)


def _head(audit: Audit) -> str:
    where = ", ".join(audit.table.read.get("where", ()))
    lines = [
        f"Audit of {audit.table.title}{f' ({where})' if where else ''}: {counted_rows(audit)}.",
        f"Clusters: {audit.clusters}.",
        f"Findings: {audit.counted()}. {RED}",
    ]
    return "\n".join(_wrapped(line, "") for line in lines)


def counted_rows(audit: Audit) -> str:
    """Number of rows and detectors, in words."""
    fakes, reals = audit.table.counts()
    judged, lost = len(audit.figures), len(audit.left_out)
    detectors = f"{judged} {'detector' if judged == 1 else 'detectors'}{f' judged, {lost} not' if lost else ''}"
    return f"{len(audit.table):,} rows, {fakes:,} fake and {reals:,} real; {detectors}"


def _grouped(findings: Iterable[Finding]) -> list[tuple[str, str]]:
    """Severity and sentence; detectors with the same sentence are merged, with their names in front."""
    names: dict[tuple[str, str], list[str]] = {}
    for one in findings:
        name = one.detector if one.sentence.startswith(one.detector) else ""
        names.setdefault((one.severity, one.sentence.removeprefix(name)), []).append(name)
    return [(severity, f"{', '.join(who)}{sentence}") for (severity, sentence), who in names.items()]


def _figures(audit: Audit) -> Iterable[str]:
    """One line per detector."""
    table = audit.figure_table()
    width = max([8, *(len(str(name)) for name in table.index)])
    yield (
        f"  {'':<{width}}  {'scored':>9}  {'AUC':>5}  {'95 % over files':>16}  {'95 % over clusters':>18}  {'Cllr':>6}  "
        f"{'cross-fit':>9}  {'best':>5}"
    )
    for name, row in table.iterrows():
        files, clusters = ((row[f"{kind}_low"], row[f"{kind}_high"]) for kind in ("file", "cluster"))
        yield (
            f"  {name!s:<{width}}  {int(row['scored']):>9,}  {row['auc']:.3f}  {_ends(files):>16}  {_ends(clusters):>18}  "
            f"{row['cllr']:>6.3f}  {number_text(row['cllr_new_generators']):>9}  {row['cllr_min']:>5.3f}"
        )


def about_cllr(fitted_on: str) -> str:
    """Explanation of the three Cllr columns."""
    return (
        f"Cllr: cost of the scores as likelihood ratios, as they are; cross-fit: calibrated on other {fitted_on}; best: after the "
        "best possible calibration. 1 is the cost of saying nothing."
    )


def _ends(pair: tuple[float, float]) -> str:
    return "-" if np.isnan(pair[0]) else f"[{pair[0]:.3f}, {pair[1]:.3f}]"


def number_text(value: float) -> str:
    """A number with three decimals, or a dash."""
    return "-" if np.isnan(value) else f"{value:.3f}"


def _wrapped(text: str, before: str) -> str:
    """Wrap text without breaking percentages and intervals."""
    kept = re.sub(r"(?<=\d) (?=%)|(?<=,) (?=[\d.]+\])", _KEPT, text)
    lines = textwrap.fill(
        kept,
        _WIDTH,
        initial_indent=before,
        subsequent_indent=" " * len(before),
        break_long_words=False,
        break_on_hyphens=False,
    )
    return lines.replace(_KEPT, " ")
