"""Make a self-blended image: a picture is blended with a slightly changed copy of itself."""

from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from dfworkbench.datasets.facial_swap.blend import mix
from dfworkbench.datasets.facial_swap.masks import grow, mask_box
from dfworkbench.media.pictures.operations import Pixels
from dfworkbench.methods.sbi.colour import change_sharpness, draw_colour
from dfworkbench.methods.sbi.masks import blend_mask
from dfworkbench.methods.sbi.settings import BlendSettings

_NEIGHBOURS = 5  # pixels around the region needed by down-and-up scaling or sharpening


class SelfBlend(NamedTuple):
    """Both pictures of a pair.

    Attributes:
        genuine: `(S, S, 3)` uint8 RGB: the target of the blending. Where the mask is 0, both pictures are equal.
        blended: `(S, S, 3)` uint8 RGB.
        mask: `(S, S)` float32, 0..1: the share of the source.
        source_changed: Whether the source was changed; otherwise the target was.
    """

    genuine: Pixels
    blended: Pixels
    mask: NDArray[np.float32]
    source_changed: bool


def self_blend(
    image: Pixels, landmarks: ArrayLike, face_px: ArrayLike, rng: np.random.Generator, settings: BlendSettings
) -> SelfBlend:
    """Blend a face into its own picture.

    Args:
        image: `(S, S, 3)` uint8 RGB, a genuine face; not changed.
        landmarks: `(n, 2)` dense landmarks in pixels of the picture.
        face_px: Width and height of the face, in pixels of the picture; shifts are relative to it.
        rng: The only source of randomness.
        settings: Strength of all changes.
    """
    source_changed = bool(rng.random() < 0.5)
    mask = blend_mask(landmarks, len(image), rng, settings.mask)
    mask *= np.float32(settings.mask.ratios[rng.integers(len(settings.mask.ratios))])
    scale, shift = _draw_move(np.asarray(face_px, np.float64), rng, settings)
    box = mask_box(mask)
    if box is None:
        return SelfBlend(image, image, mask, source_changed)
    colour = draw_colour(settings.colour, rng)
    if not source_changed:
        target = change_sharpness(colour.apply(image), settings.shrink, rng)
        return SelfBlend(target, blend_moved(image, target, mask, scale, shift), mask, False)
    # of the source, only what the mask can show is changed
    farthest = (1 / settings.scale - 1) * max(box[2] - box[0], box[3] - box[1]) / 2 + float(np.abs(shift).max())
    part = grow(box, int(farthest) + _NEIGHBOURS, *mask.shape)
    source = change_sharpness(colour.apply(np.ascontiguousarray(image[part])), settings.shrink, rng)
    blended = image.copy()
    blended[part] = blend_moved(source, image[part], mask[part], scale, shift)
    return SelfBlend(image, blended, mask, True)


def blend_moved(
    source: Pixels, target: Pixels, mask: NDArray[np.float32], scale: float, shift: NDArray[np.float64]
) -> Pixels:
    """`mask` x moved source + (1 - mask) x target, rounded to whole levels.

    Args:
        source: `(H, W, 3)` uint8.
        target: The same shape; not changed.
        mask: `(H, W)`, 0..1.
        scale: Scale of the source about the middle of the mask.
        shift: `(2,)`, shift of the source to the right and down in pixels.
    """
    out = target.copy()
    box = mask_box(mask)
    if box is None:
        return out
    rows, columns = region = grow(box, 0, *mask.shape)
    first = np.array([columns.start, rows.start])
    last = np.array([columns.stop, rows.stop]) - 1
    middle = (first + last) / 2
    # from a pixel of the region to the place in the source where it is read
    offset = middle + (first - middle - shift) / scale
    inverse = np.array([[1 / scale, 0, offset[0]], [0, 1 / scale, offset[1]]])
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    size = (last - first + 1).tolist()
    moved = cv2.warpAffine(source, inverse, size, flags=flags, borderMode=cv2.BORDER_REPLICATE)
    mixed = mix(np.asarray(moved, dtype=np.uint8), np.ascontiguousarray(target[region]), mask[region])
    out[region] = np.rint(mixed, out=mixed)
    return out


def _draw_move(
    face_px: NDArray[np.float64], rng: np.random.Generator, settings: BlendSettings
) -> tuple[float, NDArray[np.float64]]:
    """Scale, and shifts in pixels, `(2,)`."""
    scale = float(rng.uniform(settings.scale, 1 / settings.scale))
    return scale, rng.uniform(-1, 1, size=2) * (settings.shift_x, settings.shift_y) * face_px
