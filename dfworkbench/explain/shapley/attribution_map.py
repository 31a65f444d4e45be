"""An attribution map and its settings; numbers only, no torch."""

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from dfworkbench.core.errors import ParameterError
from dfworkbench.core.names import require_name
from dfworkbench.explain.shapley.estimators import ESTIMATORS
from dfworkbench.explain.shapley.game import Floats
from dfworkbench.explain.shapley.result import Attribution
from dfworkbench.explain.shapley.stopping import PUBLISHED_EVALUATIONS, StopRule

#: What hidden cells show, see `image_game.baseline_of`.
BASELINES = ("black", "mean", "blur")
PRECISIONS = ("32-true", "bf16-mixed")


@dataclass(frozen=True)
class AttributionSettings:
    """Everything that determines a map besides detector, picture and value.

    Attributes:
        grid: L, cells along a side.
        baseline: What hidden cells show: "black", "mean" or "blur".
        estimator: Name in `ESTIMATORS`.
        relative_error: Target ||standard errors|| / ||values||; None spends the whole budget.
        evaluations: Budget of forward passes (pictures or clips).
        seed: Seeds the coalitions, together with the row id.
        precision: "32-true", or "bf16-mixed" for autocast.
    """

    grid: int = 16
    baseline: str = "black"
    estimator: str = "antithetic"
    relative_error: float | None = 0.05
    evaluations: int = PUBLISHED_EVALUATIONS
    seed: int = 0
    precision: str = "32-true"

    def __post_init__(self) -> None:
        require_name("baseline", self.baseline, BASELINES)
        require_name("Shapley estimator", self.estimator, ESTIMATORS)
        require_name("precision", self.precision, PRECISIONS)
        if self.grid < 2 or self.seed < 0:
            raise ParameterError(
                f"setting up attributions: grid = {self.grid}, seed = {self.seed}; expected a grid of at least 2 cells along a "
                "side and a seed that is not negative."
            )
        self.stop_rule()  # raises for an invalid error target or budget

    def stop_rule(self) -> StopRule:
        """Error target and budget, in the form estimators take."""
        return StopRule(relative_error=self.relative_error, evaluations=self.evaluations)

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "AttributionSettings":
        """The inverse of `to_dict`; unknown keys are refused, because they would affect the map."""
        unknown = set(values) - {field.name for field in dataclasses.fields(cls)}
        if unknown:
            raise ParameterError(
                f"reading attribution settings: unknown {sorted(unknown)}; they were saved by a newer dfworkbench. Known: "
                f"{sorted(field.name for field in dataclasses.fields(cls))}."
            )
        return cls(**values)


@dataclass(frozen=True, eq=False)
class AttributionMap:
    """Shapley values of the cells of one picture.

    Attributes:
        values: `(L, L)`, in the unit of the value (log-odds for "logit"); positive cells raise it.
        standard_error: `(L, L)`, standard error of each cell.
        row_id: Id of the picture, which seeded the coalitions.
        detector: Name of the detector.
        value: What is explained, in words.
        settings: All other settings.
        evaluations: Forward passes spent.
        samples: Number of independent units averaged, see the estimator.
        empty: Value of the picture with all cells hidden.
        full: Value of the picture.
        stopped: "relative error" or "budget"; "" for an intermediate map.
    """

    values: Floats
    standard_error: Floats
    row_id: str
    detector: str
    value: str
    settings: AttributionSettings
    evaluations: int
    samples: int
    empty: float
    full: float
    stopped: str

    @property
    def efficiency_gap(self) -> float:
        """Sum of the cells minus (full - empty); rounding error only, except for the "published" estimator."""
        return float(self.values.sum() - (self.full - self.empty))

    @property
    def relative_error(self) -> float:
        """||standard errors|| / ||values||; see `Attribution.relative_error`."""
        return self.attribution.relative_error

    @property
    def normalised(self) -> Floats:
        """The map divided by its length, so that the squares sum to 1; zeros if the length is 0 (see `reason`)."""
        return np.zeros_like(self.values) if self.reason else self.values / np.linalg.norm(self.values)

    @property
    def reason(self) -> str:
        """Why the map cannot be normalised, else ""."""
        return "" if self.values.any() else "the map is 0 everywhere: hiding cells never changed the value"

    @property
    def attribution(self) -> Attribution:
        """The same values without a grid."""
        return Attribution(
            self.values.ravel(), self.standard_error.ravel(), self.evaluations, self.empty, self.full, self.samples,
            self.stopped,
        )  # fmt: skip

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON: everything but the two maps, plus relative error and efficiency gap (None if infinite)."""
        plain = {
            field.name: getattr(self, field.name)
            for field in dataclasses.fields(self)
            if field.name not in ("values", "standard_error", "settings")
        }
        error = self.relative_error
        return {
            **plain,
            "relative_error": error if math.isfinite(error) else None,
            "efficiency_gap": self.efficiency_gap,
            "reason": self.reason,
            "settings": self.settings.to_dict(),
        }
