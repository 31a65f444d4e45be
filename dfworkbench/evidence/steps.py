"""Steps of an examination, each recording its results: inputs, first refusals, LR system, faces, final hashes."""

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from dfworkbench.core.errors import MediaError
from dfworkbench.core.names import FAKE, REAL
from dfworkbench.core.provenance import git_state
from dfworkbench.datasets.dataset_files import SPLITS_TABLE, VIDEOS
from dfworkbench.evidence.case import Check, Validation
from dfworkbench.evidence.findings import Basis, reference_checks
from dfworkbench.evidence.intake import Incoming, Setup, copy_check, domain_check, unreadable
from dfworkbench.evidence.numbers.lr_system import fit_system
from dfworkbench.evidence.numbers.validation import DRAWS, validate
from dfworkbench.evidence.progress import Stages
from dfworkbench.evidence.record.folder import EVIDENCE_AFTER, Record
from dfworkbench.evidence.reference.faces import FacesOfFile, measure_file
from dfworkbench.evidence.reference.overlap import same_frames, stored_frames
from dfworkbench.evidence.reference.scored import ScoredReference
from dfworkbench.evidence.reference.scores import ReferenceScores, reference_scores
from dfworkbench.evidence.reference.tracks import intraclass_correlation
from dfworkbench.faces.settings import FaceSettings
from dfworkbench.runs.layout import EVIDENCE, PROVENANCE, SETTINGS


def hash_inputs(setup: Setup, record: Record) -> None:
    """Hash the files of the run and the reference set."""
    weights, labels = setup.loaded.path, setup.reference.folder
    inputs = {"weights": weights, "settings": weights.parent / SETTINGS, "provenance": weights.parent / PROVENANCE}
    inputs |= {name: labels / name for name in (VIDEOS, SPLITS_TABLE)}
    for role, path in inputs.items():
        if path.is_file():
            record.add_input(path, role)


def say_early(
    setup: Setup, incoming: Sequence[Incoming], checks: Sequence[Check], record: Record, stages: Stages
) -> None:
    """Report refusals that already apply before scoring."""
    domains = dict.fromkeys(one.domain for one in incoming)
    checks = [*checks, *(domain_check(setup, domain) for domain in domains), *(copy_check(one) for one in incoming)]
    refusing = [check for check in checks if check.refuses]
    for check in refusing:
        record.add("refused", code=check.code, sentence=check.sentence)
        stages.tell(f"    No statement will be possible ({check.code}): {check.sentence}")
    if not refusing:
        stages.tell("    Nothing so far rules out a statement.")


def fit_reference(
    setup: Setup, scored: ScoredReference, early: Sequence[Check], record: Record, stages: Stages
) -> tuple[Basis, Validation | None]:
    """Fit and validate the LR system, and check the rules that depend on it."""
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


def find_faces(setup: Setup, incoming: Sequence[Incoming], record: Record, stages: Stages) -> dict[str, FacesOfFile]:
    """Find faces in every readable file."""
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


def frames_elsewhere(setup: Setup, found: Mapping[str, FacesOfFile], stages: Stages) -> dict[str, list[str]]:
    """Frames of the evidence that also occur in the reference set or the training data, by file."""
    elsewhere: dict[str, list[str]] = {}
    folder = setup.loaded.path.parent / EVIDENCE
    hashed = [of.hashes for of in found.values() if of.hashes is not None]
    for known in setup.sets if hashed else ():
        stored = stored_frames(known, folder, lambda text: stages.tell(f"    {text}"))
        for hashes in hashed:
            for key, words in same_frames(hashes, known, stored).items():
                elsewhere.setdefault(key, []).extend(words)
    return elsewhere


def hash_again(setup: Setup, incoming: Sequence[Incoming], record: Record) -> dict[str, str]:
    """Hash the evidence again after reading; "" for an unreadable file."""
    after: dict[str, str] = {}
    for one in incoming:
        try:
            after[one.key] = record.add_input(one.path, EVIDENCE_AFTER).sha256 if one.hashed else ""
        except MediaError as error:
            record.add("warning", file=one.name, reason=str(error).replace(str(one.path), one.path.name))
            after[one.key] = ""
    return after
