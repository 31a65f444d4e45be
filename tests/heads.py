"""Small videos with a real face: a public-domain portrait that comes with matplotlib, moved over a noisy background."""

from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np

from dfworkbench.media import VideoWriter


class Head(NamedTuple):
    """Where a portrait goes: centre in pixels, scale (a face of about 190 px at 1), mirrored or not, speed in px/frame."""

    x: float
    y: float
    scale: float
    mirrored: bool = False
    speed: float = 0.0


def portrait() -> np.ndarray:
    """`(606, 512, 3)` uint8 RGB, one face of about 150 x 190 px around (256, 215)."""
    from matplotlib import pyplot as plt  # a second, in every process of an extraction that starts from here
    from matplotlib.cbook import get_sample_data

    with get_sample_data("grace_hopper.jpg") as file:
        return np.ascontiguousarray(plt.imread(file, format="jpg"))


def frame_of(heads: list[Head], at: int, width: int, height: int, seed: int) -> np.ndarray:
    """One frame, `(height, width, 3)` uint8 RGB; the same arguments give the same pixels."""
    rng = np.random.default_rng((seed, at))
    coarse = np.random.default_rng(seed).integers(60, 160, (5, 8, 3), dtype=np.uint8)
    frame = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC).astype(np.float32)
    picture = portrait()
    oval = cv2.ellipse(np.zeros(picture.shape[:2], np.float32), (256, 300), (235, 285), 0, 0, 360, 1, -1)
    for number, head in enumerate(heads):
        sway = 4 * np.sin(at / 9 + number) + head.speed * at
        move = np.array([[head.scale, 0, head.x + sway - 256 * head.scale], [0, head.scale, head.y - 215 * head.scale]])
        source = picture[:, ::-1] if head.mirrored else picture
        if head.scale < 0.6:  # warpAffine does not average
            source = cv2.GaussianBlur(source, (0, 0), 0.35 / head.scale)
        alpha = cv2.warpAffine(oval, move, (width, height))[..., None]
        frame += alpha * (cv2.warpAffine(source, move, (width, height)) - frame)
    return np.clip(frame + rng.normal(0, 2, frame.shape[:2])[..., None], 0, 255).astype(np.uint8)


def write_heads(
    path: Path, heads: list[Head], frames: int = 24, width: int = 192, height: int = 192, seed: int = 0
) -> Path:
    """A video of `heads`, H.264 at CRF 18."""
    with VideoWriter(path, 25, width, height, crf=18) as writer:
        for at in range(frames):
            writer.write(frame_of(heads, at, width, height, seed))
    return path
