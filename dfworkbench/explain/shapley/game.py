"""Cooperative games: the worth of coalitions of players, with a count of evaluations."""

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from dfworkbench.core.errors import InputError

Coalitions = NDArray[np.bool_]
Floats = NDArray[np.float64]


class Game(Protocol):
    """Anything that assigns values to coalitions.

    `values` must treat each coalition independently of the others in the batch.
    """

    @property
    def players(self) -> int:
        """Number of players, n."""
        ...

    def values(self, coalitions: Coalitions, /) -> Floats:
        """Worth of each coalition: `(K, n)` bool, True for participating players -> `(K,)` float64."""
        ...


class CountedGame:
    """A game that counts its evaluations and computes v(empty) and v(full) only once.

    Args:
        game: The game to wrap.

    Attributes:
        evaluations: Number of coalitions evaluated so far.
    """

    def __init__(self, game: Game) -> None:
        if game.players < 1:
            raise InputError(
                f"asking a game for values: it has {game.players} players, expected at least 1. Check how it was built."
            )
        self._game = game
        self._ends: tuple[float, float] | None = None
        self.evaluations = 0

    @property
    def players(self) -> int:
        """Number of players, n."""
        return self._game.players

    def values(self, coalitions: Coalitions, /) -> Floats:
        """Like `Game.values`; `(0, n)` gives `(0,)` without an evaluation.

        Raises:
            InputError: The game's result has a wrong shape, or is not finite.
        """
        if not len(coalitions):
            return np.empty(0)
        values = np.asarray(self._game.values(coalitions), dtype=np.float64)
        self.evaluations += len(coalitions)
        if values.shape != (len(coalitions),) or not np.isfinite(values).all():
            raise InputError(_complaint(values, len(coalitions), self.players))
        return values

    def ends(self) -> tuple[float, float]:
        """v(empty) and v(full): two evaluations at the first call and none later."""
        if self._ends is None:
            empty, full = self.values(np.repeat([[False], [True]], self.players, axis=1))
            self._ends = float(empty), float(full)
        return self._ends


def _complaint(values: Floats, asked: int, players: int) -> str:
    doing = f"asking a game of {players} players for the values of {asked} coalitions"
    if values.shape != (asked,):
        return f"{doing}: got an array of shape {values.shape}, expected ({asked},). Return one number per coalition."
    bad = int((~np.isfinite(values)).sum())
    return (
        f"{doing}: {bad} are NaN or infinite, expected finite numbers. Look at the detector's weights and at its precision: "
        "a network that overflows in bfloat16 may work in float32."
    )
