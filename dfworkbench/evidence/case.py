"""Data classes of a case file: checks, likelihood ratios, people, files, validation, reference set.

All LRs are log10. H1: the face was manipulated; H2: it was not. Nothing is computed here: `evidence.examine` fills these
values; the page, the record and the notebook read them.
"""

from dataclasses import dataclass, field
from html import escape
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from dfworkbench.core.html import html_table, note_html, wrap
from dfworkbench.evaluation.metrics.likelihood_ratios import Bounds

STATEMENT, NO_STATEMENT = "statement", "no statement"


@dataclass(frozen=True)
class Check:
    """Outcome of one decision rule.

    Attributes:
        code: "R1" to "R10" (refusal: no statement possible) or "S1" to "S11" (reservation).
        holds: Whether the rule applies, that is, refuses or qualifies the statement.
        sentence: What was found, with numbers, whether the rule applies or not.
        p: p-value if the rule is a test.
    """

    code: str
    holds: bool
    sentence: str
    p: float | None = None

    @property
    def refuses(self) -> bool:
        """Whether this rule makes a statement impossible."""
        return self.holds and self.code.startswith("R")


@dataclass(frozen=True)
class LrValue:
    """A likelihood ratio, log10.

    Attributes:
        llr: After applying the bound.
        low: Lower end of the nominal 95 % interval, after applying the bound.
        high: Upper end, after applying the bound.
        unbounded_llr: Before applying the bound.
        bound: Bounds within which LRs of this reference set can be trusted.
        kinds: Per kind of forgery, the LR with H1 restricted to that kind, after its bound.
    """

    llr: float
    low: float
    high: float
    unbounded_llr: float
    bound: Bounds
    kinds: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Quantity:
    """A quantity by which a face is compared with the reference set.

    Attributes:
        name: Name with unit.
        evidence: Value or category of the face; None for a vector.
        low: 5 % quantile over the reference people; None for vectors and categories.
        middle: Median, None as above.
        high: 95 % quantile, None as above.
        oddness: Distance from the reference people, in units of their spread; None for a category.
        p: Share of reference people at least as odd, for information.
    """

    name: str
    evidence: float | str | None
    low: float | None
    middle: float | None
    high: float | None
    oddness: float | None
    p: float | None


@dataclass(frozen=True)
class Nearest:
    """A reference face close to the examined face in the detector's features.

    Attributes:
        file: File of the reference set.
        group: The person.
        label: 0 genuine, 1 manipulated.
        distance: Mahalanobis distance.
        thumbnail: PNG; None if faces of real people are not shown.
    """

    file: str
    group: str
    label: int
    distance: float
    thumbnail: bytes | None = None


@dataclass(frozen=True)
class Person:
    """One face throughout a file, with its finding.

    Attributes:
        file: Name of the evidence file.
        track: Index of the track.
        name: "person 1".
        frames: Number of frames with a score.
        score: Mean log-odds over the frames, clipped to ±13.8155; NaN without a score.
        thumbnail: PNG.
        halves: Log10 LRs of the odd and the even frames.
        timeline: Table with the columns time_s, frame, score.
        lr: None if no statement is possible.
        refusals: R rules that apply, the headline first.
        reservations: S rules that apply.
        applicability: How the face compares with the reference set, quantity by quantity.
        applicability_p: Conformal p-value of all quantities combined.
        n_eff: Effective number of independent frames, n / (1 + (n - 1) ICC).
        sentence: The finding in words, or why there is none.
        nearest: Nearest faces of the reference set.
    """

    file: str
    track: int
    name: str
    frames: int
    score: float
    thumbnail: bytes | None = None
    halves: tuple[float, float] | None = None
    timeline: pd.DataFrame | None = None
    lr: LrValue | None = None
    refusals: tuple[Check, ...] = ()
    reservations: tuple[Check, ...] = ()
    applicability: tuple[Quantity, ...] = ()
    applicability_p: float | None = None
    n_eff: float | None = None
    sentence: str = ""
    nearest: tuple[Nearest, ...] = ()


@dataclass(frozen=True)
class EvidenceFile:
    """An examined file.

    Attributes:
        path: Its path at the examination.
        name: Unique among the files of the case.
        bytes: Size in bytes.
        sha256_before: SHA-256 before the examination.
        sha256_after: SHA-256 after the examination.
        container: Container and streams as `media.container` reads them.
        credentials: C2PA content credentials as `media.content_credentials` reads them.
        status: "ok", or why there is no score.
        reason: The same in words.
        people: People in the file, one per track.
        lr: LR of the file, if it shows two or more people and all have a statement.
        sentence: Statement on the file; "" if there are only statements on its people.
        domain: "generated" or "real".
        decoded: What was read: requested frames, decoded frames, frame rate, size.
        refusals: R rules that apply to the file itself.
    """

    path: Path
    name: str
    bytes: int
    sha256_before: str
    sha256_after: str
    container: dict[str, Any]
    credentials: dict[str, Any]
    status: str
    reason: str
    people: tuple[Person, ...] = ()
    lr: LrValue | None = None
    sentence: str = ""
    domain: str = "real"
    decoded: dict[str, Any] = field(default_factory=dict)
    refusals: tuple[Check, ...] = ()


@dataclass(frozen=True)
class Validation:
    """Validation of the LR system on unseen reference people (leave one group out).

    Attributes:
        cllr: Log-likelihood-ratio cost, with equal weight per group.
        cllr_low: Lower end of its 95 % interval over groups.
        cllr_high: Upper end.
        cllr_min: Discrimination loss.
        cllr_cal: Calibration loss, `cllr - cllr_min`.
        devpav: devPAV; NaN if undefined.
        misleading: Rates of misleading evidence by name, each (value, low, high).
        bounds: Bounds of LRs.
        slope: Slope of the fit on all rows.
        offset: Offset of the fit on all rows.
        kinds: Leave-one-kind-out Cllr, columns kind, cllr, rows, groups.
        groups: Cllr per group, columns group, cllr, rows; worst first.
        llr: `(n,)` leave-one-group-out log10 LRs of the reference rows.
        labels: `(n,)`.
        group_codes: `(n,)`, index of each row's group.
        scores: `(n,)`, log-odds.
        intervals: 95 % intervals over groups, for cllr, cllr_min, cllr_cal and devpav.
    """

    cllr: float
    cllr_low: float
    cllr_high: float
    cllr_min: float
    cllr_cal: float
    devpav: float
    misleading: dict[str, tuple[float, float, float]]
    bounds: Bounds
    slope: float
    offset: float
    kinds: pd.DataFrame
    groups: pd.DataFrame
    llr: NDArray[np.float64]
    labels: NDArray[np.int64]
    group_codes: NDArray[np.int64]
    scores: NDArray[np.float64]
    intervals: dict[str, tuple[float, float]] = field(default_factory=dict)


@dataclass(frozen=True)
class Reference:
    """The reference set: labelled faces that the evidence is compared with.

    Attributes:
        name: Name of the data set.
        split: Its split.
        people: Number of groups per class, "genuine" and "manipulated".
        files: Number of files per class.
        kinds: Number of files per kind of forgery.
        sources: Number of distinct sources of the genuine files.
        domain: "generated" or "real".
        hashes: SHA-256 of its tables and of the reference scores, by name.
        overlap: Sentences on what was checked for overlap with training data and evidence.
        rows: One row per scored track: video_id, track, group, label, kind, source, frames, score.
        named: Whether people are named; otherwise every file is its own group.
    """

    name: str
    split: str
    people: dict[str, int]
    files: dict[str, int]
    kinds: dict[str, int]
    sources: tuple[str, ...]
    domain: str
    hashes: dict[str, str]
    overlap: tuple[str, ...]
    rows: pd.DataFrame
    named: bool = True


@dataclass(frozen=True)
class CaseFile:
    """An examination: question, findings, method and record.

    Attributes:
        case: Name of the case.
        question: The question as it was asked; "" if none was given.
        h1: Proposition that the face was manipulated.
        h2: Proposition that it was not.
        examiner: Name of the examiner, or "".
        reference: The reference set.
        validation: None if the LR system could not be fitted.
        files: The evidence files.
        checks: Rules that concern the whole case, whether they apply or not.
        limits: Limitations that are always printed, most important first.
        method: Detector, weights, input, frames, formulas and settings, as nested text by name.
        reproduction: Command, versions, commit, platform.
        examination_head: Head (last hash) of the log after the last result.
        results_sha256: SHA-256 of the canonical results.
        folder: Folder of the case; None if it exists only in memory.
        outcome: "statement" if there is one for any person, else "no statement".
        date: Date of the examination, UTC, ISO 8601.
        log: Log entries up to `examined`.
    """

    case: str
    question: str
    h1: str
    h2: str
    examiner: str
    reference: Reference
    validation: Validation | None
    files: tuple[EvidenceFile, ...]
    checks: tuple[Check, ...]
    limits: tuple[str, ...]
    method: dict[str, Any]
    reproduction: dict[str, Any]
    examination_head: str
    results_sha256: str
    folder: Path | None
    outcome: str
    date: str = ""
    log: tuple[dict[str, Any], ...] = ()

    @property
    def people(self) -> tuple[Person, ...]:
        """All people in the evidence, file by file."""
        return tuple(person for file in self.files for person in file.people)

    @property
    def refusals(self) -> tuple[Check, ...]:
        """Rules that make any statement impossible."""
        return tuple(check for check in self.checks if check.refuses)

    def _repr_html_(self) -> str:
        rows = [(p.file, p.name, p.frames, p.sentence) for p in self.people]
        rows += [(file.name, "", 0, file.sentence or file.reason) for file in self.files if not file.people]
        body = f'<div class="dfw-title">Case {escape(self.case)}: {escape(self.outcome)}</div>'
        body += "".join(note_html(check.sentence) for check in self.refusals)
        body += html_table(["file", "person", "frames", "finding"], rows)
        return wrap(body)
