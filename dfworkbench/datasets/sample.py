"""FaceSample: one sample before it is cut. Transform: random changes of a sample in training."""

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from dfworkbench.core.geometry import square_around
from dfworkbench.core.input_spec import InputSpec
from dfworkbench.faces import FaceTile, cut_for, region_of


@dataclass(frozen=True)
class FaceSample:
    """A face, or the T faces of a clip, with all known annotations.

    Attributes:
        spec: How faces are cut for the detector.
        label: Label of the file.
        tiles: The stored face tiles, T of them.
        boxes: `(T, 4)` face boxes in pixels of the frame.
        landmarks: `(T, 5, 2)` in pixels of the frame: eyes, nose, corners of the mouth.
        genuine: The genuine source frames of a forged file, each cut exactly like its face tile (same pixels, same size); None
            for real files, if there is no such frame, or if not requested.
        dense: `(T, 81, 2)` dense landmarks in pixels of the frame; NaN where the data set has none.
    """

    spec: InputSpec
    label: int
    tiles: list[FaceTile]
    boxes: NDArray[np.float64]
    landmarks: NDArray[np.float64]
    genuine: list[NDArray[np.uint8] | None]
    dense: NDArray[np.float64]

    def cut(self, moved: NDArray[np.float64] | None = None) -> NDArray[np.uint8]:
        """The detector's crops, `(T, S, S, 3)` uint8 RGB.

        Args:
            moved: `(T, 4)` boxes to use instead of `boxes`; landmarks move with them. A box whose crop would extend beyond the
                stored tile is not moved.
        """
        boxes = self.boxes if moved is None else np.where(self._inside(moved)[:, None], moved, self.boxes)
        points = self.landmarks if moved is None else _move(self.landmarks, self.boxes, boxes)
        crops = zip(self.tiles, boxes, points, strict=True)
        images = [cut_for(self.spec, tile, box, landmarks) for tile, box, landmarks in crops]
        return images[0][None] if len(images) == 1 else np.stack(images)

    def _inside(self, boxes: NDArray[np.float64]) -> NDArray[np.bool_]:
        edges = np.stack([self._edges(tile, box) for tile, box in zip(self.tiles, boxes, strict=True)])
        stored = np.stack([tile.square for tile in self.tiles])
        return np.asarray(((stored[:, :2] <= edges[:, :2]) & (edges[:, 2:] <= stored[:, 2:])).all(axis=1))

    def _edges(self, tile: FaceTile, box: NDArray[np.float64]) -> NDArray[np.float64]:
        if self.spec.margins is not None or self.spec.border == "shift":
            return region_of(self.spec, box, tile.frame_px or (np.inf, np.inf))
        x0, y0, side = square_around(box, self.spec.crop_scale)
        return np.array([x0, y0, x0 + side, y0 + side])


def _move(points: NDArray[np.float64], old: NDArray[np.float64], new: NDArray[np.float64]) -> NDArray[np.float64]:
    """Move points `(T, n, 2)` along with boxes `(T, 4)` that are shifted and scaled."""
    scale = (new[:, 2:] - new[:, :2]) / (old[:, 2:] - old[:, :2])
    return new[:, None, :2] + (points - old[:, None, :2]) * scale[:, None]


class Transform(Protocol):
    """Protocol for transforms that a training method applies to a sample before the network sees it.

    Attributes:
        needs_genuine: Whether it needs `FaceSample.genuine` and `FaceSample.dense`.
    """

    needs_genuine: bool

    def __call__(self, sample: FaceSample, rng: np.random.Generator) -> dict[str, Any]:
        """Return the pixels as `images`, `(T, S, S, 3)` uint8 RGB, plus further arrays or numbers of fixed shape."""
        ...
