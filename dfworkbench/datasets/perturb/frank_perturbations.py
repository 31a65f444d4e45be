"""The protocol of Frank et al. for measuring robustness: four perturbations of random strength, each with probability 0.5.

Frank et al., "Leveraging Frequency Analysis for Deep Fake Image Recognition", ICML 2020 (arXiv:2003.08685); papers of that time
share it. Here it also is a SUBSTITUTE for the unpublished perturbations of Re-Synthesis, see `perturbations`.

Differences from the code of Frank et al.: the JPEG quality is really used; the width of the blur follows from its kernel (as
OpenCV derives it) and is not a constant; crops keep width and height apart; randomness comes from a generator per picture.
"""

from typing import Any

import numpy as np

from dfworkbench.core.errors import ParameterError
from dfworkbench.core.names import require_name
from dfworkbench.datasets.perturb.perturbations import PERTURBATIONS, Pixels
from dfworkbench.datasets.sample import FaceSample


def _draw(name: str, rng: np.random.Generator) -> float:
    """A strength by the intended laws of Frank et al."""
    if name == "noise":
        return float(rng.uniform(5, 20))  # their script says variance and uses it as standard deviation
    if name == "blur":
        return float(rng.choice((3, 5, 7, 9)))
    return float(rng.integers(10, 75)) if name == "jpeg" else float(rng.uniform(0.05, 0.2))


_FRANK = ("noise", "blur", "crop", "jpeg")

#: Condition of the protocol of Frank et al. -> what it does. Their words allow two readings of "combined"; both are here.
FRANK_2020: dict[str, str] = {
    "noise": "Gaussian noise, standard deviation drawn from 5 to 20 grey levels",
    "blur": "Gaussian blur, kernel drawn from 3, 5, 7 and 9 px",
    "crop": "5 to 20 % of each side removed, resized back bicubic",
    "jpeg": "JPEG compression, quality drawn from 10 to 74",
    "one_of_all": "combined, first reading: one of the four, drawn for each picture (their script takes them in turn)",
    "all": "combined, second reading: all four in the order noise, blur, crop, jpeg, each tossed for by itself",
}


class PerturbFrank:
    """A `Transform` with the protocol of Frank et al. 2020, a substitute for the unpublished one of Re-Synthesis.

    Args:
        condition: One of `FRANK_2020`.
        share: Probability with which a perturbation is applied to a picture.

    Raises:
        UnknownNameError: There is no such condition.
        ParameterError: `share` outside 0..1.
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
        """One picture `(H, W, 3)` uint8 RGB, perturbed or not."""
        names = _FRANK if self.condition == "all" else (self.condition,)
        if self.condition == "one_of_all":
            names = (_FRANK[rng.integers(len(_FRANK))],)
        for name in names:
            if rng.random() < self.share:
                image = PERTURBATIONS[name].apply(image, _draw(name, rng), rng)
        return image
