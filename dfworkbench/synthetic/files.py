"""Write clips, masks and ground truth; existing files are kept."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dfworkbench.core.workspace import atomic_path
from dfworkbench.media import VideoWriter

RAW_PRESET = "ultrafast"


def write_clip(path: Path, frames: Sequence[NDArray[np.uint8]], fps: float, crf: int) -> None:
    """Write RGB frames as H.264."""
    if path.exists():
        return
    height, width = frames[0].shape[:2]
    preset = RAW_PRESET if crf < 15 else "veryfast"
    with VideoWriter(path, fps, width, height, crf, preset=preset) as writer:
        for frame in frames:
            writer.write(frame)


def write_masks(path: Path, masks: Sequence[NDArray[np.uint8]], fps: float) -> None:
    """Write masks (0 or 255) losslessly as H.264, with grey as RGB as in FaceForensics++."""
    write_clip(path, [np.repeat(mask[..., None], 3, axis=2) for mask in masks], fps, crf=0)


def write_truth(path: Path, landmarks: NDArray[np.float64] | Sequence[NDArray[np.float64]], **facts: Any) -> None:
    """Write landmarks `(T, 81, 2)` float32 frame pixels and further facts as .npz."""
    if path.exists():
        return
    arrays = {"landmarks": np.asarray(landmarks, np.float32), **{k: np.asarray(v) for k, v in facts.items()}}
    with atomic_path(path, "ground truth") as temporary, temporary.open("wb") as stream:
        np.savez_compressed(stream, **arrays)


def write_json(path: Path, value: Any) -> None:
    """Write JSON atomically."""
    with atomic_path(path, "a table of the demo set") as temporary:
        temporary.write_text(json.dumps(value, indent=1) + "\n")
