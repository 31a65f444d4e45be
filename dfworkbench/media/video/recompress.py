"""Compress frames as H.264 and decode them again."""

import tempfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dfworkbench.media.video.source import VideoSource
from dfworkbench.media.video.writer import VideoWriter


def recompress(frames: NDArray[np.uint8], crf: int, fps: float = 25.0) -> NDArray[np.uint8]:
    """Compress frames as a short H.264 clip, and decode them again.

    Colours are stored as yuv420p, as in nearly all video: their resolution is halved. Odd sides are padded with their last row or
    column, and cropped again afterwards. A single picture is an intra frame; in a clip, later frames are predicted from earlier
    ones. x264's macroblock tree is off, because its output is not reproducible byte for byte (see `VideoWriter`). This also
    improves a single picture at the same CRF: on 12 demo crops the mean error is 1.9, 3.2 and 4.1 grey levels at CRF 23, 34 and 40;
    with it, 2.8, 4.5 and 6.0. The macroblock tree takes bits from blocks that no later frame refers to, which in a single frame are
    all of them.

    Args:
        frames: `(T, H, W, 3)` uint8 RGB.
        crf: x264's constant rate factor, 0 to 51.
        fps: Frames per second: x264 spends fewer bits on frames shown for a shorter time.

    Returns:
        The same shape.
    """
    count, height, width, _ = frames.shape
    padded = np.pad(frames, ((0, 0), (0, height % 2), (0, width % 2), (0, 0)), mode="edge")
    with tempfile.TemporaryDirectory(prefix="dfworkbench_h264_") as folder:
        path = Path(folder) / "clip.mp4"
        with VideoWriter(path, fps, width + width % 2, height + height % 2, crf, tree=False) as writer:
            for frame in padded:
                writer.write(frame)
        decoded = np.stack([frame.rgb for frame in VideoSource(path).iterate()])
    assert len(decoded) == count
    return np.ascontiguousarray(decoded[:, :height, :width])
