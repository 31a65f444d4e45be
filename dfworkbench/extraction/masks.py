"""The share of each face box that the data set's own mask marks as forged."""

import logging
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dfworkbench.core.errors import MediaError
from dfworkbench.datasets.masks import read_masks
from dfworkbench.faces import TrackedFace

_log = logging.getLogger(__name__)


def forged_shares(mask: Path, faces: list[TrackedFace], width_px: int, height_px: int) -> list[float]:
    """The share of each face box that a mask marks as forged.

    Args:
        mask: Video or folder with the same frames as the file, or a picture; bright where forged. Its size may differ.
        faces: All faces of one file.
        width_px: Width of its frames.
        height_px: Height of its frames.

    Returns:
        One number in 0..1 per face; NaN if the mask lacks this frame or cannot be read. No face is dropped for that.
    """
    try:
        frames = read_masks(mask, {face.frame for face in faces})
    except MediaError as error:
        _log.warning("a forgery mask is left out: %s", error)
        frames = {}
    return [
        _share(frames[face.frame], face.box, width_px, height_px) if face.frame in frames else float("nan")
        for face in faces
    ]


def _share(mask: NDArray[np.bool_], box: NDArray[np.float64], width_px: int, height_px: int) -> float:
    scale = np.tile([mask.shape[1] / width_px, mask.shape[0] / height_px], 2)
    x0, y0, x1, y1 = np.round(box * scale).astype(int)
    area = max(x1 - x0, 1) * max(y1 - y0, 1)  # outside the picture counts as not forged
    return float(mask[max(y0, 0) : max(y1, 0), max(x0, 0) : max(x1, 0)].sum() / area)
