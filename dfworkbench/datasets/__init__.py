"""Data sets: `DataSet` on disk (`dataset`), folder layouts, splits by identity, torch samples (`face_dataset`)."""

from dfworkbench.datasets.layouts import LAYOUTS, read_layout
from dfworkbench.datasets.splits import assign_splits, check_splits, identity_groups

__all__ = ["LAYOUTS", "assign_splits", "check_splits", "identity_groups", "read_layout"]
