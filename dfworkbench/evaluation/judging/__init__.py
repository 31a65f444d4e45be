"""Protocols, calibration, verdicts, failures and comparisons of detectors."""
