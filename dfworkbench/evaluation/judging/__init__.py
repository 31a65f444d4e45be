"""Evaluation protocols, calibration, verdicts, failure analysis, robustness and leaderboards."""
