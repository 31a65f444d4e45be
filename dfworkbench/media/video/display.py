"""Show a decoded frame as a player does: rotated, with square pixels, at the size of the first frame."""

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property

import av
import numpy as np
from av.sidedata.sidedata import Type
from av.video.reformatter import Interpolation, VideoReformatter
from numpy.typing import NDArray

#: Pixels less out of square than anyone notices are left alone: scaling would blur the traces that detectors look for.
_SQUARE = 0.02


@dataclass(frozen=True)
class Turn:
    """One of the eight orientations of a stored frame: mirrored on its diagonal, then on either axis."""

    diagonal: bool = False
    left_right: bool = False
    top_bottom: bool = False

    def apply(self, rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """The stored picture as displayed."""
        seen = rgb.transpose(1, 0, 2) if self.diagonal else rgb
        return np.ascontiguousarray(seen[:: -1 if self.top_bottom else 1, :: -1 if self.left_right else 1])


def turn_of(frame: av.VideoFrame) -> Turn:
    """Orientation of a frame according to its display matrix; one at an angle is rounded to the nearest of the eight.

    The matrix maps a stored point (p, q) to (a p + c q, b p + d q); libavutil/display.h.
    """
    if Type.DISPLAYMATRIX not in frame.side_data:
        return Turn()
    matrix = bytes(frame.side_data[Type.DISPLAYMATRIX])  # pyright: ignore[reportGeneralTypeIssues]
    a, b, _, c, d = np.frombuffer(matrix, np.int32, 5).tolist()
    if abs(b) + abs(c) > abs(a) + abs(d):
        return Turn(True, c < 0, b < 0)
    return Turn(False, a < 0, d < 0)


class Display:
    """How the frames of a video are displayed.

    Args:
        first: Its first frame; all frames are shown at its size, as ffmpeg does if the size changes midway.
        pixel: Width of a stored pixel over its height, None if the file does not say.

    Attributes:
        width_px, height_px: Displayed size of a frame.
    """

    def __init__(self, first: av.VideoFrame, pixel: Fraction | None) -> None:
        width, height = first.width, first.height
        if pixel and not abs(pixel - 1) < _SQUARE:  # the shorter side of a pixel is stretched, so that no pixel is lost
            width, height = (round(width * pixel), height) if pixel > 1 else (width, round(height / pixel))
        self.width_px, self.height_px = (height, width) if turn_of(first).diagonal else (width, height)

    def show(self, frame: av.VideoFrame, converter: VideoReformatter) -> NDArray[np.uint8]:
        """`(height_px, width_px, 3)` uint8 RGB."""
        turn = turn_of(frame)
        size = (self.height_px, self.width_px) if turn.diagonal else (self.width_px, self.height_px)
        scaled = {} if size == (frame.width, frame.height) else {"interpolation": Interpolation.BICUBIC}
        converted = converter.reformat(frame, *size, format="rgb24", threads=1, **scaled)
        return turn.apply(np.asarray(converted.to_ndarray(), dtype=np.uint8))


class Frame:
    """One decoded frame, converted to RGB when `rgb` is first accessed.

    Attributes:
        index: Counted from 0 in display order.
        time_s: Seconds since the first frame.
    """

    def __init__(
        self, index: int, time_s: float, decoded: av.VideoFrame, display: Display, converter: VideoReformatter
    ) -> None:
        self.index, self.time_s = index, time_s
        self._decoded, self._display, self._converter = decoded, display, converter

    @cached_property
    def rgb(self) -> NDArray[np.uint8]:
        """`(H, W, 3)` uint8, RGB, as displayed."""
        return self._display.show(self._decoded, self._converter)

    def __iter__(self) -> Iterator[object]:
        """`index, time_s, rgb = frame`."""
        return iter((self.index, self.time_s, self.rgb))
