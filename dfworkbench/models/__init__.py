"""Detectors: networks that turn prepared images into the log-odds of *fake*. Importing this package needs no torch."""

from dfworkbench.models.prediction import Prediction
from dfworkbench.models.registry import (
    DETECTORS,
    ENCODERS,
    HELPERS,
    build_detector,
    detector_options,
    list_detectors,
    register_detector,
)

__all__ = [
    "DETECTORS",
    "ENCODERS",
    "HELPERS",
    "Prediction",
    "build_detector",
    "detector_options",
    "list_detectors",
    "register_detector",
]
