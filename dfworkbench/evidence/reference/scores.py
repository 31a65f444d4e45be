"""ReferenceScores: checked arrays of reference scores, labels, groups and kinds of forgery."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray

from dfworkbench.core.errors import InputError
from dfworkbench.core.names import FAKE, REAL

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class ReferenceScores:
    """Scored tracks of the reference people; created by `reference_scores`.

    Attributes:
        scores: `(n,)`, log-odds.
        labels: `(n,)`, 1 manipulated, 0 genuine.
        codes: `(n,)`, index of each row's group.
        groups: `(G,)`, names of the groups.
        kinds: `(n,)`, kind of forgery; "" for genuine rows.
    """

    scores: Floats
    labels: NDArray[np.int64]
    codes: NDArray[np.int64]
    groups: tuple[str, ...]
    kinds: NDArray[np.str_]

    @property
    def kind_names(self) -> tuple[str, ...]:
        """Kinds of forgery, sorted."""
        return tuple(sorted({str(kind) for kind in self.kinds[self.labels == FAKE]}))

    @cached_property
    def sizes(self) -> Floats:
        """Number of rows of each group by class, `(2, G)`."""
        count = len(self.groups)
        return np.array([np.bincount(self.codes[self.labels == c], minlength=count) for c in (REAL, FAKE)], dtype=float)

    def groups_of(self, label: int) -> int:
        """Number of groups with rows of a class."""
        return int((self.sizes[label] > 0).sum())

    def where(self, rows: NDArray[np.bool_]) -> "ReferenceScores":
        """Select rows; groups keep their indices."""
        return ReferenceScores(self.scores[rows], self.labels[rows], self.codes[rows], self.groups, self.kinds[rows])

    def with_kind(self, kind: str) -> "ReferenceScores":
        """The genuine rows and the manipulated ones of one kind."""
        return self.where((self.labels == REAL) | (self.kinds == kind))

    def without_kind(self, kind: str) -> "ReferenceScores":
        """The genuine rows and the manipulated ones of all other kinds."""
        return self.where((self.labels == REAL) | (self.kinds != kind))


def reference_scores(
    scores: ArrayLike, labels: ArrayLike, groups: ArrayLike, kinds: ArrayLike | None = None
) -> ReferenceScores:
    """Check arrays of the reference rows and combine them.

    Args:
        scores: `(n,)`, log-odds of fake, finite.
        labels: `(n,)`, 1 manipulated, 0 genuine.
        groups: `(n,)`, the person of each row.
        kinds: `(n,)`, kind of forgery; if omitted, all forgeries are of one kind.

    Raises:
        InputError: Arrays of unequal length, non-finite scores, or rows of only one class.
    """
    x, y = np.asarray(scores, dtype=np.float64), np.asarray(labels).astype(np.int64)
    who = np.asarray(groups).astype(str)
    kind = np.full(len(y), "manipulated") if kinds is None else np.asarray(kinds).astype(str)
    if not len(x) == len(y) == len(who) == len(kind):
        raise InputError(
            f"reading reference scores: {len(x)} scores, {len(y)} labels, {len(who)} groups and {len(kind)} kinds; expected "
            "as many of each. Give one of each per row."
        )
    if not np.isfinite(x).all():
        raise InputError(
            f"reading reference scores: {int((~np.isfinite(x)).sum())} of {len(x)} scores are not finite; expected log-odds. "
            "Leave out the rows without a score."
        )
    if not (y == FAKE).any() or not (y == REAL).any():
        raise InputError(
            f"reading reference scores: {int((y == FAKE).sum())} manipulated and {int((y == REAL).sum())} genuine rows; expected "
            "both. Choose a reference set with both labels, whose faces can be scored."
        )
    names, codes = np.unique(who, return_inverse=True)
    return ReferenceScores(x, y, codes.astype(np.int64), tuple(map(str, names)), np.where(y == FAKE, kind, ""))
