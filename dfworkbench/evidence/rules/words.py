"""Wording of a case file: verbal scale, LRs rounded towards 1, sentences of findings, propositions and limitations.

The bands are those of the ENFSI guideline for evaluative reporting (2015) as commonly quoted; they were not compared with the
guideline's own table, so a report prints the whole scale. Forbidden words are in `evidence.rules.forbidden_words`.
"""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from dfworkbench.evidence.case import Check, LrValue

BANDS: tuple[tuple[float, str], ...] = (
    (2, "no support"),
    (10, "weak support"),
    (100, "moderate support"),
    (1_000, "moderately strong support"),
    (10_000, "strong support"),
    (1_000_000, "very strong support"),
    (float("inf"), "extremely strong support"),
)  # highest LR of each band, inclusive
_EDGES = np.log10([edge for edge, _ in BANDS[:-1]])
_SLACK = 1e-9  # tolerance of log10 LR: 10^log10(2) is not exactly 2
NO_FINDING = "This is not a finding in either direction."
NO_SUPPORT = "no support for either proposition"


def band(llr: float) -> int:
    """Band of a log10 LR: 0 no support, 1 weak, up to 6 extremely strong; negative for H2. An edge belongs to the weaker band."""
    number = int(np.searchsorted(_EDGES + _SLACK, abs(llr), side="left"))
    return number if llr > 0 else -number


def supported_band(value: LrValue) -> int | None:
    """Band of the interval end nearest to 1, after the bound; 0 if the interval contains 1, None without an interval."""
    if np.isnan(value.low) or np.isnan(value.high):
        return None
    if value.low > 0 and value.llr > 0:
        return band(value.low)
    return band(value.high) if value.high < 0 and value.llr < 0 else 0


def support(value: LrValue, names: tuple[str, str] = ("H1", "H2")) -> str:
    """The words of the scale, such as "weak support for H1 rather than H2"; "" without an interval.

    Args:
        value: An LR.
        names: Names of the two propositions.
    """
    number = supported_band(value)
    if number is None:
        return ""
    if number == 0:
        return NO_SUPPORT
    first, second = names if number > 0 else names[::-1]
    return f"{BANDS[abs(number)][1]} for {first} rather than {second}"


def scale() -> tuple[tuple[str, str], ...]:
    """The full verbal scale for a report, as rows of (range of the LR, words)."""
    edges = [edge for edge, _ in BANDS]
    ranges = [f"up to {edges[0]:,}", *(f"{low:,} to {high:,}" for low, high in pairwise(edges[:-1]))]
    words = [NO_SUPPORT, *(words for _, words in BANDS[1:])]
    return tuple(zip([*ranges, f"above {edges[-2]:,}"], words, strict=True))


def rounded_lr(llr: float) -> str:
    """Format the LR of a log10 LR, rounded towards 1 to two digits: 1,430 is "1,400", 0.606 is "0.61"."""
    if np.isnan(llr):
        return "not known"
    lr = 10.0**llr
    if not 0 < lr < np.inf:
        return "0" if llr < 0 else "infinite"
    digit = 10.0 ** (np.floor(llr + _SLACK) - 1)
    steps = np.floor(lr / digit * (1 + _SLACK)) if lr >= 1 else np.ceil(lr / digit * (1 - _SLACK))
    rounded = float(steps * digit)
    decimals = max(0, 1 - int(np.floor(np.log10(rounded) + _SLACK)))
    return f"{rounded:,.{decimals}f}"


def finding(value: LrValue, names: tuple[str, str] = ("H1", "H2")) -> str:
    """State an LR in two sentences; below 1, inverted in favour of the second proposition.

    Args:
        value: An LR.
        names: Names of the two propositions.
    """
    sign = 1 if value.llr >= 0 else -1
    first, second = names[::sign]
    low, high = sorted((sign * value.low, sign * value.high))
    sampling = f" (sampling of the reference people, 95 %: {rounded_lr(low)} to {rounded_lr(high)})"
    if np.isnan(low):
        sampling = ""
    elif low == high:  # "33 to 33" would suggest great precision
        sampling = ", which is the most that this reference set can support (the whole interval was cut to it)"
    times = rounded_lr(sign * value.llr)
    how = (
        f"equally probable if {names[0]} is true and if {names[1]} is true"
        if times == "1.0"
        else f"{times} times more probable if {first} is true than if {second} is true"
    )
    words = support(value, names)
    return f"The findings are about {how}{sampling}. " + (
        f"This is {words}." if words else "Without an interval no words are given for its strength."
    )


def no_statement(subject: str, refusals: Sequence[Check]) -> str:
    """Why no statement is possible, the headline first.

    Args:
        subject: "person 1", or the name of the file.
        refusals: Applicable rules, at least one.
    """
    reasons = " ".join(f"{check.sentence} ({check.code})" for check in refusals)
    return f"No statement can be made about {subject}. Reason: {reasons} {NO_FINDING}"


def propositions(person: str, file: str, kinds: Sequence[str]) -> tuple[str, str]:
    """The two propositions about one face, H1 and H2.

    Args:
        person: "person 1".
        file: Name of the evidence file.
        kinds: Kinds of forgery in the reference set.
    """
    names = f" ({', '.join(kinds)})" if kinds else ""
    return (
        f"The face of {person} in {file} was manipulated by a process like those in the reference set{names}.",
        "It was not manipulated; it was recorded and processed in the way of the genuine files of the reference set.",
    )


def file_propositions(file: str, people: int) -> tuple[str, str]:
    """The two propositions about a file with several faces.

    Args:
        file: Name of the evidence file.
        people: Number of faces with a statement.
    """
    return (
        f"Exactly one of the {people} faces in {file} was manipulated, each of them equally likely beforehand.",
        f"None of the {people} faces was manipulated.",
    )


def limits(genuine: int, manipulated: int, kinds: Sequence[str], caveat: str = "") -> tuple[str, ...]:
    """Limitations printed in every report, most important first.

    Args:
        genuine: Number of reference people with genuine faces.
        manipulated: Number of reference people with manipulated faces.
        kinds: Kinds of forgery in the reference set.
        caveat: The caveat of the run, printed verbatim; "" if it has none.
    """
    names = f" ({', '.join(kinds)})" if kinds else ""
    sentences = (
        caveat,
        f"It speaks of processes like those in the reference set{names}; others, and any made to deceive this detector, may look "
        "genuine.",
        f"The reference people are few: {genuine} with genuine and {manipulated} with manipulated faces.",
        "It speaks of files processed like the reference files.",
        "It speaks of faces only, not of sound, text, place or time.",
        "One detector was used; another may differ.",
        "It is a result of software under development; not accredited.",
    )
    return tuple(filter(None, sentences))
