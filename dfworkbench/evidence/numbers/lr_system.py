"""LR system of a case: fits on reference people and without each of them, bounds, and LRs with intervals.

A score x is the natural log-odds of fake, averaged over a track; l is log10 of the likelihood ratio. H1: the face was
manipulated; H2: it was not. People, not rows, are the unit of weighting, leave-one-out and resampling; a person may have rows
of both classes.

Scores of several people are combined only by `of_file`; LRs are never multiplied over frames, people or files, because frames
and files of a person are alike and their product would overstate the evidence. Intervals cover the sampling of the reference
people (percentiles of 2,000 refits on resampled people with all their rows). The nominal 95 % interval contained a true LR of
20 in 75, 81, 89 and 91 % of 150 simulations with 10, 20, 40 and 80 people a class, three files each and an intraclass
correlation of 0.7, and was entirely above it in 23, 18, 9 and 7 % (`benchmarks/case_file.py`), so no coverage is claimed.
Whether an LR may have an interval is disputed: G. S. Morrison, Science & Justice 57 (2017).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from dfworkbench.core.errors import InputError
from dfworkbench.core.names import FAKE, REAL
from dfworkbench.evaluation.metrics.interval import NAN, interval_ends
from dfworkbench.evaluation.metrics.likelihood_ratios import Bounds, LrMap, fit_lr, lr_bounds
from dfworkbench.evidence.case import LrValue
from dfworkbench.evidence.numbers.refits import LrMaps, refit
from dfworkbench.evidence.reference.scores import Floats, ReferenceScores

DRAWS = 2000
FEWEST_GROUPS = 10  # minimum people of a class for an LR
_CHUNK = 1_000_000  # weights processed at a time


@dataclass(frozen=True)
class LrSystem:
    """A fitted LR system; created by `fit_system`.

    Attributes:
        rows: The rows it was fitted on.
        whole: The fit on all rows.
        left_out: The fit without each group, `(G,)`.
        llr: `(n,)`, log10 LRs of the rows by the fit without their group.
        bounds: Bounds of LRs, from `llr` and the number of groups.
        drawn: A fit for every bootstrap draw of groups.
        kinds: Fit and bounds for each kind of forgery with enough people, if there are several kinds.
    """

    rows: ReferenceScores
    whole: LrMap
    left_out: LrMaps
    llr: Floats
    bounds: Bounds
    drawn: LrMaps
    kinds: dict[str, tuple[LrMap, Bounds]]

    @property
    def lowest_slope(self) -> float:
        """Lowest slope of the leave-one-group-out fits; at or below 0 the scores point the wrong way."""
        return float(self.left_out.slopes.min())

    @property
    def wrong_way(self) -> float:
        """Share of draws with a slope at or below 0, 0 to 1; 0 without draws."""
        return float((self.drawn.slopes <= 0).mean()) if len(self.drawn.slopes) else 0.0

    def value(self, score: float) -> LrValue:
        """LR of a track from its score."""
        llr = float(self.whole.llr(score))
        kinds = {kind: _cut(float(fit.llr(score)), bounds) for kind, (fit, bounds) in self.kinds.items()}
        return self._bounded(llr, self.drawn.llr([score])[:, 0], kinds)

    def of_file(self, scores: Sequence[float]) -> LrValue:
        """LR of "exactly one person in the file was manipulated", with equal prior for each, against "none".

        This is the mean of their LRs, exact if scores of different people are independent given the propositions. Shared
        compression violates that, so the report states it as an assumption. The mean is taken before applying the bound, and
        within each draw of reference people.

        Args:
            scores: `(m,)`, one per person.
        """
        return self._bounded(float(mean_lr(self.whole.llr(scores))), mean_lr(self.drawn.llr(scores)), {})

    def bounded(self, score: float) -> float:
        """Log10 LR of a score after the bound, without an interval, for example of half a track."""
        return _cut(float(self.whole.llr(score)), self.bounds)

    def _bounded(self, llr: float, drawn: Floats, kinds: dict[str, float]) -> LrValue:
        ends = interval_ends(drawn) if len(drawn) else (NAN, NAN)
        low, high = (_cut(end, self.bounds) for end in ends)
        return LrValue(_cut(llr, self.bounds), low, high, llr, self.bounds, kinds)


def mean_lr(llr: ArrayLike) -> Floats:
    """Log10 of the mean LR over the last axis, from log10 LRs."""
    values = np.asarray(llr, dtype=np.float64)
    return np.logaddexp.reduce(values * np.log(10), axis=-1) / np.log(10) - np.log10(values.shape[-1])


def fit_system(rows: ReferenceScores, draws: int = DRAWS, seed: int = 0) -> LrSystem:
    """Fit an LR system on reference rows.

    Args:
        rows: Reference rows.
        draws: Bootstrap draws of groups for intervals; 0: no intervals.
        seed: Random seed of the bootstrap.

    Raises:
        InputError: Leaving out one of the groups leaves only one class.
    """
    left_out = fits_without_each(rows)
    llr = left_out.llr_each(rows.scores, rows.codes)
    return LrSystem(
        rows=rows,
        whole=fit_lr(rows.scores, rows.labels, rows.codes),
        left_out=left_out,
        llr=llr,
        bounds=lr_bounds(llr, rows.labels, rows.codes),
        drawn=_fits(rows, _draw(rows, draws, seed)),
        kinds=_fit_kinds(rows),
    )


def fits_without_each(rows: ReferenceScores) -> LrMaps:
    """Leave-one-group-out fits, `(G,)`; a group is left out with its rows of both classes.

    Raises:
        InputError: Leaving out one of the groups leaves only one class.
    """
    for label, word in ((REAL, "genuine"), (FAKE, "manipulated")):
        if rows.groups_of(label) < 2:
            raise InputError(
                f"leaving out reference people: {rows.groups_of(label)} with {word} faces; expected at least 2. "
                "Choose a reference set with more people."
            )
    return _fits(rows, 1.0 - np.eye(len(rows.groups)))


def _fit_kinds(rows: ReferenceScores) -> dict[str, tuple[LrMap, Bounds]]:
    out = {}
    for kind in rows.kind_names if len(rows.kind_names) > 1 else ():
        some = rows.with_kind(kind)
        if min(some.groups_of(REAL), some.groups_of(FAKE)) >= FEWEST_GROUPS:
            llr = fits_without_each(some).llr_each(some.scores, some.codes)
            whole = fit_lr(some.scores, some.labels, some.codes)
            out[kind] = whole, lr_bounds(llr, some.labels, some.codes)
    return out


def _fits(rows: ReferenceScores, times: Floats) -> LrMaps:
    """A fit for each row of `times (m, G)`, the multiplicities of the groups."""
    out = LrMaps(np.empty(len(times)), np.empty(len(times)))
    step = max(1, _CHUNK // len(rows.scores))
    for start in range(0, len(times), step):
        part = slice(start, start + step)
        out.slopes[part], out.offsets[part] = refit(rows.scores, rows.labels, _weights(rows, times[part]))
    return out


def _weights(rows: ReferenceScores, times: Floats) -> Floats:
    """Group weights `(m, n)`; copies of a group count as separate groups."""
    total = times @ rows.sizes.sum(axis=0)
    out = np.zeros((len(times), len(rows.scores)))
    for label in (REAL, FAKE):
        mine = rows.labels == label
        groups = times @ (rows.sizes[label] > 0)
        of = rows.codes[mine]
        out[:, mine] = times[:, of] / rows.sizes[label][of] * (total / 2 / groups)[:, None]
    return out


def _draw(rows: ReferenceScores, draws: int, seed: int) -> Floats:
    """How often each group is drawn, `(draws, G)`; a draw with only one class is repeated."""
    rng, count = np.random.default_rng(seed), len(rows.groups)
    out = np.empty((draws, count))
    for row in out:
        while True:
            row[:] = np.bincount(rng.integers(0, count, count), minlength=count)
            if (rows.sizes @ row).all():
                break
    return out


def _cut(llr: float, bounds: Bounds) -> float:
    return float(np.clip(llr, bounds.low, bounds.high))
