"""Exact Shapley values: every coalition is asked about. What estimators are checked against."""

from math import comb

import numpy as np

from dfworkbench.explain.shapley.game import CountedGame, Floats, Game
from dfworkbench.explain.shapley.result import Attribution


def exact(game: Game, *, chunk: int = 4096) -> Attribution:
    """Shapley values by enumeration of all 2^n coalitions.

    phi_i = sum over S without i of |S|! (n - |S| - 1)! / n! (v(S + i) - v(S)) (Shapley 1953).

    Args:
        game: 20 players are 1,048,576 evaluations.
        chunk: Coalitions per call of the game.

    Returns:
        With standard errors 0 and `stopped` "exact".
    """
    players = game.players
    counted = CountedGame(game)
    values = np.concatenate([
        counted.values(_members(np.arange(start, min(start + chunk, 1 << players)), players))
        for start in range(0, 1 << players, chunk)
    ])  # fmt: skip
    return Attribution(
        values=shapley_of_table(values),
        standard_error=np.zeros(players),
        evaluations=counted.evaluations,
        empty=float(values[0]),
        full=float(values[-1]),
        samples=0,
        stopped="exact",
    )


def shapley_of_table(values: Floats) -> Floats:
    """Shapley values of a game that is given as a table.

    Args:
        values: `(2^n,)`; entry b is the value of the players whose bit is set in b, player 0 being the lowest bit.

    Returns:
        `(n,)`.
    """
    players = len(values).bit_length() - 1
    weights = np.array([1 / (players * comb(players - 1, size)) for size in range(players)])
    # in a table without player i, entry k stands for n - 1 players, whose count of bits is the same for every i
    weight = weights[_members(np.arange(1 << (players - 1)), max(players - 1, 1)).sum(axis=1)]
    out = np.empty(players)
    for player in range(players):
        pairs = values.reshape(-1, 2, 1 << player)
        out[player] = weight @ (pairs[:, 1] - pairs[:, 0]).ravel()
    return out


def _members(numbers: np.ndarray, players: int) -> np.ndarray:
    return (numbers[:, None] >> np.arange(players) & 1).astype(bool)
