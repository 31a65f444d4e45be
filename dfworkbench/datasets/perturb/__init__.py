"""Random changes while training (`face_augment`, `picture_augment`), and stated ones to measure robustness (`perturbations`)."""
