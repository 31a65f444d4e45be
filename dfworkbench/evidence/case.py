"""The case file as values: checks, likelihood ratios, people, files, validation, reference set.

All LRs are log10. H1: the face was manipulated; H2: it was not. Nothing here computes: `evidence.examine` fills these values; the
page, the record and the notebook read them.
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
    """A decision rule that was looked at.

    Attributes:
        code: "R1" to "R10" (no statement possible) or "S1" to "S11" (reservation).
        holds: Whether the rule applies, that is, whether it refuses or qualifies the statement.
        sentence: What was found, with its numbers, whether it holds or not.
        p: Where the rule is a test.
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
        llr: After the bound.
        low: Lower end of the nominal 95 % interval, after the bound.
        high: Upper end, likewise.
        unbounded_llr: Before the bound.
        bound: How far LRs of this reference set can be trusted.
        kinds: LR if H1 is narrowed to one kind of forgery, per kind, after the bound of that kind.
    """

    llr: float
    low: float
    high: float
    unbounded_llr: float
    bound: Bounds
    kinds: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Quantity:
    """One quantity by which a face is compared with the reference set.

    Attributes:
        name: With its unit.
        evidence: Number or category of the face; None for a vector.
        low: 5 % quantile over the reference people; None for vectors and categories.
        middle: Median, likewise.
        high: 95 % quantile, likewise.
        oddness: Distance from the reference people in units of their spread; None for a category.
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
    """A face of the reference set that is near in the detector's features.

    Attributes:
        file: Of the reference set.
        group: The person.
        label: 0 genuine, 1 manipulated.
        distance: Mahalanobis.
        thumbnail: PNG; None where faces of real people are not printed.
    """

    file: str
    group: str
    label: int
    distance: float
    thumbnail: bytes | None = None


@dataclass(frozen=True)
class Person:
    """One face through one file, and what can be said of it.

    Attributes:
        file: Name of the evidence file.
        track: Number of the track.
        name: "person 1".
        frames: Frames with a score.
        score: Mean over the frames of the log-odds, clipped to ±13.8155; NaN without a score.
        thumbnail: PNG.
        halves: Log10 LR of the odd and the even frames.
        timeline: Columns time_s, frame, score.
        lr: None where no statement is possible.
        refusals: R rules that hold, the headline first.
        reservations: S rules that hold.
        applicability: How the face compares with the reference set, quantity by quantity.
        applicability_p: Conformal p of all quantities together.
        n_eff: Independent frames that the scored ones are worth, n / (1 + (n - 1) ICC).
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
    """A file that was examined.

    Attributes:
        path: Where it lay.
        name: Unique among the files of the case.
        bytes: Size.
        sha256_before: Before it was examined.
        sha256_after: Afterwards.
        container: Container and streams as `media.container` reads them.
        credentials: C2PA as `media.content_credentials` reads it.
        status: "ok", or why there is no score.
        reason: In words.
        people: Their tracks.
        lr: LR of the file, where two or more people have a statement and none lacks one.
        sentence: What is said of the file; "" where only its people are.
        domain: "generated" or "real".
        decoded: What was read: frames asked for, frames read, frame rate, size.
        refusals: R rules that hold for the file itself.
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
    """How well the LR system does on the reference people it has not seen (leave one group out).

    Attributes:
        cllr: Log-likelihood-ratio cost, groups counting once.
        cllr_low: Lower end of its 95 % interval over groups.
        cllr_high: Upper end.
        cllr_min: What discrimination alone costs.
        cllr_cal: `cllr - cllr_min`.
        devpav: NaN where it cannot be given.
        misleading: Rates of misleading evidence by name, each (value, low, high).
        bounds: Bounds of an LR.
        slope: Of the fit on all rows.
        offset: Likewise.
        kinds: Leave-one-kind-out Cllr, columns kind, cllr, rows, groups.
        groups: Cllr per group, columns group, cllr, rows; worst first.
        llr: `(n,)` leave-one-group-out log10 LRs of the reference rows.
        labels: `(n,)`.
        group_codes: `(n,)`.
        scores: `(n,)`, log-odds.
        intervals: 95 % intervals over groups of cllr, cllr_min, cllr_cal and devpav.
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
    """The labelled faces that the evidence is compared with.

    Attributes:
        name: Of the data set.
        split: Of it.
        people: Groups per class, "genuine" and "manipulated".
        files: Files per class.
        kinds: Files per kind of forgery.
        sources: Distinct sources of the genuine files.
        domain: "generated" or "real".
        hashes: SHA-256 of its tables and of the reference scores, by name.
        overlap: What was looked at for overlap with training and evidence, in sentences.
        rows: One per scored track: video_id, track, group, label, kind, source, frames, score.
        named: Whether its people are named; else every file is its own group.
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
    """An examination: what was asked, what was found, how that was measured, and where it is recorded.

    Attributes:
        case: Its name.
        question: In the asker's words; "" if none was given.
        h1: The proposition that the face was manipulated.
        h2: That it was not.
        examiner: As given, or "".
        reference: The reference set.
        validation: None where the LR system could not be fitted.
        files: The evidence.
        checks: Rules that concern the whole case, those that hold and those that do not.
        limits: Sentences that are always printed, the most important first.
        method: Detector, weights, input, frames, formulas, settings: text by name, nested.
        reproduction: Command, versions, commit, platform.
        examination_head: Head of the log after the last result.
        results_sha256: Of the canonical results.
        folder: Where the case lies; None where it is in memory only.
        outcome: "statement" if a person has one, else "no statement".
        date: When it was made, UTC, ISO 8601.
        log: Entries of the log up to `examined`.
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
        """Everybody in the evidence, file by file."""
        return tuple(person for file in self.files for person in file.people)

    @property
    def refusals(self) -> tuple[Check, ...]:
        """Rules that make a statement impossible for everybody."""
        return tuple(check for check in self.checks if check.refuses)

    def _repr_html_(self) -> str:
        rows = [(p.file, p.name, p.frames, p.sentence) for p in self.people]
        rows += [(file.name, "", 0, file.sentence or file.reason) for file in self.files if not file.people]
        body = f'<div class="dfw-title">Case {escape(self.case)}: {escape(self.outcome)}</div>'
        body += "".join(note_html(check.sentence) for check in self.refusals)
        body += html_table(["file", "person", "frames", "finding"], rows)
        return wrap(body)
