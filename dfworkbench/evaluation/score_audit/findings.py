"""`Finding` of a score audit, and the thirteen kinds (F1 to F13) with titles, meaning and non-implications."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

Severity = Literal["red", "amber", "note"]
SEVERITIES: tuple[Severity, ...] = ("red", "amber", "note")


class Kind(NamedTuple):
    """A kind of finding.

    Attributes:
        title: What it is about.
        says: What it means for a reader of the results.
        not_said: What it does not imply.
    """

    title: str
    says: str
    not_said: str


KINDS: dict[str, Kind] = {
    "F1": Kind(
        "coverage",
        "Rows without a score are left out of a detector's figures. Where they are mostly of one label, the figures are for "
        "a different test than the others'.",
        "That the detector would be worse on the rows that it did not score.",
    ),
    "F2": Kind(
        "default value",
        "One exact value occurs in many rows. Whether a score has that value says something about the label by itself.",
        "Where the value comes from: the table does not tell.",
    ),
    "F3": Kind(
        "saturation",
        "Many scores are so close to 0 or 1 that their order may be rounding. If clipping changes the AUC, it rests on them.",
        "That the order among tiny scores is meaningless; only that a threshold in use will not see it.",
    ),
    "F4": Kind(
        "ties",
        "A fake and a real with one score are half a success in the AUC. The two ends count them all lost and all won.",
        "That the ties are an error.",
    ),
    "F5": Kind(
        "polarity",
        "The detector ranks reals above fakes, in all or against some real sources.",
        "Whether the scores were inverted or the detector errs: both look the same.",
    ),
    "F6": Kind(
        "pooled against within",
        "Most fake-real pairs are of two sources. Within one source the detector may do much worse than in the pool.",
        "That within-source figures are the right ones for your use; they are the ones that sources cannot explain.",
    ),
    "F7": Kind(
        "sources of one label",
        "Where each source holds one label only, telling sources apart is enough for every figure here.",
        "That the detectors tell sources apart; only that the table cannot show that they do not.",
    ),
    "F8": Kind(
        "clusters",
        "Files of one source or generator are alike. Intervals over files are too narrow; those over clusters say what another set "
        "of sources might give.",
        "That intervals over a few clusters are exact: with under ten they are crude.",
    ),
    "F9": Kind(
        "trivial baselines",
        "A column that is not a detector, such as a running time, ranks the rows as well as a detector.",
        "Why it does. It may be chance, or how the files were collected or computed.",
    ),
    "F10": Kind(
        "leakage hints",
        "Rows, names or columns that are equal, rows of a training split, or sources that are found almost perfectly.",
        "That there is leakage: these are hints where to look.",
    ),
    "F11": Kind(
        "calibration and likelihood ratios",
        "Cllr is the cost of scores read as likelihood ratios; 1 is the cost of saying nothing. Probabilities are clipped at 1e-6. "
        "Calibration is tested on generators and sources that it was not fitted on.",
        "That such a likelihood ratio holds for another population of files.",
    ),
    "F12": Kind(
        "differences",
        "Which pairs of detectors differ, if files are independent (DeLong), and if sources and generators are drawn.",
        "That detectors without a shown difference are equally good.",
    ),
    "F13": Kind(
        "best of several",
        "How often the detector with the highest AUC is on top if sources and generators are drawn anew.",
        "That it is much worse than the others in the other draws.",
    ),
}
CODES = tuple(KINDS)

#: Order of kinds with equal severity: kinds that put all results in doubt come first.
_FIRST = ("F7", "F9", "F2", "F12", "F6", "F5", "F3", "F1", "F10", "F8", "F11", "F13", "F4")


@dataclass(frozen=True, eq=False)
class Finding:
    """One finding.

    Attributes:
        code: "F1" to "F13".
        severity: "red": the result does not mean what it seems to; "amber": read it with care; "note": worth knowing.
        sentence: The finding in words, with numbers.
        detector: The detector concerned; "" for all.
        numbers: The numbers by name.
        rows: Indices of the affected rows; empty if all are affected.
        weight: Strength among findings of its kind.
    """

    code: str
    severity: Severity
    sentence: str
    detector: str = ""
    numbers: Mapping[str, Any] = field(default_factory=dict)
    rows: NDArray[np.integer] = field(default_factory=lambda: np.empty(0, dtype=np.int64))
    weight: float = 0.0

    @property
    def title(self) -> str:
        """What this kind is about."""
        return KINDS[self.code].title


def by_weight(findings: Iterable[Finding]) -> list[Finding]:
    """Sort findings by severity, then kind, then strength."""
    return sorted(findings, key=lambda one: (SEVERITIES.index(one.severity), _FIRST.index(one.code), -one.weight))


def headlines(findings: Sequence[Finding], count: int = 3) -> list[Finding]:
    """The most important red and amber findings, of different kinds; at most `count`."""
    out: dict[str, Finding] = {}
    for one in by_weight(findings):
        if one.severity != "note":
            out.setdefault(one.code, one)
    return by_weight(out.values())[:count]


def percent(share: float) -> str:
    """A share as a percentage with one decimal, dropped if 0."""
    text = f"{100 * share:.1f}".removesuffix(".0")
    return f"{text} %" if text not in ("0", "100") or share in (0.0, 1.0) else ("<0.1 %" if share < 0.5 else ">99.9 %")


def listed(names: Sequence[str], most: int = 5) -> str:
    """Names in a sentence: "a, b and c", or "a, b and 7 more"."""
    shown = [*names[:most], *([f"{len(names) - most} more"] if len(names) > most else [])]
    return shown[0] if len(shown) == 1 else f"{', '.join(shown[:-1])} and {shown[-1]}" if shown else "none"
