"""Write the files of a case: page, PDF, case.json, score tables, content credentials."""

import json
from collections.abc import Iterable, Mapping

import pandas as pd

from dfworkbench.core.errors import MissingDependencyError
from dfworkbench.core.workspace import atomic_path
from dfworkbench.datasets.tables import SCORES, write_table
from dfworkbench.evidence.case import CaseFile
from dfworkbench.evidence.case_json import to_json
from dfworkbench.evidence.page.pdf import PDF_NAME, why_no_pdf, write_pdf
from dfworkbench.evidence.page.report import write_case_page
from dfworkbench.evidence.record.folder import CASE, PAGE
from dfworkbench.evidence.reference.faces import FacesOfFile
from dfworkbench.evidence.reference.scored import ScoredReference
from dfworkbench.evidence.reference.tracks import VECTORS
from dfworkbench.evidence.settings import EvidenceSettings
from dfworkbench.media.content_credentials import Credentials

EVIDENCE_SCORES, REFERENCE_SCORES, C2PA = "evidence_scores.csv", "reference_scores.parquet", "c2pa"


def require_pdf(settings: EvidenceSettings) -> None:
    """Raise `MissingDependencyError` before any work if a PDF is requested but cannot be made."""
    if settings.pdf == "yes" and (why := why_no_pdf()):
        raise MissingDependencyError(f"{why} Or leave the PDF out: --pdf no.")


def write_outputs(
    case: CaseFile,
    settings: EvidenceSettings,
    credentials: Mapping[str, Credentials | None],
    found: Iterable[FacesOfFile],
    scored: ScoredReference,
) -> None:
    """Write all files of a case into its folder.

    Raises:
        OutputError: A file cannot be written; finished files are kept.
    """
    folder = case.folder
    assert folder is not None  # cases in memory only are never written
    page = write_case_page(case, folder / PAGE)
    if settings.pdf != "no" and not why_no_pdf():
        write_pdf(page, folder / PDF_NAME)
    with atomic_path(folder / CASE, "the case") as temporary:
        text = json.dumps(to_json(case), indent=1, ensure_ascii=False, allow_nan=False)
        temporary.write_text(text + "\n", encoding="utf-8", errors="backslashreplace")
    frames = [of.tracks.frames for of in found if of.tracks is not None]
    write_table("score", pd.concat(frames, ignore_index=True) if frames else SCORES.empty(), folder / EVIDENCE_SCORES)
    with atomic_path(folder / REFERENCE_SCORES, "the reference scores") as temporary:
        scored.tracks.table.drop(columns=list(VECTORS)).to_parquet(temporary, index=False)
    for number, (name, read) in enumerate(credentials.items(), start=1):
        if read is not None and read.manifest is not None:
            with atomic_path(folder / C2PA / f"{number:03d}.json", "content credentials") as temporary:
                record = {"file": name, "manifest": read.manifest}
                temporary.write_text(json.dumps(record, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
