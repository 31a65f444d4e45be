"""Robustness protocol of Frank et al.: four perturbations of random strength, each with probability 0.5.

Frank et al., "Leveraging Frequency Analysis for Deep Fake Image Recognition", ICML 2020 (arXiv:2003.08685); other papers of
that time use it too. Here it also serves as a SUBSTITUTE for the unpublished perturbations of Re-Synthesis, see
`perturbations`.

Differences from the code of Frank et al.: the JPEG quality is actually applied; the width of the blur follows from its kernel
(as in OpenCV) instead of being constant; crops do not mix up width and height; each picture has its own random generator.
"""

from typing import Any

import numpy as np

from dfworkbench.core.errors import ParameterError
from dfworkbench.core.names import require_name
from dfworkbench.datasets.perturb.perturbations import PERTURBATIONS, Pixels
from dfworkbench.datasets.sample import FaceSample


def _draw(name: str, rng: np.random.Generator) -> float:
    """Draw a strength from the intended distributions of Frank et al."""
    if name == "noise":
        return float(rng.uniform(5, 20))  # their script names it variance but uses it as standard deviation
    if name == "blur":
        return float(rng.choice((3, 5, 7, 9)))
    return float(rng.integers(10, 75)) if name == "jpeg" else float(rng.uniform(0.05, 0.2))


_FRANK = ("noise", "blur", "crop", "jpeg")

#: Condition of the protocol of Frank et al. -> its perturbations. Their text allows two readings of "combined"; both are included.
FRANK_2020: dict[str, str] = {
    "noise": "Gaussian noise, standard deviation drawn from 5 to 20 grey levels",
    "blur": "Gaussian blur, kernel drawn from 3, 5, 7 and 9 px",
    "crop": "5 to 20 % of each side removed, resized back bicubic",
    "jpeg": "JPEG compression, quality drawn from 10 to 74",
    "one_of_all": "combined, first reading: one of the four, drawn for each picture (their script takes them in turn)",
    "all": "combined, second reading: all four in the order noise, blur, crop, jpeg, each with its own coin toss",
}


class PerturbFrank:
    """A `Transform` for the protocol of Frank et al. 2020, a substitute for the unpublished one of Re-Synthesis.

    Args:
        condition: One of `FRANK_2020`.
        share: Probability with which a perturbation is applied to a picture.

    Raises:
        UnknownNameError: There is no such condition.
        ParameterError: `share` is outside 0..1.
    """

    needs_genuine = False

    def __init__(self, condition: str, share: float = 0.5) -> None:
        self.condition, self.share = require_name("condition of Frank et al. 2020", condition, FRANK_2020), share
        if not 0 <= share <= 1:
            raise ParameterError(
                f"perturbing pictures as Frank et al.: share {share!r}, expected a probability from 0 to 1. Theirs is 0.5."
            )

    def __call__(self, sample: FaceSample, rng: np.random.Generator) -> dict[str, Any]:
        """`images`, `(T, S, S, 3)` uint8 RGB."""
        return {"images": np.stack([self.picture(image, rng) for image in sample.cut()])}

    def picture(self, image: Pixels, rng: np.random.Generator) -> Pixels:
        """Perturb one picture `(H, W, 3)` uint8 RGB, or leave it unchanged."""
        names = _FRANK if self.condition == "all" else (self.condition,)
        if self.condition == "one_of_all":
            names = (_FRANK[rng.integers(len(_FRANK))],)
        for name in names:
            if rng.random() < self.share:
                image = PERTURBATIONS[name].apply(image, _draw(name, rng), rng)
        return image
