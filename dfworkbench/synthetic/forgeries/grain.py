"""Last step of every forgery: fine grain over the forged area.

Rendered, warped or generated faces are smoother than camera recordings, and the mere amount of fine detail would give a forgery
away without looking at faces. Forgers therefore add grain until the amount is about right, and so do we. It is grain, not pores:
its distribution and appearance still differ.
"""

from itertools import pairwise

import cv2
import numpy as np
from numpy.typing import NDArray

from dfworkbench.synthetic.forgeries.blend import Forged, feather

_LUMA = np.array([0.299, 0.587, 0.114], np.float32)
#: Blurs that split fine detail into bands, px: below the first, and between neighbours.
_BLURS = (1.0, 2.0, 4.0)


def add_grain(
    forged: Forged, originals: list[NDArray[np.uint8]], rng: np.random.Generator, amount: tuple[float, float]
) -> None:
    """Add grain to the forged area, band by band, to match the original's fine detail there; masks stay exact.

    Args:
        forged: The forged clip; its frames are changed inside their masks.
        originals: The carrier's frames.
        rng: Random generator for the amount and the grain.
        amount: Range of the share of missing detail that is compensated; one value is drawn per band and clip.
    """
    shares = rng.uniform(*amount, size=len(_BLURS))
    for n, (frame, original) in enumerate(zip(forged.frames, originals, strict=True)):
        mask = forged.masks[n].astype(np.float32) / 255
        weight = feather(mask, 1.5 * frame.shape[0] / 256)
        inside = weight > 0.5
        if not inside.any():
            continue
        noise = rng.standard_normal(mask.shape, dtype=np.float32)
        grain = np.zeros_like(noise)
        bands = (_bands(picture) for picture in (frame @ _LUMA, original @ _LUMA, noise))
        for share, there, wanted, unit in zip(shares, *bands, strict=True):
            missing = _energy(wanted, inside) - _energy(there, inside)
            grain += share * np.sqrt(max(missing, 0.0) / _energy(unit, inside)) * unit
        changed = np.round(np.clip(frame + (grain * weight)[..., None], 0, 255)).astype(np.uint8)
        forged.frames[n] = np.where(forged.masks[n][..., None] > 0, changed, frame)


def _bands(picture: NDArray) -> list[NDArray[np.float32]]:
    """Detail removed by each blur but not by the one before."""
    picture = np.asarray(picture, np.float32)
    blurred = [picture, *(np.asarray(cv2.GaussianBlur(picture, (0, 0), blur), np.float32) for blur in _BLURS)]
    return [finer - coarser for finer, coarser in pairwise(blurred)]


def _energy(band: NDArray[np.float32], inside: NDArray[np.bool_]) -> float:
    return float(np.square(band[inside]).mean())
