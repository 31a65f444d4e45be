"""Shapley estimators by name, and one call that runs an estimator to its end."""

import hashlib
from collections.abc import Callable, Iterator

import numpy as np

from dfworkbench.core.names import require_name
from dfworkbench.explain.shapley.game import Game
from dfworkbench.explain.shapley.kernel import kernel
from dfworkbench.explain.shapley.permutations import Random, antithetic, published, rotated, walk
from dfworkbench.explain.shapley.result import Attribution
from dfworkbench.explain.shapley.stopping import StopRule

Estimator = Callable[[Game, Random, StopRule | None], Iterator[Attribution]]

#: Name -> estimator. "antithetic" is the default everywhere.
ESTIMATORS: dict[str, Estimator] = {
    "antithetic": antithetic,
    "kernel": kernel,
    "published": published,
    "rotated": rotated,
    "walk": walk,
}


def estimate(
    game: Game,
    random: Random,
    stop: StopRule | None = None,
    *,
    estimator: str = "antithetic",
    on_progress: Callable[[Attribution], None] | None = None,
) -> Attribution:
    """Estimate Shapley values until `stop` is satisfied.

    Args:
        game: A game of at least 2 players.
        random: Generator seeded by the caller, see `random_for`.
        stop: Target relative error and budget.
        estimator: Name in `ESTIMATORS`.
        on_progress: Called with each intermediate attribution, including the last.

    Returns:
        The last attribution.

    Raises:
        UnknownNameError: No such estimator.
        ParameterError: The budget is too small for it.
        InputError: The game has fewer than 2 players, or returns NaN.
    """
    require_name("Shapley estimator", estimator, ESTIMATORS)
    result = None
    for result in ESTIMATORS[estimator](game, random, stop):
        if on_progress is not None:
            on_progress(result)
    assert result is not None  # every estimator yields or raises
    return result


def random_for(row_id: str, seed: int = 0) -> np.random.Generator:
    """A random generator that depends only on a row and a seed.

    Models, and compressions of one picture, that share a row id are evaluated on the same coalitions, so their maps differ by what
    they see and not by the random draw.

    Args:
        row_id: Id of the picture, such as a face id without its compression.
        seed: Seed of the study; not negative.
    """
    words = np.frombuffer(hashlib.sha256(row_id.encode()).digest(), dtype="<u4")  # hash() differs between processes
    return np.random.default_rng([seed, *words.tolist()])
