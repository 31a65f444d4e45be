"""Closing sections of a case file: evidence record, method, reproduction, log, limitations and references."""

import json
import shlex
from html import escape

from dfworkbench.evidence.case import CaseFile, EvidenceFile
from dfworkbench.evidence.page.parts import checks_table, facts, nested, paragraph

REFERENCES = (
    "ENFSI, Guideline for Evaluative Reporting in Forensic Science, 2015. Propositions, verbal scale.",
    "N. Br\u00fcmmer, J. du Preez, Application-independent evaluation of speaker detection, Computer Speech and Language "
    "20, 2006. Cllr.",
    "D. Ramos, J. Gonzalez-Rodriguez, Reliable support: measuring calibration of likelihood ratios, Forensic Sci. Int. 230, 2013. "
    "Empirical cross-entropy.",
    "P. Vergeer et al., Numerical likelihood ratios outputted by LR systems are often based on extrapolation, Science & "
    "Justice 56, 2016. Normalised Bayes error, bounds.",
    "P. Vergeer, Y. van Schaik, M. Sjerps, Measuring calibration of likelihood-ratio systems, Forensic Sci. Int. 321, 2021. "
    "devPAV.",
    "G. S. Morrison, In the context of forensic casework, are there meaningful metrics of the degree of calibration?, "
    "Forensic Sci. Int. Synergy 3, 2021. Against figures that depend on PAV.",
    "G. S. Morrison, N. Poh, Avoiding overstating the strength of forensic evidence, Science & Justice 58, 2018. Regularised LRs.",
    "D. Meuwly, D. Ramos, R. Haraksim, A guideline for the validation of likelihood ratio methods, Forensic Sci. Int. 276, 2017.",
    "G. S. Morrison et al., Consensus on validation of forensic voice comparison, Science & Justice 61, 2021.",
    "G. S. Morrison, Science & Justice, 2017, doi:10.1016/j.scijus.2017.08.004. Whether an LR may have an interval is disputed.",
    "Further reading on the frame of a record, without a claim to conform with it: ENFSI-BPM-DI-03 (image authentication, "
    "2021); SWGDE 23-V-001 (video authentication) and 17-I-001 (integrity of imagery).",
)


def evidence_record(case: CaseFile) -> str:
    """Hashes, container and streams, content credentials and decoding of each file."""
    return "".join(_file(file) for file in case.files)


def _file(file: EvidenceFile) -> str:
    same = "the same before and after" if file.sha256_before == file.sha256_after else "CHANGED while it was examined"
    rows = {
        "size": f"{file.bytes:,} bytes",
        "SHA-256 before": file.sha256_before,
        "SHA-256 after": f"{file.sha256_after} ({same})",
        "status": file.status,
        "reason": file.reason,
    }
    body = f"<h3>{escape(file.name)}</h3>{facts(rows)}"
    for title, values in (
        ("What was decoded", file.decoded),
        ("Container and streams", file.container),
        ("Content credentials (C2PA)", file.credentials),
    ):
        body += f'<h4>{title}</h4><div class="quoted">{nested(values) or paragraph("Nothing on record.")}</div>'
    return body + paragraph(
        "Container, metadata and content credentials are shown as they are in the file. They are claims of whoever wrote "
        "the file, and they do not enter the LR.",
        "soft",
    )


def method(case: CaseFile) -> str:
    """Detector, weights, input, frames, formulas and settings."""
    return nested(case.method) + "<h3>All rules that were looked at</h3>" + _checks(case)


def _checks(case: CaseFile) -> str:
    body = checks_table(case.checks)
    for person in case.people:
        if person.refusals or person.reservations:
            table = checks_table((*person.refusals, *person.reservations))
            body += f"<h4>{escape(person.name)} in {escape(person.file)}</h4>{table}"
    return body


def reproduction(case: CaseFile) -> str:
    """Command, versions, results hash, and how to verify that nothing was changed."""
    where = f"report/cases/{case.folder.name if case.folder else case.case}"
    command = case.reproduction.get("command", "")
    rest = {name: value for name, value in case.reproduction.items() if name != "command"}
    body = f"<pre><b>made by</b>{escape(str(command))}</pre>" if command else ""
    body += nested({**rest, "SHA-256 of the results": case.results_sha256, "examination head": case.examination_head})
    check = shlex.join(["dfworkbench", "report", "--verify", where, "--evidence", *(file.name for file in case.files)])
    body += f"<pre><b>has anything been changed since?</b>{escape(check)}</pre>"
    return body + paragraph(
        "The examination head is the hash of the log after the last result. The log, of which every entry holds the hash "
        "of the one before, goes on after it with the hashes of all output files; the closing head is in head.txt and on "
        "the screen of whoever made this report. A log does not keep its owner from writing a new one: send both heads to "
        "the other side, or have them time-stamped. On another processor a rerun may differ in the last digits."
    )


def log(case: CaseFile) -> str:
    """The log up to the examination head, one entry per line."""
    if not case.log:
        return paragraph("No log was kept.")
    lines = "\n".join(json.dumps(entry, sort_keys=True, ensure_ascii=False) for entry in case.log)
    return f'<pre class="log">{escape(lines)}</pre>'


def limits(case: CaseFile) -> str:
    """All limitations of the report."""
    return "<ul>" + "".join(f"<li>{escape(sentence)}</li>" for sentence in case.limits) + "</ul>"


def references() -> str:
    """Literature references."""
    return "<ul>" + "".join(f"<li>{escape(line)}</li>" for line in REFERENCES) + "</ul>"
