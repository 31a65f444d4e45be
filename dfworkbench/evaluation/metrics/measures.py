"""`Measure`: a named value with interval and chance level; means over images with bootstrap over identity groups."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from dfworkbench.core.errors import InputError
from dfworkbench.evaluation.metrics.bootstrap import FEWEST
from dfworkbench.evaluation.metrics.curves import draw_counts
from dfworkbench.evaluation.metrics.interval import NAN, Interval, Judging, interval_ends, tails


class Measure(NamedTuple):
    """A named `Interval` with its chance level.

    Attributes:
        name: What was measured; equal names are compared side by side.
        value: NaN if undefined.
        low: Lower end of the interval, or NaN.
        high: Upper end, or NaN.
        chance: Expected value of an uninformative detector, or NaN.
        n: Number of entries (frames, images, fakes, videos) that the value was computed from.
        reason: Why the value or its interval is NaN, else "".
    """

    name: str
    value: float
    low: float = NAN
    high: float = NAN
    chance: float = NAN
    n: int = 0
    reason: str = ""

    @classmethod
    def of(cls, name: str, found: Interval, chance: float = NAN) -> "Measure":
        """Make a `Measure` from an interval."""
        return cls(name, found.value, found.low, found.high, chance, found.n, found.reason)

    def text(self, digits: int = 2) -> str:
        """See `Interval.text`."""
        return Interval(self.value, self.low, self.high).text(digits)


def measures_table(measures: Mapping[str, Sequence[Measure]], digits: int = 2) -> pd.DataFrame:
    """Results of several detectors side by side, as a text table.

    Args:
        measures: Detector -> its measures.
        digits: Decimal places.

    Returns:
        One row per measure in order of first appearance; a column "chance", then one per detector with cells such as "0.43
        [0.31, 0.55]", or "" if it lacks the measure. Chance levels that differ between detectors (different identities scored)
        are given as a range.
    """
    by_name = {detector: {measure.name: measure for measure in row} for detector, row in measures.items()}
    names = list(dict.fromkeys(name for row in by_name.values() for name in row))
    table = pd.DataFrame(index=pd.Index(names, name="measure"))
    table["chance"] = [
        _chance_text([row[name].chance for row in by_name.values() if name in row], digits) for name in names
    ]
    for detector, row in by_name.items():
        table[detector] = [row[name].text(digits) if name in row else "" for name in names]
    return table


def measures_frame(measures: Mapping[str, Sequence[Measure]]) -> pd.DataFrame:
    """The same as numbers: one row per detector and measure, columns detector and those of `Measure` (`name` as measure)."""
    rows = [{"detector": detector, **item._asdict()} for detector, row in measures.items() for item in row]
    frame = pd.DataFrame(rows, columns=["detector", *Measure._fields])
    return frame.rename(columns={"name": "measure"})


def _chance_text(levels: Sequence[float], digits: int) -> str:
    seen = sorted({f"{level:.{digits}f}" for level in levels if not np.isnan(level)}, key=float)
    return seen[0] if len(seen) == 1 else f"{seen[0]} to {seen[-1]}" if seen else ""


class GroupMeans(NamedTuple):
    """Means of K values over images.

    Attributes:
        value: `(K,)`, over the images with a defined value; NaN if there are none.
        drawn: `(draws, K)`, the same in each bootstrap draw; no draws with fewer than `bootstrap.FEWEST` groups.
        n: `(K,)`, number of images with a defined value.
        reason: Why there are no intervals, else "".
        confidence: Confidence level of intervals.
    """

    value: NDArray[np.float64]
    drawn: NDArray[np.float64]
    n: NDArray[np.int64]
    reason: str
    confidence: float = 0.95

    def interval(self, k: int) -> Interval:
        """The k-th mean."""
        return Interval(
            float(self.value[k]), *interval_ends(self.drawn[:, k], self.confidence), int(self.n[k]), self.reason
        )


def group_names(groups: Sequence | ArrayLike | None, count: int, doing: str) -> NDArray:
    """The identity group of each of `count` images, `(count,)`; without groups, each image is its own.

    Raises:
        InputError: The number of groups differs from that of the images.
    """
    names = np.arange(count) if groups is None else np.asarray(groups)
    if names.shape != (count,):
        raise InputError(
            f"{doing}: there are {count} images and groups of shape {names.shape}; expected ({count},). "
            "Name one identity group per image."
        )
    return names


def group_means(
    values: ArrayLike, groups: ArrayLike, judging: Judging = Judging(), *, unit: str = "identity group"
) -> GroupMeans:
    """Means over images, with bootstrap over whole groups.

    Videos that share people are alike, so they are drawn together. Equal seeds and groups give equal draws, so results may be
    subtracted draw by draw.

    Args:
        values: `(K, N)`, NaN if undefined for an image.
        groups: `(N,)`, identity group of each image.
        judging: Its draws, seed and confidence are used.
        unit: Name of a group in the reason.

    Raises:
        InputError: The number of groups differs from that of the images.
    """
    x, names = np.asarray(values, dtype=np.float64), np.asarray(groups)
    if x.ndim != 2 or names.shape != x.shape[1:]:
        raise InputError(
            f"averaging over identity groups: values are {x.shape} and groups {names.shape}; expected (K, N) and (N,). "
            "Name one group per image."
        )
    codes, known = pd.factorize(names)
    there = ~np.isnan(x)
    n = there.sum(axis=1)
    means = _ratio(np.nansum(x, axis=1), n)
    if len(known) < FEWEST or not judging.draws:
        few = f"{len(known)} {unit}{'' if len(known) == 1 else 's'}: no interval below {FEWEST}".replace("ys:", "ies:")
        why = "" if not judging.draws else few if len(known) else "nothing to measure"
        return GroupMeans(means, np.empty((0, len(x))), n, why, judging.confidence)
    member = np.zeros((len(known), len(codes)))
    member[codes, np.arange(len(codes))] = 1
    sums, sizes = member @ np.where(there, x, 0).T, member @ there.T
    counts = draw_counts(len(known), judging.draws, judging.seed)
    return GroupMeans(means, _ratio(counts @ sums, counts @ sizes), n, "", judging.confidence)


def group_measure(name: str, means: GroupMeans, k: int, *, chance: float = NAN, reason: str = "") -> Measure:
    """The k-th mean as a `Measure`; `reason` explains a NaN."""
    if np.isnan(means.value[k]):
        return Measure(name, NAN, chance=chance, reason=reason or "not defined for any image")
    return Measure.of(name, means.interval(k), chance)


def mean_measure(
    name: str,
    values: ArrayLike,
    units: ArrayLike,
    judging: Judging = Judging(),
    *,
    chance: float = NAN,
    unit: str = "video",
) -> Measure:
    """The mean of shares with a bootstrap interval over units.

    Entries of one unit are alike, so whole units are drawn with all their entries; the mean is over entries. If all values are
    0, or all are 1, every draw is the same; the interval is then the exact binomial one (Clopper and Pearson 1934) with as many
    trials as units, so that 0 of 6 does not look like certainty.

    Args:
        name: What is measured.
        values: `(n,)`, shares from 0 to 1, no NaN.
        units: `(n,)`, the unit of each entry (video, identity, identity group).
        judging: Its draws, seed and confidence are used.
        chance: See `Measure`.
        unit: Name of a unit in the reason.
    """
    numbers = np.asarray(values, dtype=np.float64)
    if not len(numbers):
        return Measure(name, NAN, chance=chance, reason="nothing to measure")
    found = group_measure(name, group_means(numbers[None], units, judging, unit=unit), 0, chance=chance)
    if found.value not in (0.0, 1.0) or not judging.draws or found.reason:
        return found
    edge = tails(judging.confidence)[0] ** (1 / len(np.unique(np.asarray(units))))
    return found._replace(low=0.0, high=1 - edge) if found.value == 0 else found._replace(low=edge, high=1.0)


def _ratio(a: NDArray, b: NDArray) -> NDArray[np.float64]:
    return np.divide(a, b, out=np.full(np.shape(a), np.nan), where=b > 0)
