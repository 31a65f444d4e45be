"""Forensic case files: likelihood ratios of faces against a reference set, refusal rules, and a hash-chained record."""
