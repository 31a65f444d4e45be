"""Attribution maps of encoders and detectors on the pictures of a hypothesis."""

import dataclasses
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from dfworkbench.core.names import FAKE
from dfworkbench.explain.shapley.attribution_map import AttributionMap
from dfworkbench.explain.shapley.image_game import ImageGame
from dfworkbench.explain.shapley.maps import attribute_all
from dfworkbench.explain.shapley.values import ClassLogit, ClassLogOdds, Value
from dfworkbench.explain.study_pictures import Pictures
from dfworkbench.methods.fst_matching.settings import CARRIER, DONOR, HypothesisSettings
from dfworkbench.runs.checkpoints import LoadedDetector

_MOST_GAP = 0.01  # largest precision gap for bf16 maps, see `ImageGame.precision_gap`


class Maps(NamedTuple):
    """Attributions of one model on N pictures, `(N, L, L)` each."""

    values: NDArray[np.float64]
    errors: NDArray[np.float64]
    found: list[AttributionMap]


class Attributions:
    """Maps of models on pictures; finished ones are stored beside the weights and not recomputed.

    Args:
        models: Title -> encoder or detector.
        pictures: Pictures to explain.
        settings: Attribution settings.
        progress: Whether to show progress bars.
    """

    def __init__(
        self,
        models: Mapping[str, LoadedDetector],
        pictures: Pictures,
        settings: HypothesisSettings,
        *,
        progress: bool = True,
    ) -> None:
        self._models, self._pictures, self._settings, self._progress = models, pictures, settings, progress

    def maps(self, title: str, images: NDArray[np.uint8] | None = None, *, seed: int | None = None) -> Maps:
        """Attributions of a model on the pictures.

        Args:
            title: A key of `models`.
            images: The same pictures in another compression; by default as extracted.
            seed: Seed of the coalitions; by default that of the settings.
        """
        own, rows = self._settings.attributions(self._precisions[title]), self._pictures.rows
        if seed is not None:
            own = dataclasses.replace(own, seed=seed)
        model = self._models[title]
        pictures = self._pictures.images if images is None else images
        found = attribute_all(
            model,
            dict(zip(rows["row_id"], pictures, strict=True)),
            value={row_id: self.value(title, at) for at, row_id in enumerate(rows["row_id"])},
            settings=own,
            folder=model.path.parent / "attributions" / model.path.stem,
            progress=self._progress,
        )
        each = list(found.values())
        return Maps(np.stack([a.values for a in each]), np.stack([a.standard_error for a in each]), each)

    @cached_property
    def _precisions(self) -> dict[str, str]:
        """Precision for each model's maps: bf16 only if it changes the value by less than a hundredth."""
        fast, own, image = self._settings.numbers(), self._settings.attributions(), self._pictures.images[0]
        chosen = {}
        for title, model in self._models.items():
            value = self.value(title, 0)
            game = ImageGame(model, image, grid=own.grid, baseline=own.baseline, value=value, precision=fast)
            chosen[title] = fast if game.precision_gap() < _MOST_GAP else "32-true"
        return chosen

    def value(self, title: str, at: int) -> Value:
        """The explained value of a model on picture `at`: log-odds (or raw logit) of the right person, or of fake."""
        raw = self._settings.value == "logit"
        if title in (CARRIER, DONOR):
            people: Sequence[str] = self._models[title].detector.identities  # pyright: ignore[reportAssignmentType]
            index = people.index(self._pictures.rows[title].iloc[at])
            return (ClassLogit if raw else ClassLogOdds)("identity_logits", index)
        return ClassLogit("class_logits", FAKE) if raw else "logit"
