"""Exposing the Deception: local and global information clues (Ba et al., AAAI 2024)."""
