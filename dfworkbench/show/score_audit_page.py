"""Write a score audit: `audit.html`, a self-contained page, and `audit.json`, the same for programs."""

import json
from html import escape
from pathlib import Path

import numpy as np
import pandas as pd

import dfworkbench
from dfworkbench.core.html import figure_html, html_table, note_html, write_page
from dfworkbench.core.outputs import PAGE, OutputKind, require_replaceable
from dfworkbench.core.workspace import atomic_path, require_writable
from dfworkbench.evaluation.score_audit.audit import Audit
from dfworkbench.evaluation.score_audit.findings import KINDS
from dfworkbench.evaluation.score_audit.text import NOTHING, RED, about_cllr, counted_rows, number_text
from dfworkbench.show.plots.score_audit import plot_against_sources, plot_audit

PAGE_NAME, RECORD_NAME = "audit.html", "audit.json"
_MOST_PAIRS = 60


def _is_record(path: Path) -> bool:
    content = json.loads(path.read_text(encoding="utf-8"))
    return isinstance(content, dict) and {"format", "findings", "headlines"} <= set(content)


RECORD = OutputKind("the record of an audit", (".json",), _is_record)


def require_audit_folder(folder: Path) -> None:
    """Raise `OutputError` if page and record cannot be written to a folder, or would replace files that are not ours."""
    require_writable(folder, "an audit")
    require_replaceable(folder / PAGE_NAME, PAGE)
    require_replaceable(folder / RECORD_NAME, RECORD)


def write_audit(audit: Audit, folder: Path) -> tuple[Path, Path]:
    """Write page and record into a folder; equal audits give equal bytes.

    Returns:
        Their paths.

    Raises:
        OutputError: They cannot be written, or would replace a file that is not ours.
    """
    require_audit_folder(folder)
    record = {**audit.record(), "dfworkbench": dfworkbench.__version__}
    with atomic_path(folder / RECORD_NAME, "the record of an audit") as temporary:
        temporary.write_text(json.dumps(record, indent=1, ensure_ascii=False, allow_nan=False) + "\n", encoding="utf-8")
    page = write_page(folder / PAGE_NAME, f"Audit of {audit.table.title}", audit_html(audit), "an audit")
    return page, folder / RECORD_NAME


def audit_html(audit: Audit) -> str:
    """The body of the page."""
    where = ", ".join(audit.table.read.get("where", ()))
    lead = f"{counted_rows(audit)}{f' ({where})' if where else ''}. Findings: {audit.counted()}. {RED}"
    sections = {
        "What matters most": headlines_html(audit),
        "The detectors": _detectors(audit),
        "All findings": "".join(_kind(audit, code) for code in audit.codes()),
    }
    if len(audit.pairs):
        sections["Pairs of detectors"] = _pairs(audit)
    sections["How it was read"] = _reading(audit)
    links = "".join(f'<a href="#s{at}">{escape(name)}</a>' for at, name in enumerate(sections, 1))
    body = "".join(
        f'<section><h2 id="s{at}">{escape(name)}</h2>{part}</section>'
        for at, (name, part) in enumerate(sections.items(), 1)
    )
    head = f'<h1>Audit of {escape(audit.table.title)}</h1><p class="lead">{escape(lead)}</p>'
    return f"<header>{head}<nav>{links}</nav></header><main>{body}</main>"


def headlines_html(audit: Audit) -> str:
    """The most important findings as coloured notes, or a note that there are none."""
    notes = [
        note_html(f"{one.code}, {one.title}: {one.sentence}{audit.likewise(one)}", bad=one.severity == "red")
        for one in audit.headlines
    ]
    return "".join(notes) or f"<p>{NOTHING}</p>"


def _detectors(audit: Audit) -> str:
    table = audit.figure_table()
    names = [
        "detector",
        "scored",
        "AUC",
        "95 % over files",
        "95 % over clusters",
        "one left out",
        "Cllr",
        "cross-fit",
        "best",
    ]
    rows = [
        [
            name, f"{int(row['scored']):,}", f"{row['auc']:.3f}", _ends(row["file_low"], row["file_high"]),
            _ends(row["cluster_low"], row["cluster_high"]), _ends(row["left_out_low"], row["left_out_high"]),
            f"{row['cllr']:.3f}", number_text(row["cllr_new_generators"]), f"{row['cllr_min']:.3f}",
        ]
        for name, row in table.iterrows()
    ]  # fmt: skip
    words = f"Clusters: {audit.clusters}. {about_cllr(audit.fitted_on)}"
    picture = figure_html(plot_audit(audit), "AUC of every detector with 95 % intervals over files and over clusters.")
    lost = html_table(["not judged", "why"], [[name, f"it {why}"] for name, why in audit.left_out.items()])
    return f"{picture}{html_table(names, rows, right=[False] + 8 * [True])}<p class='soft'>{escape(words)}</p>" + (
        lost if audit.left_out else ""
    )


def _kind(audit: Audit, code: str) -> str:
    kind, found = KINDS[code], audit.of(code)
    rows = [[one.severity, one.sentence, f"{len(one.rows):,}" if len(one.rows) else ""] for one in found]
    bold = [one.severity == "red" for one in found]
    table = html_table(["", "finding", "rows"], rows, bold, right=[False, False, True])
    picture = ""
    if code == "F5" and any(audit.against.values()):
        picture = figure_html(plot_against_sources(audit), "AUC of all fakes against the reals of each single source.")
    return (
        f"<h3>{code}: {escape(kind.title)}</h3><p>{escape(kind.says)} <span class='soft'>What does not follow: "
        f"{escape(kind.not_said[0].lower() + kind.not_said[1:])}</span></p>{picture}{table}"
    )


def _pairs(audit: Audit) -> str:
    shown = audit.pairs.head(_MOST_PAIRS)
    rows = [
        [
            f"{pair.first} minus {pair.second}", f"{pair.difference:+.3f}", _p(pair.delong_p), _p(pair.delong_holm_p),
            _p(pair.cluster_p), _p(pair.cluster_holm_p),
        ]
        for pair in shown.itertuples()
    ]  # fmt: skip
    names = ["AUC difference", "", "DeLong p", "with Holm", "cluster p", "with Holm"]
    more = f"<p class='soft'>{len(audit.pairs) - len(shown)} further pairs are in {RECORD_NAME}.</p>"
    return html_table(names, rows, right=[False] + 5 * [True]) + (more if len(audit.pairs) > len(shown) else "")


def _reading(audit: Audit) -> str:
    facts = {
        str(name): ", ".join(map(str, value)) if isinstance(value, list) else value
        for name, value in audit.table.read.items()
    }
    facts |= {"draws of clusters": f"{audit.settings.draws:,} or more", "seed": audit.settings.seed}
    notes = "".join(note_html(note) for note in audit.table.notes)
    return html_table([], [[name, str(value)] for name, value in facts.items() if value not in ("", None)]) + notes


def _ends(low: float, high: float) -> str:
    return "-" if np.isnan(low) else f"{low:.3f} to {high:.3f}"


def _p(value: float) -> str:
    return "-" if pd.isna(value) else "< 0.001" if value < 0.001 else f"{value:.3f}"
