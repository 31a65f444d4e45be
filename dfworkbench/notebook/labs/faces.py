"""Small generated faces for the labs: seeded people, filmed and forged in memory, with ground-truth masks."""

from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from dfworkbench.core.names import REENACTMENTS
from dfworkbench.synthetic.clip import Clip, Person, make_person, record
from dfworkbench.synthetic.forgeries import forge
from dfworkbench.synthetic.forgeries.settings import ForgerySettings

Pixels = NDArray[np.uint8]

_FPS = 25.0
_PEOPLE = 40_000  # lab identities start here, so that they are in no demo set
_FRAMES = 4  # frames of a clip to be reenacted: the forger looks for a frame that suits the expression


@dataclass(frozen=True)
class Shot:
    """One picture of a person.

    Attributes:
        picture: `(S, S, 3)` uint8 RGB.
        mask: `(S, S)` bool, True where it is forged; all False in a genuine picture.
        landmarks: `(81, 2)`, pixels.
        person: Number of the person shown; of a forgery, the carrier.
        kind: Kind of the forgery; "" for a genuine picture.
        donor: Number of the person whose face or expression was inserted; -1 for a genuine picture.
    """

    picture: Pixels
    mask: NDArray[np.bool_]
    landmarks: NDArray[np.float64]
    person: int
    kind: str = ""
    donor: int = -1

    @property
    def is_fake(self) -> bool:
        """Whether it is forged."""
        return bool(self.kind)


def crop_matrix(landmarks: NDArray[np.float64], side_px: int, zoom: float) -> NDArray[np.float32]:
    """The affine map `(2, 3)` from a picture to the square around a face.

    Args:
        landmarks: `(81, 2)`, pixels of the picture.
        side_px: Side of the square after the map.
        zoom: Side of the square over the longer side of the box around the landmarks.
    """
    low, high = landmarks.min(axis=0), landmarks.max(axis=0)
    scale = side_px / (zoom * float((high - low).max()))
    offset = side_px / 2 - scale * (low + high) / 2
    return np.array([[scale, 0, offset[0]], [0, scale, offset[1]]], np.float32)


def face_crop(shot: Shot, side_px: int, zoom: float) -> Pixels:
    """The square around a face, `(side_px, side_px, 3)`; see `crop_matrix`."""
    matrix = crop_matrix(shot.landmarks, side_px, zoom)
    smooth = cv2.GaussianBlur(
        shot.picture, (0, 0), max(0.3, 0.4 / matrix[0, 0])
    )  # otherwise fine detail would turn into noise
    return np.asarray(cv2.warpAffine(smooth, matrix, (side_px, side_px), borderMode=cv2.BORDER_REPLICATE), np.uint8)


class Studio:
    """Makes pictures of numbered people; equal seeds give equal pictures.

    Args:
        seed: Decides who the people are.
        size_px: Side of the square pictures.
        quality: Camera quality; below 1, pictures are noisier and less sharp.
    """

    def __init__(self, seed: int, size_px: int, quality: float = 1.0) -> None:
        self.seed, self.size_px, self.quality = seed, size_px, quality
        self._person = lru_cache(maxsize=None)(self._make_person)

    def genuine(self, person: int, scene: int) -> Shot:
        """A person as recorded by a camera; pose, light, background and camera follow from the scene."""
        clip = self._film(person, scene, 1)
        return Shot(clip.frames[0], np.zeros(clip.frames[0].shape[:2], bool), clip.landmarks[0], person)

    def forged(self, person: int, donor: int, scene: int, kind: str, settings: ForgerySettings | None = None) -> Shot:
        """A person's picture with a donor's face or expression inserted."""
        frames = _FRAMES if kind in REENACTMENTS else 1
        carrier, source = self._film(person, scene, frames), self._film(donor, scene, frames)
        made = forge(kind, carrier, source, self.seed * 1009 + scene, settings)
        return Shot(made.frames[0], made.masks[0] > 0, made.landmarks[0], person, kind, donor)

    def _make_person(self, number: int) -> Person:
        return make_person(self.seed * 100_003 + _PEOPLE + number, self.size_px)

    def _film(self, person: int, scene: int, frames: int) -> Clip:
        return record(self._person(person), self.seed * 1009 + scene, self.size_px, frames, _FPS, self.quality)
