"""Leakage audit: videos, people and frames that occur in more than one split."""
