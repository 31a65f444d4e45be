"""Deletion and insertion curves: how the detector's value changes as the highest-ranked cells are hidden, or shown, first.

Petsiuk, Das, Saenko: RISE: Randomized Input Sampling for Explanation of Black-box Models. BMVC 2018, arXiv:1806.07421.

Deletion hides cells from the highest attribution to the lowest; with a good map the value falls early: a small area. Insertion
starts from the baseline and shows them in the same order; with a good map it rises early: a large area.

Areas are of the value itself, log-odds for "logit". RISE uses the probability; but for a confident detector it stays at 1 until
most of the picture is hidden, and two maps then differ only in when it drops. Areas of log-odds are on the detector's own scale:
use them to compare maps of one detector and picture. `probability` gives the curves of the probability, as in RISE, from the same
numbers; use these to compare detectors.

Differences from the paper:
- Cells are hidden, not single pixels, and both curves share one baseline; the paper uses black for deletion and a blurred picture
  for insertion (two calls give that).
- The chance level is measured, by the same curves for random orders.
- Ties are broken at random from the seed, not by position: a flat map is one random order.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import expit

from dfworkbench.core.errors import InputError, ParameterError
from dfworkbench.explain.captum_maps import Explanation
from dfworkbench.explain.shapley.game import CountedGame, Floats, Game

#: Default steps per curve and number of random orders: with 16 x 16 cells 62 evaluations per map and 312 for chance.
STEPS, RANDOM_ORDERS = 32, 10


@dataclass(frozen=True, eq=False)
class Curve:
    """The value as cells are hidden, or shown, step by step.

    Attributes:
        shares: `(K,)`, share of the cells hidden (deletion) or shown (insertion) so far, from 0 to 1.
        values: `(K,)`, the detector's value at that point.
    """

    shares: Floats
    values: Floats

    @property
    def area(self) -> float:
        """Area under the curve by the trapezoid rule; the mean of the value along the curve."""
        return float(np.trapezoid(self.values, self.shares))

    @property
    def probability(self) -> "Curve":
        """The same curve for the probability, 0..1. Only for values that are log-odds: "logit" or `ClassLogOdds`."""
        return Curve(self.shares, expit(self.values))

    @property
    def reversed(self) -> "Curve":
        """The same curve backwards: what was shown is hidden."""
        return Curve(1 - self.shares[::-1], self.values[::-1])


@dataclass(frozen=True, eq=False)
class DeletionInsertion:
    """The two curves of one map, and those of random orders.

    Attributes:
        deletion: Cells hidden from the highest attribution to the lowest.
        insertion: Cells shown from the highest to the lowest.
        random: Cells shown in random orders, the same ones for all maps of a call. Read backwards, they are hidden in a random
            order, so one set gives the chance level of both.
    """

    deletion: Curve
    insertion: Curve
    random: tuple[Curve, ...]

    @property
    def random_insertion(self) -> Curve:
        """Mean over the random orders; its area is the mean of their areas."""
        return Curve(self.random[0].shares, np.mean([curve.values for curve in self.random], axis=0))

    @property
    def random_deletion(self) -> Curve:
        """Mean over the random orders, read backwards."""
        return self.random_insertion.reversed

    @property
    def random_areas(self) -> Floats:
        """`(R,)`, area of each random order: how reliable the chance level is."""
        return np.array([curve.area for curve in self.random])

    @property
    def deletion_gain(self) -> float:
        """Area for random orders minus that of the map: above 0 the map is better than chance."""
        return float(self.random_areas.mean()) - self.deletion.area

    @property
    def insertion_gain(self) -> float:
        """Area of the map minus that for random orders: above 0 the map is better than chance."""
        return self.insertion.area - float(self.random_areas.mean())

    @property
    def probability(self) -> "DeletionInsertion":
        """The same curves for the probability, as in RISE. Only for values that are log-odds: "logit" or `ClassLogOdds`."""
        return DeletionInsertion(
            self.deletion.probability, self.insertion.probability, tuple(curve.probability for curve in self.random)
        )


def deletion_and_insertion(
    game: Game,
    maps: Mapping[str, Explanation] | Mapping[str, ArrayLike],
    *,
    steps: int = STEPS,
    random_orders: int = RANDOM_ORDERS,
    seed: int = 0,
) -> dict[str, DeletionInsertion]:
    """Deletion and insertion curves of several maps of one picture or clip.

    Args:
        game: An `ImageGame` of the detector, picture and value that the maps explain, or any other game of n players. Use another
            baseline than that of the maps to see whether the result depends on it.
        maps: Name -> n attributions in any shape, or an `Explanation`.
        steps: Number of steps in which all cells are hidden; L * L for one by one. Capped at the number of cells.
        random_orders: Number of random orders averaged for the chance level.
        seed: Seed of the random orders, and of the order among ties.

    Returns:
        Name -> curves, in the order of `maps`.

    Raises:
        InputError: No maps, a wrong number of attributions, or non-finite numbers in a map or from the game.
        ParameterError: A number is out of range.
    """
    counted = CountedGame(game)
    players = counted.players
    if steps < 1 or random_orders < 1 or seed < 0:
        raise ParameterError(
            f"drawing deletion curves: steps = {steps}, random_orders = {random_orders}, seed = {seed}; expected at least one "
            "step and one random order, and a seed that is not negative."
        )
    arrays = {name: one.values if isinstance(one, Explanation) else one for name, one in maps.items()}
    flat = {name: _checked(name, one, players) for name, one in arrays.items()}
    if not flat:
        raise InputError("drawing deletion curves: there are no maps, at least one was expected. Explain the picture.")
    random = np.random.default_rng(seed)
    among_equals = random.permutation(players)
    mapped = [np.lexsort((among_equals, -one)) for one in flat.values()]
    drawn = [random.permutation(players) for _ in range(random_orders)]
    steps = min(steps, players)
    counts = np.arange(steps + 1) * players // steps
    shown = [_first(order, counts) for order in (*mapped, *drawn)]
    hidden = [~_first(order, counts) for order in mapped]
    values = _values(counted, np.stack([*shown, *hidden]))
    curves = [Curve(counts / players, one) for one in values]
    insertions, rest = curves[: len(flat)], curves[len(flat) :]
    chance, deletions = tuple(rest[:random_orders]), rest[random_orders:]
    return {
        name: DeletionInsertion(deletion, insertion, chance)
        for name, deletion, insertion in zip(flat, deletions, insertions, strict=True)
    }


def _first(order: NDArray[np.int64], counts: NDArray[np.int64]) -> NDArray[np.bool_]:
    """`(K, n)`: which players are among the first `counts[k]` of an order."""
    return np.argsort(order) < counts[:, None]


def _values(game: CountedGame, coalitions: NDArray[np.bool_]) -> Floats:
    """`(C, K, n)` -> `(C, K)`; the ends, which all curves share, are evaluated once."""
    empty, full = game.ends()
    size = coalitions.sum(axis=2)
    values = np.where(size == 0, empty, full)
    between = (size > 0) & (size < game.players)
    values[between] = game.values(coalitions[between])
    return values


def _checked(name: str, attribution: ArrayLike, players: int) -> Floats:
    flat = np.asarray(attribution, dtype=np.float64).ravel()
    if len(flat) != players or not np.isfinite(flat).all():
        raise InputError(
            f"drawing deletion curves: the map {name!r} has {len(flat)} values, {int((~np.isfinite(flat)).sum())} of them not "
            f"finite; expected {players} finite numbers, one per cell. Give the map of this picture on this grid."
        )
    return flat
