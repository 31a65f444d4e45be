"""One frame of the demo set without files, for pictures in a notebook."""

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
    """The same frame of a real clip and of its forgery, as they are before encoding.

    Args:
        settings: Those of the demo set.
        kind: One of `dfworkbench.core.names.FORGERY_KINDS`.
        pair: Which pair of identities.
        frame: Which frame of the clip.
    """
    settings = settings or DemoSettings()
    carrier, donor = render_pair(settings.replace(frames=max(8, frame + 1)), list_pairs(settings)[pair])
    forged = forge(kind, carrier, donor, settings.seed, settings.forgery)
    return Preview(real=carrier.frames[frame], donor=donor.frames[frame], fake=forged.frames[frame],
                   mask=forged.masks[frame], landmarks=forged.landmarks[frame])  # fmt: skip
