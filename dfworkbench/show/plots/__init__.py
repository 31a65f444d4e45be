"""Figures in one house style. Every function returns a matplotlib Figure; none shows or saves it."""
