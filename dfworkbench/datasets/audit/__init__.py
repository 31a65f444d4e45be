"""Leakage audit: videos, people and frames that stand in more than one split."""
