"""Runs: trained and imported weights in `checkpoints/`, and everything that is written beside them."""
