"""Training augmentation (`augment` for faces, `picture_augment`) and perturbations for measuring robustness."""
