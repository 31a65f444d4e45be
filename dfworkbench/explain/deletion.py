"""Deletion and insertion curves: how the detector's answer changes when the cells a map names first are hidden, or shown, first.

Petsiuk, Das, Saenko: RISE: Randomized Input Sampling for Explanation of Black-box Models. BMVC 2018, arXiv:1806.07421.

Deletion hides cells from the highest attribution to the lowest; a good map makes the value fall early: a small area. Insertion
starts from the baseline and shows them in the same order; a good map makes it rise early: a large area.

Areas are of the value itself, log-odds for "logit". RISE takes the probability; but a detector that is sure of a picture stays
at 1 until most of it is hidden, and two maps then differ only by when it tips over. Areas of log-odds have the detector's own
scale: compare maps of one detector and picture by them. `probability` gives the curves of the probability, as RISE has them and
which detectors can be compared by, from the same numbers.

Differences from the paper:
- Cells are hidden, not single pixels, and both curves have one baseline; the paper's are black for deletion and blurred for
  insertion (two calls give that).
- The chance level is measured: the same curves of random orders.
- Equal attributions are taken in an order that is drawn from the seed, and not by their place: a flat map is one random order.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import expit

from dfworkbench.core.errors import InputError, ParameterError
from dfworkbench.explain.captum_maps import Explanation
from dfworkbench.explain.shapley.game import CountedGame, Floats, Game

#: Points of a curve besides the first, and random orders, by default: with 16 x 16 cells 62 evaluations per map and 312 for chance.
STEPS, RANDOM_ORDERS = 32, 10


@dataclass(frozen=True, eq=False)
class Curve:
    """The value while cells are hidden, or shown, step by step.

    Attributes:
        shares: `(K,)`, of the cells that are hidden (deletion) or shown (insertion) so far, from 0 to 1.
        values: `(K,)`, what the detector says then.
    """

    shares: Floats
    values: Floats

    @property
    def area(self) -> float:
        """Below the curve, by the trapezoid rule; the mean of the value on the way."""
        return float(np.trapezoid(self.values, self.shares))

    @property
    def probability(self) -> "Curve":
        """The same of the probability, 0..1. For values that are log-odds alone: "logit" or `ClassLogOdds`."""
        return Curve(self.shares, expit(self.values))

    @property
    def reversed(self) -> "Curve":
        """The same way back: what was shown is hidden."""
        return Curve(1 - self.shares[::-1], self.values[::-1])


@dataclass(frozen=True, eq=False)
class DeletionInsertion:
    """The two curves of one map, and those of random orders.

    Attributes:
        deletion: Cells hidden from the highest attribution to the lowest.
        insertion: Cells shown from the highest to the lowest.
        random: Cells shown in random orders, the same ones for all maps of a call. Read backwards they are hidden in a random
            order, so one set is the chance level of both.
    """

    deletion: Curve
    insertion: Curve
    random: tuple[Curve, ...]

    @property
    def random_insertion(self) -> Curve:
        """Mean of the random orders; its area is the mean of their areas."""
        return Curve(self.random[0].shares, np.mean([curve.values for curve in self.random], axis=0))

    @property
    def random_deletion(self) -> Curve:
        """Mean of the random orders, read backwards."""
        return self.random_insertion.reversed

    @property
    def random_areas(self) -> Floats:
        """`(R,)`, of each random order: how far the chance level can be trusted."""
        return np.array([curve.area for curve in self.random])

    @property
    def deletion_gain(self) -> float:
        """Area of random orders minus that of the map: above 0 the map is better than chance."""
        return float(self.random_areas.mean()) - self.deletion.area

    @property
    def insertion_gain(self) -> float:
        """Area of the map minus that of random orders: above 0 the map is better than chance."""
        return self.insertion.area - float(self.random_areas.mean())

    @property
    def probability(self) -> "DeletionInsertion":
        """The same of the probability, as in RISE. For values that are log-odds alone: "logit" or `ClassLogOdds`."""
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
    """Curves of several maps of one picture or clip.

    Args:
        game: An `ImageGame` of the detector, picture and value that the maps explain, or any other game of n players. Take
            another baseline than the maps were made with to see whether the result hangs on it.
        maps: Name -> n attributions in any shape, or what `explain` gives.
        steps: In how many steps all cells are hidden; L * L for one by one. More than there are cells are taken as that.
        random_orders: How many are averaged for the chance level.
        seed: Draws the random orders, and the order among equal attributions.

    Returns:
        Name -> curves, in the order of `maps`.

    Raises:
        InputError: No maps, another number of attributions, or numbers that are not finite, of a map or of the game.
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
    """`(K, n)`: who is among the first `counts[k]` of an order."""
    return np.argsort(order) < counts[:, None]


def _values(game: CountedGame, coalitions: NDArray[np.bool_]) -> Floats:
    """`(C, K, n)` -> `(C, K)`; the ends, which all curves share, are asked about once."""
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
