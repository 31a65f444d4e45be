"""Augmentation while training (`augment` for faces, `picture_augment`) and `perturbations` that measure robustness."""
