"""`case_file`: examine evidence against a reference set and write the case file.

The stages run in order, and each records its results. Refusals that need no scoring are reported first, but the examination
continues: a case that ends in "no statement" still gets a full report.
"""

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from dfworkbench.core.hash_chain import utc_now
from dfworkbench.core.safe_paths import say as say_on_screen
from dfworkbench.core.workspace import Workspace
from dfworkbench.datasets.audit.leak_note import run_note
from dfworkbench.datasets.domain import caveat
from dfworkbench.evaluation.scoring.media_files import as_paths
from dfworkbench.evidence.case import NO_STATEMENT, STATEMENT, CaseFile, EvidenceFile, Reference, Validation
from dfworkbench.evidence.case_json import results_sha256
from dfworkbench.evidence.findings import Basis, examine_file, in_order
from dfworkbench.evidence.intake import Setup, domain_check, hash_evidence, look_into, set_up, whole_case_checks
from dfworkbench.evidence.method import command_of, method_of, placed_settings, reproduction_of
from dfworkbench.evidence.outputs import require_pdf, write_outputs
from dfworkbench.evidence.progress import Say, Stages
from dfworkbench.evidence.record.folder import Record, cases_folder
from dfworkbench.evidence.reference.comparison import compare_tracks
from dfworkbench.evidence.reference.scored import describe, score_reference
from dfworkbench.evidence.rules.words import limits, propositions
from dfworkbench.evidence.settings import MOST_CASE_NAME, EvidenceSettings
from dfworkbench.evidence.steps import find_faces, fit_reference, frames_elsewhere, hash_again, hash_inputs, say_early
from dfworkbench.runs.run import Run

STAGES = (
    "hashes", "container and content credentials", "what a statement needs", "reference scores", "validation", "faces",
    "comparison with the reference set", "likelihood ratios", "page and tables", "seal",
)  # fmt: skip


def case_file(
    path: Path | str | Sequence[Path | str],
    run: Run | Path | str,
    reference: str = "demo",
    *,
    workspace: Workspace | None = None,
    progress: bool = True,
    **settings: Any,
) -> CaseFile:
    """Examine evidence and write a case file below `report/cases/` of the workspace.

    Args:
        path: A picture, a video, a folder, or a list of these.
        run: The detector, as a run, its name or folder, or a weight file.
        reference: An extracted data set with labels.
        workspace: Workspace in which run and reference are looked up.
        progress: Whether to print the stages.
        **settings: Further fields of `EvidenceSettings`.

    Returns:
        The case; start with `.people`, `.files`, `.validation`, `.outcome` and `.folder`.

    Raises:
        ParameterError: A setting is wrong.
        DataNotFoundError: Evidence, run, reference set or its split is missing.
        InputError: The run cannot score, or the reference set has only one label.
        OutputError: The case cannot be written.
    """
    checkpoint = str(run.folder if isinstance(run, Run) else run)
    chosen = EvidenceSettings(
        evidence=[str(one) for one in as_paths(path)], checkpoint=checkpoint, reference=reference, **settings
    )
    return examine(chosen, workspace, say_on_screen if progress else None)


def examine(settings: EvidenceSettings, workspace: Workspace | None = None, say: Say | None = None) -> CaseFile:
    """Examine evidence with given settings; see `case_file`.

    Args:
        settings: Settings of the case.
        workspace: Workspace in which run and reference are looked up.
        say: Function that prints progress lines; None for silence.
    """
    require_pdf(settings)
    setup = set_up(settings, workspace)
    stages, cases = Stages(STAGES, say), cases_folder(setup.workspace)
    about = {
        "command": command_of(setup),
        "settings": placed_settings(setup).model_dump(mode="json"),
        "examiner": settings.examiner,
    }
    with Record.create(cases, settings.case or _usual_name(setup), setup.workspace.root, **about) as record:
        if settings.case and record.folder.name != settings.case:
            stages.tell(f"The case {settings.case} exists and was left as it is; this one is {record.folder.name}.")
        record.add("versions", **reproduction_of(setup))
        stages.begin("hashes")
        hashes = hash_evidence(setup, record)
        hash_inputs(setup, record)
        stages.begin("container and content credentials")
        incoming = look_into(setup, hashes, record)
        stages.begin("what a statement needs")
        early, notes = whole_case_checks(setup)
        say_early(setup, incoming, early, record, stages)
        stages.begin("reference scores")
        scored = score_reference(
            setup.loaded, setup.reference, settings.reference_split, rescore=settings.rescore, told=stages.count
        )
        basis, validation = fit_reference(setup, scored, early, record, stages)
        stages.begin("faces")
        found = find_faces(setup, incoming, record, stages)
        elsewhere = frames_elsewhere(setup, found, stages)
        stages.begin("comparison with the reference set")
        compared = compare_tracks(scored, {key: of.tracks for key, of in found.items()}, faces=settings.reference_faces)
        after = hash_again(setup, incoming, record)
        stages.begin("likelihood ratios")
        files = tuple(
            examine_file(
                basis, one, found.get(one.key), after[one.key], elsewhere.get(one.key, []), compared.get(one.key, ())
            )
            for one in incoming
        )
        case = _assemble(basis, files, describe(scored, notes), validation, record.folder)
        _record_results(record, case)
        head = record.examined(results_sha256=case.results_sha256)
        log = tuple(vars(entry) for entry in record.log.entries)
        case = dataclasses.replace(case, examination_head=head, log=log)
        stages.begin("page and tables")
        write_outputs(case, settings, {one.name: one.credentials for one in incoming}, found.values(), scored)
        stages.begin("seal")
        closing = record.seal()
    for line in closing_lines(case, closing):
        stages.tell(line)
    return case


def closing_lines(case: CaseFile, closing_head: str) -> list[str]:
    """The final lines on screen: a sentence per person, the folder of the case, the closing head."""
    several = len(case.files) > 1
    lines = [f"{person.file}: {person.sentence}" if several else person.sentence for person in case.people]
    lines += [file.sentence for file in case.files if file.sentence]
    return [*lines, f"case: {case.folder}", f"closing head: {closing_head}"]


def _usual_name(setup: Setup) -> str:
    """Default name of a case: date and name of the first file, as far as it is valid in a folder name."""
    first = next(iter(setup.files.values())).stem
    safe = "".join(sign if sign.isascii() and (sign.isalnum() or sign in "-_") else "_" for sign in first)
    return f"{utc_now()[:10]}-{safe}"[:MOST_CASE_NAME]


def _assemble(
    basis: Basis, files: tuple[EvidenceFile, ...], reference: Reference, validation: Validation | None, folder: Path
) -> CaseFile:
    setup, settings = basis.setup, basis.setup.settings
    kinds = sorted(reference.kinds)
    several = sum(len(file.people) for file in files) > 1
    h1, h2 = propositions(
        "person k" if several else "person 1", files[0].name if len(files) == 1 else "the file", kinds
    )
    metadata = setup.loaded.metadata
    said = " ".join(filter(None, (caveat(metadata), run_note(metadata))))
    domains = dict.fromkeys(file.domain for file in files)
    case = CaseFile(
        case=folder.name,
        question=settings.question,
        h1=settings.h1 or h1,
        h2=settings.h2 or h2,
        examiner=settings.examiner,
        reference=reference,
        validation=validation,
        files=files,
        checks=in_order([*(domain_check(setup, domain) for domain in domains), *basis.checks]),
        limits=limits(reference.people["genuine"], reference.people["manipulated"], kinds, said),
        method=method_of(setup, dict(basis.scored.now)),
        reproduction=reproduction_of(setup),
        examination_head="",
        results_sha256="",
        folder=folder,
        outcome=STATEMENT if any(person.lr for file in files for person in file.people) else NO_STATEMENT,
        date=utc_now(),
    )
    return dataclasses.replace(case, results_sha256=results_sha256(case))


def _record_results(record: Record, case: CaseFile) -> None:
    for check in case.checks:
        record.add("check", about="case", code=check.code, holds=check.holds, p=check.p, sentence=check.sentence)
    for person in case.people:
        for check in (*person.refusals, *person.reservations):
            who = f"{person.name} in {person.file}"
            record.add("check", about=who, code=check.code, holds=True, p=check.p, sentence=check.sentence)
        about = {"file": person.file, "person": person.name, "frames": person.frames, "score": person.score}
        if person.lr is None:
            record.add("refused", **about, codes=[check.code for check in person.refusals])
        else:
            lr = person.lr
            record.add("result", **about, llr=lr.llr, low=lr.low, high=lr.high, unbounded=lr.unbounded_llr)
