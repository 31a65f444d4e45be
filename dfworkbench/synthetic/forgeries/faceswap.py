"""FaceSwap: one photograph of the donor, warped triangle by triangle to the carrier's landmarks and Poisson-blended.

As in the graphics-based method of FaceForensics++: the donor's face is a still picture, so its eyes and mouth follow only as
far as the triangle warp carries them; landmarks jitter from frame to frame; Poisson blending inserts the gradients of the donor's
skin and light into the carrier's frame, whose border colours bleed in.
"""

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.spatial import Delaunay

from dfworkbench.media.pictures.operations import jpeg
from dfworkbench.synthetic.clip import Clip
from dfworkbench.synthetic.forgeries.blend import BROWS, Forged, face_height, hull, shrink
from dfworkbench.synthetic.forgeries.settings import ForgerySettings


def forge_faceswap(carrier: Clip, donor: Clip, rng: np.random.Generator, settings: ForgerySettings) -> Forged:
    """Blend one picture of the donor over the carrier's face."""
    best = _best_photo(donor)
    photo, photo_points = donor.frames[best], donor.landmarks[best][:68]
    triangles = Delaunay(photo_points).simplices
    drift = rng.normal(0, 2 * settings.landmark_tremble, (68, 2))
    photo = _refocus(photo, rng.uniform(-1, 0.35) * settings.photo_sharpness)
    # the photograph as found: its compression blocks are warped with the face
    photo = jpeg(photo, int(rng.integers(settings.photo_quality[0], settings.photo_quality[1] + 1)))
    forged = Forged()
    for n, frame in enumerate(carrier.frames):
        own = carrier.landmarks[n]
        size = face_height(own)
        drift = 0.6 * drift + rng.normal(0, 0.9 * settings.landmark_tremble, (68, 2))
        points = own[:68] + size * drift
        warped = cv2.remap(photo, *triangle_map(points, photo_points, triangles, frame.shape), cv2.INTER_LINEAR,
                           borderMode=cv2.BORDER_REPLICATE)  # fmt: skip
        mask = _face_region(points, frame.shape)
        blended = poisson(np.asarray(warped, np.uint8), frame, mask)
        forged.add(frame, blended.astype(np.float32), mask.astype(np.float32), np.concatenate([points, own[68:]]))
    return forged


def _best_photo(clip: Clip) -> int:
    """The most frontal frame with open eyes and a closed mouth."""
    cost = [
        4 * abs(p.yaw) + 3 * abs(p.pitch) + abs(p.roll) + 3 * e.blink + 4 * e.jaw
        for p, e in zip(clip.motion.poses, clip.motion.expressions, strict=True)
    ]
    return int(np.argmin(cost))


def _refocus(photo: NDArray[np.uint8], amount: float) -> NDArray[np.uint8]:
    """Simulate another camera for the photograph: softer (`amount` below 0) or sharper than the clip."""
    soft = cv2.GaussianBlur(photo, (0, 0), (1.4 if amount < 0 else 1.0) * photo.shape[0] / 256).astype(np.float32)
    return np.clip(np.round(photo + amount * (photo - soft)), 0, 255).astype(np.uint8)


def _face_region(points: NDArray, shape: tuple[int, ...]) -> NDArray[np.bool_]:
    brows = points[list(BROWS)] + 0.08 * (points[list(BROWS)] - points[27])
    return hull(np.concatenate([shrink(points[1:16], 0.05), brows]), shape) > 0.5


def triangle_map(
    wanted: NDArray, given: NDArray, triangles: NDArray, shape: tuple[int, ...]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Maps for `cv2.remap` from triangles over `given` to triangles over `wanted`; outside, the nearest triangle is extended."""
    height, width = shape[:2]
    which = np.full((height, width), -1, np.int32)
    affine = np.empty((len(triangles), 2, 3), np.float32)
    for k, corners in enumerate(triangles):
        affine[k] = cv2.getAffineTransform(wanted[corners].astype(np.float32), given[corners].astype(np.float32))
        cv2.fillConvexPoly(which, np.round(wanted[corners] * 16).astype(np.int32), k, cv2.LINE_8, 4)
    x, y = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
    a = affine[np.maximum(which, 0)]
    map_x = np.where(which < 0, x, a[..., 0, 0] * x + a[..., 0, 1] * y + a[..., 0, 2])
    map_y = np.where(which < 0, y, a[..., 1, 0] * x + a[..., 1, 1] * y + a[..., 1, 2])
    return map_x.astype(np.float32), map_y.astype(np.float32)


def poisson(source: NDArray[np.uint8], target: NDArray[np.uint8], mask: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """Poisson blending (Perez et al. 2003) of the source into the target within the mask, except at the frame's border."""
    inner = mask.copy()
    inner[[0, 1, -2, -1], :] = False
    inner[:, [0, 1, -2, -1]] = False
    if not inner.any():
        return target
    x, y, w, h = cv2.boundingRect(inner.astype(np.uint8))
    pad = 2
    window = (slice(max(y - pad, 0), y + h + pad), slice(max(x - pad, 0), x + w + pad))
    centre = (x - window[1].start + w // 2, y - window[0].start + h // 2)
    solved = cv2.seamlessClone(
        np.ascontiguousarray(source[window]), np.ascontiguousarray(target[window]),
        inner[window].astype(np.uint8) * 255, centre, cv2.NORMAL_CLONE,
    )  # fmt: skip
    result = target.copy()
    result[window] = np.where(inner[window][..., None], solved, target[window])
    return result
