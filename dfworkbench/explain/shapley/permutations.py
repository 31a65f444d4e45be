"""Shapley values from random permutations: players join one after the other, and each is credited with what it adds.

Castro, Gomez, Tejada: Polynomial calculation of the Shapley value based on sampling. Computers & Operations Research 2009.
Mitchell, Cooper, Frank, Holmes: Sampling Permutations for Shapley Value Estimation. JMLR 2022 (antithetic permutations).
Dong et al.: Explaining Deepfake Detection by Analysing Image Matching. ECCV 2022 (`published`).

Every function is a generator of successively better attributions; the last one says in `stopped` why it is the last. You can break
off at any time. The permutations depend only on `random`, so games with equally seeded generators are evaluated on the same
coalitions (common random numbers), and a longer estimate begins like a shorter one.

Differences from the released code of FST-Matching: in all but `published`, one permutation credits all players, which needs n - 1
new evaluations for n contributions instead of two for one; `published` may continue in rounds, and also computes v(empty) and
v(full), to report the efficiency gap.
"""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from dfworkbench.core.errors import InputError, ParameterError
from dfworkbench.explain.shapley.game import Coalitions, CountedGame, Floats, Game
from dfworkbench.explain.shapley.result import Attribution
from dfworkbench.explain.shapley.stopping import RunningMean, StopRule

Random = np.random.Generator | np.random.RandomState


def antithetic(game: Game, random: Random, stop: StopRule | None = None) -> Iterator[Attribution]:
    """Walks along a permutation and its reverse; samples are pairs of walks, at 2 (n - 1) evaluations.

    Players that come early in one walk come late in the other, so most of the noise cancels: after one pair the values are exact
    for every game with interactions of first and second order only (Mitchell et al. 2022). The reverse walk evaluates the
    complements of the forward walk's coalitions; the two ends are evaluated once for all walks.

    Args:
        game: A game of at least 2 players.
        random: Seeded by the caller.
        stop: When to stop.

    Yields:
        Values that sum to v(full) - v(empty) exactly, with errors from the spread of the pairs' means.

    Raises:
        ParameterError: The budget does not allow one pair.
        InputError: The game has fewer than 2 players.
    """
    return _walks(game, random, stop or StopRule(), turns=1, both_ways=True)


def rotated(game: Game, random: Random, stop: StopRule | None = None) -> Iterator[Attribution]:
    """Antithetic walks along a permutation and along the same with its halves exchanged; samples cost 4 (n - 1) evaluations.

    A player is credited at four positions: r, r + n/2, and these two counted from the end. If its contribution depends on *how
    many* came before, as in networks that are certain after a few cells, this removes more noise than two independent pairs. This
    form is ours: stratification by position with two strata.

    Args:
        game: A game of at least 2 players.
        random: Seeded by the caller.
        stop: When to stop.

    Yields:
        Values that sum to v(full) - v(empty) exactly, with errors from the spread of the means of four walks.

    Raises:
        ParameterError: The budget does not allow four walks.
        InputError: The game has fewer than 2 players.
    """
    return _walks(game, random, stop or StopRule(), turns=2, both_ways=True)


def walk(game: Game, random: Random, stop: StopRule | None = None) -> Iterator[Attribution]:
    """Walks along independent permutations (Castro et al. 2009); samples are walks, at n - 1 evaluations.

    Args:
        game: A game of at least 2 players.
        random: Seeded by the caller.
        stop: When to stop.

    Yields:
        Values that sum to v(full) - v(empty) exactly, with errors from the spread of the walks.

    Raises:
        ParameterError: The budget does not allow one walk.
        InputError: The game has fewer than 2 players.
    """
    return _walks(game, random, stop or StopRule(), turns=1, both_ways=False)


def published(game: Game, random: Random, stop: StopRule | None = None, *, samples: int = 100) -> Iterator[Attribution]:
    """The estimator in the code of FST-Matching: separate permutations for each player; for comparison.

    Samples are permutations per player, at 2 n evaluations. Values sum to v(full) - v(empty) in expectation only.

    Args:
        game: A game of at least 2 players.
        random: Seeded by the caller. `numpy.random.RandomState(0)` draws what the authors' code draws after
            `numpy.random.seed(0)`.
        stop: When to stop, checked after each round.
        samples: Permutations per player and round, at least 1; the authors use one round of 100.

    Yields:
        One attribution per round, with errors from the spread of each player's contributions.

    Raises:
        ParameterError: The budget does not allow one round.
        InputError: The game has fewer than 2 players.
    """
    stop = stop or StopRule()
    require_players(game)
    if samples < 1:
        raise ParameterError(f"estimating Shapley values: samples = {samples} per round; expected at least 1.")
    counted, mean, cost = CountedGame(game), RunningMean(game.players), 2 * game.players * samples
    counted.ends()
    stop.require(counted.evaluations, cost, 1, f"round(s) of {samples} permutations per player")
    why = ""
    while not why:
        mean.add(_published_round(counted, random, samples, stop.chunk))
        result = mean.attribution(counted)
        why = stop.why(result, counted.evaluations, cost)
        yield replace(result, stopped=why)


def published_coalitions(random: Random, players: int, player: int, samples: int) -> Coalitions:
    """Coalitions with which the released code credits one player.

    Args:
        random: Generator, advanced by `samples` permutations.
        players: n.
        player: 0..n-1.
        samples: m.

    Returns:
        `(2 m, n)`: m random sets of predecessors, then the same with the player.
    """
    out = np.zeros((2, samples, players), dtype=bool)
    for row in out[0]:
        order = random.permutation(players)
        row[order[: np.flatnonzero(order == player)[0]]] = True
    out[1] = out[0]
    out[1, :, player] = True
    return out.reshape(-1, players)


def walk_coalitions(ranks: np.ndarray) -> Coalitions:
    """The coalitions of a walk from empty to full, without these two.

    Args:
        ranks: `(P, n)`, position at which each player joins, 0..n-1.

    Returns:
        `(P (n - 1), n)`, walk by walk.
    """
    players = ranks.shape[1]
    return (ranks[:, None, :] < np.arange(1, players)[None, :, None]).reshape(-1, players)


def require_players(game: Game) -> None:
    """Raise `InputError` for a game with fewer than 2 players."""
    if game.players < 2:
        raise InputError(
            f"estimating Shapley values: the game has {game.players} player(s), expected at least 2; a single one is paid "
            "v(full) - v(empty). Take a grid of 2 or more."
        )


def _walks(game: Game, random: Random, stop: StopRule, *, turns: int, both_ways: bool) -> Iterator[Attribution]:
    require_players(game)
    ways = turns * (1 + both_ways)
    counted, mean, cost = CountedGame(game), RunningMean(game.players), ways * (game.players - 1)
    counted.ends()
    stop.require(counted.evaluations, cost, 1, _SAMPLED[ways])
    why = ""
    while not why:
        count = stop.next_samples(counted.evaluations, cost)
        paid = _payments(counted, _ranks(random, game.players, count, turns, both_ways))
        mean.add(paid.reshape(count, ways, -1).mean(axis=1))
        result = mean.attribution(counted)
        why = stop.why(result, counted.evaluations, cost)
        yield replace(result, stopped=why)


_SAMPLED = {1: "permutations", 2: "pairs of permutations", 4: "fours of permutations"}


def _ranks(random: Random, players: int, count: int, turns: int, both_ways: bool) -> np.ndarray:
    # one at a time: the batch size of a draw must not change what is drawn
    first = np.stack([np.argsort(random.permutation(players)) for _ in range(count)])
    ways = [(first + turn * players // turns) % players for turn in range(turns)]
    if both_ways:
        ways = [way for forward in ways for way in (forward, players - 1 - forward)]
    return np.stack(ways, axis=1).reshape(-1, players)


def _payments(game: CountedGame, ranks: np.ndarray) -> Floats:
    """What each player adds on each walk: `(P, n)`."""
    walks, players = ranks.shape
    empty, full = game.ends()
    values = np.empty((walks, players + 1))
    values[:, 0], values[:, -1] = empty, full
    values[:, 1:-1] = game.values(walk_coalitions(ranks)).reshape(walks, players - 1)
    return np.take_along_axis(np.diff(values, axis=1), ranks, axis=1)


def _published_round(game: CountedGame, random: Random, samples: int, chunk: int) -> Floats:
    """`(samples, n)` contributions, several players per call of the game if a chunk has room for them."""
    paid = np.empty((game.players, samples))
    block = max(1, chunk // (2 * samples))
    for start in range(0, game.players, block):
        players = range(start, min(start + block, game.players))
        asked = np.concatenate([published_coalitions(random, game.players, player, samples) for player in players])
        without, joined = np.moveaxis(game.values(asked).reshape(len(players), 2, samples), 1, 0)
        paid[start : players.stop] = joined - without
    return paid.T
