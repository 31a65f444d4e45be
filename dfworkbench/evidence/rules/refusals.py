"""Refusal rules R1 to R10: when no statement is possible. Each function turns plain facts into a `Check`.

R2, R3 by hash, R4 and R6 need no scoring and can be checked first. Of the rules that apply, the one with the lowest number is
the headline; all are listed.
"""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from numpy.typing import ArrayLike

from dfworkbench.evidence.case import Check
from dfworkbench.evidence.numbers.lr_system import FEWEST_GROUPS

FEWEST_FRAMES, FEWEST_PICTURES = 8, 1
MOST_BAD_FRAMES = 0.05  # share of frames without a finite score
MOST_EQUAL_FRAMES, MOST_EQUAL_ROWS = 0.5, 0.05  # shares of frames and of reference rows with one identical score
MOST_WRONG_WAY = 0.025  # share of draws with a slope at or below 0
GENERATED = "generated"
UNKNOWN = "unknown"


def headline(checks: Iterable[Check]) -> Check | None:
    """The refusal to report first: the applicable rule with the lowest number; None if no rule applies."""
    refusing = [check for check in checks if check.refuses]
    return min(refusing, key=lambda check: int(check.code[1:]), default=None)


def r1_scored_frames(status: str, reason: str, frames: int, *, picture: bool = False, failed: int = 0) -> Check:
    """The file cannot be read, shows no face, or the track has too few frames with a score.

    Args:
        status: "ok", or the status from the score table.
        reason: The same in words.
        frames: Number of frames with a finite score.
        picture: Whether the file is a still picture.
        failed: Number of frames without a finite score.
    """
    fewest = FEWEST_PICTURES if picture else FEWEST_FRAMES
    if status != "ok":
        return Check(
            "R1", True, f"The file or face could not be scored ({status}): {reason.rstrip('.') or 'no reason given'}."
        )
    if failed > MOST_BAD_FRAMES * (frames + failed):
        return Check(
            "R1",
            True,
            f"The detector gave no finite score for {failed} of {frames + failed} frames; at most 5 % are allowed.",
        )
    return Check(
        "R1", frames < fewest, f"The face has {_count(frames, 'scored frame')}; a statement needs at least {fewest}."
    )


def r2_domain(detector: str, reference: str, evidence: str) -> Check:
    """Generated and recorded data must not be mixed.

    Args:
        detector: Domain of the training data: "generated", "real" or "unknown". "unknown" is handled by R6.
        reference: Domain of the reference set, "generated" or "real".
        evidence: Domain of the evidence, "generated" or "real".
    """
    known = {name for name in (detector, reference, evidence) if name != UNKNOWN}
    mixed = GENERATED in known and len(known) > 1
    words = f"detector trained on {detector} data, reference set {reference}, evidence {evidence}"
    if mixed:
        return Check("R2", True, f"The domains differ: {words}. Scores of one domain say nothing about the other.")
    return Check("R2", False, f"The domains agree: {words}.")


def r3_overlap(found: Sequence[str], looked_at: str = "training and reference data") -> Check:
    """The evidence, or a near copy of one of its frames (at most 32 of 256 bits differ), is in the training or reference data.

    Args:
        found: What was found, such as "the same file bytes in the reference set demo (videos/007.mp4)".
        looked_at: What it was compared with.
    """
    if found:
        return Check(
            "R3", True, f"The evidence is part of the data that it would be compared with: {'; '.join(found)}."
        )
    return Check("R3", False, f"No copy of the evidence was found in the {looked_at}.")


def r4_people(genuine: int, manipulated: int) -> Check:
    """Too few people in one class of the reference set: the bound would leave nothing to state."""
    words = f"The reference set has {genuine} people with genuine and {manipulated} with manipulated faces"
    holds = min(genuine, manipulated) < FEWEST_GROUPS
    return Check("R4", holds, f"{words}; a statement needs at least {FEWEST_GROUPS} in each class.")


def r5_discrimination(cllr: float, cllr_high: float, lowest_slope: float, wrong_way: float) -> Check:
    """The LR system is not shown to be better than no information.

    Args:
        cllr: Leave-one-group-out Cllr.
        cllr_high: Upper end of its 95 % interval over groups; NaN counts as not shown.
        lowest_slope: Lowest slope of the fits without one group.
        wrong_way: Share of draws with a slope at or below 0.
    """
    reasons = []
    if not cllr_high < 1:
        reasons.append(f"Cllr is {cllr:.2f} with an upper end of {cllr_high:.2f}, and 1 is what saying nothing costs")
    if lowest_slope <= 0:
        reasons.append(
            f"without one of the people the fit has a slope of {lowest_slope:.2f}, so higher scores would speak for H2"
        )
    if wrong_way > MOST_WRONG_WAY:
        reasons.append(
            f"the slope is at or below 0 in {100 * wrong_way:.1f} % of the draws of people; 2.5 % are allowed"
        )
    if reasons:
        return Check("R5", True, f"The scores are not shown to be better than saying nothing: {'; '.join(reasons)}.")
    return Check(
        "R5",
        False,
        f"Leave-one-person-out Cllr is {cllr:.2f} with an upper end of {cllr_high:.2f}, below the 1 of saying nothing.",
    )


def r6_audit(verdict: str | None, trained_on: Sequence[str] = ()) -> Check:
    """The run's leakage audit is red or missing, or the detector was trained on people of the reference set.

    Args:
        verdict: "green", "red", or None if the training data were never audited or are unknown.
        trained_on: People or files of the reference set that are also in the training data.
    """
    if trained_on:
        some = ", ".join(trained_on[:5]) + (" and others" if len(trained_on) > 5 else "")
        return Check(
            "R6",
            True,
            f"The detector was trained on {len(trained_on)} of the people or files of the reference set: {some}.",
        )
    if verdict is None:
        return Check(
            "R6",
            True,
            "Nobody has checked whether the detector's training data share people or frames with its test data.",
        )
    if verdict != "green":
        return Check(
            "R6",
            True,
            f"The leakage audit of the detector's training data is {verdict}: its splits share people or frames.",
        )
    return Check("R6", False, "The leakage audit is green, and no person of the reference set was trained on.")


def r7_applicability(p: float, people: int, far: Sequence[str] = ()) -> Check:
    """The face is outside the reference data.

    Args:
        p: Conformal p-value of all quantities combined.
        people: Number of reference people of the class that the face resembles more.
        far: Quantities that are constant in most reference files and here differ from all of them by a factor of 2 or more.
    """
    limit = r7_limit(people)
    words = f"p = {p:.3f}, {people} people, limit {limit:.3f}"
    if far:
        return Check(
            "R7", True, f"The face lies outside the reference set: {', '.join(far)} differ by a factor of 2 or more.", p
        )
    if not p > limit:
        return Check(
            "R7",
            True,
            f"The face lies outside the reference set: it is less like its people than they are like one another ({words}).",
            p,
        )
    return Check("R7", False, f"There is no sign that the face is unlike the reference set ({words}).", p)


def r7_limit(people: int) -> float:
    """The p-value at or below which R7 refuses; also the share of fitting evidence that it wrongly refuses."""
    return max(0.01, 1 / (people + 1))


def r8_processing(reference: Mapping[str, str], now: Mapping[str, str], *, rescored: bool = False) -> Check:
    """The evidence was processed differently from the stored reference scores.

    Args:
        reference: How the reference was scored: weights hash, input, frames, face settings, version; text by name.
        now: The same for this run. Versions are compared up to major.minor.
        rescored: Whether the reference was scored anew for this case.
    """
    names = sorted({*reference, *now})
    differing = [name for name in names if _processing(name, reference) != _processing(name, now)]
    if rescored or not differing:
        return Check("R8", False, "Evidence and reference set were processed in the same way.")
    words = "; ".join(
        f"{name} was {reference.get(name, 'absent')}, now {now.get(name, 'absent')}" for name in differing
    )
    return Check(
        "R8", True, f"The stored reference scores were made in another way: {words}. Score the reference set again."
    )


def r9_default_value(frames: ArrayLike, reference: ArrayLike) -> Check:
    """One identical score (default value or saturation) on over half of the frames or over 5 % of the reference rows.

    Args:
        frames: Scores of the frames of the track; a single frame is not checked.
        reference: Scores of the reference rows; a single row is not checked.
    """
    reasons = []
    for scores, most, words in (
        (frames, MOST_EQUAL_FRAMES, "frames of the face"),
        (reference, MOST_EQUAL_ROWS, "tracks of the reference set"),
    ):
        count, total = _most_equal(scores)
        if count > max(1, most * total):
            reasons.append(f"{count} of {total} {words}")
    if reasons:
        return Check(
            "R9", True, f"One identical score, a default value or saturation, occurs in {' and '.join(reasons)}."
        )
    return Check("R9", False, "No score is repeated so often that it could be a default value.")


def r10_unchanged(sha256_before: str, sha256_after: str) -> Check:
    """The evidence changed during the examination."""
    if sha256_before != sha256_after:
        return Check(
            "R10",
            True,
            f"The file changed while it was examined: SHA-256 {sha256_before[:12]} before, {sha256_after[:12]} after.",
        )
    return Check("R10", False, f"The file has the same SHA-256 before and after, {sha256_before[:12]}.")


def _most_equal(scores: ArrayLike) -> tuple[int, int]:
    values = np.asarray(scores, dtype=np.float64)
    return (int(np.unique(values, return_counts=True)[1].max()) if len(values) else 0), len(values)


def _processing(name: str, of: Mapping[str, str]) -> str | None:
    value = of.get(name)
    return ".".join(value.split(".")[:2]) if name == "version" and value is not None else value


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
