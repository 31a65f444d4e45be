"""Skin of a head: albedo, fine relief and gloss on the canonical canvas of `shape.HeadShape`.

Output colours are in linear light (sRGB squared, a gamma of 2), because shading multiplies.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from dfworkbench.synthetic.noise import Field, bump, fractal_noise, smooth_noise, smoothstep
from dfworkbench.synthetic.shape import X0, Y0, HeadShape, brow_curve, lip_edges


@dataclass
class Surface:
    """Surface properties at each pixel of the canvas.

    Attributes:
        albedo: Linear light, `(S, S, 3)`, 0..1.
        alpha: Coverage of the head, `(S, S)`, 0..1.
        relief: Fine height added to the shape for shading only, face units.
        gloss: Strength of the highlight, about 0..1.
        shade: Share of light that reaches the surface (ambient occlusion), 0..1.
    """

    albedo: NDArray[np.floating]
    alpha: Field
    relief: Field
    gloss: Field
    shade: Field


def paint_skin(shape: HeadShape) -> Surface:
    """Paint skin, lips, brows, nostrils, beard and ears of one identity; eyes and the open mouth are drawn per frame."""
    rng = np.random.default_rng((shape.identity.seed, 102))
    albedo = _complexion(shape, rng)
    relief = _relief(shape, rng)
    gloss = _gloss(shape)
    shade = _occlusion(shape)
    alpha = np.maximum(shape.head_mask, _ears(shape, albedo, shade))
    lips = _paint_lips(shape, rng, albedo, relief, gloss)
    _paint_nostrils(shape, albedo, shade)
    _paint_beard(shape, rng, albedo, relief, gloss, lips)
    _paint_brows(shape, rng, albedo, relief)
    return Surface(np.clip(albedo, 0.002, 1) ** 2, alpha, relief, gloss, shade)


def _tint(albedo: NDArray, factor: tuple[float, float, float], amount: Field) -> None:
    """Multiply the colour by `factor` where `amount` is 1, in place."""
    albedo *= 1 + (np.array(factor, np.float32) - 1) * np.clip(amount, 0, 1)[..., None]


def _mix(albedo: NDArray, colour: NDArray | tuple[float, float, float], amount: Field) -> None:
    """Replace the colour where `amount` is 1, in place."""
    albedo += (np.asarray(colour, np.float32) - albedo) * np.clip(amount, 0, 1)[..., None]


def _complexion(shape: HeadShape, rng: np.random.Generator) -> NDArray[np.floating]:
    i, x, y, px = shape.identity, shape.x, shape.y, shape.px_per_unit
    side, grid = np.abs(x), (shape.size, shape.size)
    albedo = np.empty((*grid, 3), np.float32)
    albedo[:] = i.skin
    blood = 0.6 * bump(side, y, (0.42, 0.28), (0.17, 0.15)) + 0.55 * bump(x, y, (0, i.nose_length - 0.05), (0.11, 0.10))
    blood += 0.35 * bump(x, y, (0, 0.9), (0.16, 0.1)) + 0.14 * fractal_noise(rng, grid, 0.28 * px, 4)
    _tint(albedo, (1.02, 0.83, 0.82), blood * i.redness)
    _tint(albedo, (1.0, 1.0, 0.93), 0.7 * bump(x, y, (0, -0.5), (0.4, 0.2)))
    around = bump(side, y, (i.eye_x - 0.01, i.eye_y - 0.01), (0.15, 0.085)) + 0.8 * i.age * bump(
        side, y, (i.eye_x, i.eye_y + 0.12), (0.12, 0.05)
    )
    _tint(albedo, (0.90, 0.80, 0.82), (0.35 + 0.3 * (1 - i.masculine)) * around)
    _tint(albedo, (0.72, 0.69, 0.68), bump(side, y, (i.eye_x - 0.01, i.eye_y - 0.02), (0.15, 0.10)))
    _tint(albedo, (0.82, 0.80, 0.79), bump(side, y, (0.13, 0.2), (0.04, 0.18)))
    if i.masculine > 0.5:
        _tint(albedo, (0.93, 0.95, 0.97), 0.5 * bump(side, y, (0.30, 0.80), (0.30, 0.22)))
    mottle = fractal_noise(rng, grid, 0.11 * px, 5, 0.7)
    albedo *= 1 + 0.020 * mottle[..., None] * np.array([0.8, 1.1, 1.2], np.float32)
    albedo *= 1 + 0.022 * i.pores * smooth_noise(rng, grid, 0.018 * px)[..., None]
    if i.freckles > 0.1:
        spots = smoothstep(1.35, 2.1, smooth_noise(rng, grid, 0.030 * px)) * np.exp(-0.5 * ((y - 0.2) / 0.25) ** 2)
        _tint(albedo, (0.80, 0.66, 0.56), spots * min(i.freckles, 1.0))
    for _ in range(int(rng.integers(0, 4))):
        spot = (float(rng.uniform(-0.5, 0.5)), float(rng.uniform(-0.4, 0.85)))
        _tint(albedo, (0.55, 0.42, 0.38), 0.9 * bump(x, y, spot, (0.012, 0.012)))
    return albedo


def _relief(shape: HeadShape, rng: np.random.Generator) -> Field:
    """Pores, fine lines and wrinkles."""
    i, x, y, px = shape.identity, shape.x, shape.y, shape.px_per_unit
    grid, side = (shape.size, shape.size), np.abs(shape.x)
    pores = smooth_noise(rng, grid, 0.016 * px) + 0.8 * smooth_noise(rng, grid, 0.032 * px)
    relief = 0.00070 * i.pores * pores + 0.0008 * fractal_noise(rng, grid, 0.12 * px, 3)
    wobble = 0.012 * smooth_noise(rng, grid, 0.3 * px)
    lines = sum(np.exp(-0.5 * ((y + wobble - at) / 0.011) ** 2) for at in (-0.54, -0.45, -0.36))
    relief -= 0.007 * i.age * lines * np.exp(-0.5 * (x / 0.28) ** 4) * (1 + 0.4 * smooth_noise(rng, grid, 0.2 * px))
    outer = i.eye_x + i.eye_width
    feet = np.cos((y - i.eye_y - 0.01) / (0.035 + 0.25 * np.maximum(side - outer, 0)) * np.pi)
    relief += 0.004 * i.age * feet * bump(side, y, (outer + 0.07, i.eye_y + 0.01), (0.045, 0.07))
    return relief.astype(np.float32)


def _gloss(shape: HeadShape) -> Field:
    i, x, y = shape.identity, shape.x, shape.y
    zone = 0.35 + 0.5 * bump(x, y, (0, -0.45), (0.3, 0.16)) + 0.7 * bump(x, y, (0, i.nose_length - 0.08), (0.06, 0.16))
    zone += 0.35 * bump(np.abs(x), y, (0.40, 0.15), (0.13, 0.09)) + 0.25 * bump(x, y, (0, 0.9), (0.1, 0.06))
    return (i.gloss * zone).astype(np.float32)


def _occlusion(shape: HeadShape) -> Field:
    z, px = shape.height, shape.px_per_unit
    inside = cv2.GaussianBlur(shape.head_mask, (0, 0), 0.08 * px) + 1e-3
    shade = np.ones_like(z)
    for sigma, strength in ((0.10, 2.6), (0.045, 3.2)):
        around = cv2.GaussianBlur(z, (0, 0), sigma * px)
        shade -= strength * np.maximum(around - z, 0) * np.clip(inside, 0, 1)
    # hair and ears shade the rim of the face
    shade *= 0.30 + 0.70 * smoothstep(
        0.50, 0.97, np.asarray(cv2.GaussianBlur(shape.head_mask, (0, 0), 0.07 * px), np.float32)
    )
    i, x, y = shape.identity, shape.x, shape.y
    # shadows under light from above: beneath the nose and the lower lip
    shade -= 0.20 * bump(x, y, (0, i.nose_length + 0.065), (0.10, 0.030))
    shade -= 0.10 * bump(x, y, (0, i.mouth_y + i.lower_lip + 0.04), (0.13, 0.03))
    return np.clip(shade, 0.25, 1).astype(np.float32)


def _ears(shape: HeadShape, albedo: NDArray, shade: Field) -> Field:
    side, y = np.abs(shape.x), shape.y
    at = shape.identity.cheek_width + 0.012
    u, v = (side - at - 0.14 * (0.1 - y)) / 0.082, (y - 0.10) / 0.205
    rho = np.sqrt(u * u + v * v * np.clip(1 + 0.25 * v, 0.5, 1.5))
    ear = smoothstep(1.03, 0.97, rho)
    beyond = ear * (1 - shape.head_mask)
    _tint(albedo, (1.0, 0.84, 0.80), beyond)
    shade *= 1 - beyond * (0.30 * smoothstep(0.75, 0.2, rho) + 0.18 * np.exp(-0.5 * ((rho - 0.62) / 0.1) ** 2) + 0.12)
    return ear


def _paint_lips(shape: HeadShape, rng: np.random.Generator, albedo: NDArray, relief: Field, gloss: Field) -> Field:
    i, x, y, px = shape.identity, shape.x, shape.y, shape.px_per_unit
    upper, lower = lip_edges(i, x)
    soft = 0.011
    within = (
        smoothstep(-soft, soft, y - upper)
        * smoothstep(-soft, soft, lower - y)
        * smoothstep(1.03, 0.93, np.abs(x) / i.mouth_width)
    )
    tone = np.array(i.lip, np.float32)
    _mix(albedo, tone, 0.88 * within)
    is_upper = within * smoothstep(0.01, -0.01, y - i.mouth_y)
    _tint(albedo, (0.86, 0.80, 0.82), is_upper)
    line = np.exp(-0.5 * ((y - i.mouth_y) / 0.009) ** 2) * smoothstep(1.08, 0.9, np.abs(x) / i.mouth_width)
    _tint(albedo, (0.45, 0.33, 0.33), 0.85 * line)
    stripes = smooth_noise(rng, (shape.size, shape.size), 0.016 * px)
    stripes = cv2.GaussianBlur(stripes, (0, 0), sigmaX=0.4, sigmaY=0.018 * px)
    stripes /= stripes.std() + 1e-6
    relief += (0.0011 * stripes * within).astype(np.float32)
    albedo *= (1 + 0.03 * stripes * within)[..., None]
    gloss += within * (0.55 if i.masculine < 0.5 else 0.15)
    return within


def _paint_nostrils(shape: HeadShape, albedo: NDArray, shade: Field) -> None:
    i, x, y = shape.identity, shape.x, shape.y
    at = (0.50 * i.nose_width, i.nose_length - 0.002)
    hole = bump(np.abs(x), y, at, (0.027, 0.012), -0.35)
    _tint(albedo, (0.30, 0.20, 0.19), 1.1 * hole)
    shade *= 1 - 0.55 * np.clip(hole, 0, 1)
    wing = np.exp(
        -0.5 * ((np.hypot(np.abs(x) - 0.75 * i.nose_width, (y - i.nose_length + 0.035) * 1.05) - 0.055) / 0.011) ** 2
    )
    wing *= smoothstep(0.72 * i.nose_width, 1.0 * i.nose_width, np.abs(x))
    shade *= 1 - 0.22 * wing


def _strokes(shape: HeadShape, roots: NDArray, tips: NDArray, width_px: float) -> Field:
    """Short hairs as anti-aliased lines, `(size, size)`, 0..1."""
    factor = 3
    canvas = np.zeros((shape.size * factor,) * 2, np.uint8)
    scale = shape.px_per_unit * factor * 16
    starts = np.round((roots - (X0, Y0)) * scale).astype(int)
    ends = np.round((tips - (X0, Y0)) * scale).astype(int)
    for start, end in zip(starts.tolist(), ends.tolist(), strict=True):
        cv2.line(canvas, start, end, 255, max(1, round(width_px * factor)), cv2.LINE_AA, 4)
    return cv2.resize(canvas, (shape.size, shape.size), interpolation=cv2.INTER_AREA).astype(np.float32) / 255


def _paint_brows(shape: HeadShape, rng: np.random.Generator, albedo: NDArray, relief: Field) -> None:
    i, count = shape.identity, 230
    t = np.sort(rng.uniform(0, 1, count))
    taper = np.minimum(1.0, 0.45 + 2.0 * t) * np.clip(1.2 * (1 - t) ** 0.8, 0.1, 1)
    root = brow_curve(i, t)
    root[:, 1] += i.brow_thickness * taper * rng.uniform(-0.55, 0.75, count)
    lean = np.interp(t, [0, 0.15, 0.5, 1], [1.45, 1.0, 0.45, -0.15]) + rng.normal(0, 0.16, count)
    length = rng.uniform(0.03, 0.062, count) * (0.7 + 0.5 * taper)
    tip = root + np.stack([np.cos(lean), -np.sin(lean)], 1) * length[:, None]
    hairs = np.zeros(shape.head_mask.shape, np.float32)
    for sign in (-1, 1):
        jitter = rng.normal(0, 0.004, (count, 2)) if sign < 0 else 0.0
        hairs = np.maximum(
            hairs, _strokes(shape, (root + jitter) * (sign, 1), (tip + jitter) * (sign, 1), 0.011 * shape.px_per_unit)
        )
    body = cv2.GaussianBlur(hairs, (0, 0), 0.016 * shape.px_per_unit)
    _mix(albedo, np.array(i.brow, np.float32), np.clip(0.50 * body + 0.55 * hairs, 0, 0.85))
    relief += 0.003 * hairs


def _paint_beard(
    shape: HeadShape, rng: np.random.Generator, albedo: NDArray, relief: Field, gloss: Field, lips: Field
) -> None:
    i, x, y = shape.identity, shape.x, shape.y
    if i.beard <= 0:
        return
    px, side = shape.px_per_unit, np.abs(shape.x)
    grain = smooth_noise(rng, x.shape, 0.016 * px)
    fine = cv2.GaussianBlur(smooth_noise(rng, x.shape, 0.012 * px), (0, 0), sigmaX=0.3, sigmaY=0.013 * px)
    fine /= fine.std()
    fine_edge = cv2.GaussianBlur(fine, (0, 0), 1.0)
    edge = 0.018 * smooth_noise(rng, x.shape, 0.05 * px) + 0.012 * fine_edge
    jaw = smoothstep(-0.08, 0.12, side - 0.30 - 0.55 * np.maximum(0.62 - y, 0) + edge) * smoothstep(
        0.12, 0.32, y + edge
    )
    chin = smoothstep(i.mouth_y + i.lower_lip + 0.035, i.mouth_y + i.lower_lip + 0.10, y + edge)
    upper, _ = lip_edges(i, x)
    moustache = smoothstep(0.012, 0.05, upper - y + 0.06 * (side / i.mouth_width) ** 2) * smoothstep(
        i.nose_length + 0.045, i.nose_length + 0.075, y + edge * 0.3
    ) * smoothstep(i.mouth_width + 0.09, i.mouth_width - 0.02, side)  # fmt: skip
    beside = bump(side, y, (i.mouth_width + 0.07, i.mouth_y + 0.05), (0.05, 0.14))
    zone = np.clip(np.maximum.reduce([jaw * smoothstep(0.1, 0.3, y), chin, moustache, beside]), 0, 1) * (1 - lips)
    hair = np.array(i.hair, np.float32)
    if i.beard < 0.3:
        dots = smoothstep(0.2, 1.4, grain)
        _mix(albedo, hair * 0.8, zone * i.beard * (0.55 + 1.1 * dots))
        return
    cover = zone * i.beard * np.clip(0.80 + 0.16 * fine, 0, 1)
    _mix(albedo, hair * 1.02, cover)
    albedo *= 1 + (0.12 * fine * zone)[..., None]
    relief += (0.004 * fine * zone).astype(np.float32)
    gloss *= 1 - 0.6 * zone
