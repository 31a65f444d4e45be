"""Face tiles, the stored crops: cut around a face, from a whole picture, or from a ready-made face crop."""

from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from dfworkbench.core.errors import InputError
from dfworkbench.core.geometry import square_around
from dfworkbench.faces.settings import FaceSettings
from dfworkbench.media import encode_png

_SMALL_STEP = 1.4
#: Stored parts of whole pictures, and windows in them, begin at multiples of this: re-synthesis makes one pixel of 4 x 4, and
#: up-sampling traces have periods of 2 and 4, whose phase a window must not hide.
WHOLE_STEP_PX = 4


@dataclass(frozen=True)
class FaceTile:
    """A square around a face at the resolution of the frame, unless larger than `context_max_px`; or a whole picture.

    Attributes:
        image: `(S, S, 3)` uint8 RGB; the frame's border is repeated where the square extends beyond the frame.
        x0: Left edge in pixels of the frame; may be negative.
        y0: Top edge in pixels of the frame; may be negative.
        side: Width and height in pixels of the frame.
        frame_px: Width and height of the frame, if known; needed to distinguish its pixels from the repeated border.
    """

    image: NDArray[np.uint8]
    x0: float
    y0: float
    side: float
    frame_px: tuple[int, int] | None = None

    @property
    def square(self) -> NDArray[np.float64]:
        """Corners x0, y0, x1, y1 in pixels of the frame, `(4,)`."""
        return np.array([self.x0, self.y0, self.x0 + self.side, self.y0 + self.side], np.float64)

    @property
    def known_frame_px(self) -> tuple[int, int]:
        """Width and height of the frame.

        Raises:
            InputError: They are unknown.
        """
        if self.frame_px is None:
            raise InputError(
                "cutting a detector's input: this detector's crops end at the border of the frame, and the frame's size is not "
                "known. Pass a FaceTile with frame_px=(width, height); in a data set, extract again where the video table has "
                "none."
            )
        return self.frame_px

    @property
    def outside_frame(self) -> bool:
        """Whether the whole tile is outside the frame; False if the frame's size is unknown."""
        size = (np.inf, np.inf) if self.frame_px is None else self.frame_px
        return bool((self.square[2:] <= 0).any() or (self.square[:2] >= size).any())

    def black_beyond_frame(self) -> NDArray[np.uint8]:
        """The image with black in place of the repeated border; the image itself if the tile is inside the frame.

        Raises:
            InputError: The size of the frame is unknown.
        """
        size, ratio = self.image.shape[0], self.image.shape[0] / self.side
        inside = np.concatenate([np.zeros(2), self.known_frame_px]) - np.tile((self.x0, self.y0), 2)
        left, top, right, bottom = np.clip(np.rint(inside * ratio), 0, size).astype(int).tolist()
        if (left, top, right, bottom) == (0, 0, size, size):
            return self.image
        image = np.zeros_like(self.image)
        image[top:bottom, left:right] = self.image[top:bottom, left:right]
        return image

    def from_frame(self, points: ArrayLike) -> NDArray[np.float64]:
        """Convert points from pixels of the frame, `(…, 2)`, to pixels of the image."""
        ratio = self.image.shape[0] / self.side
        # the centre of pixel i lies at i + 0.5 from the edge, whatever the resolution
        return (np.asarray(points, np.float64) - (self.x0, self.y0) + 0.5) * ratio - 0.5

    @cached_property
    def png(self) -> bytes:
        """The image as a lossless PNG file, encoded on first access."""
        return encode_png(self.image)


def cut_tile(rgb: NDArray[np.uint8], box: ArrayLike, settings: FaceSettings) -> FaceTile:
    """Cut the face tile of a face box from a frame.

    Args:
        rgb: `(H, W, 3)` uint8 frame.
        box: x0, y0, x1, y1 in pixels of the frame.
        settings: `context_scale` and `context_max_px`.
    """
    left, top, length = square_around(box, settings.context_scale)
    side = max(round(length), 1)
    # the centre of the square is rounded to half a pixel
    x0, y0 = round(left + (length - side) / 2), round(top + (length - side) / 2)
    return tile_at(rgb, x0, y0, side, min(side, settings.context_max_px))


def keep_whole(rgb: NDArray[np.uint8], settings: FaceSettings) -> FaceTile:
    """Keep the part of a whole picture `(H, W, 3)` that `whole_part` and `context_max_px` select.

    Only "square" and "all" are scaled down; "centre" and "all" repeat the border of non-square pictures.
    """
    most_px, (height, width) = settings.context_max_px, rgb.shape[:2]
    if settings.whole_part == "grid":
        return cut_whole(rgb, most_px)
    if settings.whole_part == "centre":
        side = min(max(height, width), most_px)
        return tile_at(rgb, centre_offset(width, side), centre_offset(height, side), side, side)
    side = min(height, width) if settings.whole_part == "square" else max(height, width)
    return tile_at(rgb, (width - side) // 2, (height - side) // 2, side, min(side, most_px))


def cut_whole(rgb: NDArray[np.uint8], max_px: int) -> FaceTile:
    """Cut the largest square near the middle of a whole picture, pixel for pixel; position and side are multiples of 4.

    Args:
        rgb: `(H, W, 3)` uint8, at least 4 x 4.
        max_px: Largest side of the square; nothing is scaled.
    """
    height, width = rgb.shape[:2]
    side = min(height, width, max_px) // WHOLE_STEP_PX * WHOLE_STEP_PX
    left, top = ((length - side) // 2 // WHOLE_STEP_PX * WHOLE_STEP_PX for length in (width, height))
    return tile_at(rgb, left, top, side, side)


def take_crop(rgb: NDArray[np.uint8], max_px: int) -> tuple[FaceTile, NDArray[np.float64]]:
    """A ready-made face crop `(H, W, 3)` as a face tile, and its face box `(4,)`, which covers the whole picture.

    A non-square picture is padded to a square by repeating its border; above `max_px` it is stored scaled down.
    """
    height, width = rgb.shape[:2]
    side = max(height, width)
    tile = tile_at(rgb, (width - side) // 2, (height - side) // 2, side, min(side, max_px))
    return tile, np.array([0, 0, width, height], np.float64)


def tile_at(rgb: NDArray[np.uint8], x0: int, y0: int, side: int, size_px: int) -> FaceTile:
    """The face tile at a known place: a square of `side` pixels of the frame at (x0, y0), stored at `size_px`."""
    image = resize(cut_square(rgb, x0, y0, side), size_px).copy()  # never a view, which would keep the frame in memory
    return FaceTile(image, float(x0), float(y0), float(side), (rgb.shape[1], rgb.shape[0]))


def cut_square(rgb: NDArray[np.uint8], x0: int, y0: int, side: int) -> NDArray[np.uint8]:
    """Cut a square that may extend beyond the frame, whose border is repeated there; may be a view of the frame."""
    height, width = rgb.shape[:2]
    left, top, right, bottom = max(x0, 0), max(y0, 0), min(x0 + side, width), min(y0 + side, height)
    if left >= right or top >= bottom:  # a box outside the frame sees only its border
        rows, columns = (np.clip(np.arange(at, at + side), 0, end - 1) for at, end in ((y0, height), (x0, width)))
        return rgb[rows[:, None], columns]
    inner = rgb[top:bottom, left:right]
    missing = top - y0, y0 + side - bottom, left - x0, x0 + side - right
    if not any(missing):
        return inner
    return np.asarray(cv2.copyMakeBorder(inner, *missing, borderType=cv2.BORDER_REPLICATE), dtype=np.uint8)


def centre_offset(length: int, size: int) -> int:
    """Where torchvision's `CenterCrop` of `size` begins in `length` pixels; negative if it pads."""
    return round((length - size) / 2) if length >= size else -((size - length) // 2)


def resize(image: NDArray[np.uint8], size: int) -> NDArray[np.uint8]:
    """Resize a picture to a square of `size` pixels: area averaging down, bilinear for small steps and up."""
    if image.shape[:2] == (size, size):
        return image
    # for small steps down the two hardly differ, and averaging takes four times as long
    method = cv2.INTER_AREA if max(image.shape[:2]) > _SMALL_STEP * size else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(image, (size, size), interpolation=method), dtype=np.uint8)
