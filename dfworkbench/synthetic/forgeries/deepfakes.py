"""Deepfakes: the donor's face as the output of a small network, enlarged and blended in with a soft oval seam.

An autoencoder of the FaceForensics++ kind generates a face of about 64 pixels, whatever the size of the video. The face takes on
the carrier's pose, expression and (roughly) light, its colours match only in part, and it covers everything within its oval, even
glasses and hair that should be in front. Pores and camera noise end at the seam.
"""

import cv2
import numpy as np

from dfworkbench.synthetic.clip import Clip
from dfworkbench.synthetic.forgeries.blend import (
    Alpha,
    Forged,
    enlarge,
    face_height,
    feather,
    hull,
    match_colour,
    misjudge,
    shrink,
    square_view,
    to_picture,
)  # fmt: skip
from dfworkbench.synthetic.forgeries.settings import ForgerySettings


def forge_deepfakes(carrier: Clip, donor: Clip, rng: np.random.Generator, settings: ForgerySettings) -> Forged:
    """Swap the donor's face into the carrier's clip."""
    samples = int(rng.integers(settings.deepfakes_samples[0], settings.deepfakes_samples[1] + 1))
    error = rng.normal(0, settings.colour_error, 3) + rng.normal(0, settings.colour_error)
    turn, strength = rng.normal(0, 0.25), rng.uniform(0.75, 1.0)
    seam = rng.uniform(0.018, 0.05)
    head, motion, forged = donor.person.head, carrier.motion, Forged()
    for n, frame in enumerate(carrier.frames):
        own = carrier.landmarks[n]
        view = square_view(own, samples, 1.25)
        pose, expression = motion.poses[n], motion.expressions[n]
        drawn = head.draw(pose, expression, misjudge(motion.lights[n], turn, 0.25), view, glasses=False)
        shake = rng.normal(0, 0.004 * face_height(own), 2)
        face = enlarge(cv2.GaussianBlur(to_picture(drawn.rgb), (0, 0), 0.45), view, frame.shape, shake)
        mask = oval(own, frame.shape)
        face = match_colour(face, frame.astype(np.float32), mask * carrier.face[n], strength, error)
        theirs = head.landmarks(pose, expression)
        forged.add(
            frame,
            face,
            feather(mask, seam * face_height(own)),
            np.concatenate([own[:17], theirs[17:68] + shake, own[68:]]),
        )
    return forged


def oval(landmarks: np.ndarray, shape: tuple[int, ...]) -> Alpha:
    """An oval from the chin to above the brows, without the cheeks."""
    brows = landmarks[17:27] + 0.22 * (landmarks[17:27] - landmarks[27])
    return hull(np.concatenate([shrink(landmarks[1:16], 0.10), brows, landmarks[27:68]]), shape)
