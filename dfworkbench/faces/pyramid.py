"""Image pyramids for MTCNN: exact resampling as in facenet-pytorch, and fast resampling with OpenCV.

Both offer `levels()` for P-Net and `crops()` for R-Net and O-Net.
"""

from collections.abc import Iterator, Sequence
from typing import Protocol

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

Pixels = NDArray[np.uint8] | torch.Tensor
Region = Sequence[int] | NDArray[np.int64]
FACTOR = 0.709  # facenet-pytorch's step between two levels
CELL = 12  # P-Net's field of view in pixels
ANCHOR_PX = 20.0  #: facenet-pytorch's default minimum face
_TOLERANCE = 1.03  # 40 px requested, 39.8 px searched


class Pyramid(Protocol):
    """A picture at all the sizes that MTCNN needs."""

    def levels(
        self, min_face_px: float, max_face_px: float = np.inf, region: Region | None = None
    ) -> Iterator[tuple[float, Pixels]]:
        """The picture, or a region x0, y0, x1, y1 of it, from fine to coarse.

        Yields:
            (scale, pixels), such that P-Net's cell corresponds to a face of `min_face_px` at the first level and of at most
            `max_face_px` at the last.
        """
        ...

    def crops(self, corners: NDArray[np.int64], side_px: int) -> Pixels:
        """Cut `(n, 4)` boxes (x0, y0, x1, y1; inside the picture) and scale each to a square of `side_px`."""
        ...


def scales(height: int, width: int, min_face_px: float, max_face_px: float = np.inf) -> list[float]:
    """The scales of the pyramid; empty for a picture smaller than the smallest face.

    They are a subset of facenet-pytorch's scales for its default of 20 px, so that a search for larger faces meets the same
    candidates: with a different pyramid, boxes shift by several per cent.
    """
    scale = CELL / min(ANCHOR_PX, min_face_px)
    while scale * min_face_px > CELL * _TOLERANCE:
        scale *= FACTOR
    found = []
    side = min(height, width) * scale
    while side >= CELL and scale * max_face_px >= CELL:
        found.append(scale)
        scale, side = scale * FACTOR, side * FACTOR
    return found


class ExactPyramid:
    """Area interpolation in float32, reproducing facenet-pytorch's numbers."""

    def __init__(self, rgb: NDArray[np.uint8]) -> None:
        self._picture = torch.from_numpy(rgb).permute(2, 0, 1)[None].float()

    def levels(
        self, min_face_px: float, max_face_px: float = np.inf, region: Region | None = None
    ) -> Iterator[tuple[float, torch.Tensor]]:
        """See `Pyramid`."""
        x0, y0, x1, y1 = (0, 0, *reversed(self._picture.shape[2:])) if region is None else region
        for scale in scales(y1 - y0, x1 - x0, min_face_px, max_face_px):
            size = int((y1 - y0) * scale + 1), int((x1 - x0) * scale + 1)
            yield scale, _area(self._picture[:, :, y0:y1, x0:x1], size)

    def crops(self, corners: NDArray[np.int64], side_px: int) -> torch.Tensor:
        """See `Pyramid`."""
        parts = [_area(self._picture[:, :, y0:y1, x0:x1], (side_px, side_px)) for x0, y0, x1, y1 in corners]
        return torch.cat(parts) if parts else torch.zeros(0, 3, side_px, side_px)


class FastPyramid:
    """OpenCV's area resampling on bytes; levels and large crops are made from repeatedly halved pictures."""

    _REDUCED_SIDES = 3  # a crop is cut from a picture in which it is still this many times larger than needed

    def __init__(self, rgb: NDArray[np.uint8]) -> None:
        self._reduced = [np.ascontiguousarray(rgb)]

    def levels(
        self, min_face_px: float, max_face_px: float = np.inf, region: Region | None = None
    ) -> Iterator[tuple[float, NDArray[np.uint8]]]:
        """See `Pyramid`."""
        height, width = self._reduced[0].shape[:2]
        corners = np.asarray((0, 0, width, height) if region is None else region)
        columns, rows = int(corners[2] - corners[0]), int(corners[3] - corners[1])
        for scale in scales(rows, columns, min_face_px, max_face_px):
            power = max(int(np.log2(1 / scale)) - 1, 0)  # at least twice as fine as the level
            yield scale, _resize(self._cut(corners, power), int(columns * scale + 1), int(rows * scale + 1))

    def crops(self, corners: NDArray[np.int64], side_px: int) -> NDArray[np.uint8]:
        """See `Pyramid`."""
        out = np.empty((len(corners), side_px, side_px, 3), np.uint8)
        for crop, box in zip(out, corners, strict=True):
            excess = min(box[2] - box[0], box[3] - box[1]) / (self._REDUCED_SIDES * side_px)
            power = int(np.log2(excess)) if excess > 1 else 0
            cv2.resize(self._cut(box, power), (side_px, side_px), dst=crop, interpolation=cv2.INTER_AREA)
        return out

    def _cut(self, region: NDArray[np.int64], power: int) -> NDArray[np.uint8]:
        """A region, in pixels of the picture, cut from the picture at 1 / 2**power of its size."""
        left, top, right, bottom = (round(value / 2**power) for value in region.tolist())
        return self._reduced_by(power)[top:bottom, left:right]

    def _reduced_by(self, power: int) -> NDArray[np.uint8]:
        """The picture at 1 / 2**power of its size."""
        while len(self._reduced) <= power:
            height, width = self._reduced[-1].shape[:2]
            self._reduced.append(_resize(self._reduced[-1], max(width // 2, 1), max(height // 2, 1)))
        return self._reduced[power]


def _resize(rgb: NDArray[np.uint8], width: int, height: int) -> NDArray[np.uint8]:
    return np.asarray(cv2.resize(rgb, (width, height), interpolation=cv2.INTER_AREA), dtype=np.uint8)


def _area(picture: torch.Tensor, size: tuple[int, int]) -> torch.Tensor:
    return torch.nn.functional.interpolate(picture, size=size, mode="area")
