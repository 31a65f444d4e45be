"""Shapley values by regression on random coalitions: paired KernelSHAP.

Lundberg, Lee: A Unified Approach to Interpreting Model Predictions. NeurIPS 2017.
Covert, Lee: Improving KernelSHAP: Practical Shapley Value Estimation via Linear Regression. AISTATS 2021 (pairs).

Sizes of coalitions are drawn with a density proportional to 1 / (s (n - s)), members uniformly; each coalition is evaluated
together with its complement. That the values sum to v(full) - v(empty) is a constraint of the fit, not a large weight. With u =
+1/2 for members and -1/2 for others, the squares of a pair sum to those of u . phi = (v(S) - v(complement)) / 2 and a constant, so
a pair is one equation, and interactions of second order drop out.

Errors: the fit is a ratio of two sums over pairs, so the plain spread of pairs is no error estimate. The pairs are dealt in turn to
20 groups, of which only the sums are kept, and the fit is repeated without each group (delete-a-group jackknife; Kott 2001).
Left-out residuals are larger than true ones, because n - 1 values were fitted to K pairs; the variances are therefore multiplied by
1 - (n - 1) / K, which is exact for residuals of equal size and matters little once K is many times n.
"""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from dfworkbench.explain.shapley.game import Coalitions, CountedGame, Floats, Game
from dfworkbench.explain.shapley.permutations import Random, require_players
from dfworkbench.explain.shapley.result import Attribution
from dfworkbench.explain.shapley.stopping import StopRule

GROUPS = 20
#: Fewest pairs per player: with 2 n equations the noise is 1.4 times that of a fit with known kernel, with n it is unbounded.
PAIRS_PER_PLAYER = 2


def kernel(game: Game, random: Random, stop: StopRule | None = None) -> Iterator[Attribution]:
    """Paired KernelSHAP; samples are pairs of a coalition and its complement, at 2 evaluations.

    Args:
        game: A game of at least 2 players.
        random: Generator seeded by the caller; the coalitions depend on nothing else.
        stop: When to stop; first checked after max(2 n, 40) pairs.

    Yields:
        Values that sum to v(full) - v(empty), with errors from a jackknife over 20 groups of pairs.

    Raises:
        ParameterError: The budget does not allow max(2 n, 40) pairs, below which the fit is ill-conditioned.
        InputError: The game has fewer than 2 players.
    """
    stop = stop or StopRule()
    require_players(game)
    counted = CountedGame(game)
    fit, least = _Fit(game.players, *counted.ends()), max(PAIRS_PER_PLAYER * game.players, 2 * GROUPS)
    stop.require(counted.evaluations, 2, least, "pairs of coalitions")
    why = ""
    while not why:
        _ask(counted, fit, random, stop.next_samples(counted.evaluations, 2))
        if fit.pairs < least:
            continue
        result = fit.attribution(counted)
        why = stop.why(result, counted.evaluations, 2)
        yield replace(result, stopped=why)


def kernel_coalitions(random: Random, players: int, count: int) -> Coalitions:
    """`(count, n)` coalitions, neither empty nor full, drawn by size with density proportional to 1 / (s (n - s))."""
    sizes = np.arange(1, players)
    steps = np.cumsum(1 / (sizes * (players - sizes)))
    out = np.zeros((count, players), dtype=bool)
    for row in out:  # one at a time: the batch size of a draw must not change what is drawn
        size = 1 + min(np.searchsorted(steps, random.random() * steps[-1], side="right"), players - 2)
        row[random.permutation(players)[:size]] = True
    return out


def _ask(game: CountedGame, fit: "_Fit", random: Random, count: int) -> None:
    chosen = kernel_coalitions(random, game.players, count)
    values = game.values(np.concatenate([chosen, ~chosen]))
    fit.add(chosen, (values[:count] - values[count:]) / 2)


class _Fit:
    """Sums of the normal equations, in groups; the coalitions are not kept.

    20 groups of n x n numbers: 10 MB at 16 x 16 cells, 168 MB at 32 x 32.
    """

    def __init__(self, players: int, empty: float, full: float) -> None:
        self.pairs, self._total = 0, full - empty
        self._left, self._right = np.zeros((GROUPS, players, players)), np.zeros((GROUPS, players))

    def add(self, chosen: Coalitions, half_differences: Floats) -> None:
        signs = chosen - 0.5
        group = (self.pairs + np.arange(len(chosen))) % GROUPS
        for number in range(GROUPS):
            mine = signs[group == number]
            self._left[number] += mine.T @ mine
            self._right[number] += mine.T @ half_differences[group == number]
        self.pairs += len(chosen)

    def attribution(self, game: CountedGame) -> Attribution:
        left, right = self._left.sum(axis=0), self._right.sum(axis=0)
        values = self._solve(left, right)
        without = np.stack([self._solve(left - a, right - b) for a, b in zip(self._left, self._right, strict=True)])
        spread = ((without - without.mean(axis=0)) ** 2).sum(axis=0) * (GROUPS - 1) / GROUPS
        error = np.sqrt(spread * (1 - (len(values) - 1) / self.pairs))
        return Attribution(values, error, game.evaluations, *game.ends(), self.pairs)

    def _solve(self, left: Floats, right: Floats) -> Floats:
        """Least squares over all phi with the right sum: the equations of phi - mean, in the zero-sum subspace."""
        players = len(right)
        share = self._total / players
        # adding a constant to the matrix gives unit weight to the direction of the constraint, which the rest does not contain
        ones = np.full((players, players), np.trace(left) / players**2)
        rest = right - share * left.sum(axis=1)
        rest = rest - rest.mean()
        centred = left - left.mean(axis=0) - left.mean(axis=1)[:, None] + left.mean()
        phi = np.linalg.solve(centred + ones, rest)
        return phi - phi.mean() + share
