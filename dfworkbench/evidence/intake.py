"""Evidence intake: hash, container, content credentials and domain of files, and refusals before scoring."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from dfworkbench.core.errors import MediaError, ParameterError
from dfworkbench.core.names import STATUS_OK
from dfworkbench.core.workspace import Workspace, find_workspace
from dfworkbench.datasets.audit.leak_note import AUDIT_KEY, provenance_note
from dfworkbench.datasets.dataset import DataSet
from dfworkbench.datasets.domain import DOMAIN_KEY, GENERATED, UNKNOWN, is_generated
from dfworkbench.evaluation.scoring.media_files import find_files
from dfworkbench.evaluation.scoring.results import distinct_names
from dfworkbench.evaluation.scoring.score import require_detector
from dfworkbench.evidence.case import Check
from dfworkbench.evidence.record.folder import EVIDENCE, InputHash, Record
from dfworkbench.evidence.reference.faces import require_matching_input
from dfworkbench.evidence.reference.overlap import KnownData, known_data, same_file, trained_on_reference
from dfworkbench.evidence.reference.scored import count_people, reference_videos
from dfworkbench.evidence.rules.refusals import r2_domain, r3_overlap, r4_people, r6_audit
from dfworkbench.evidence.settings import EvidenceSettings
from dfworkbench.extraction.made_with import made_with
from dfworkbench.faces.settings import FaceSettings
from dfworkbench.media.container import container_facts
from dfworkbench.media.content_credentials import Credentials, content_credentials
from dfworkbench.runs.checkpoints import LoadedDetector, load_detector

REAL_DOMAIN = "real"


@dataclass(frozen=True)
class Setup:
    """Opened and checked inputs of a case; nothing is scored or written yet.

    Attributes:
        settings: Of the case.
        workspace: The workspace.
        loaded: The detector.
        reference: The reference set.
        videos: Readable, labelled files of its split.
        faces: Face settings of the reference set; None if not on record.
        sets: Data sets that the evidence must not be part of.
        files: Evidence by key.
        names: Display name of each file.
        notes: Sentences on what cannot be compared.
    """

    settings: EvidenceSettings
    workspace: Workspace
    loaded: LoadedDetector
    reference: DataSet
    videos: pd.DataFrame
    faces: FaceSettings | None
    sets: list[KnownData]
    files: dict[str, Path]
    names: dict[str, str]
    notes: tuple[str, ...]


@dataclass(frozen=True)
class Incoming:
    """An evidence file before decoding.

    Attributes:
        path: Its path.
        key: Its key in tables.
        name: Its display name.
        hashed: Size and SHA-256; None if unreadable.
        container: Container metadata.
        credentials: Its content credentials; None if unreadable.
        status: "ok", or why it is unreadable.
        reason: The same in words.
        domain: "generated" or "real".
        copies: Where it, or a copy of it, is in the reference set or the training data.
    """

    path: Path
    key: str
    name: str
    hashed: InputHash | None
    container: dict[str, Any]
    credentials: Credentials | None
    status: str
    reason: str
    domain: str
    copies: tuple[str, ...] = ()


def set_up(settings: EvidenceSettings, workspace: Workspace | None = None) -> Setup:
    """Open run, reference set and evidence.

    Raises:
        ParameterError: No evidence or no checkpoint is named.
        DataNotFoundError: Evidence, run, reference set or its split is not there.
        InputError: The run cannot score, or its input does not match the reference set.
    """
    space = workspace or find_workspace()
    for name in ("evidence", "checkpoint"):
        if not getattr(settings, name):
            raise ParameterError(f"examining evidence: {name} is empty. Expected {_EXPECTED[name]}. Name it.")
    files = find_files(settings.evidence)
    reference = DataSet.open(settings.reference, space)
    videos = reference_videos(reference, settings.reference_split)
    loaded = load_detector(settings.checkpoint, workspace=space)
    require_detector(loaded.detector, loaded.name)
    faces = made_with(reference)
    if faces is not None:
        require_matching_input(loaded, faces, reference.name)
    sets, notes = known_data(loaded, reference)
    names = distinct_names(list(files))
    return Setup(settings, space, loaded, reference, videos, faces, sets, files, names, notes)


_EXPECTED = {
    "evidence": "pictures, videos or folders",
    "checkpoint": "a run in checkpoints/, or a weight file",
}


def hash_evidence(setup: Setup, record: Record) -> dict[str, InputHash | MediaError]:
    """Hash every evidence file before anything else reads it; unreadable files get an error."""
    found: dict[str, InputHash | MediaError] = {}
    for key, path in setup.files.items():
        try:
            found[key] = record.add_input(path, EVIDENCE)
        except MediaError as error:
            found[key] = error
            record.add("warning", file=setup.names[key], status=error.status, reason=_short(error, path))
    return found


def look_into(setup: Setup, hashes: Mapping[str, InputHash | MediaError], record: Record) -> list[Incoming]:
    """Read container, content credentials, domain and copies of every file."""
    return [_look(setup, key, path, hashes[key], record) for key, path in setup.files.items()]


def _look(setup: Setup, key: str, path: Path, hashed: InputHash | MediaError, record: Record) -> Incoming:
    name, private = setup.names[key], setup.settings.private_metadata
    stated = setup.settings.evidence_domain
    domain = stated if stated != "auto" else GENERATED if is_generated(path) else REAL_DOMAIN
    if isinstance(hashed, MediaError):
        return Incoming(path, key, name, None, {}, None, hashed.status, _short(hashed, path), domain)
    container = container_facts(path, private=private)
    credentials = content_credentials(path, private=private)
    record.add("container", file=name, facts=container)
    record.add("c2pa", file=name, status=credentials.status, state=credentials.state)
    copies = tuple(same_file(path, hashed.sha256, setup.sets))
    status, reason = str(container["status"]), str(container["reason"])
    return Incoming(path, key, name, hashed, container, credentials, status, reason, domain, copies)


def detector_domain(loaded: LoadedDetector) -> str:
    """Domain of the training data: "generated", "real", or "unknown" for imported weights."""
    if loaded.provenance.get(DOMAIN_KEY) == GENERATED:
        return GENERATED
    return REAL_DOMAIN if loaded.trained_on else UNKNOWN


def reference_domain(reference: DataSet) -> str:
    """Domain of the reference set: "generated" or "real"."""
    return GENERATED if reference.domain == GENERATED else REAL_DOMAIN


def domain_check(setup: Setup, domain: str) -> Check:
    """Rule R2 for a domain of the evidence."""
    return r2_domain(detector_domain(setup.loaded), reference_domain(setup.reference), domain)


def copy_check(incoming: Incoming, frames: list[str] | None = None) -> Check:
    """Rule R3 for a file: by its bytes and, once known, by frames that occur elsewhere."""
    looked = "training and reference data" + ("" if frames is None else ", neither as a file nor by its frames")
    return r3_overlap([*incoming.copies, *(frames or ())], looked)


def whole_case_checks(setup: Setup) -> tuple[tuple[Check, ...], tuple[str, ...]]:
    """Rules R4 and R6, which do not depend on the evidence, and sentences on what was compared."""
    people = count_people(setup.videos)
    shared, words = trained_on_reference(setup.loaded, setup.videos, setup.sets, setup.settings.reference_split)
    audit = setup.loaded.provenance.get(AUDIT_KEY)
    verdict = str(audit.get("verdict")) if isinstance(audit, Mapping) and audit.get("verdict") else None
    if verdict is not None and provenance_note(setup.loaded.provenance):
        verdict = "red"  # also if the run was made from one with leaks
    checks = (r4_people(people["genuine"], people["manipulated"]), r6_audit(verdict, shared))
    return checks, (*words, *setup.notes)


def needs(settings: EvidenceSettings, workspace: Workspace | None = None) -> tuple[Check, ...]:
    """Requirements of a statement that can be checked before scoring: rules R2 (per domain of the evidence), R4 and R6.

    Raises:
        ParameterError: See `set_up`.
        DataNotFoundError: See `set_up`.
        InputError: See `set_up`.
    """
    setup = set_up(settings, workspace)
    stated = settings.evidence_domain
    domains = [
        stated if stated != "auto" else GENERATED if is_generated(path) else REAL_DOMAIN
        for path in setup.files.values()
    ]
    checks, _ = whole_case_checks(setup)
    return (*(domain_check(setup, domain) for domain in dict.fromkeys(domains)), *checks)


def unreadable(incoming: Incoming) -> bool:
    """Whether a file is skipped because it cannot be read."""
    return incoming.hashed is None or (incoming.status != STATUS_OK and not incoming.container.get("kind"))


def credentials_dict(incoming: Incoming) -> dict[str, Any]:
    """Content credentials for the case file, without the full manifest."""
    return (
        {}
        if incoming.credentials is None
        else dataclasses.asdict(dataclasses.replace(incoming.credentials, manifest=None))
    )


def _short(error: Exception, path: Path) -> str:
    return str(error).replace(str(path), path.name)
