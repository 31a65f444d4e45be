"""Training augmentation of whole pictures: random windows, mirrored or rotated.

Up-sampling traces are in the finest pixels, so nothing here creates new pixel values: no resizing, no colour changes, no
compression.

Differences from re-synthesis (He, Yu, Keuper, Fritz: Beyond the Spectrum. IJCAI 2021, arXiv:2105.14376): a window of fixed size
is cut from pictures of any size; the original uses whole pictures, which must all have the same size.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from dfworkbench.core.errors import ParameterError
from dfworkbench.datasets.sample import FaceSample
from dfworkbench.faces import window_in


class PictureAugment:
    """A random window, mirrored or rotated by a right angle, the same for all frames of a clip.

    Args:
        hflip: Share of samples mirrored left to right.
        vflip: Share mirrored top to bottom.
        rot90: Share rotated by 90 degrees. With all three at 0.5, the eight orientations are equally likely.

    Raises:
        ParameterError: A share is not in 0..1.
    """

    needs_genuine = False

    def __init__(self, hflip: float = 0.5, vflip: float = 0.0, rot90: float = 0.0) -> None:
        self.shares = {"hflip": hflip, "vflip": vflip, "rot90": rot90}
        wrong = {name: share for name, share in self.shares.items() if not 0 <= share <= 1}
        if wrong:
            raise ParameterError(f"changing whole pictures at random: got {wrong}; expected shares of samples, 0 to 1.")

    def __call__(self, sample: FaceSample, rng: np.random.Generator) -> dict[str, Any]:
        """The window of each frame, `(T, S, S, 3)` uint8 RGB; for face specs, the usual face crop."""
        images = sample.cut(random_windows(sample, rng)) if sample.spec.alignment == "whole" else sample.cut()
        mirrored, flipped, turned = (rng.random() < share for share in self.shares.values())
        images = images[:, :, ::-1] if mirrored else images
        images = images[:, ::-1] if flipped else images
        images = np.rot90(images, axes=(1, 2)) if turned else images
        return {"images": np.ascontiguousarray(images)}


def random_windows(sample: FaceSample, rng: np.random.Generator) -> NDArray[np.float64]:
    """Boxes `(T, 4)` for `FaceSample.cut`: one random position at multiples of 4 px, for all frames of a clip.

    Raises:
        InputError: The sample is a face, or the picture is too small.
    """
    across, down = rng.random(2)
    return np.stack([
        window_in(sample.spec, tile, box, (across, down))
        for tile, box in zip(sample.tiles, sample.boxes, strict=True)
    ])  # fmt: skip
