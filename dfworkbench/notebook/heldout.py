"""The held-out figures of a run, under the name by which notebooks know them."""

from dfworkbench.analysis.heldout import score_split

__all__ = ["score_split"]
