"""Figures in one house style. Every function returns a matplotlib Figure; none shows or saves it."""

from dfworkbench.plots.artifacts import plot_artifact_boxes, plot_swaps
from dfworkbench.plots.calibration import plot_operating_point, plot_reliability, plot_risk_coverage
from dfworkbench.plots.clues import plot_block_information, plot_block_maps, plot_loss_weights, plot_map_overlap
from dfworkbench.plots.extraction import plot_extraction
from dfworkbench.plots.faces import plot_faces, plot_forgeries
from dfworkbench.plots.failures import plot_case, plot_failures
from dfworkbench.plots.hypotheses import plot_overlap_curve, plot_pairing, plot_stability
from dfworkbench.plots.hypothesis_faces import plot_map, plot_overlap, plot_relevant_cells
from dfworkbench.plots.leakage import plot_comparison, plot_measures
from dfworkbench.plots.matrix import plot_matrix
from dfworkbench.plots.reconstruction import plot_error_spectra, plot_reconstructions, plot_residuals
from dfworkbench.plots.robustness import plot_robustness
from dfworkbench.plots.scores import plot_roc, plot_scores
from dfworkbench.plots.selection import plot_selection
from dfworkbench.plots.tracks import plot_tracks
from dfworkbench.plots.training import training_curves

__all__ = [
    "plot_artifact_boxes", "plot_block_information", "plot_block_maps", "plot_case", "plot_comparison", "plot_error_spectra",
    "plot_extraction", "plot_faces", "plot_failures", "plot_forgeries", "plot_loss_weights", "plot_map",
    "plot_map_overlap", "plot_matrix", "plot_measures", "plot_operating_point", "plot_overlap", "plot_overlap_curve",
    "plot_pairing", "plot_reconstructions", "plot_relevant_cells", "plot_reliability", "plot_residuals",
    "plot_risk_coverage", "plot_robustness", "plot_roc", "plot_scores", "plot_selection", "plot_stability",
    "plot_swaps", "plot_tracks", "training_curves",
]  # fmt: skip
