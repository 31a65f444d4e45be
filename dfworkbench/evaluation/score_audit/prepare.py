"""Preparation of a score audit: judgeable detectors, clusters of rows, ranks and win matrix of a detector."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from dfworkbench.core.errors import TableError
from dfworkbench.core.names import FAKE, REAL
from dfworkbench.evaluation.exchange.wide_scores import Codes, WideScores
from dfworkbench.evaluation.metrics.clusters import (
    Multiplicities,
    Wins,
    cluster_wins,
    draw_together,
    draw_within_classes,
)
from dfworkbench.evaluation.metrics.interval import Interval
from dfworkbench.evaluation.metrics.ranked import Ranked
from dfworkbench.evaluation.score_audit.findings import percent

_MOST_CLUSTERS = 2000  # maximum clusters of a class: a column with more names does not group rows
_LEAST_SCORED, _ONE_VALUE = 0.5, 0.95


@dataclass(frozen=True)
class Clusters:
    """Clusters of similar rows.

    Attributes:
        code: `(n,)`, index of each row's cluster among those of its class.
        fakes: Names of clusters of fakes.
        reals: Names of clusters of reals.
        together: Whether clusters hold rows of both classes and are drawn with all of them, as for people; then `fakes` and
            `reals` are equal.
    """

    code: NDArray[np.int32]
    fakes: tuple[str, ...]
    reals: tuple[str, ...]
    together: bool = False

    @property
    def sizes(self) -> tuple[int, int]:
        """Number of clusters of fakes and of reals."""
        return len(self.fakes), len(self.reals)

    @property
    def words(self) -> str:
        """Description of what is drawn."""
        return "people" if self.together else "sources and generators"

    def counted(self, fakes: int, reals: int) -> str:
        """Numbers of clusters in words."""
        if self.together:
            return f"{max(fakes, reals)} people"
        return f"{fakes} generator{'s' * (fakes != 1)} and {reals} real source{'s' * (reals != 1)}"


def find_clusters(table: WideScores) -> tuple[Clusters | None, str]:
    """Clusters by people if named, else by sources and generators; or why there are none."""
    why = "no column names sources or generators: nothing is said about clusters (--columns source=HEADER)"
    for codes, together in ((table.people, True), (table.source, False)):
        if codes is None:
            continue
        out = Clusters(codes.code, codes.names, codes.names, True) if together else _within_classes(table, codes)
        if max(out.sizes) <= _MOST_CLUSTERS:
            return out, ""
        why = f"{max(out.sizes):,} {out.words} are more than {_MOST_CLUSTERS:,}: they are not taken for clusters"
    return None, why


def _within_classes(table: WideScores, codes: Codes) -> Clusters:
    code, names = np.empty(len(table), dtype=np.int32), []
    for label in (FAKE, REAL):
        rows = table.labels == label
        present, code[rows] = np.unique(codes.code[rows], return_inverse=True)
        names.append(tuple(codes.names[at] for at in present))
    return Clusters(code, *names)


class Judged:
    """One detector on the rows that it scored.

    Args:
        name: The detector.
        table: The table.
        clusters: Clusters of its rows, or None.
        rows: `(m,)`, indices of the rows; by default all that it scored.
    """

    def __init__(
        self, name: str, table: WideScores, clusters: Clusters | None, rows: NDArray[np.int64] | None = None
    ) -> None:
        self.name, self.table, self.clusters = name, table, clusters
        self.scores = table.detectors[name]
        self.rows = np.flatnonzero(~np.isnan(self.scores.values)) if rows is None else rows
        self.labels = table.labels[self.rows]
        self.values = self.scores.values[self.rows]

    @cached_property
    def ranked(self) -> Ranked:
        """Ranks of its scores."""
        return Ranked(self.labels, self.values)

    @cached_property
    def by_file(self) -> Interval:
        """AUC with an interval that treats files as independent."""
        return self.ranked.file_interval()

    @property
    def auc(self) -> float:
        """AUC."""
        return self.ranked.auc

    @cached_property
    def wins(self) -> Wins:
        """Win matrix between clusters, all of which keep their indices; without clusters, one cluster per class."""
        if self.clusters is None:
            return cluster_wins(self.ranked, np.zeros(len(self.rows), dtype=np.int32), (1, 1))
        return cluster_wins(self.ranked, self.clusters.code[self.rows], self.clusters.sizes)


def drawn_clusters(clusters: Clusters, wins: Wins, draws: int, seed: int) -> tuple[Wins, Multiplicities]:
    """The non-empty clusters, and how often each is drawn."""
    if clusters.together:
        some = np.flatnonzero((wins.fakes > 0) | (wins.reals > 0))
        return wins.of(some, some), draw_together(len(some), draws, seed)
    there = wins.there()
    return there, draw_within_classes(len(there.fakes), len(there.reals), draws, seed)


def shared_rows(table: WideScores, detectors: Sequence[str]) -> NDArray[np.int64]:
    """Indices of the rows that all these detectors scored."""
    there = np.ones(len(table), dtype=bool)
    for name in detectors:
        there &= ~np.isnan(table.detectors[name].values)
    return np.flatnonzero(there)


def judgeable(table: WideScores) -> tuple[list[str], dict[str, str]]:
    """Detectors that can be judged, and reasons for the others.

    Raises:
        TableError: None can.
    """
    good, bad = [], {}
    for name, one in table.detectors.items():
        scored = ~np.isnan(one.values)
        fakes, reals = table.counts(scored)
        seen = one.values[scored]
        if not len(seen):
            bad[name] = "scored none of these rows"
        elif min(fakes, reals) < 2:
            bad[name] = f"scored {fakes} fakes and {reals} reals: at least two of each are needed"
        elif len(seen) < _LEAST_SCORED * len(table):
            bad[name] = f"scored {len(seen):,} of {len(table):,} rows: under half"
        elif (most := _most_frequent(seen))[1] >= _ONE_VALUE * len(seen):
            all_of = "every row" if most[1] == len(seen) else f"{percent(most[1] / len(seen))} of its rows"
            bad[name] = f"gave the value {most[0]:g} to {all_of}"
        else:
            good.append(name)
    if not good:
        words = "; ".join(f"{name} {why}" for name, why in list(bad.items())[:8])
        raise TableError(
            f"auditing {table.title}: none of {len(bad)} detectors can be judged ({words}). Expected scores on both labels: choose "
            "other detectors or rows."
        )
    return good, bad


def _most_frequent(values: NDArray[np.float64]) -> tuple[float, int]:
    distinct, counts = np.unique(values, return_counts=True)
    return float(distinct[counts.argmax()]), int(counts.max())
