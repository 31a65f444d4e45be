"""Perturbations at fixed strengths (noise, blur, compression, cropping …) for measuring robustness.

He, Yu, Keuper and Fritz, "Beyond the Spectrum: Detecting Deepfakes via Re-Synthesis", IJCAI 2021 (arXiv:2105.14376) evaluate a
detector on perturbed pictures. Neither the distributions nor the strengths of their perturbations are published with their
code, so everything here is a SUBSTITUTE: results are comparable with each other, not with the tables of that paper.

`PERTURBATIONS` holds nine perturbations, each at five strengths of our choice, from weak to strong; `Perturb` applies one or a
chain. The protocol of Frank et al., used by several papers of that time, is in `frank_perturbations`.

Strengths are in pixels and grey levels of the detector's input: pictures are perturbed after cutting, so that detectors with
equal inputs see equal pictures. Every function is pure; deterministic perturbations do not touch the generator.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

from dfworkbench.core.errors import InputError, ParameterError
from dfworkbench.core.names import require_name
from dfworkbench.datasets.sample import FaceSample
from dfworkbench.media.pictures.operations import (
    Pixels,
    add_noise,
    crop_and_enlarge,
    grey_pixels,
    jpeg,
    occlude,
    recolour,
    shrink_and_enlarge,
)
from dfworkbench.media.video.recompress import recompress

LEVELS = (1, 2, 3, 4, 5)
THEN = ">"  # separates the links of a chain


@dataclass(frozen=True)
class Perturbation:
    """One way to change a picture.

    Attributes:
        name: As in `PERTURBATIONS`.
        unit: Unit of the strength, for axes of figures.
        what: What is done, in words.
        strengths: Five, from weak to strong; the numbers may decrease, as for JPEG quality.
        limits: Smallest and largest strength allowed.
        change: Maps `(picture, strength, rng)` to the changed picture, without the checks of `apply`.
        whole: Whether the strength must be a whole number.
        odd: Whether the strength must be odd.
        joint: Whether `change` takes all pictures of a clip at once, `(T, H, W, 3)`, because they depend on each other.
    """

    name: str
    unit: str
    what: str
    strengths: tuple[float, float, float, float, float]
    limits: tuple[float, float]
    change: Callable[[Pixels, float, np.random.Generator], Any]
    whole: bool = False
    odd: bool = False
    joint: bool = False

    def require(self, strength: float) -> None:
        """Raise `ParameterError` unless the strength is valid."""
        low, high = self.limits
        fits = low <= strength <= high  # false for NaN
        if not fits or (self.whole and strength % 1) or (self.odd and strength % 2 != 1):
            kind = "an odd number" if self.odd else "a whole number" if self.whole else "a number"
            raise ParameterError(
                f"perturbing pictures by {self.name!r}: strength {strength!r} ({self.unit}), expected {kind} from {low:g} to "
                f"{high:g}. Stated strengths, weak to strong: {', '.join(f'{s:g}' for s in self.strengths)}."
            )

    def apply(self, image: Pixels, strength: float, rng: np.random.Generator) -> Pixels:
        """Return a changed copy of one picture.

        Args:
            image: `(H, W, 3)` uint8 RGB.
            strength: In `unit`.
            rng: The only source of randomness.

        Returns:
            The same shape, uint8.

        Raises:
            ParameterError: The strength is out of range.
            InputError: Not a uint8 RGB picture.
        """
        self.require(strength)
        if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
            raise InputError(
                f"perturbing a picture by {self.name!r}: got {image.dtype} {image.shape}, expected uint8 RGB (H, W, 3). Perturb "
                "pictures before models.inputs.prepare, and one at a time."
            )
        image = np.ascontiguousarray(image)
        changed = self.change(image[None], strength, rng)[0] if self.joint else self.change(image, strength, rng)
        return np.ascontiguousarray(changed, dtype=np.uint8)

    def apply_to_clip(self, images: Pixels, strength: float, rng: np.random.Generator) -> Pixels:
        """Change the pictures of a clip `(T, H, W, 3)`: jointly if they depend on each other, else one by one."""
        if not self.joint or len(images) == 1:
            return np.stack([self.apply(image, strength, rng) for image in images])
        self.require(strength)
        return np.ascontiguousarray(self.change(np.ascontiguousarray(images), strength, rng), dtype=np.uint8)


# named functions, because a DataLoader may pickle them


def _blur(image: Pixels, kernel: float, _rng: np.random.Generator) -> Any:
    return cv2.GaussianBlur(image, (int(kernel), int(kernel)), 0)


def _jpeg(image: Pixels, quality: float, _rng: np.random.Generator) -> Pixels:
    return jpeg(image, int(quality))


def _h264(images: Pixels, crf: float, _rng: np.random.Generator) -> Pixels:
    return recompress(images, int(crf))


def _crop(image: Pixels, share: float, _rng: np.random.Generator) -> Pixels:
    return crop_and_enlarge(image, share)


def _colour(image: Pixels, amount: float, rng: np.random.Generator) -> Pixels:
    return recolour(image[None], amount, rng)[0]


def _resize(image: Pixels, factor: float, _rng: np.random.Generator) -> Pixels:
    height, width = image.shape[:2]
    return shrink_and_enlarge(image, (round(factor * width), round(factor * height)), cv2.INTER_CUBIC)


_ALL = (
    Perturbation(
        "noise", "standard deviation, grey levels", "Gaussian noise, independent in every pixel and channel",
        (2, 4, 8, 14, 20), (0, 128), add_noise,
    ),
    Perturbation(
        "blur", "kernel, px", "Gaussian blur; standard deviation 0.3 ((kernel - 1) / 2 - 1) + 0.8 px",
        (3, 5, 7, 9, 13), (1, 63),
        _blur, odd=True,
    ),
    Perturbation(
        "jpeg", "quality", "JPEG compression with halved colour channels (4:2:0)", (95, 80, 60, 40, 20), (1, 100),
        _jpeg, whole=True,
    ),
    Perturbation(
        "h264", "CRF", "H.264 compression (x264, veryfast, yuv420p): a picture as an intra frame, a clip as a video at 25 fps",
        (18, 23, 28, 34, 40), (0, 51), _h264, whole=True, joint=True,
    ),
    Perturbation(
        "crop", "share of each side removed", "the middle is kept and resized back, bicubic", (0.05, 0.1, 0.15, 0.2, 0.3),
        (0, 0.9), _crop,
    ),
    Perturbation(
        "resize", "factor", "down by area means, up again bicubic", (0.9, 0.75, 0.5, 0.35, 0.25), (0.02, 1),
        _resize,
    ),
    Perturbation(
        "colour", "largest change, share", "brightness, contrast and saturation, each drawn up to the strength",
        (0.05, 0.1, 0.2, 0.3, 0.4), (0, 0.5), _colour,
    ),
    Perturbation(
        "grey", "share of pixels", "random pixels lose their colour and keep the mean of their channels",
        (0.05, 0.1, 0.25, 0.5, 1), (0, 1), grey_pixels,
    ),
    Perturbation(
        "occlusion", "share of area", "a grey rectangle of the picture's proportions at a random place",
        (0.02, 0.05, 0.1, 0.2, 0.35), (0, 0.9), occlude,
    ),
)  # fmt: skip

PERTURBATIONS: dict[str, Perturbation] = {item.name: item for item in _ALL}


def links(chain: str) -> list[Perturbation]:
    """The perturbations of a chain such as "jpeg" or "jpeg>blur", in order of application; none for "".

    Raises:
        UnknownNameError: A name is not in `PERTURBATIONS`.
    """
    names = [name.strip() for name in chain.split(THEN)] if chain else []
    return [PERTURBATIONS[require_name("perturbation", name, PERTURBATIONS)] for name in names]


def strengths_at(chain: str, level: int) -> tuple[float, ...]:
    """The strength of each link at a level from 1 (weak) to 5 (strong).

    Raises:
        ParameterError: There is no such level.
        UnknownNameError: A name is not in `PERTURBATIONS`.
    """
    if level not in LEVELS:
        raise ParameterError(
            f"perturbing pictures by {chain!r}: level {level!r}, expected one of {', '.join(map(str, LEVELS))}. "
            "Strengths between the levels are given as such: Perturb(chain, strength)."
        )
    return tuple(link.strengths[level - 1] for link in links(chain))


class Perturb:
    """A `Transform` that cuts a sample without random changes and perturbs each of its pictures.

    In a `FaceDataset` it is seeded by `(seed, epoch, row)`: a sample gets the same random draws at every strength. Pictures of
    a clip are perturbed one by one with independent draws; a chain with H.264 is applied link by link to the whole clip.

    Args:
        chain: Names in `PERTURBATIONS`, joined by ">": "jpeg>blur" compresses, then blurs. "" leaves the pictures unchanged.
        strengths: One per link, each in its own unit; see `strengths_at` for the predefined ones.

    Raises:
        UnknownNameError: A name is not in `PERTURBATIONS`.
        ParameterError: A strength is out of range, or their number differs from that of the links.
    """

    needs_genuine = False

    def __init__(self, chain: str, *strengths: float) -> None:
        self.steps = links(chain)
        if len(strengths) != len(self.steps):
            raise ParameterError(
                f"perturbing pictures by {chain!r}: {len(strengths)} strength(s) for {len(self.steps)} link(s), expected one "
                f"each. Give Perturb({chain!r}, …) a strength for {', '.join(link.name for link in self.steps) or 'nothing'}."
            )
        for link, strength in zip(self.steps, strengths, strict=True):
            link.require(strength)
        self.chain, self.strengths = chain, strengths

    def __call__(self, sample: FaceSample, rng: np.random.Generator) -> dict[str, Any]:
        """`images`, `(T, S, S, 3)` uint8 RGB."""
        images = sample.cut()
        if not any(link.joint for link in self.steps):
            return {"images": np.stack([self.picture(image, rng) for image in images])}
        for link, strength in zip(self.steps, self.strengths, strict=True):
            images = link.apply_to_clip(images, strength, rng)
        return {"images": images}

    def picture(self, image: Pixels, rng: np.random.Generator) -> Pixels:
        """Apply all links to one picture `(H, W, 3)` uint8 RGB."""
        for link, strength in zip(self.steps, self.strengths, strict=True):
            image = link.apply(image, strength, rng)
        return image
