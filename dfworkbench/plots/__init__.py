"""Figures in one house style. Every function returns a matplotlib Figure; none shows or saves it."""

from dfworkbench.plots.extraction import plot_extraction
from dfworkbench.plots.faces import plot_faces, plot_forgeries
from dfworkbench.plots.scores import plot_roc, plot_scores
from dfworkbench.plots.tracks import plot_tracks
from dfworkbench.plots.training import training_curves

__all__ = [
    "plot_extraction", "plot_faces", "plot_forgeries", "plot_roc", "plot_scores", "plot_tracks", "training_curves",
]  # fmt: skip
