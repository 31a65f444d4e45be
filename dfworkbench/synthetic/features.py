"""Eyes and the open mouth, drawn in each frame at the frame's own resolution, before shading."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dfworkbench.synthetic.expression import LOWER_SHARE, UPPER_SHARE, ExpressionFields, lids
from dfworkbench.synthetic.motion import Expression, Light
from dfworkbench.synthetic.noise import Field, smoothstep


@dataclass
class Fragment:
    """The sampled surface of a head in one frame; drawing functions modify it in place.

    Attributes:
        albedo: Linear light, `(H, W, 3)`.
        shade: Share of light that arrives, `(H, W)`.
        gloss: `(H, W)`.
        glint: Light added after shading (reflections in the eyes), `(H, W)`.
        x, y: Face units of each pixel, expression included, `(H, W)`.
        mouth_x, mouth_y: Face units with everything undone except the parting of the lips.
        pixel: Size of a pixel in face units.
    """

    albedo: NDArray[np.floating]
    shade: Field
    gloss: Field
    glint: Field
    x: Field
    y: Field
    mouth_x: Field
    mouth_y: Field
    pixel: float


def _square(colour: tuple[float, float, float]) -> NDArray[np.floating]:
    return np.array(colour, np.float32) ** 2


def _near(x: Field, y: Field, centre: tuple[float, float], reach: tuple[float, float]) -> tuple[slice, slice] | None:
    """Rows and columns of the pixels around a place on the face."""
    hit = (np.abs(x - centre[0]) < reach[0]) & (np.abs(y - centre[1]) < reach[1])
    rows, columns = np.flatnonzero(hit.any(1)), np.flatnonzero(hit.any(0))
    if not len(rows):
        return None
    return slice(int(rows[0]), int(rows[-1]) + 1), slice(int(columns[0]), int(columns[-1]) + 1)


def draw_eyes(f: Fragment, fields: ExpressionFields, e: Expression, light: Light) -> None:
    """Eyeballs, lids, lashes and creases of both eyes."""
    i = fields.identity
    for sign in (-1.0, 1.0):
        at = _near(f.x, f.y, (sign * i.eye_x, i.eye_y), (1.7 * i.eye_width, 1.25 * i.eye_width))
        if at is not None:
            _draw_eye(f, fields, e, light, sign, at)


def _draw_eye(
    f: Fragment, fields: ExpressionFields, e: Expression, light: Light, sign: float, at: tuple[slice, slice]
) -> None:
    i, a = fields.identity, fields.identity.eye_width
    dx, dy = sign * f.x[at] - i.eye_x, f.y[at] - i.eye_y
    c, s = np.cos(i.eye_tilt), np.sin(i.eye_tilt)
    t, v = (c * dx - s * dy) / a, (s * dx + c * dy) / a
    upper, lower = lids(fields, np.clip(t, -1, 1), e)
    soft = max(0.7 * f.pixel / a, 0.03)
    within = smoothstep(-soft, soft, v - upper) * smoothstep(-soft, soft, lower - v) * smoothstep(1.02, 0.97, np.abs(t))
    colour, glint = _eyeball(fields, e, light, sign, t, v, upper, f.pixel / a)
    albedo, shade = f.albedo[at], f.shade[at]
    span = smoothstep(1.12, 0.9, np.abs(t))
    crease = 0.30 * np.exp(-0.5 * ((v - upper * 1.05 + 0.30) / 0.055) ** 2) * span * (1 - 0.7 * e.blink)
    under = 0.16 * np.exp(-0.5 * ((v - lower - 0.10) / 0.06) ** 2) * span
    shade *= 1 - crease - under
    albedo += (colour - albedo) * within[..., None]
    f.gloss[at] *= 1 - 0.8 * within
    # the eyeball is shaded by its own curvature, not by the surrounding folds of skin
    shade += (1.0 - shade) * within
    lash = (0.80 - 0.25 * i.masculine) * np.exp(-0.5 * ((v - upper + 0.035) / (0.060 + 0.02 * (1 - i.masculine))) ** 2)
    lash *= smoothstep(1.16, 0.95, np.abs(t)) * (0.75 + 0.25 * t)
    lash += (
        (0.34 - 0.2 * i.masculine) * np.exp(-0.5 * ((v - lower - 0.03) / 0.05) ** 2) * smoothstep(1.1, 0.8, np.abs(t))
    )
    lash_colour = 0.6 * _square(i.brow) * 0.5
    albedo += (lash_colour - albedo) * np.clip(lash, 0, 1)[..., None]
    f.glint[at] += glint * within


def _eyeball(
    fields: ExpressionFields, e: Expression, light: Light, sign: float, t: Field, v: Field, upper: Field, pixel: float
) -> tuple[NDArray[np.floating], Field]:
    i = fields.identity
    px, py = t - sign * e.gaze[0], v + 0.09 - e.gaze[1]
    radius, soft = 0.45, max(pixel, 0.04)
    r = np.hypot(px, py) / radius
    angle = np.arctan2(py, px)
    white = np.empty((*t.shape, 3), np.float32)
    white[:] = _square((0.80, 0.77, 0.75))
    corner = np.clip(-t - 0.72, 0, 1) / 0.28
    white *= 1 - np.clip(corner, 0, 1)[..., None] * np.array([0.15, 0.55, 0.55], np.float32)
    white *= (1 - 0.40 * t * t)[..., None]
    fibres = 0.5 + 0.25 * np.sin(23 * angle + i.seed) + 0.25 * np.sin(41 * angle + 2.3 * i.seed)
    tone = (0.62 + 0.45 * fibres) * (1.0 + 0.35 * py / radius) * (
        1 - 0.55 * smoothstep(0.72, 1.0, r)
    ) + 0.25 * smoothstep(0.62, 0.42, r)
    iris = _square(i.iris) * tone[..., None]
    iris = iris * smoothstep(0.36, 0.36 + soft / radius, r)[..., None] + 0.004
    colour = white + (iris - white) * smoothstep(1 + soft / radius, 1 - soft / radius, r)[..., None]
    lid_shadow = 1 - 0.60 * np.exp(-0.5 * (np.maximum(v - upper, 0) / 0.15) ** 2)
    colour *= lid_shadow[..., None]
    towards = light.vector()
    gx, gy = px - 0.30 * radius * sign * towards[0] * 1.6, py - 0.45 * radius * towards[1]
    glint = 0.85 * smoothstep(0.105 + soft, 0.105 - soft * 0.5, np.hypot(gx, gy * 0.9))
    return colour, glint.astype(np.float32)


def draw_mouth(f: Fragment, fields: ExpressionFields, e: Expression) -> None:
    """Draw what is visible between parted lips: darkness, upper teeth, tongue."""
    i = fields.identity
    if e.jaw < 0.004:
        return
    at = _near(f.mouth_x, f.mouth_y, (0, i.mouth_y), (i.mouth_width, 0.25))
    if at is None:
        return
    x, y = f.mouth_x[at], f.mouth_y[at] - i.mouth_y
    opening = fields.opening(x, e.jaw)
    soft = max(0.8 * f.pixel, 0.006)
    gap = smoothstep(-soft, soft, y + UPPER_SHARE * opening) * smoothstep(-soft, soft, LOWER_SHARE * opening - y)
    gap *= smoothstep(0.0, 0.02, opening)
    inside = np.empty((*x.shape, 3), np.float32)
    inside[:] = _square((0.20, 0.075, 0.075))
    tongue = smoothstep(0.3, 0.9, y / np.maximum(LOWER_SHARE * opening, 1e-3)) * smoothstep(0.15, 0.05, np.abs(x))
    inside += (_square((0.50, 0.22, 0.22)) - inside) * (0.75 * tongue)[..., None]
    teeth = smoothstep(0.034 + soft, 0.034 - soft, y) * smoothstep(0.80, 0.55, np.abs(x) / i.mouth_width)
    gaps = 1 - 0.30 * np.exp(-0.5 * ((np.abs(np.mod(x + 0.026, 0.052) - 0.026)) / 0.004) ** 2)
    ivory = _square((0.80, 0.76, 0.70)) * (gaps * (1 - 2.2 * np.abs(x)))[..., None]
    inside += (np.clip(ivory, 0, 1) - inside) * (0.95 * teeth)[..., None]
    inside *= (0.50 + 0.50 * smoothstep(0.0, 0.05, y + UPPER_SHARE * opening))[..., None]
    f.albedo[at] += (inside - f.albedo[at]) * gap[..., None]
    f.shade[at] += (0.85 - f.shade[at]) * gap
    f.gloss[at] *= 1 - gap


def draw_glasses(fields: ExpressionFields, x: Field, y: Field, pixel: float) -> tuple[Field, Field]:
    """Draw frames and lenses on a plane in front of the face.

    Returns:
        Coverage of the frames, and reflectance of the lenses, both `(H, W)`, 0..1.
    """
    i, side = fields.identity, np.abs(x)
    half = (0.195, 0.165) if i.glasses == "round" else (0.205, 0.140)
    power = 2.0 if i.glasses == "round" else 4.5
    u, v = (side - i.eye_x - 0.005) / half[0], (y - i.eye_y - 0.035) / half[1]
    rho = (np.abs(u) ** power + np.abs(v) ** power) ** (1 / power)
    thick, soft = 0.016, max(0.8 * pixel, 0.005)
    distance = np.abs(rho - 1) * half[1]
    rim = smoothstep(thick + soft, thick - soft, distance)
    bridge = smoothstep(thick + soft, thick - soft, np.abs(y - i.eye_y + 0.01 + 0.06 * (1 - (side / 0.09) ** 2) * 0.6))
    bridge *= smoothstep(i.eye_x - half[0] + 0.02, i.eye_x - half[0], side)
    arms = smoothstep(thick + soft, thick - soft, np.abs(y - i.eye_y + 0.035 - 0.05 * (side - 0.5)))
    arms *= smoothstep(i.eye_x + half[0] - 0.02, i.eye_x + half[0], side) * smoothstep(0.74, 0.70, side)
    lens = smoothstep(1.0, 0.95, rho)
    streak = np.exp(-0.5 * ((u * 0.7 + v + 0.75) / 0.22) ** 2) * lens
    return np.maximum.reduce([rim, bridge, arms]), 0.10 * streak
