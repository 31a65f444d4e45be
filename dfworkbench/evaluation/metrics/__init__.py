"""Metrics, curves and confidence intervals from score tables."""
