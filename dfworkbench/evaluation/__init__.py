"""Evaluation: scoring files, aggregating scores, metrics with confidence intervals, audits of score tables."""
