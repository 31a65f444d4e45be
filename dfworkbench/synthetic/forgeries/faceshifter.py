"""FaceShifter: a high-quality swap that keeps the carrier's light and whatever is in front of the face.

The donor is drawn at nearly the frame's resolution, its colours and soft light follow the carrier's face, and the carrier's hair
and glasses stay in front (the second network of the paper). Remaining traces: the donor's features in the carrier's face, and skin
that has no camera noise and is slightly too smooth.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

from dfworkbench.synthetic.clip import Clip
from dfworkbench.synthetic.forgeries.blend import (
    Alpha,
    Forged,
    Picture,
    enlarge,
    face_height,
    feather,
    hull,
    match_colour,
    misjudge,
    square_view,
    to_picture,
)  # fmt: skip
from dfworkbench.synthetic.forgeries.settings import ForgerySettings


def forge_faceshifter(carrier: Clip, donor: Clip, rng: np.random.Generator, settings: ForgerySettings) -> Forged:
    """Insert the donor's face, with matched light and occlusions preserved."""
    samples = int(rng.integers(settings.faceshifter_samples[0], settings.faceshifter_samples[1] + 1))
    turn, seam = rng.normal(0, 0.12), rng.uniform(0.03, 0.06)
    error = rng.normal(0, 0.35 * settings.colour_error, 3)
    head, motion, forged = donor.person.head, carrier.motion, Forged()
    for n, frame in enumerate(carrier.frames):
        own, target = carrier.landmarks[n], frame.astype(np.float32)
        view = square_view(own, samples, 1.35)
        pose, expression = motion.poses[n], motion.expressions[n]
        drawn = head.draw(pose, expression, misjudge(motion.lights[n], turn, 0.1), view, glasses=False)
        face = enlarge(to_picture(drawn.rgb), view, frame.shape)
        free = np.clip(enlarge(1 - drawn.cover, view, frame.shape), 0, 1)
        mask = _region(own, frame.shape)
        seen = carrier.face[n] * free
        face = match_colour(face, target, mask * seen, 1.0, error)
        face = _take_light(face, target, mask * seen, 0.20 * face_height(own))
        alpha = feather(mask, seam * face_height(own)) * np.minimum(seen, cv2.GaussianBlur(seen, (0, 0), 0.8))
        theirs = head.landmarks(pose, expression)
        forged.add(frame, face, alpha, np.concatenate([own[:17], theirs[17:68], own[68:]]))
    return forged


def _take_light(face: Picture, target: Picture, weight: Alpha, sigma_px: float) -> Picture:
    """Transfer half of the carrier's low-frequency light and colour."""
    size = weight.shape[1], weight.shape[0]
    small = (max(size[0] // 4, 8), max(size[1] // 4, 8))

    def coarse(picture: NDArray) -> NDArray:
        weighted = cv2.resize(picture * weight[..., None], small, interpolation=cv2.INTER_AREA)
        return cv2.GaussianBlur(weighted, (0, 0), sigma_px * small[0] / size[0])

    # the sums of weights cancel in the ratio
    presence = 4 * coarse(np.ones_like(target)) + 0.01
    gain = np.sqrt(np.clip((coarse(target) + presence) / (coarse(face) + presence), 0.6, 1.6))
    return face * cv2.resize(gain, size, interpolation=cv2.INTER_LINEAR)


def _region(landmarks: np.ndarray, shape: tuple[int, ...]) -> Alpha:
    brows = landmarks[17:27] + 0.35 * (landmarks[17:27] - landmarks[27])
    return hull(np.concatenate([landmarks[1:16], brows]), shape)
