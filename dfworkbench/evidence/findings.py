"""Findings on each person and file from measured faces: rules, likelihood ratios, sentences."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from dfworkbench.core.names import FAKE, REAL, STATUS_OK
from dfworkbench.evidence.case import Check, EvidenceFile, LrValue, Person, Validation
from dfworkbench.evidence.intake import Incoming, Setup, copy_check, credentials_dict, domain_check
from dfworkbench.evidence.numbers.lr_system import LrSystem
from dfworkbench.evidence.reference.comparison import Compared
from dfworkbench.evidence.reference.faces import FacesOfFile
from dfworkbench.evidence.reference.scored import NOT_ON_RECORD, ScoredReference
from dfworkbench.evidence.reference.tracks import effective_frames
from dfworkbench.evidence.rules import refusals as r
from dfworkbench.evidence.rules import reservations as s
from dfworkbench.evidence.rules.words import finding, no_statement


@dataclass(frozen=True)
class Basis:
    """Common inputs of all findings.

    Attributes:
        setup: Setup of the case.
        scored: The scored reference set.
        system: The LR system; None if it could not be fitted.
        checks: Rules that concern the whole case.
        correlation: Intraclass correlation of the reference tracks.
    """

    setup: Setup
    scored: ScoredReference
    system: LrSystem | None
    checks: tuple[Check, ...]
    correlation: float


def reference_checks(
    scored: ScoredReference, validation: Validation | None, system: LrSystem | None, source_dirty: bool | None
) -> tuple[Check, ...]:
    """Rules that depend only on the scored reference set: R5, R8, S1, S3, S4, S5, S8."""
    people = scored.people(REAL), scored.people(FAKE)
    genuine = scored.videos[scored.videos["label"] == REAL]
    sources = {path.rpartition("/")[0] for path in genuine["path"]}
    checks = [_processing(scored), s.s1_few_people(*people, named=scored.named), s.s5_sources(len(sources))]
    checks.append(s.s8_source_tree(source_dirty))
    if validation is None or system is None:
        why = "The LR system could not be fitted: there are fewer than two people in a class of the reference set."
        return (Check("R5", True, why), *checks)
    kinds = {str(row.kind): float(row.cllr) for row in validation.kinds.itertuples()}  # pyright: ignore[reportArgumentType]
    shown = r.r5_discrimination(validation.cllr, validation.cllr_high, system.lowest_slope, system.wrong_way)
    return (shown, *checks, s.s3_unseen_kinds(kinds), s.s4_calibration(validation.cllr_cal))


def _processing(scored: ScoredReference) -> Check:
    if scored.faces is None:
        why = f"How the faces of the reference set {scored.data.name} were found is {NOT_ON_RECORD}"
        return Check("R8", True, f"{why}, so the evidence cannot be processed in the same way. Extract the set again.")
    return r.r8_processing(scored.stored, scored.now, rescored=scored.rescored)


def examine_file(
    basis: Basis,
    incoming: Incoming,
    found: FacesOfFile | None,
    sha256_after: str,
    frames_elsewhere: list[str],
    compared: Sequence[Compared],
) -> EvidenceFile:
    """Findings on a file and everyone in it.

    Args:
        basis: Common inputs.
        incoming: The file before decoding.
        found: Its faces; None if it could not be read.
        sha256_after: Its hash after the examination; "" if it can no longer be read.
        frames_elsewhere: Frames that also occur in the reference set or the training data.
        compared: How each of its tracks compares with the reference set.
    """
    status, reason = (found.status, found.reason) if found else (incoming.status, incoming.reason)
    before = incoming.hashed.sha256 if incoming.hashed else ""
    own = [
        domain_check(basis.setup, incoming.domain),
        copy_check(incoming, frames_elsewhere),
        r.r10_unchanged(before, sha256_after),
    ]
    people: tuple[Person, ...] = ()
    if found is not None and found.tracks is not None and status == STATUS_OK:
        rows = range(len(found.tracks.table))
        people = tuple(_person(basis, incoming, found, row, own, compared[row]) for row in rows)
    else:
        own.insert(0, r.r1_scored_frames(status if status != STATUS_OK else "no_face", reason, 0))
    refused = _refusing([*own, *basis.checks])
    lr = _file_lr(basis, people)
    sentence = no_statement(incoming.name, refused) if not people else ""
    if lr is not None:
        sentence = f"About the file {incoming.name}: {finding(lr, ('H1 of the file', 'H2 of the file'))}"
    return EvidenceFile(
        incoming.path, incoming.name, incoming.hashed.bytes if incoming.hashed else 0, before, sha256_after, incoming.container,
        credentials_dict(incoming), status, reason, people, lr, sentence, incoming.domain, found.decoded if found else {}, refused,
    )  # fmt: skip


def _person(
    basis: Basis,
    incoming: Incoming,
    found: FacesOfFile,
    row: int,
    of_file: Sequence[Check],
    compared: Compared,
) -> Person:
    tracks = found.tracks
    assert tracks is not None  # checked by the caller
    of, fits = tracks.table.iloc[row], compared.fits
    scores = tracks.log_odds(row)
    checks = [
        r.r1_scored_frames(STATUS_OK, "", int(of["frames"]), picture=found.still, failed=int(of["bad_frames"])),
        *of_file,
        r.r9_default_value(scores, basis.scored.tracks.table["score"].dropna()),
        *basis.checks,
        r.r7_applicability(fits.p, fits.people, fits.far),
        s.s6_applicability(fits.p, fits.people, fits.odd),
        s.s7_identities(len(tracks.table), told_apart=_tells_apart(basis.scored)),
        s.s10_credentials(incoming.credentials.state if incoming.credentials else None),
        s.s11_reference_person((), looked=False),
    ]
    refused, name = _refusing(checks), f"person {row + 1}"
    value, halves = None, None
    if not refused and basis.system is not None:
        value = basis.system.value(float(of["score"]))
        halves = _halves(basis.system, scores)
        checks += [s.s2_halves(halves), s.s9_bound(value)]
    return Person(
        file=incoming.name,
        track=int(of["track"]),
        name=name,
        frames=int(of["frames"]),
        score=float(of["score"]),
        thumbnail=found.thumbnails.get(int(of["track"])),
        halves=halves,
        timeline=_timeline(tracks.frames, int(of["track"])),
        lr=value,
        refusals=refused,
        reservations=in_order(check for check in checks if check.holds and not check.refuses) if value else (),
        applicability=fits.quantities,
        applicability_p=fits.p,
        n_eff=effective_frames(int(of["frames"]), basis.correlation) if np.isfinite(basis.correlation) else None,
        sentence=f"About {name}: {finding(value)}" if value else no_statement(name, refused),
        nearest=compared.nearest,
    )


def _tells_apart(scored: ScoredReference) -> bool:
    return scored.faces is not None and scored.faces.identity_weights != "off"


def _halves(system: LrSystem, scores: np.ndarray) -> tuple[float, float] | None:
    if len(scores) < 2:
        return None
    return system.bounded(float(scores[::2].mean())), system.bounded(float(scores[1::2].mean()))


def _timeline(frames: pd.DataFrame, track: int) -> pd.DataFrame:
    own = frames[(frames["track"] == track) & (frames["status"] == STATUS_OK)]
    return own[["time_s", "frame", "logit"]].rename(columns={"logit": "score"}).reset_index(drop=True)


def _file_lr(basis: Basis, people: Sequence[Person]) -> LrValue | None:
    """LR of a file with several people who all have a statement."""
    if basis.system is None or len(people) < 2 or any(person.lr is None for person in people):
        return None
    return basis.system.of_file([person.score for person in people])


def _refusing(checks: Sequence[Check]) -> tuple[Check, ...]:
    return in_order(check for check in checks if check.refuses)


def in_order(checks: Iterable[Check]) -> tuple[Check, ...]:
    """Unique checks, refusals first, sorted by number."""
    return tuple(sorted(dict.fromkeys(checks), key=lambda check: (check.code[0], int(check.code[1:]))))
