"""Case files: likelihood ratios of faces against a reference set, with the rules for when nothing can be said, and a record."""
