"""Shape of a head: outline, height map, and the 81 landmarks, in face units (see `identity`).

Landmarks: 0-67 are those of the iBUG 68-point scheme (0-16 jaw from the left of the picture to the right, 17-21 and 22-26
brows, 27-30 bridge of the nose, 31-35 its base, 36-41 and 42-47 eyes, 48-59 outer and 60-67 inner lips); 68-80 follow the
forehead along the hairline from left to right, modelled on the 81-point predictor.
"""

from functools import cached_property

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import PchipInterpolator

from dfworkbench.synthetic.identity import Identity
from dfworkbench.synthetic.noise import Field, bump, smoothstep

LANDMARK_COUNT = 81
X0, Y0, EXTENT = -1.5, -1.65, 3.1  #: the square of the canonical canvas, in face units
SKULL_TOP = -1.06


class HeadShape:
    """Outline, height and landmarks of one identity on a square canvas of `size` pixels."""

    def __init__(self, identity: Identity, size: int) -> None:
        self.identity, self.size = identity, size
        self.px_per_unit = size / EXTENT
        axis = ((np.arange(size) + 0.5) / self.px_per_unit).astype(np.float32)
        self.x, self.y = np.meshgrid(X0 + axis, Y0 + axis)
        self._width = PchipInterpolator(*self._outline_points())
        self._depth = PchipInterpolator(*self._profile_points())

    def _outline_points(self) -> tuple[NDArray, NDArray]:
        i, chin = self.identity, self.identity.face_length
        points = [
            (SKULL_TOP, 0.0), (SKULL_TOP + 0.02, 0.16), (SKULL_TOP + 0.08, 0.31), (-0.86, i.forehead_width * 0.80),
            (-0.55, i.forehead_width + 0.055), (-0.2, i.cheek_width - 0.005), (0.1, i.cheek_width),
            (0.36, i.cheek_width - 0.055), (0.62 * chin, i.jaw_width + 0.03), (0.80 * chin, 0.5 * (i.jaw_width + i.chin_width)),
            (0.91 * chin, i.chin_width * 0.86), (0.97 * chin, i.chin_width * 0.56),
            (0.993 * chin, i.chin_width * 0.28), (chin, 0.0),
        ]  # fmt: skip
        return np.array([p[0] for p in points]), np.array([p[1] for p in points])

    def _profile_points(self) -> tuple[NDArray, NDArray]:
        chin = self.identity.face_length
        points = [(SKULL_TOP, 0.0), (-0.97, 0.36), (-0.8, 0.60), (-0.5, 0.76), (-0.15, 0.80), (0.2, 0.80), (0.5, 0.79),
                  (0.75 * chin, 0.76), (0.88 * chin, 0.69), (0.96 * chin, 0.52), (chin, 0.2)]  # fmt: skip
        return np.array([p[0] for p in points]), np.array([p[1] for p in points])

    def width(self, y: NDArray) -> NDArray:
        """Half width of the head at height `y`; 0 above the skull and below the chin."""
        inside = (y > SKULL_TOP) & (y < self.identity.face_length)
        return np.where(inside, self._width(np.clip(y, SKULL_TOP, self.identity.face_length)), 0.0).astype(np.float32)

    def outline(self, grow: float = 0.0, points: int = 160) -> NDArray[np.float32]:
        """The contour of the bare head, `(2 * points, 2)`."""
        t = np.linspace(0, np.pi, points)
        chin = self.identity.face_length
        y = SKULL_TOP + (chin - SKULL_TOP) * (1 - np.cos(t)) / 2
        w = self._width(y) + grow
        right = np.stack([w, y], 1)
        return np.concatenate([right, (right * (-1, 1))[::-1]]).astype(np.float32)

    def fill(self, *polygons: NDArray) -> Field:
        """Draw polygons in face units with smooth edges, `(size, size)`, 0..1."""
        mask = np.zeros((self.size * 2, self.size * 2), np.uint8)
        for polygon in polygons:
            pixels = (np.asarray(polygon) - (X0, Y0)) * self.px_per_unit * 2 * 16
            cv2.fillPoly(mask, [np.round(pixels).astype(np.int32)], 255, cv2.LINE_AA, shift=4)
        return cv2.resize(mask, (self.size, self.size), interpolation=cv2.INTER_AREA).astype(np.float32) / 255

    @cached_property
    def head_mask(self) -> Field:
        """1 inside the bare head, `(size, size)`."""
        return self.fill(self.outline())

    @cached_property
    def height(self) -> Field:
        """Height of the face towards the viewer, `(size, size)`, face units."""
        i, x, y = self.identity, self.x, self.y
        rows = y[:, 0]
        width = np.maximum(self.width(rows), 1e-3)[:, None]
        depth = np.clip(self._depth(np.clip(rows, SKULL_TOP, i.face_length)), 0, 1).astype(np.float32)[:, None]
        rho = np.minimum(np.abs(x) / width, 1.0)
        z = depth * np.sqrt(np.maximum(1 - rho**2.3, 0)) ** 1.1
        z = cv2.GaussianBlur(z, (0, 0), 0.035 * self.px_per_unit)
        side = np.abs(x)
        z += self._nose(x, y, side) + self._eyes_and_brows(side, y) + self._mouth(x, y)
        z += i.cheekbone * bump(side, y, (0.42, 0.20), (0.15, 0.12)) + 0.035 * bump(side, y, (0.33, 0.36), (0.12, 0.12))
        z += (0.035 + 0.03 * i.masculine) * bump(x, y, (0, 0.90 * i.face_length), (0.12, 0.08))
        return cv2.GaussianBlur(z.astype(np.float32), (0, 0), 0.008 * self.px_per_unit)

    def _nose(self, x: Field, y: Field, side: Field) -> Field:
        i = self.identity
        top, tip = i.eye_y - 0.07, i.nose_length - 0.07
        t = np.clip((y - top) / (tip - top), 0, 1)
        rise = i.nose_height * (0.17 + 0.83 * t**1.3) + i.nose_hook * np.sin(np.pi * t) * 2
        below = np.exp(-0.5 * (np.maximum(y - tip, 0) / 0.048) ** 2) * np.exp(
            -0.5 * (np.maximum(top - y, 0) / 0.10) ** 2
        )
        ridge = rise * below * np.exp(-0.5 * (x / (0.050 + 0.034 * t)) ** 2)
        wings = 0.095 * bump(side, y, (i.nose_width * 0.74, tip + 0.032), (0.034, 0.036))
        ball = 0.055 * bump(x, y, (0, tip + 0.008), (0.058, 0.050))
        return ridge + wings + ball

    def _eyes_and_brows(self, side: Field, y: Field) -> Field:
        i = self.identity
        socket = -0.095 * bump(side, y, (i.eye_x - 0.03, i.eye_y - 0.02), (0.145, 0.085))
        corner = -0.045 * bump(side, y, (0.125, i.eye_y - 0.01), (0.05, 0.06))
        ball = 0.062 * bump(side, y, (i.eye_x, i.eye_y + 0.005), (0.105, 0.072))
        crease = -0.012 * bump(side, y, (i.eye_x, i.eye_y - 0.105), (0.13, 0.012))
        bag = -(0.008 + 0.022 * i.age) * bump(side, y, (i.eye_x - 0.01, i.eye_y + 0.135), (0.10, 0.022), 0.15)
        ridge = (0.02 + 0.04 * i.masculine) * bump(side, y, (i.eye_x - 0.03, i.brow_y + 0.02), (0.17, 0.05))
        return socket + corner + ball + crease + bag + ridge

    def _mouth(self, x: Field, y: Field) -> Field:
        i, m = self.identity, self.identity.mouth_y
        w = i.mouth_width
        muzzle = 0.035 * bump(x, y, (0, m), (0.20, 0.14))
        upper = 0.75 * i.upper_lip * bump(x, y, (0, m - 0.55 * i.upper_lip), (0.55 * w, 0.5 * i.upper_lip + 0.01))
        lower = 0.85 * i.lower_lip * bump(x, y, (0, m + 0.6 * i.lower_lip), (0.48 * w, 0.55 * i.lower_lip))
        line = -0.022 * bump(x, y, (0, m), (0.85 * w, 0.010))
        corners = -0.018 * bump(np.abs(x), y, (w, m + 0.005), (0.03, 0.025))
        under = -0.032 * bump(x, y, (0, m + i.lower_lip + 0.062), (0.14, 0.03))
        philtrum = -0.012 * bump(x, y, (0, m - 0.12), (0.022, 0.05))
        fold = np.abs(x) - (i.nose_width + 0.045 + 0.42 * np.maximum(y - i.nose_length + 0.06, 0))
        fold_depth = (0.006 + 0.030 * i.age) * smoothstep(0.30, 0.36, y) * smoothstep(m + 0.10, m - 0.06, y)
        return (
            muzzle + upper + lower + line + corners + under + philtrum - fold_depth * np.exp(-0.5 * (fold / 0.022) ** 2)
        )

    @cached_property
    def landmarks(self) -> NDArray[np.float64]:
        """The 81 landmarks of the resting face, `(81, 2)`, face units."""
        i = self.identity
        right = _right_half(self)
        left = {name: (points * (-1, 1))[::-1] for name, points in right.items()}
        bridge = np.stack([np.zeros(4), np.linspace(i.eye_y - 0.01, i.nose_length - 0.07, 4)], 1)
        base = np.array([(-0.8, -0.02), (-0.42, 0.012), (0, 0.03), (0.42, 0.012), (0.8, -0.02)])
        base = base * (i.nose_width, 1) + (0, i.nose_length)
        jaw_y = np.array([0.02, 0.17, 0.32, 0.46, 0.60, 0.73, 0.845, 0.935]) * i.face_length
        jaw = np.stack([-self._width(jaw_y), jaw_y], 1)
        jaw = np.concatenate([jaw, [(0, i.face_length)], (jaw * (-1, 1))[::-1]])
        x = np.linspace(-0.86, 0.86, 13) * i.forehead_width
        forehead = np.stack([x, i.hairline + 0.03 + 0.34 * (np.abs(x) / i.forehead_width) ** 2.4], 1)
        return np.concatenate([jaw, left["brow"], right["brow"], bridge, base, _eye_order(left["eye"], True),
                               _eye_order(right["eye"], False), _lips(i), forehead])  # fmt: skip


def brow_curve(identity: Identity, t: NDArray) -> NDArray:
    """Points on the right brow's middle line for `t` 0 (inner end) to 1 (outer end), `(n, 2)`."""
    i = identity
    x = i.eye_x - 0.60 * i.brow_length + 1.45 * i.brow_length * t
    y = i.brow_y + 0.012 - i.brow_arch * np.sin(np.pi * np.clip(t, 0, 1) ** 1.25) + 0.035 * np.clip(t - 0.62, 0, 1)
    return np.stack([x, y], axis=-1)


def lid_curves(identity: Identity, e: NDArray) -> tuple[NDArray, NDArray]:
    """Upper and lower lid of an open eye over `e` = -1 (inner corner) to 1 (outer), in units of the eye's half width."""
    arc = np.sqrt(np.maximum(1 - e * e, 0))
    upper = -identity.eye_height * 1.16 * arc**1.15 * (1 + 0.12 * e)
    lower = 0.48 * identity.eye_height * arc**1.4 * (1 + 0.18 * e)
    return upper, lower


def eye_point(identity: Identity, e: NDArray, v: NDArray) -> NDArray:
    """From eye coordinates (half widths, right eye, x outwards) to face units."""
    c, s = np.cos(identity.eye_tilt), np.sin(identity.eye_tilt)
    a = identity.eye_width
    return np.stack([identity.eye_x + a * (c * e + s * v), identity.eye_y + a * (c * v - s * e)], axis=-1)


def _right_half(shape: HeadShape) -> dict[str, NDArray]:
    i = shape.identity
    e = np.array([-1, -0.38, 0.38, 1, 0.38, -0.38])
    upper, lower = lid_curves(i, e)
    v = np.array([0, upper[1], upper[2], 0, lower[4], lower[5]])
    return {"eye": eye_point(i, e, v), "brow": brow_curve(i, np.linspace(0.02, 0.98, 5))}


def _eye_order(points: NDArray, mirrored: bool) -> NDArray:
    # iBUG starts at the left corner of the eye in the picture and continues along the upper lid.
    return points[[2, 3, 4, 5, 0, 1]] if mirrored else points


def _lips(i: Identity) -> NDArray:
    w, m = i.mouth_width, i.mouth_y
    upper_x = w * np.array([-1, -0.6, -0.2, 0, 0.2, 0.6, 1])
    lower_x = w * np.array([0.62, 0.27, 0, -0.27, -0.62])
    outer = np.concatenate(
        [np.stack([upper_x, lip_edges(i, upper_x)[0]], 1), np.stack([lower_x, lip_edges(i, lower_x)[1]], 1)]
    )
    inner_x = w * np.array([-0.9, -0.35, 0, 0.35, 0.9, 0.35, 0, -0.35])
    return np.concatenate([outer, np.stack([inner_x, np.full(8, m)], 1)])


def lip_edges(i: Identity, x: NDArray) -> tuple[NDArray, NDArray]:
    """Upper and lower border of the closed lips at `x`, face units; both meet at the corners."""
    t = np.clip(np.abs(x) / i.mouth_width, 0, 1)
    bow = 1 - 0.16 * np.exp(-0.5 * (t / 0.10) ** 2)
    upper = i.mouth_y - i.upper_lip * 1.06 * np.clip(1 - t**1.55, 0, 1) ** 0.85 * bow
    lower = i.mouth_y + i.lower_lip * np.clip(1 - t**2.2, 0, 1) ** 0.75
    return upper, lower
