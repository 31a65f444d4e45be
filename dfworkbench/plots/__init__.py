"""Figures in one house style. Every function returns a matplotlib Figure; none shows or saves it."""

from dfworkbench.plots.artifacts import plot_artifact_boxes, plot_swaps
from dfworkbench.plots.extraction import plot_extraction
from dfworkbench.plots.faces import plot_faces, plot_forgeries
from dfworkbench.plots.hypotheses import plot_overlap_curve, plot_pairing, plot_stability
from dfworkbench.plots.hypothesis_faces import plot_map, plot_overlap, plot_relevant_cells
from dfworkbench.plots.leakage import plot_comparison, plot_measures
from dfworkbench.plots.scores import plot_roc, plot_scores
from dfworkbench.plots.tracks import plot_tracks
from dfworkbench.plots.training import training_curves

__all__ = [
    "plot_artifact_boxes", "plot_comparison", "plot_extraction", "plot_faces", "plot_forgeries", "plot_map", "plot_measures",
    "plot_overlap", "plot_overlap_curve", "plot_pairing", "plot_relevant_cells", "plot_roc", "plot_scores", "plot_stability",
    "plot_swaps", "plot_tracks", "training_curves",
]  # fmt: skip
