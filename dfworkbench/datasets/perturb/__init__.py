"""Random changes while training (`augment` for faces, `picture_augment`), and stated ones to measure robustness (`perturbations`)."""
