"""Stopping rule of the estimators, and the running mean they keep."""

from dataclasses import dataclass

import numpy as np

from dfworkbench.core.errors import ParameterError
from dfworkbench.explain.shapley.game import CountedGame, Floats
from dfworkbench.explain.shapley.result import Attribution

#: What the code of FST-Matching spends on a grid of 16 x 16 with 100 permutations per player, plus the two ends.
PUBLISHED_EVALUATIONS = 2 * 100 * 256 + 2


@dataclass(frozen=True)
class StopRule:
    """Stop an estimator at a target error or at a budget, whichever comes first.

    Only the stopping time depends on the values of the game, not what is drawn: fewer samples are the beginning of more.

    Attributes:
        relative_error: Target ||standard errors|| / ||values||, above 0; None spends the whole budget. The length of noisy values
            is slightly too large, by half of the relative error squared: 0.1 % at 5 %.
        evaluations: Budget: number of coalitions that may be evaluated, including the two ends.
        chunk: Approximate number of coalitions between two checks; this limits the memory (chunk x n bytes). A single sample is
            never split, so it may be more: 2 (n - 1) for a pair of permutations.
        min_samples: Errors estimated from fewer samples are ignored; at least 2.
    """

    relative_error: float | None = 0.05
    evaluations: int = PUBLISHED_EVALUATIONS
    chunk: int = 1024
    min_samples: int = 8

    def __post_init__(self) -> None:
        wrong = {
            "relative_error": self.relative_error is not None and not self.relative_error > 0,
            "evaluations": self.evaluations < 1,
            "chunk": self.chunk < 1,
            "min_samples": self.min_samples < 2,
        }
        if any(wrong.values()):
            raise ParameterError(
                f"making a stop rule: got {self}; expected relative_error above 0 or None, evaluations and chunk at least 1, "
                f"min_samples at least 2. Change {', '.join(name for name, bad in wrong.items() if bad)}."
            )

    def next_samples(self, spent: int, cost: int) -> int:
        """Number of samples to draw before the next check; 0 if the budget allows none.

        Args:
            spent: Evaluations so far.
            cost: Evaluations per sample.
        """
        return min(max(1, self.chunk // cost), max(0, self.evaluations - spent) // cost)

    def require(self, spent: int, cost: int, samples: int, what: str) -> None:
        """Raise `ParameterError` unless the budget allows `samples`.

        Args:
            spent: Evaluations so far.
            cost: Evaluations per sample.
            samples: Smallest number of samples needed.
            what: What is sampled, such as "pairs of permutations".
        """
        needed = spent + cost * samples
        if self.evaluations < needed:
            raise ParameterError(
                f"estimating Shapley values: a budget of {self.evaluations} evaluations, but {samples} {what} are the least, at "
                f"{cost} evaluations each and {spent} for the two ends. Expected StopRule(evaluations=...) of {needed} or more."
            )

    def why(self, attribution: Attribution, spent: int, cost: int) -> str:
        """Reason to stop now, as in `Attribution.stopped`; "" to continue."""
        wanted = self.relative_error if attribution.samples >= self.min_samples else None
        if wanted is not None and attribution.relative_error <= wanted:
            return "relative error"
        return "" if self.next_samples(spent, cost) else "budget"


class RunningMean:
    """Mean and standard error of rows that arrive in chunks and are not kept.

    Args:
        width: Values per row.
    """

    def __init__(self, width: int) -> None:
        self.count = 0
        self.mean = np.zeros(width)
        self._squares = np.zeros(width)  # sum of squared deviations from the mean

    def add(self, rows: Floats) -> None:
        """Add rows `(k, width)` (Chan, Golub, LeVeque 1983: no cancellation, however large the mean)."""
        mean = rows.mean(axis=0)
        step, total = mean - self.mean, self.count + len(rows)
        self._squares += ((rows - mean) ** 2).sum(axis=0) + step**2 * (self.count * len(rows) / total)
        self.mean = self.mean + step * (len(rows) / total)
        self.count = total

    @property
    def standard_error(self) -> Floats:
        """Standard error of the mean, `(width,)`; NaN for fewer than two rows."""
        if self.count < 2:
            return np.full_like(self.mean, np.nan)
        return np.sqrt(self._squares / (self.count - 1) / self.count)

    def attribution(self, game: CountedGame) -> Attribution:
        """The mean as Shapley values."""
        empty, full = game.ends()
        return Attribution(self.mean.copy(), self.standard_error, game.evaluations, empty, full, self.count)
