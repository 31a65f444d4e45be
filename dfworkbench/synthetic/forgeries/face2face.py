"""Face2Face: the carrier's own face is reenacted with the donor's expression.

The carrier's landmarks are moved to where they would be with the donor's expression, a thin-plate spline warps the face
after them, and the texture is the mean of two frames of the same clip, as a face model's texture is gathered from several.
The inside of the mouth comes from the frame of the clip whose mouth is most similar to the wanted one.
"""

from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import NDArray

from dfworkbench.synthetic.clip import Clip
from dfworkbench.synthetic.forgeries.blend import (
    Alpha,
    Forged,
    Picture,
    face_height,
    feather,
    hull,
    shrink,
    thin_plate_map,
)
from dfworkbench.synthetic.forgeries.settings import ForgerySettings
from dfworkbench.synthetic.motion import Expression


def forge_face2face(carrier: Clip, donor: Clip, rng: np.random.Generator, settings: ForgerySettings) -> Forged:
    """Drive the carrier's face with the donor's expressions."""
    head, motion, forged = carrier.person.head, carrier.motion, Forged()
    seam = rng.uniform(0.02, 0.045)
    softness = rng.uniform(*settings.retexture_blur)
    for n, frame in enumerate(carrier.frames):
        own = carrier.landmarks[n]
        wish = wished(carrier, donor, n, settings.expression_gain)
        wanted = head.landmarks(motion.poses[n], wish)
        other = most_alike(carrier, n, wish)
        here, there = reenact(carrier, n, wanted), reenact(carrier, other, wanted)
        lips = feather(
            hull(wanted[48:60] + 0.25 * (wanted[48:60] - wanted[48:60].mean(0)), frame.shape), 0.02 * face_height(own)
        )
        texture = 0.5 * here + 0.5 * there
        texture = cv2.GaussianBlur(texture, (0, 0), softness * frame.shape[0] / 256)
        texture += (there - texture) * lips[..., None]
        forged.add(frame, texture, feather(_region(wanted, frame.shape), seam * face_height(own)), wanted)
    return forged


def wished(carrier: Clip, donor: Clip, n: int, gain: float) -> Expression:
    """The donor's expression in frame `n`, exaggerated, with the mouth no wider than the carrier's clip can show."""
    e = donor.motion.expressions[n % len(donor.frames)]
    widest = max(own.jaw for own in carrier.motion.expressions) + 0.015
    return replace(
        e, jaw=min(e.jaw * gain, widest), smile=float(np.clip(e.smile * gain, -0.5, 1.1)), brow=e.brow * gain
    )


def most_alike(clip: Clip, n: int, wish: Expression) -> int:
    """The frame of a clip whose mouth and pose best suit a wanted expression in frame `n`."""
    here = clip.motion.poses[n]
    cost = [
        9 * abs(e.jaw - wish.jaw)
        + 0.5 * abs(e.smile - wish.smile)
        + 3 * abs(p.yaw - here.yaw)
        + 3 * abs(p.pitch - here.pitch)
        for e, p in zip(clip.motion.expressions, clip.motion.poses, strict=True)
    ]
    return int(np.argmin(cost))


def reenact(clip: Clip, n: int, wanted: NDArray) -> Picture:
    """Frame `n` of a clip, warped to move its landmarks to `wanted`; the frame's border stays fixed."""
    frame, given = clip.frames[n], clip.landmarks[n]
    height, width = frame.shape[:2]
    border = np.array(
        [(x, y) for x in (0, width / 2, width) for y in (0, height / 2, height) if (x, y) != (width / 2, height / 2)]
    )
    maps = thin_plate_map(np.concatenate([wanted, border]), np.concatenate([given, border]), frame.shape)
    warped = cv2.remap(frame.astype(np.float32), *maps, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(warped, np.float32)


def _region(landmarks: NDArray, shape: tuple[int, ...]) -> Alpha:
    brows = landmarks[17:27] + 0.15 * (landmarks[17:27] - landmarks[27])
    return hull(np.concatenate([shrink(landmarks[1:16], 0.05), brows]), shape)
