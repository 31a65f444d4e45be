"""NeuralTextures: only the mouth is regenerated, by a generator whose upsampling leaves a pattern.

The mouth region is first driven by the donor's expression, then brought to a quarter of its size and up again by transposed
convolutions of stride 2 with a kernel of 3, whose uneven overlap gives the well-known checkerboard (Odena et al. 2016).
"""

import cv2
import numpy as np
from numpy.typing import NDArray

from dfworkbench.synthetic.clip import Clip
from dfworkbench.synthetic.forgeries.blend import Alpha, Forged, Picture, face_height, feather, hull
from dfworkbench.synthetic.forgeries.face2face import most_alike, reenact, wished
from dfworkbench.synthetic.forgeries.settings import ForgerySettings


def forge_neuraltextures(carrier: Clip, donor: Clip, rng: np.random.Generator, settings: ForgerySettings) -> Forged:
    """Synthesise the carrier's mouth with the donor's expression."""
    head, motion, forged = carrier.person.head, carrier.motion, Forged()
    kernels = [_uneven_kernel(rng, settings.checkerboard) for _ in range(2)]
    for n, frame in enumerate(carrier.frames):
        own = carrier.landmarks[n]
        wish = wished(carrier, donor, n, settings.expression_gain)
        wanted = head.landmarks(motion.poses[n], wish)
        wanted = np.concatenate([wanted[:17], own[17:31], wanted[31:36], own[36:48], wanted[48:68], own[68:]])
        driven = reenact(carrier, most_alike(carrier, n, wish), wanted)
        forged.add(
            frame, generate(driven, kernels), feather(_region(wanted, frame.shape), 0.03 * face_height(own)), wanted
        )
    return forged


def generate(picture: Picture, kernels: list[NDArray]) -> Picture:
    """Downsample by two for each kernel, then upsample by a transposed convolution with it; same size."""
    height, width = picture.shape[:2]
    unit = 2 ** len(kernels)
    size = (-(-width // unit), -(-height // unit))
    small: Picture = np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), np.float32)
    # The generator keeps some of its full-size input (skip connections), smoothed.
    kept = cv2.bilateralFilter(picture, 5, 22.0, 2.0)
    for kernel in kernels:
        small = transposed_convolution(small, kernel)
    return 0.45 * kept + 0.55 * small[:height, :width]


def transposed_convolution(picture: Picture, kernel: NDArray) -> Picture:
    """Transposed convolution of stride 2: each pixel places the kernel at twice its coordinates, overlaps add; twice the size."""
    height, width = picture.shape[:2]
    spread = np.zeros((2 * height, 2 * width, 3), np.float32)
    spread[::2, ::2] = picture
    return np.asarray(cv2.filter2D(spread, -1, kernel, borderType=cv2.BORDER_REFLECT_101), np.float32)


def _uneven_kernel(rng: np.random.Generator, unevenness: float) -> NDArray[np.float32]:
    # Bilinear weights reproduce a flat picture exactly; learned weights are off by a few per cent at each phase.
    kernel = np.outer([0.5, 1, 0.5], [0.5, 1, 0.5]) * (
        1 + rng.choice([-1, 1], (3, 3)) * rng.uniform(0.5, 1, (3, 3)) * unevenness
    )
    phases = [kernel[1, 1], kernel[1, ::2].sum(), kernel[::2, 1].sum(), kernel[::2, ::2].sum()]
    return (kernel / np.mean(phases)).astype(np.float32)


def _region(landmarks: NDArray, shape: tuple[int, ...]) -> Alpha:
    mouth = landmarks[48:60]
    around = mouth + 0.55 * (mouth - mouth.mean(axis=0))
    return hull(np.concatenate([around, landmarks[31:36], 0.75 * landmarks[6:11] + 0.25 * mouth.mean(axis=0)]), shape)
