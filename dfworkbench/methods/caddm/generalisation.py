"""Identity generalisation gap: AUC on people of the training split minus AUC on unseen people.

A detector that relies on identities is better on people it was trained on, even in frames it was not trained on. The measure is
ours; it follows from the claim of CADDM (Dong et al., CVPR 2023). Two sets of videos also differ by chance, in difficulty and in
quality, so compare the gap of several detectors on the same two sets.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from dfworkbench.core.errors import SplitLeakError
from dfworkbench.evaluation.metrics.bootstrap import interval_of_difference
from dfworkbench.evaluation.metrics.compare import drawn_metric
from dfworkbench.evaluation.metrics.interval import NAN, Judging
from dfworkbench.evaluation.metrics.measures import Measure


@dataclass(frozen=True)
class IdentityGap:
    """Video AUC on seen and unseen people, and the difference.

    Attributes:
        seen: AUC on people of the training split.
        unseen: AUC on people of the test split.
        gap: Seen minus unseen; above 0 if unseen people are harder. Without leakage it is 0.
    """

    seen: Measure
    unseen: Measure
    gap: Measure

    @property
    def measures(self) -> list[Measure]:
        """Measures for `measures_table`."""
        return [self.seen, self.unseen, self.gap]


def identity_gap(
    seen: pd.DataFrame,
    unseen: pd.DataFrame,
    *,
    trained_on: Iterable[str] | None = None,
    judging: Judging = Judging(),
) -> IdentityGap:
    """AUC on seen minus AUC on unseen people; for the interval of the gap the two sets are resampled independently.

    Args:
        seen: Score table (`tables.SCORES`) of people of the training split, without the frames used for training.
        unseen: Score table of the test split.
        trained_on: `row_id` of the training samples; if given, it is checked that none was scored.
        judging: How AUC and intervals are computed.

    Raises:
        SplitLeakError: A video or an identity group is in both tables, or a row was trained on.
        TableError: A column is missing.
    """
    _require_apart(seen, unseen)
    _require_untrained(seen, trained_on)
    names = {"AUC, seen people": seen, "AUC, unseen people": unseen}
    a, b = (drawn_metric(name, table, judging)[0] for name, table in names.items())
    if np.isnan(a.value) or np.isnan(b.value):
        why = "; ".join(f"{m.name}: {m.reason}" for m in (a, b) if np.isnan(m.value))
        return IdentityGap(a, b, Measure("identity gap (AUC)", NAN, chance=0.0, n=a.n + b.n, reason=why))
    apart = (judging.replace(seed=2 * judging.seed), judging.replace(seed=2 * judging.seed + 1))
    draws = [drawn_metric(name, table, how)[1] for (name, table), how in zip(names.items(), apart, strict=True)]
    low, high, why = interval_of_difference(draws[0], draws[1], judging.confidence)
    reason = a.reason or b.reason or why
    return IdentityGap(a, b, Measure("identity gap (AUC)", a.value - b.value, low, high, 0.0, a.n + b.n, reason))


def _require_apart(seen: pd.DataFrame, unseen: pd.DataFrame) -> None:
    for column, word in (("video_id", "video"), ("group", "identity group")):
        if column in seen and column in unseen:
            both = sorted((set(seen[column]) & set(unseen[column])) - {""})
            if both:
                raise SplitLeakError(
                    f"comparing seen with unseen people: {len(both)} {word}s are in both score tables (first: {both[0]!r}), "
                    "none was expected. Score the training split for the one and the test split for the other."
                )


def _require_untrained(seen: pd.DataFrame, trained_on: Iterable[str] | None) -> None:
    trained = seen["row_id"].isin(set(trained_on)) if trained_on is not None else pd.Series(dtype=bool)
    if trained.any():
        raise SplitLeakError(
            f"comparing seen with unseen people: {trained.sum()} of {len(seen)} scored rows were trained on (first: "
            f"{seen.loc[trained.idxmax(), 'row_id']!r}), none was expected: the gap would measure memory. "
            "Leave them out: seen[~seen.row_id.isin(trained_on)]."
        )
