"""`case_file`: examine evidence against a reference set, and write the case file. The stages, in order, with what each records.

Refusals that need no scoring are said first, and the examination goes on: a case that ends in "no statement" has a whole report.
"""

import dataclasses
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from dfworkbench.core.errors import MediaError
from dfworkbench.core.hash_chain import utc_now
from dfworkbench.core.names import FAKE, REAL
from dfworkbench.core.provenance import git_state
from dfworkbench.core.workspace import Workspace
from dfworkbench.datasets.audit.leak_note import run_note
from dfworkbench.datasets.domain import caveat
from dfworkbench.evaluation.scoring.media_files import as_paths
from dfworkbench.evidence.applicability import Applicable, fit_applicability
from dfworkbench.evidence.case import (
    NO_STATEMENT,
    STATEMENT,
    CaseFile,
    Check,
    EvidenceFile,
    Reference,
    Validation,
    results_sha256,
)
from dfworkbench.evidence.faces import FacesOfFile, measure_file
from dfworkbench.evidence.findings import Basis, examine_file, reference_checks
from dfworkbench.evidence.intake import (
    Incoming,
    Setup,
    copy_check,
    domain_check,
    hash_evidence,
    look_into,
    set_up,
    unreadable,
    whole_case_checks,
)
from dfworkbench.evidence.lr_system import fit_system
from dfworkbench.evidence.method import command_of, method_of, reproduction_of
from dfworkbench.evidence.outputs import require_pdf, write_outputs
from dfworkbench.evidence.overlap import same_frames, stored_frames
from dfworkbench.evidence.progress import Say, Stages
from dfworkbench.evidence.record import EVIDENCE_AFTER, Record, cases_folder
from dfworkbench.evidence.reference import ScoredReference, describe, score_reference
from dfworkbench.evidence.reference_scores import ReferenceScores, reference_scores
from dfworkbench.evidence.settings import MOST_CASE_NAME, EvidenceSettings
from dfworkbench.evidence.tracks import CATEGORIES, NUMBERS, VECTORS, intraclass_correlation
from dfworkbench.evidence.validation import DRAWS, validate
from dfworkbench.evidence.words import limits, propositions
from dfworkbench.faces.settings import FaceSettings
from dfworkbench.runs.layout import EVIDENCE, PROVENANCE, SETTINGS
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
    """Examine evidence, and write a case file below `report/cases/` of the workspace.

    Args:
        path: A picture, a video, a folder, or a list of these.
        run: The detector: a run, its name or folder, or a weight file.
        reference: An extracted data set with labels.
        workspace: Where run and reference are looked up.
        progress: Whether to print the stages.
        **settings: Further fields of `EvidenceSettings`.

    Returns:
        What was found. `.people`, `.files`, `.validation`, `.outcome` and `.folder` are the usual ways in.

    Raises:
        ParameterError: A setting is wrong.
        DataNotFoundError: Evidence, run, reference set or its split is not there.
        InputError: The run cannot score, or the reference set has one label only.
        OutputError: The case cannot be written.
    """
    checkpoint = str(run.folder if isinstance(run, Run) else run)
    chosen = EvidenceSettings(
        evidence=[str(one) for one in as_paths(path)], checkpoint=checkpoint, reference=reference, **settings
    )
    return examine(chosen, workspace, _print if progress else None)


def examine(settings: EvidenceSettings, workspace: Workspace | None = None, say: Say | None = None) -> CaseFile:
    """Examine evidence by settings; see `case_file`.

    Args:
        settings: Of the case.
        workspace: Where run and reference are looked up.
        say: Where lines about the progress go; None for silence.
    """
    require_pdf(settings)
    setup = set_up(settings, workspace)
    stages, cases = Stages(STAGES, say), cases_folder(setup.workspace)
    about = {
        "command": command_of(settings),
        "settings": settings.model_dump(mode="json"),
        "examiner": settings.examiner,
    }
    with Record.create(cases, settings.case or _usual_name(setup), **about) as record:
        if settings.case and record.folder.name != settings.case:
            stages.tell(f"The case {settings.case} exists and was left as it is; this one is {record.folder.name}.")
        record.add("versions", **reproduction_of(setup))
        stages.begin("hashes")
        hashes = hash_evidence(setup, record)
        _hash_inputs(setup, record)
        stages.begin("container and content credentials")
        incoming = look_into(setup, hashes, record)
        stages.begin("what a statement needs")
        early, notes = whole_case_checks(setup)
        _say_early(stages, record, [*early, *_of_files(setup, incoming)])
        stages.begin("reference scores")
        scored = score_reference(
            setup.loaded, setup.reference, settings.reference_split, rescore=settings.rescore, told=stages.count
        )
        basis, validation = _fit(setup, scored, early, record, stages)
        stages.begin("faces")
        found = _faces(setup, incoming, record, stages)
        elsewhere = _frames_elsewhere(setup, found, stages)
        stages.begin("comparison with the reference set")
        compared = _compare(scored, found)
        after = _hash_again(setup, incoming, record)
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
    """The last lines on screen: a sentence per person, where the case lies, the closing head."""
    several = len(case.files) > 1
    lines = [f"{person.file}: {person.sentence}" if several else person.sentence for person in case.people]
    lines += [file.sentence for file in case.files if file.sentence]
    return [*lines, f"case: {case.folder}", f"closing head: {closing_head}"]


def _print(text: str) -> None:
    print(text, flush=True)  # noqa: T201


def _usual_name(setup: Setup) -> str:
    """Date, and the name of the first file as far as it can be part of a folder's."""
    first = next(iter(setup.files.values())).stem
    safe = "".join(sign if sign.isascii() and (sign.isalnum() or sign in "-_") else "_" for sign in first)
    return f"{utc_now()[:10]}-{safe}"[:MOST_CASE_NAME]


def _hash_inputs(setup: Setup, record: Record) -> None:
    """Hashes of what the run and the reference set consist of."""
    weights, labels = setup.loaded.path, setup.reference.folder
    inputs = {"weights": weights, "settings": weights.parent / SETTINGS, "provenance": weights.parent / PROVENANCE}
    inputs |= {name: labels / name for name in ("videos.csv", "splits.csv")}
    for role, path in inputs.items():
        if path.is_file():
            record.add_input(path, role)


def _of_files(setup: Setup, incoming: Sequence[Incoming]) -> list[Check]:
    domains = dict.fromkeys(one.domain for one in incoming)
    return [*(domain_check(setup, domain) for domain in domains), *(copy_check(one) for one in incoming if one.copies)]


def _say_early(stages: Stages, record: Record, checks: Sequence[Check]) -> None:
    refusing = [check for check in checks if check.refuses]
    for check in refusing:
        record.add("refused", code=check.code, sentence=check.sentence)
        stages.tell(f"    No statement will be possible ({check.code}): {check.sentence}")
    if not refusing:
        stages.tell("    Nothing so far stands against a statement.")


def _fit(
    setup: Setup, scored: ScoredReference, early: Sequence[Check], record: Record, stages: Stages
) -> tuple[Basis, Validation | None]:
    """The LR system with its validation, and the rules that they decide."""
    settings, people = setup.settings, {"genuine": scored.people(REAL), "manipulated": scored.people(FAKE)}
    record.add("reference", name=setup.reference.name, split=settings.reference_split, people=people, **scored.now)
    stages.tell(f"    {len(scored.tracks.table)} tracks{'' if scored.rescored else ' from the store'}")
    stages.begin("validation")
    system, validation = None, None
    if min(people.values()) > 1:
        stages.tell(f"    leaving out each of {len(_rows(scored).groups)} people")
        system = fit_system(_rows(scored), settings.draws, settings.seed)
        validation = validate(system, min(settings.draws, DRAWS), settings.seed)
        bounds = system.bounds._asdict()
        record.add("fit", slope=system.whole.slope, offset=system.whole.offset, bounds=bounds)
        figures = {
            name: getattr(validation, name)
            for name in ("cllr", "cllr_low", "cllr_high", "cllr_min", "cllr_cal", "devpav")
        }
        record.add("validation", **figures, misleading=validation.misleading)
    _, dirty = git_state()
    checks = (*early, *reference_checks(scored, validation, system, dirty))
    return Basis(setup, scored, system, checks, intraclass_correlation(scored.tracks)), validation


def _rows(scored: ScoredReference) -> ReferenceScores:
    table = scored.tracks.table[scored.tracks.table["score"].notna()]
    return reference_scores(table["score"], table["label"], table["group"], table["kind"])


def _faces(setup: Setup, incoming: Sequence[Incoming], record: Record, stages: Stages) -> dict[str, FacesOfFile]:
    """Faces of every file that can be read."""
    found: dict[str, FacesOfFile] = {}
    faces = setup.faces or FaceSettings()
    for number, one in enumerate(incoming, start=1):
        if not unreadable(one):
            with tempfile.TemporaryDirectory(prefix="dfworkbench-") as folder:
                found[one.key] = measure_file(one.path, one.key, setup.loaded, faces, Path(folder))
            of = found[one.key]
            record.add("faces", file=one.name, status=of.status, reason=of.reason, decoded=of.decoded)
        stages.count(number, len(incoming))
    return found


def _frames_elsewhere(setup: Setup, found: Mapping[str, FacesOfFile], stages: Stages) -> dict[str, list[str]]:
    """Frames of the evidence that the reference set or the training data have too, by file."""
    elsewhere: dict[str, list[str]] = {}
    folder = setup.loaded.path.parent / EVIDENCE
    hashed = [of.hashes for of in found.values() if of.hashes is not None]
    for known in setup.sets if hashed else ():
        stored = stored_frames(known, folder, lambda text: stages.tell(f"    {text}"))
        for hashes in hashed:
            for key, words in same_frames(hashes, known, stored).items():
                elsewhere.setdefault(key, []).extend(words)
    return elsewhere


def _compare(scored: ScoredReference, found: Mapping[str, FacesOfFile]) -> dict[str, list[Applicable]]:
    """How each track of each file compares with the reference people."""
    if all(of.tracks is None for of in found.values()):
        return {}
    fitted = fit_applicability(scored.tracks.table, NUMBERS, VECTORS, CATEGORIES)
    tables = {key: of.tracks.table for key, of in found.items() if of.tracks is not None}
    return {key: [fitted.compare(row) for _, row in table.iterrows()] for key, table in tables.items()}


def _hash_again(setup: Setup, incoming: Sequence[Incoming], record: Record) -> dict[str, str]:
    """Hashes of the evidence after it was read; "" for a file that cannot be read."""
    after: dict[str, str] = {}
    for one in incoming:
        try:
            after[one.key] = record.add_input(one.path, EVIDENCE_AFTER).sha256 if one.hashed else ""
        except MediaError as error:
            record.add("warning", file=one.name, reason=str(error).replace(str(one.path), one.path.name))
            after[one.key] = ""
    return after


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
        checks=(*(domain_check(setup, domain) for domain in domains), *basis.checks),
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
