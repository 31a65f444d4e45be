"""Load a detector for scoring, in the precision of the settings."""

import dataclasses
from pathlib import Path

from dfworkbench.evaluation.scoring.settings import ScoreSettings
from dfworkbench.models.half_precision import in_bfloat16
from dfworkbench.runs.checkpoints import LoadedDetector, load_detector


def load_for_scoring(checkpoint: Path | str | LoadedDetector, settings: ScoreSettings) -> LoadedDetector:
    """Load a checkpoint's detector in the precision of the settings; a detector object passed by the caller is not modified."""
    given = isinstance(checkpoint, LoadedDetector)
    loaded = checkpoint if given else load_detector(checkpoint, settings.device)
    if settings.precision != "bf16-true":
        return loaded
    return dataclasses.replace(loaded, detector=in_bfloat16(loaded.detector, keep=given))
