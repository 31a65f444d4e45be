"""Colours for real and fake, from Okabe and Ito's colour-blind-safe palette.

Graphics drawn without matplotlib (boxes on a video, bars in a notebook) use them too.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

REAL_RGB = (0, 158, 115)  # bluish green
EVEN_RGB = (240, 205, 90)  # in between: undecided
FAKE_RGB = (213, 94, 0)  # vermilion
NOTHING_RGB = (206, 210, 216)  # no score
ARTIFACT_RGB = (86, 180, 233)  # sky blue: where a detector sees traces


def score_rgb(probabilities: ArrayLike) -> NDArray[np.uint8]:
    """The colour of each fake probability, `(…, 3)` uint8: green at 0, yellow at 0.5, vermilion at 1, grey for NaN."""
    p = np.asarray(probabilities, dtype=np.float64)
    stops = np.array([REAL_RGB, EVEN_RGB, FAKE_RGB], dtype=np.float64)
    rgb = np.stack([np.interp(p, (0.0, 0.5, 1.0), stops[:, i]) for i in range(3)], axis=-1)
    return np.where(np.isnan(p)[..., None], NOTHING_RGB, np.round(rgb)).astype(np.uint8)


def score_hex(probability: float) -> str:
    """The colour of one fake probability as `#rrggbb`."""
    return "#{:02x}{:02x}{:02x}".format(*score_rgb(probability))
