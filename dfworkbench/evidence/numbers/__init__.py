"""What is computed: the LR system, its validation, and whether the reference set applies. No files, no torch."""
