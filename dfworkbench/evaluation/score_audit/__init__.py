"""Score audit: thirteen checks (F1 to F13) for problems that a table of AUCs hides."""
