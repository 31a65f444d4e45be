"""Interactive view of how a degradation affects a picture, its error map, and the score."""

from typing import Any

import ipywidgets as w
import numpy as np
import torch
from IPython.display import HTML, display
from matplotlib.figure import Figure
from numpy.typing import NDArray
from scipy.special import expit

from dfworkbench.core.html import picture, wrap
from dfworkbench.datasets.perturb.perturbations import LEVELS, PERTURBATIONS, links, strengths_at
from dfworkbench.methods.resynthesis.figures import plot_reconstructions
from dfworkbench.methods.resynthesis.network import stage_name
from dfworkbench.methods.resynthesis.reconstruction import reconstruction_errors, resynthesised
from dfworkbench.models.inputs import prepare
from dfworkbench.models.modes import device_of
from dfworkbench.runs.checkpoints import LoadedDetector


class DegradationExplorer:
    """Widgets for picture, degradation and strength, over a figure of the picture before and after degradation.

    Shown as the last value of a cell; without a notebook, `figure` and `score` give the same.

    Args:
        detector: A detector of the re-synthesis family.
        images: `(N, S, S, 3)` uint8 RGB, as the detector's InputSpec asks for.
        titles: A few words for each, such as real or the name of the generator.
        degradation: The initial degradation.
        level: Its initial strength, 1 to 5.
        seed: Seed of random degradations.
    """

    def __init__(
        self,
        detector: LoadedDetector,
        images: NDArray[np.uint8],
        titles: list[str],
        degradation: str = "jpeg",
        level: int = 3,
        seed: int = 0,
    ) -> None:
        self.detector, self.images, self.titles, self.seed = detector, images, titles, seed
        names = [f"{number + 1}: {title}" for number, title in enumerate(titles)]
        self.picture = w.Dropdown(options=[(name, at) for at, name in enumerate(names)], description="Picture")
        self.degradation = w.Dropdown(options=list(PERTURBATIONS), value=degradation, description="Degradation")
        self.level = w.IntSlider(level, min(LEVELS), max(LEVELS), description="Strength", continuous_update=False)
        self._shown: Any = None
        for control in (self.picture, self.degradation, self.level):
            control.observe(self._draw, names="value")

    def degraded(self) -> NDArray[np.uint8]:
        """The selected picture under the selected degradation, `(S, S, 3)` uint8 RGB."""
        image, rng = self.images[self.picture.value], np.random.default_rng(self.seed)
        strengths = strengths_at(self.degradation.value, self.level.value)
        for link, strength in zip(links(self.degradation.value), strengths, strict=True):
            image = link.apply(image, strength, rng)
        return image

    def score(self, image: NDArray[np.uint8]) -> float:
        """Fake probability of a picture `(S, S, 3)` uint8 RGB."""
        images = torch.from_numpy(np.ascontiguousarray(image)).movedim(-1, 0)[None]
        device = device_of(self.detector.detector)
        with torch.inference_mode():
            logit = self.detector.detector(
                prepare(images.to(device), self.detector.input_spec, self.detector.name)
            ).logit
        return float(expit(logit.double().item()))

    def figure(self) -> Figure:
        """The picture before and after degradation, with re-synthesis, error maps and fake probability."""
        pair = np.stack([self.images[self.picture.value], self.degraded()])
        batch = np.moveaxis(pair, -1, 1)
        network: Any = self.detector.detector
        errors = reconstruction_errors(self.detector, batch, sorted({0, *network.stages}))
        strength = ", ".join(f"{value:g}" for value in strengths_at(self.degradation.value, self.level.value))
        words = ["as it is", f"{self.degradation.value} {strength}"]
        titles = [f"{word}\np(fake) {self.score(image):.2f}" for word, image in zip(words, pair, strict=True)]
        return plot_reconstructions(
            pair,
            np.moveaxis(resynthesised(self.detector, batch), 1, -1),
            {stage_name(stage): maps for stage, maps in errors.items()},
            titles,
            title=self.titles[self.picture.value],
        )

    def _page(self) -> HTML:
        words = f"{self.titles[self.picture.value]} as it is and under {self.degradation.value}, with error maps"
        return HTML(wrap(picture(self.figure(), words)))

    def _draw(self, _: Any = None) -> None:
        if self._shown is not None:
            self._shown.update(self._page())

    def _ipython_display_(self) -> None:
        display(w.HBox([self.picture, self.degradation, self.level], layout=w.Layout(flex_flow="row wrap")))
        # a plain output without widget: it stays visible in a stored notebook that has lost its widgets
        self._shown = display(self._page(), display_id=True)
