"""One frame of the demo set in memory, for pictures in a notebook."""

from typing import TypedDict

import numpy as np
from numpy.typing import NDArray

from dfworkbench.synthetic.demo import list_pairs, render_pair
from dfworkbench.synthetic.forgeries import forge
from dfworkbench.synthetic.settings import DemoSettings


class Preview(TypedDict):
    """A frame and its forgery: pictures uint8 RGB, mask uint8 0 or 255, landmarks `(81, 2)` of the fake."""

    real: NDArray[np.uint8]
    donor: NDArray[np.uint8]
    fake: NDArray[np.uint8]
    mask: NDArray[np.uint8]
    landmarks: NDArray[np.float64]


def preview(settings: DemoSettings | None = None, kind: str = "Deepfakes", pair: int = 0, frame: int = 4) -> Preview:
    """The same frame of a real clip and of its forgery, before encoding.

    Args:
        settings: Settings of the demo set.
        kind: One of `dfworkbench.core.names.FORGERY_KINDS`.
        pair: Index of the pair of identities.
        frame: Index of the frame in the clip.
    """
    settings = settings or DemoSettings()
    carrier, donor = render_pair(settings.replace(frames=max(8, frame + 1)), list_pairs(settings)[pair])
    forged = forge(kind, carrier, donor, settings.seed, settings.forgery)
    return Preview(real=carrier.frames[frame], donor=donor.frames[frame], fake=forged.frames[frame],
                   mask=forged.masks[frame], landmarks=forged.landmarks[frame])  # fmt: skip
