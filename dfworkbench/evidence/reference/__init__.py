"""Reference set of a case: its scores, tracks and faces of evidence and reference, and their overlap."""
