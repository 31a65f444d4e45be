"""Shared steps of forgeries: regions from landmarks, soft seams, colour transfer, warps between landmarks."""

from dataclasses import dataclass, field, replace

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import RBFInterpolator

from dfworkbench.synthetic.head import View
from dfworkbench.synthetic.motion import Light

Picture = NDArray[np.floating]  #: `(H, W, 3)` RGB, 0..255
Alpha = NDArray[np.floating]  #: `(H, W)`, 0..1

JAW, BROWS, NOSE, EYES, MOUTH = range(0, 17), range(17, 27), range(27, 36), range(36, 48), range(48, 68)
#: Changes below this share of the donor cannot change a pixel by a whole level; they are set to zero.
FAINTEST = 1 / 128


@dataclass
class Forged:
    """A forged clip and its ground truth.

    Attributes:
        frames: uint8 RGB `(H, W, 3)` each, before any encoding.
        masks: uint8 `(H, W)` each: 255 where the frame was forged, 0 where it equals the carrier's frame exactly.
        landmarks: `(T, 81, 2)` of the forged face, frame pixels.
    """

    frames: list[NDArray[np.uint8]] = field(default_factory=list)
    masks: list[NDArray[np.uint8]] = field(default_factory=list)
    landmarks: list[NDArray[np.float64]] = field(default_factory=list)

    def add(self, carrier: NDArray[np.uint8], picture: Picture, alpha: Alpha, landmarks: NDArray[np.float64]) -> None:
        """Blend `picture` over the carrier's frame by `alpha`, and record what was changed."""
        alpha = np.where(alpha < FAINTEST, 0, alpha)[..., None]
        mixed = carrier + (picture - carrier) * alpha
        self.frames.append(np.where(alpha > 0, np.round(np.clip(mixed, 0, 255)), carrier).astype(np.uint8))
        self.masks.append(np.where(alpha[..., 0] > 0, 255, 0).astype(np.uint8))
        self.landmarks.append(landmarks)


def face_height(landmarks: NDArray) -> float:
    """Distance from chin to the middle of the brows, pixels."""
    return float(np.linalg.norm(landmarks[8] - landmarks[[21, 22]].mean(axis=0)))


def hull(points: NDArray, shape: tuple[int, ...]) -> Alpha:
    """The convex hull of points, filled with smooth edges, `(H, W)` 0..1."""
    mask = np.zeros(shape[:2], np.uint8)
    outline = cv2.convexHull(np.round(points * 16).astype(np.int32))
    cv2.fillConvexPoly(mask, outline, 255, cv2.LINE_AA, 4)
    return mask.astype(np.float32) / 255


def shrink(points: NDArray, by: float) -> NDArray:
    """Move points towards their mean by a share of their distance."""
    centre = points.mean(axis=0)
    return centre + (points - centre) * (1 - by)


def feather(mask: Alpha, sigma_px: float) -> Alpha:
    """A soft seam inside the mask: 0 on its border, 1 about three `sigma_px` further in."""
    inner = cv2.erode(mask, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * round(1.3 * sigma_px) + 1,) * 2))
    return np.clip(cv2.GaussianBlur(inner, (0, 0), max(sigma_px, 0.3)), 0, 1) * mask


def match_colour(source: Picture, target: Picture, weight: Alpha, strength: float, shift: NDArray) -> Picture:
    """Give `source` the mean and standard deviation of `target` under `weight`, channel by channel.

    Args:
        source: Picture to change.
        target: Picture to match.
        weight: Weight of the comparison, `(H, W)`.
        strength: 0 for no change, 1 for a full match.
        shift: Colour error added to the means afterwards, `(3,)` in levels.
    """
    where = weight > 0.02
    if not where.any():
        return source
    share = (weight[where] / weight[where].sum()).astype(np.float64)
    stats = []
    for picture in (source, target):
        pixels = picture[where]
        mean = share @ pixels
        stats.append((mean, np.sqrt(share @ np.square(pixels - mean)) + 1e-3))
    (mean, deviation), (wanted_mean, wanted_deviation) = stats
    gain = np.clip(1 + strength * (wanted_deviation / deviation - 1), 0.75, 1.25)
    centre = mean + strength * (wanted_mean - mean) + shift
    return source * gain.astype(np.float32) + (centre - mean * gain).astype(np.float32)


def to_picture(linear: NDArray) -> Picture:
    """Convert linear light to an ordinary picture, 0..255."""
    return np.sqrt(np.clip(linear, 0, 1.2)).astype(np.float32) * 255


def square_view(landmarks: NDArray, samples: int, scale: float) -> View:
    """A square view around a face, like the aligned crop of a face-swapping network."""
    low, high = landmarks[:68].min(axis=0), landmarks[:68].max(axis=0)
    side = scale * float((high - low).max())
    x0, y0 = (low + high) / 2 - side / 2 + (0, -0.04 * side)
    return View(samples, samples, float(x0 + 0.5), float(y0 + 0.5), side / samples)


def enlarge(
    small: NDArray, view: View, shape: tuple[int, ...], shift: NDArray | tuple[float, float] = (0, 0)
) -> NDArray:
    """Put what was drawn in a view back in its place in the frame (cubic), shifted by `shift` pixels."""
    s = view.step
    # sample k of the view lies at frame coordinate x0 + (k + 0.5) * step - 0.5
    matrix = np.array([[s, 0, view.x0 + 0.5 * s - 0.5 + shift[0]], [0, s, view.y0 + 0.5 * s - 0.5 + shift[1]]])
    return cv2.warpAffine(small, matrix, (shape[1], shape[0]), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)


def misjudge(light: Light, turn: float, mix: float) -> Light:
    """The light as misjudged by a forger's model: rotated by `turn` radians, with a share `mix` of it flat."""
    x, y, z = light.direction
    c, s = np.cos(turn), np.sin(turn)
    key = tuple(k * (1 - mix) for k in light.key)
    ambient = tuple(a + 0.6 * mix * k for a, k in zip(light.ambient, light.key, strict=True))
    return replace(light, direction=(c * x + s * z, y, c * z - s * x), key=key, ambient=ambient)


def thin_plate_map(wanted: NDArray, given: NDArray, shape: tuple[int, ...], cells: int = 28) -> tuple[NDArray, NDArray]:
    """A smooth warp that moves the points `given` of a picture to the places `wanted`.

    Returns:
        Maps for `cv2.remap`: the source position of each pixel of the result, `(H, W)` float32 each.
    """
    height, width = shape[:2]
    gx, gy = np.linspace(-1, width, cells), np.linspace(-1, height, cells)
    grid = np.stack(np.meshgrid(gx, gy), -1).reshape(-1, 2)
    scale = max(height, width)
    spline = RBFInterpolator(wanted / scale, given - wanted, kernel="thin_plate_spline", smoothing=1e-5)
    field_ = spline(grid / scale).reshape(cells, cells, 2).astype(np.float32)
    x, y = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
    at = ((x + 1) * np.float32((cells - 1) / (width + 1)), (y + 1) * np.float32((cells - 1) / (height + 1)))
    moved = cv2.remap(field_, *at, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    return x + moved[..., 0], y + moved[..., 1]
