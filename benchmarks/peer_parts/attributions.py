"""Shapley values of 8 x 8 cells of a picture: ours against captum and shapiq, as CPU time to the same error.

Every way spends about the same number of evaluations of the detector. Its error is taken against a long run of ours with another
seed (whose own noise is taken off), and its time scaled to an error of 5 %: errors fall with one over the root of the evaluations.
shapiq is given our function from coalitions to values, so that its estimators alone are compared; captum masks and runs by itself.
"""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from shapley import DETECTORS, RUN, by_captum, find_detector, find_pictures

from dfworkbench.core.workspace import find_workspace
from dfworkbench.explain.shapley.estimators import estimate, random_for
from dfworkbench.explain.shapley.image_game import ImageGame
from dfworkbench.explain.shapley.stopping import StopRule
from peer_parts.measuring import OURS, Measured, Way, alternate, print_table
from peer_parts.packages import load

GRID, BUDGET, REFERENCE, ERROR = 8, 802, 6_402, 0.05
#: Name of the estimator in shapiq, and its options.
_SHAPIQ = {"KernelSHAP": {}, "PermutationSamplingSV": {}, "SVARM": {}, "UnbiasedKernelSHAP": {}}

Estimator = Callable[[ImageGame, int, int], tuple[NDArray[np.float64], int]]


def estimators() -> dict[str, Estimator]:
    """All ways that can be measured here: the game, a budget and a seed to values and the evaluations that were spent."""
    found: dict[str, Estimator] = {
        OURS: partial(_of_shapley, RUN["antithetic"]), f"{OURS}, rotated walks": partial(_of_shapley, RUN["rotated"]),
    }  # fmt: skip
    if load("captum", "captum.attr"):
        found["captum ShapleyValueSampling"] = partial(_of_shapley, by_captum)
    if package := load("shapiq", "shapiq.approximator"):
        for name, options in _SHAPIQ.items():
            found[f"shapiq {name}"] = partial(_by_shapiq, getattr(package, name), options)
    return found


def _of_shapley(run: Callable[..., Any], game: ImageGame, budget: int, seed: int) -> tuple[NDArray[np.float64], int]:
    found = run(game, budget, seed)
    return found.values, found.evaluations


def _by_shapiq(
    kind: Any, options: dict[str, Any], game: ImageGame, budget: int, seed: int
) -> tuple[NDArray[np.float64], int]:
    spent = 0

    def values(coalitions: NDArray[np.bool_]) -> NDArray[np.float64]:
        nonlocal spent
        rows = np.atleast_2d(np.asarray(coalitions, bool))  # some of them ask for a single coalition
        spent += len(rows)
        return game.values(rows)

    found = kind(n=game.players, random_state=seed, **options).approximate(budget, values)
    return np.array([found[(player,)] for player in range(game.players)]), spent


class Repeated:
    """Runs an estimator with another seed each time, and keeps what came out."""

    def __init__(self, estimator: Estimator, game: ImageGame) -> None:
        self.estimator, self.game = estimator, game
        self.found: list[NDArray[np.float64]] = []
        self.spent = 0

    def __call__(self) -> None:
        """One more estimate."""
        values, self.spent = self.estimator(self.game, BUDGET, len(self.found))
        self.found.append(values)

    def error(self, values: NDArray[np.float64], noise: float) -> float:
        """Root of the mean squared error over the length of the map, the noise of the reference taken off."""
        length2 = (values**2).sum() - noise
        squares = [((found - values) ** 2).sum() - noise for found in self.found]
        return float(np.sqrt(max(np.mean(squares), 0) / length2))


def compare(folder: Path, runs: int, only: str) -> None:
    """Print one table: MesoNet4 on one picture."""
    if only not in "mesonet4":
        return
    space = find_workspace()
    loaded, origin = find_detector("mesonet4", DETECTORS["mesonet4"], space)
    pictures, kind = find_pictures(loaded.input_spec, 1, space)
    game = ImageGame(loaded, next(iter(pictures.values())), grid=GRID, batch_size=16)
    reference = estimate(game, random_for("reference", 1_000_003), StopRule(relative_error=None, evaluations=REFERENCE))
    noise = float((reference.standard_error**2).sum())
    ways = {name: Repeated(estimator, game) for name, estimator in estimators().items()}
    measured = alternate({name: Way(way) for name, way in ways.items()}, runs)
    errors = {name: way.error(reference.values, noise) for name, way in ways.items()}
    scaled = {
        name: Measured(one.wall_s * (errors[name] / ERROR) ** 2, one.cpu_s * (errors[name] / ERROR) ** 2, None)
        for name, one in measured.items()
    }
    columns = {
        "evaluations": {name: f"{way.spent:,}" for name, way in ways.items()},
        "error at these": {name: f"{error:.1%}" for name, error in errors.items()},
        "CPU at these": {name: f"{np.median(one.cpu_s):.3g} s" for name, one in measured.items()},
    }
    title = (
        f"Shapley values of {GRID} x {GRID} cells to {ERROR:.0%}: {loaded.name} ({origin}), {game.size_px} px, {kind}"
    )
    print_table(
        f"{title}; the reference's own error is {np.sqrt(noise / (reference.values**2).sum()):.1%}", scaled, columns
    )
