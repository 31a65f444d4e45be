"""Applicability of the reference set: one conformal p-value over all measured quantities of a face, for R7 and S6.

Per class, each reference person is one point, the track with the person's median score. Oddness of a face in a scalar: |value -
median| / (1.4826 MAD); in a vector: Mahalanobis distance over the square root of its dimensions (Ledoit and Wolf 2004).
Reference people are measured against each other. The test statistic is the largest, over the quantities, of the log oddness
over the median oddness of reference people, in units of the log of their 90 % quantile over that median: without this scaling,
heavy tails of single scalars would hide the features. Its conformal p-value (V. Vovk et al., Algorithmic Learning in a Random
World, 2005) is at or below 1 / (people + 1) for one fitting face in people + 1, the price of one combined test; separate tests
for each quantity would wrongly refuse a third.

With 10, 20 and 50 people, 8, 4 and 1 % of simulated fitting faces are refused, 23, 10 and 4 % of those that deviate by one
standard deviation in every vector, and at least 95 % of those that deviate by three (`benchmarks/case_file.py`).

A face needs to fit one class, because a manipulated face need not look like a genuine one. With few people the test is weak:
passing it means that no difference from the reference set was found, never that the face is like it.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from dfworkbench.core.names import FAKE, REAL
from dfworkbench.evidence.case import Quantity
from dfworkbench.evidence.numbers.oddness import (
    Floats,
    Numbers,
    Vectors,
    at_least_as_odd,
    fit_numbers,
    fit_vectors,
    scaled,
)
from dfworkbench.evidence.rules.refusals import r7_limit
from dfworkbench.evidence.rules.reservations import unusual_quantities

FAR = 2.0  # factor to the nearest reference file, in a scalar that is constant in most of them
PEOPLE_PER_DIMENSION = 5


@dataclass(frozen=True)
class Applicable:
    """Comparison of a face with the reference set; facts for R7 and S6.

    Attributes:
        p: Conformal p-value of all quantities combined, for the class that the face fits better; NaN if nothing could be compared.
        people: Number of reference people of that class.
        label: That class.
        quantities: Results for single quantities, for information.
        far: Quantities that are constant in most reference files and here differ from all of them by a factor of 2 or more.
        odd: Categories that do not occur in the reference set, quantities that are constant in most reference files and here
            differ from all of them, and quantities with a p-value at or below 0.05, which takes 19 people or more.
    """

    p: float
    people: int
    label: int
    quantities: tuple[Quantity, ...]
    far: tuple[str, ...]
    odd: tuple[str, ...]


@dataclass(frozen=True)
class _Class:
    label: int
    rows: NDArray[np.int64]  # rows of the table, one per person
    fits: dict[str, Numbers | Vectors]
    scaled: dict[str, Floats]  # oddness of each person on the common scale, for quantities that vary

    @property
    def people(self) -> int:
        return len(self.rows)


@dataclass(frozen=True)
class Applicability:
    """Measured reference people; created by `fit_applicability`.

    Attributes:
        classes: The genuine and the manipulated class.
        numbers: Columns of numbers.
        vectors: Columns of vectors.
        categories: Values of each column of categories in the reference set.
    """

    classes: tuple[_Class, ...]
    numbers: tuple[str, ...]
    vectors: tuple[str, ...]
    categories: dict[str, frozenset[str]]

    def compare(self, face: Any) -> Applicable:
        """Compare a face with the reference people.

        Args:
            face: A value for every column, such as a row of a table; NaN, "" or an empty vector if not measured.
        """
        found = [self._against(one, face) for one in self.classes]
        return max(found, key=lambda one: (not _refused(one), one.p / r7_limit(one.people)))

    def nearest(self, vector: ArrayLike, name: str = "detector features", count: int = 3) -> list[tuple[int, float]]:
        """Reference people nearest to a face in one of the vectors.

        Args:
            vector: Vector of the face.
            name: Column of the vector.
            count: How many, from both classes together.

        Returns:
            Row position in the reference table and Mahalanobis distance in the space of its class; nearest first. Empty if the
            vector is not compared.
        """
        found = []
        for one in self.classes:
            fit = one.fits.get(name)
            if isinstance(fit, Vectors) and not fit.constant and _measured(vector):
                found += zip(one.rows.tolist(), fit.distances(vector).tolist(), strict=True)
        return sorted(found, key=lambda pair: (pair[1], pair[0]))[:count]

    def _against(self, one: _Class, face: Any) -> Applicable:
        quantities, far, odd, ps, statistic = [], [], [], {}, {}
        for name in (*self.numbers, *self.vectors):
            value, fit = face[name], one.fits.get(name)
            measured, oddness = _measured(value), None
            if fit is not None and measured and fit.constant:
                factor = fit.factor(value)
                if factor >= FAR:
                    far.append(name)
                elif factor > 1:
                    odd.append(name)
            elif fit is not None and measured:
                oddness = fit.oddness(value)
                ps[name], statistic[name] = at_least_as_odd(fit.own, oddness), float(scaled(fit.own, oddness))
            shown = value if name in self.numbers and measured else None
            low, middle, high = fit.quantiles if isinstance(fit, Numbers) else (None, None, None)
            quantities.append(Quantity(name, shown, low, middle, high, oddness, ps.get(name)))
        for name, known in self.categories.items():
            value = str(face[name] or "")
            quantities.append(Quantity(name, value or None, None, None, None, None, None))
            if value and known and value not in known:
                odd.append(f"{name} {value}")
        odd += unusual_quantities(ps)
        p = float("nan")
        if statistic:
            own = np.max([one.scaled[name] for name in statistic], axis=0)
            p = at_least_as_odd(own, max(statistic.values()))
        return Applicable(p, one.people, one.label, tuple(quantities), tuple(far), tuple(odd))


def fit_applicability(
    table: pd.DataFrame,
    numbers: Sequence[str],
    vectors: Sequence[str],
    categories: Sequence[str],
    reduced: Collection[str] = ("detector features",),
) -> Applicability:
    """Measure the oddness of the people in a reference set.

    Quantities missing for a reference person, or for the face, are not compared.

    Args:
        table: One row per scored track: group, label, score, and the columns below.
        numbers: Columns of numbers.
        vectors: Columns of vectors, each of fixed length.
        categories: Columns of text; "" if unknown.
        reduced: Vectors that are first reduced by PCA to one dimension per five people.
    """
    classes = []
    for label in (REAL, FAKE):
        rows = _median_tracks(table, label)
        people = table.iloc[rows]
        fits: dict[str, Numbers | Vectors] = {}
        for name in numbers:
            values = people[name].to_numpy(np.float64)
            if len(values) > 1 and np.isfinite(values).all():
                fits[name] = fit_numbers(values)
        for name in vectors:
            lengths = {len(value) for value in people[name]}
            if len(people) > 2 and len(lengths) == 1 and lengths != {0}:
                values = np.array(people[name].tolist(), dtype=np.float64)
                if np.isfinite(values).all():
                    most = max(1, len(people) // PEOPLE_PER_DIMENSION) if name in reduced else None
                    fits[name] = fit_vectors(values, most)
        own = {name: scaled(fit.own, fit.own) for name, fit in fits.items() if not fit.constant}
        classes.append(_Class(label, rows, fits, own))
    known = {name: frozenset(map(str, table[name])) - {"", "nan", "None"} for name in categories}
    return Applicability(tuple(classes), tuple(numbers), tuple(vectors), known)


def _median_tracks(table: pd.DataFrame, label: int) -> NDArray[np.int64]:
    """For each person of a class, the row of the track with the median score; of two in the middle, the lower one."""
    at = np.flatnonzero(((table["label"] == label) & table["score"].notna()).to_numpy())
    order = at[np.argsort(table["score"].to_numpy()[at], kind="stable")]
    groups = pd.Series(order).groupby(table["group"].to_numpy()[order], sort=True)
    return np.array([rows.iloc[(len(rows) - 1) // 2] for _, rows in groups], dtype=np.int64)


def _refused(one: Applicable) -> bool:
    return bool(one.far) or not one.p > r7_limit(one.people)


def _measured(value: Any) -> bool:
    values = np.asarray(value, dtype=np.float64)
    return values.size > 0 and bool(np.isfinite(values).all())
