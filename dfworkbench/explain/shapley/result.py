"""Result of an estimator: Shapley values, their standard errors, and what they cost."""

from dataclasses import dataclass

import numpy as np

from dfworkbench.explain.shapley.game import Floats


@dataclass(frozen=True, eq=False)
class Attribution:
    """Shapley values of one game.

    Attributes:
        values: `(n,)`, in the unit of the game's value.
        standard_error: `(n,)`, of each value; 0 for exact values, NaN if there is only one sample.
        evaluations: Number of coalitions evaluated, including v(empty) and v(full).
        empty: v(empty), without any player.
        full: v(full), with all players.
        samples: Number of independent units averaged: pairs of permutations, permutations, permutations per player, or pairs of
            coalitions, depending on the estimator.
        stopped: Why sampling stopped: "relative error", "budget" or "exact"; "" while the estimator continues.
    """

    values: Floats
    standard_error: Floats
    evaluations: int
    empty: float
    full: float
    samples: int
    stopped: str = ""

    @property
    def relative_error(self) -> float:
        """Length of the standard errors over length of the values; 0 if all errors are 0, infinite if only the values are."""
        error, length = float(np.linalg.norm(self.standard_error)), float(np.linalg.norm(self.values))
        if error == 0:
            return 0.0
        return error / length if length else float("inf")

    @property
    def efficiency_gap(self) -> float:
        """Sum of the values minus (v(full) - v(empty)); 0 up to rounding for exact values, walks and KernelSHAP."""
        return float(self.values.sum() - (self.full - self.empty))
