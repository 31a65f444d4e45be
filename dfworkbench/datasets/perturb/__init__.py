"""Perturbations and augmentations of pictures."""
