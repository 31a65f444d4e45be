"""Hair: a front part that moves with the face, and a back part that hangs behind the neck."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from dfworkbench.synthetic.identity import Identity
from dfworkbench.synthetic.noise import Field, smooth_noise, smoothstep
from dfworkbench.synthetic.shape import SKULL_TOP, HeadShape


@dataclass(frozen=True)
class Style:
    """Parameters of a hairstyle: thickness, length, and what it leaves free.

    Attributes:
        volume: Thickness above the skull, face units.
        sides: Thickness beside the head.
        bottom: Lowest point beside the face (y); small values leave the ears free.
        fringe: How far hair falls over the forehead below the hairline.
        inner: How far the side curtains reach in over the cheek.
        strands: Strands over the width of the head.
        curl: 0 for straight strands, 1 for curls only.
    """

    volume: float
    sides: float
    bottom: float
    fringe: float
    inner: float
    strands: float
    curl: float = 0.0


STYLES = {
    "buzz": Style(0.035, 0.012, -0.02, 0.0, 0.0, 70, 0.8),
    "short": Style(0.13, 0.03, 0.02, 0.0, 0.0, 85, 0.25),
    "side part": Style(0.17, 0.045, 0.05, 0.05, 0.0, 75),
    "curly": Style(0.24, 0.13, 0.12, 0.06, 0.03, 30, 1.0),
    "long": Style(0.14, 0.12, 1.22, 0.09, 0.10, 70),
    "long parted": Style(0.13, 0.10, 1.22, 0.0, 0.08, 70),
    "bob": Style(0.15, 0.15, 0.80, 0.15, 0.11, 70),
    "tied back": Style(0.08, 0.015, 0.02, 0.0, 0.0, 85),
}


@dataclass
class Hair:
    """Front hair on the head's canvas: colour in linear light, coverage, height above 0 and relief for shading."""

    albedo: NDArray[np.floating]
    alpha: Field
    height: Field
    relief: Field


def grow_hair(shape: HeadShape) -> Hair:
    """Make the front hair of one identity."""
    i, style = shape.identity, STYLES[shape.identity.hair_style]
    rng = np.random.default_rng((i.seed, 103))
    strands = _strand_texture(shape, style, rng)
    alpha = _front_mask(shape, style, rng, strands)
    tone = np.array(i.hair, np.float32)
    shine = 0.80 + 0.20 * strands
    albedo = tone * np.clip(shine, 0.25, 1.7)[..., None]
    if i.hair_style == "buzz":
        albedo = 0.62 * albedo + 0.38 * np.array(i.skin, np.float32) * 0.8
    root = smoothstep(0.0, 0.20, shape.y - _hairline(i, style, shape.x))
    albedo *= (1 - 0.18 * root * smoothstep(0.9, 0.0, shape.y))[..., None]
    relief = (0.0035 + 0.010 * style.curl) * strands
    return Hair(
        np.clip(albedo, 0.004, 1).astype(np.float32) ** 2, alpha, _hair_height(shape, style), relief.astype(np.float32)
    )


def _outer_width(shape: HeadShape, style: Style, y: NDArray) -> NDArray:
    """Half width of the hair's outline at height `y`."""
    i = shape.identity
    top = SKULL_TOP - style.volume * i.hair_volume
    middle = -0.25
    rise = np.clip((middle - y) / (middle - top), 0, 1)
    dome = np.sqrt(1 - rise**2.2)
    hang = 1 + 0.22 * np.clip(y + 0.2, 0, 1.0) if style.bottom > 0.4 else 1.0
    return (i.cheek_width + 0.05 + style.sides * i.hair_volume) * dome * hang


def _hairline(i: Identity, style: Style, x: Field) -> Field:
    """Height of the hairline over `x`."""
    side = np.abs(x)
    line = i.hairline + 0.16 * (side / 0.55) ** 2.5
    recede = 0.10 * i.masculine * np.exp(-0.5 * ((side - 0.33) / 0.13) ** 2)
    line = line - recede
    if i.hair_style in ("side part", "long"):
        # the hair falls from the part to the other side
        sweep = np.clip((x - i.hair_part) * -np.sign(i.hair_part), -0.4, 0.9)
        line = line + style.fringe * (0.35 + 1.5 * np.clip(sweep, 0, 1))
    elif style.fringe:
        line = line + style.fringe * (1.7 if i.hair_style == "bob" else 1.0)
    return line


def _front_mask(shape: HeadShape, style: Style, rng: np.random.Generator, strands: Field) -> Field:
    i, x, y, px = shape.identity, shape.x, shape.y, shape.px_per_unit
    ragged = 0.022 * strands + 0.012 * smooth_noise(rng, x.shape, 0.05 * px)
    if style.curl > 0.5 and i.hair_style == "curly":
        ragged = ragged + 0.045 * smooth_noise(rng, x.shape, 0.11 * px)
    width = _outer_width(shape, style, y[:, 0])[:, None]
    inside = smoothstep(-0.012, 0.018, width - np.abs(x) + 0.45 * ragged)
    top = SKULL_TOP - style.volume * i.hair_volume
    inside *= smoothstep(top - 0.01, top + 0.03, y + 0.6 * ragged)
    soft = 0.035 if i.hair_style != "buzz" else 0.09
    above = smoothstep(soft, -soft, y - _hairline(i, style, x) + ragged)
    bare = np.where(y[:, 0] > 0.30, np.maximum(shape.width(y[:, 0]), 0.62 + 0.04 * y[:, 0]), shape.width(y[:, 0]))[
        :, None
    ]
    reach = style.inner * smoothstep(-0.45, 0.35, y) * smoothstep(1.6, 0.5, y)
    beside = smoothstep(-0.02, 0.035, np.abs(x) - bare + reach + 0.075 * smoothstep(0.05, -0.35, y) + 0.6 * ragged)
    beside *= smoothstep(style.bottom + 0.09, style.bottom - 0.05, y + (4.0 if style.bottom > 0.4 else 1.5) * ragged)
    return np.clip(inside * np.maximum(above, beside), 0, 1).astype(np.float32)


def _strand_texture(shape: HeadShape, style: Style, rng: np.random.Generator) -> Field:
    """Streaks along the strands, with mean about zero and unit standard deviation."""
    i, x, y = shape.identity, shape.x, shape.y
    width = np.maximum(_outer_width(shape, style, np.clip(y[:, 0], SKULL_TOP - 0.05, None)), 0.12)[:, None]
    part = i.hair_part * smoothstep(0.4, -0.6, y)
    across = (
        (x - part) / width
        + 0.03 * i.hair_wave * np.sin(7 * y + 3 * x)
        + 0.02 * smooth_noise(rng, x.shape, 0.35 * shape.px_per_unit)
    )
    if i.hair_style in ("side part", "short"):
        across = across + 0.55 * (y + 0.6) * -np.sign(i.hair_part)
    along = y + 0.3 * np.abs(x)
    total = np.zeros(x.shape, np.float32)
    for cells, stretch, weight in (
        (style.strands, 2.5, 1.0),
        (style.strands * 0.4, 1.5, 0.9),
        (style.strands * 2.1, 4.0, 0.6),
    ):
        table = rng.standard_normal((64, 512)).astype(np.float32)
        u = np.mod((across + 3) * cells, 508).astype(np.float32) + 1
        v = np.mod((along + 3) * stretch, 60).astype(np.float32) + 1
        total += weight * cv2.remap(table, u, v, cv2.INTER_CUBIC)
    total /= total.std()
    if style.curl:
        curls = smooth_noise(rng, x.shape, 0.065 * shape.px_per_unit) + 0.8 * smooth_noise(
            rng, x.shape, 0.03 * shape.px_per_unit
        )
        if i.hair_style == "buzz":
            curls = 0.5 * smooth_noise(rng, x.shape, 0.02 * shape.px_per_unit)
        total = (1 - style.curl) * total + style.curl * curls
    return total.astype(np.float32)


def _hair_height(shape: HeadShape, style: Style) -> Field:
    x, y = shape.x, shape.y
    a, b = 0.80 + style.sides, 1.0 + style.volume
    rho = np.sqrt((x / a) ** 2 + (np.minimum(y + 0.25, 0) / b) ** 2)
    dome = (0.80 + 0.3 * style.volume) * np.sqrt(np.maximum(1 - np.minimum(rho, 1) ** 2.4, 0))
    return np.asarray(cv2.GaussianBlur(dome.astype(np.float32), (0, 0), 0.03 * shape.px_per_unit), np.float32)


def back_hair_width(shape: HeadShape, y: NDArray) -> NDArray | None:
    """Half width of the hair behind the neck at height `y`, or None for styles that have none."""
    style = STYLES[shape.identity.hair_style]
    if style.bottom < 0.4:
        return None
    width = _outer_width(shape, style, y) - 0.02
    return width * np.sqrt(np.clip((style.bottom + 0.02 - y) / 0.10, 0, 1))
