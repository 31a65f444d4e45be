"""Detectors: networks that turn prepared images into the log-odds of being fake. Importing this needs no torch."""

from dfworkbench.models.prediction import Prediction
from dfworkbench.models.registry import DETECTORS, build_detector, detector_options, list_detectors, register_detector

__all__ = ["DETECTORS", "Prediction", "build_detector", "detector_options", "list_detectors", "register_detector"]
