"""The audit of anybody's scores: what a table of AUCs hides, in thirteen kinds of findings (F1 to F13)."""
