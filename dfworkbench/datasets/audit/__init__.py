"""The leakage audit: what crosses splits, and what is done about it."""
