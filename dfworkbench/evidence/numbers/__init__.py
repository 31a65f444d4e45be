"""Statistics of a case: the LR system, its validation, and applicability of the reference set. No files, no torch."""
