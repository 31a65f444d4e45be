"""Make one facial swap in the frame, before alignment: kind, mask, blending."""

from enum import IntEnum
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from dfworkbench.datasets.facial_swap.blend import blend_alpha, blend_poisson, blend_poisson_at
from dfworkbench.datasets.facial_swap.masks import (
    REFERENCE_HEIGHT_PX,
    Mask,
    elastic,
    hull_mask,
    mask_box,
    soften,
    window_mask,
)
from dfworkbench.datasets.facial_swap.settings import WINDOWS, SwapSettings
from dfworkbench.datasets.facial_swap.ssim import Pixels
from dfworkbench.datasets.facial_swap.windows import corner_of, face_cut, search_window


class SwapKind(IntEnum):
    """What was done to a sample."""

    REAL = 0  #: the file is real
    PLAIN = 1  #: an unchanged fake
    GLOBAL_GENUINE_ON_FAKE = 2  #: the genuine face pasted onto the fake frame
    GLOBAL_FAKE_ON_GENUINE = 3  #: the fake face pasted onto the genuine frame
    PARTIAL = 4  #: one window of the fake pasted onto the genuine frame
    FAILED = 5  #: a partial swap failed; an unchanged fake


class Swap(NamedTuple):
    """A picture after a swap.

    Attributes:
        image: `(H, W, 3)` uint8 RGB.
        background: `(H, W, 3)`: the frame that was pasted into; the image itself if nothing was pasted.
        mask: `(H, W)` float32, 0..1: requested weight of the other frame.
        kind: What was done.
        window: Height and width of a partial swap's window, in pixels of a 224 px crop; otherwise None.
        poisson: Whether Poisson blending was used; otherwise alpha blending.
    """

    image: Pixels
    background: Pixels
    mask: NDArray[np.float32]
    kind: SwapKind
    window: tuple[int, int] | None
    poisson: bool


def swap(
    fake: Pixels,
    genuine: Pixels | None,
    landmarks: ArrayLike,
    rng: np.random.Generator,
    settings: SwapSettings | None = None,
) -> Swap:
    """Draw and make one random swap between a fake and the genuine frame it was made from.

    Args:
        fake: `(H, W, 3)` uint8 RGB; not changed.
        genuine: The same moment of the video that was forged (in FaceForensics++ names the first number, whose frames match the
            fake pixel by pixel outside the face); resized if its size differs. Without it, nothing is done.
        landmarks: `(81, 2)` of the fake's face, in pixels.
        rng: Random generator, the only source of randomness.
        settings: Which swaps are made, and how often.

    Returns:
        The swap; its image is the fake itself for the kinds PLAIN and FAILED.
    """
    settings = settings or SwapSettings()
    poisson = rng.random() < settings.poisson
    kind = _draw_kind(settings, rng)
    if genuine is None or kind == SwapKind.PLAIN:
        return untouched(fake, SwapKind.PLAIN)
    if genuine.shape != fake.shape:
        size = fake.shape[1], fake.shape[0]
        genuine = np.asarray(cv2.resize(genuine, size, interpolation=cv2.INTER_LINEAR), dtype=np.uint8)
    points = np.asarray(landmarks, dtype=np.float64)
    if kind == SwapKind.PARTIAL:
        return swap_window(fake, genuine, points, WINDOWS[rng.integers(len(WINDOWS))], poisson, settings)
    return _swap_face(fake, genuine, points, kind, poisson, settings, rng)


def swap_window(
    fake: Pixels,
    genuine: Pixels,
    landmarks: NDArray[np.float64],
    nominal: tuple[int, int],
    poisson: bool,
    settings: SwapSettings,
) -> Swap:
    """Paste the window in which both differ most from the fake onto the genuine frame; see `swap`."""
    height, width = fake.shape[:2]
    x0, y0, x1, y1 = face_cut(landmarks, height, width)
    hull, cut = hull_mask(landmarks, height, width), np.s_[y0:y1, x0:x1]
    window = search_window(fake[cut], genuine[cut], hull[cut], nominal)
    if window is None:
        return untouched(fake, SwapKind.FAILED)
    x, y = corner_of(landmarks) if settings.released else (x0, y0)
    mask = window_mask((window[0] + x, window[1] + y, window[2] + x, window[3] + y), height, width)
    return _blend(fake, genuine, mask, SwapKind.PARTIAL, nominal, poisson and not settings.released, settings)


def _swap_face(
    fake: Pixels,
    genuine: Pixels,
    landmarks: NDArray[np.float64],
    kind: SwapKind,
    poisson: bool,
    settings: SwapSettings,
    rng: np.random.Generator,
) -> Swap:
    """Paste one face onto the other frame."""
    height, width = fake.shape[:2]
    mask: Mask = hull_mask(landmarks, height, width)
    distorted = rng.random() < settings.elastic
    if distorted:
        mask = _distort(mask, settings, rng)
    pair = (fake, genuine) if kind == SwapKind.GLOBAL_FAKE_ON_GENUINE else (genuine, fake)
    return _blend(*pair, mask, kind, None, poisson and not (settings.released and distorted), settings)


def _distort(mask: NDArray[np.uint8], settings: SwapSettings, rng: np.random.Generator) -> NDArray[np.float32]:
    """Distort the outline of the mask at random."""
    low, high = settings.elastic_amplitude
    amplitude = float(rng.integers(low, high + 1))
    if not settings.released:
        amplitude *= (len(mask) / REFERENCE_HEIGHT_PX) ** 2
    noise = rng.random((2, *mask.shape), dtype=np.float32)
    noise *= 2
    noise -= 1
    moved = elastic(mask, noise, amplitude, settings.elastic_sigma * len(mask))
    return np.rint(moved, out=moved) if settings.released else moved


def _blend(
    foreground: Pixels,
    background: Pixels,
    mask: Mask,
    kind: SwapKind,
    window: tuple[int, int] | None,
    poisson: bool,
    settings: SwapSettings,
) -> Swap:
    """Poisson blending if requested and possible, otherwise alpha blending."""
    if poisson:
        if settings.released:
            cloned = blend_poisson_at(foreground, background, mask, _released_centre(mask))
        else:
            cloned = blend_poisson(foreground, background, mask)
        if cloned is not None:
            return Swap(cloned, background, mask.astype(np.float32) / np.float32(255), kind, window, True)
    soft = soften(mask)
    return Swap(blend_alpha(foreground, background, soft), background, soft, kind, window, False)


def _released_centre(mask: Mask) -> tuple[int, int]:
    """The centre of the mask as (y, x) where OpenCV expects (x, y), reproducing a bug of the released code."""
    x0, y0, x1, y1 = mask_box(mask) or (0, 0, 1, 1)
    return (y0 + y1 - 1) // 2, (x0 + x1 - 1) // 2


def _draw_kind(settings: SwapSettings, rng: np.random.Generator) -> SwapKind:
    shares = np.cumsum([settings.genuine_on_fake, settings.fake_on_genuine, settings.partial])
    kinds = SwapKind.GLOBAL_GENUINE_ON_FAKE, SwapKind.GLOBAL_FAKE_ON_GENUINE, SwapKind.PARTIAL, SwapKind.PLAIN
    return kinds[int(np.searchsorted(shares, rng.random(), side="right"))]


def untouched(image: Pixels, kind: SwapKind) -> Swap:
    """A swap result without any swap."""
    return Swap(image, image, np.zeros(image.shape[:2], np.float32), kind, None, False)
