"""Motion of a talking head: pose, expression and light over time, each a smooth random track."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dfworkbench.synthetic.noise import smooth_track

UNIT_SHARE = 0.305  #: a face unit in frames of side 1: the distance from eyes to chin


@dataclass(frozen=True)
class Pose:
    """Pose of the head in one frame.

    Attributes:
        yaw: Radians, positive turns the nose to the right of the picture.
        pitch: Radians, positive lowers the nose.
        roll: Radians, clockwise in the picture.
        x, y: Position of the point between the eyes, pixels of the frame.
        scale: Pixels per face unit.
    """

    yaw: float
    pitch: float
    roll: float
    x: float
    y: float
    scale: float

    def rotation(self) -> NDArray[np.float64]:
        """The 3 x 3 matrix from face to camera axes (x right, y down, z to the viewer)."""
        cy, sy = np.cos(self.yaw), np.sin(self.yaw)
        cp, sp = np.cos(self.pitch), np.sin(self.pitch)
        cr, sr = np.cos(self.roll), np.sin(self.roll)
        yaw = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
        pitch = np.array([[1, 0, 0], [0, cp, sp], [0, -sp, cp]])
        roll = np.array([[cr, -sr, 0], [sr, cr, 0], [0, 0, 1]])
        return roll @ pitch @ yaw


@dataclass(frozen=True)
class Expression:
    """Expression of the face in one frame; lengths in face units, the rest 0..1 or -1..1.

    Attributes:
        jaw: How far apart the lips are, 0..0.2.
        smile: -0.5..1.
        pucker: -0.5..1.
        brow: Raised brows, -0.5..1.
        blink: 0 open eyes, 1 closed.
        gaze: Gaze direction, half eye widths to the right and down.
    """

    jaw: float = 0.0
    smile: float = 0.0
    pucker: float = 0.0
    brow: float = 0.0
    blink: float = 0.0
    gaze: tuple[float, float] = (0.0, 0.0)


@dataclass(frozen=True)
class Light:
    """Light in one frame, linear RGB.

    Attributes:
        direction: Unit vector from the face to the main light, camera axes.
        key: Colour and strength of the main light.
        ambient: Colour and strength of the ambient light, slightly stronger from above.
    """

    direction: tuple[float, float, float]
    key: tuple[float, float, float]
    ambient: tuple[float, float, float]

    def vector(self) -> NDArray[np.float64]:
        """The direction as an array of length 1."""
        v = np.array(self.direction)
        return v / np.linalg.norm(v)


@dataclass(frozen=True)
class Motion:
    """Pose, expression and light of every frame of a clip."""

    poses: list[Pose]
    expressions: list[Expression]
    lights: list[Light]


def draw_motion(rng: np.random.Generator, frames: int, fps: float, size_px: int, liveliness: float = 1.0) -> Motion:
    """Draw a random talking head in a square frame of `size_px`; `liveliness` scales its movements."""
    poses = _draw_poses(rng, frames, fps, size_px, liveliness)
    return Motion(poses, _draw_expressions(rng, frames, fps), _draw_lights(rng, frames, fps))


def _draw_poses(rng: np.random.Generator, frames: int, fps: float, size_px: int, liveliness: float) -> list[Pose]:
    def track(period_s: float) -> NDArray:
        return liveliness * smooth_track(rng, frames, fps, period_s)

    rest = rng.normal(0, [0.13, 0.05, 0.03])
    yaw = np.clip(rest[0] + 0.10 * track(1.6), -0.36, 0.36)
    pitch = np.clip(rest[1] + 0.06 * track(1.3), -0.20, 0.20)
    roll = np.clip(rest[2] + 0.045 * track(1.9), -0.17, 0.17)
    scale = UNIT_SHARE * size_px * rng.uniform(0.90, 1.10) * (1 + 0.02 * track(3.0))
    x = size_px * (0.5 + rng.uniform(-0.05, 0.05) + 0.012 * track(1.7)) - 0.10 * scale * yaw
    y = size_px * (0.42 + rng.uniform(-0.03, 0.03) + 0.008 * track(1.4))
    return [
        Pose(*map(float, row)) for row in zip(yaw, pitch, roll, x, y, np.broadcast_to(scale, (frames,)), strict=True)
    ]


def _draw_expressions(rng: np.random.Generator, frames: int, fps: float) -> list[Expression]:
    def track(period_s: float) -> NDArray:
        return smooth_track(rng, frames, fps, period_s)

    time = np.arange(frames) / fps
    syllables = 0.5 + 0.5 * np.sin(2 * np.pi * time * rng.uniform(2.6, 3.8) + 1.5 * track(0.9) + rng.uniform(0, 6))
    talking = np.clip(0.65 + 0.55 * track(1.4), 0, 1)
    jaw = np.clip(0.125 * syllables**1.3 * talking + rng.uniform(-0.01, 0.012), 0, 0.16)
    smile = np.clip(rng.normal(0.22, 0.25) + 0.22 * track(1.6), -0.4, 1)
    pucker = np.clip(0.3 * track(0.5) * talking - 0.1, -0.4, 0.8)
    brow = np.clip(rng.normal(0.05, 0.15) + 0.3 * track(1.1), -0.5, 1)
    gaze = np.stack([0.16 * np.tanh(2 * track(1.2)), 0.06 * np.tanh(2 * track(1.5))], 1)
    blink = _blinks(rng, time)
    return [
        Expression(float(j), float(s), float(p), float(b), float(k), (float(g[0]), float(g[1])))
        for j, s, p, b, k, g in zip(jaw, smile, pucker, brow, blink, gaze, strict=True)
    ]


def _triple(values: NDArray) -> tuple[float, float, float]:
    r, g, b = (float(v) for v in values)
    return r, g, b


def _blinks(rng: np.random.Generator, time: NDArray) -> NDArray:
    starts = np.cumsum(rng.uniform(0.9, 3.2, 64)) - 1.0
    starts = starts[starts < time[-1] + 1] if len(time) else starts
    closed = np.zeros_like(time)
    for start in starts:
        phase = (time - start) / 0.22
        closed = np.maximum(closed, np.where((phase > 0) & (phase < 1), np.sin(np.pi * np.clip(phase, 0, 1)) ** 1.5, 0))
    return np.clip(closed * 1.1, 0, 1)


def _draw_lights(rng: np.random.Generator, frames: int, fps: float) -> list[Light]:
    azimuth = rng.uniform(-0.95, 0.95) + 0.10 * smooth_track(rng, frames, fps, 3.0)
    height = rng.uniform(0.25, 0.75) + 0.05 * smooth_track(rng, frames, fps, 3.5)
    strength = rng.uniform(0.80, 1.10) * (1 + 0.035 * smooth_track(rng, frames, fps, 2.2))
    warm = rng.normal(0, 0.07)
    key = np.array([1 + warm, 1.0, 1 - 1.3 * warm]) * 0.98
    level = rng.uniform(0.17, 0.36)
    cool = rng.normal(0.02, 0.04)
    ambient = np.array([1 - cool, 1.0, 1 + 1.4 * cool]) * level
    lights = []
    for a, h, s in zip(azimuth, height, strength, strict=True):
        direction = (float(np.sin(a) * np.cos(h)), float(-np.sin(h)), float(np.cos(a) * np.cos(h)))
        lights.append(Light(direction, _triple(key * s), _triple(ambient * (0.6 + 0.4 * s))))
    return lights
