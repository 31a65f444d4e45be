"""Surroundings of the head: background, shoulders with clothes and neck, and hair hanging behind."""

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import PchipInterpolator

from dfworkbench.synthetic.hair import back_hair_width
from dfworkbench.synthetic.head import Head
from dfworkbench.synthetic.motion import Light, Pose
from dfworkbench.synthetic.noise import Field, fractal_noise, smooth_noise, smoothstep

Layer = NDArray[np.floating]  #: `(H, W, 4)`: linear RGB and coverage

BODY_X, BODY_Y, BODY_W, BODY_H = -2.4, 0.2, 4.8, 2.4  #: the body's canvas, face units
BACK_X, BACK_Y, BACK_W, BACK_H = -1.3, -1.5, 2.6, 3.6


def paint_background(rng: np.random.Generator, size_px: int) -> NDArray[np.floating]:
    """Paint an out-of-focus room, `(size, size, 3)` linear light."""
    y, x = np.mgrid[0:size_px, 0:size_px].astype(np.float32) / size_px
    tone = rng.uniform(0.12, 0.85) * (1 + rng.normal(0, 0.10, 3))
    wall = np.empty((size_px, size_px, 3), np.float32)
    wall[:] = np.clip(tone, 0.05, 0.95)
    wall *= (1 + rng.uniform(-0.3, 0.3) * (x - 0.5) + rng.uniform(-0.3, 0.3) * (y - 0.5))[..., None]
    for _ in range(int(rng.integers(2, 9))):
        _paint_thing(rng, wall, size_px)
    for _ in range(int(rng.integers(0, 9)) if rng.random() < 0.4 else 0):
        at, radius = rng.uniform(0, size_px, 2), rng.uniform(0.01, 0.035) * size_px
        glow = np.clip(tone + rng.uniform(0.2, 0.6, 3), 0, 1)
        cv2.circle(wall, (int(at[0]), int(at[1])), int(radius) + 1, glow.tolist(), -1, cv2.LINE_AA)
    wall = cv2.GaussianBlur(wall, (0, 0), rng.uniform(0.006, 0.035) * size_px)
    wall *= 1 + 0.02 * fractal_noise(rng, (size_px, size_px), size_px / 6, 4)[..., None]
    return np.clip(wall, 0.02, 1) ** 2


def _paint_thing(rng: np.random.Generator, wall: NDArray, size_px: int) -> None:
    """Paint a picture frame, a shelf, a window or a plant, in place."""
    colour = np.clip(rng.uniform(0.1, 0.9) * (1 + rng.normal(0, 0.22, 3)), 0.03, 0.97)
    x0, y0 = rng.uniform(-0.2, 0.9, 2) * size_px
    width, height = rng.uniform(0.06, 0.5, 2) * size_px
    kind = rng.random()
    if kind < 0.65:
        corners = np.array([[x0, y0], [x0 + width, y0], [x0 + width, y0 + height], [x0, y0 + height]], np.int32)
        cv2.fillPoly(wall, [corners], colour.tolist(), cv2.LINE_AA)
        if kind < 0.25:
            cv2.polylines(wall, [corners], True, (colour * 0.4).tolist(), max(1, size_px // 90), cv2.LINE_AA)
    else:
        for _ in range(12):
            at = (int(x0 + rng.normal(0, 0.5) * width), int(y0 + rng.normal(0, 0.5) * height))
            leaf = np.clip(colour * rng.uniform(0.6, 1.3), 0, 1).tolist()
            axes = (max(1, int(0.25 * width)), max(1, int(0.08 * width)))
            cv2.ellipse(wall, at, axes, float(rng.uniform(0, 180)), 0, 360, leaf, -1, cv2.LINE_AA)


class Body:
    """Neck, shoulders, clothes and back hair of one identity, painted once on canvases of `px_per_unit`."""

    def __init__(self, head: Head, px_per_unit: float) -> None:
        self.px = px_per_unit
        rng = np.random.default_rng((head.identity.seed, 104))
        self.torso = self._paint_torso(head, rng)
        self.back = self._paint_back(head, rng)

    def _grid(self, x0: float, y0: float, width: float, height: float) -> tuple[Field, Field]:
        columns, rows = round(width * self.px), round(height * self.px)
        x = x0 + (np.arange(columns, dtype=np.float32) + 0.5) / self.px
        y = y0 + (np.arange(rows, dtype=np.float32) + 0.5) / self.px
        return np.meshgrid(x, y)

    def _paint_torso(self, head: Head, rng: np.random.Generator) -> Layer:
        i = head.identity
        x, y = self._grid(BODY_X, BODY_Y, BODY_W, BODY_H)
        side = np.abs(x)
        neck_w = 0.40 + 0.09 * i.masculine
        slope = PchipInterpolator(
            [0.2, 0.95, 1.12, 1.25, 1.42, 1.75, 2.7], [neck_w, neck_w, neck_w + 0.05, 0.78, 1.30, 1.62, 1.85]
        )
        width = slope(y[:, 0]).astype(np.float32)[:, None] * (0.95 + 0.05 * i.masculine)
        alpha = smoothstep(-0.012, 0.012, width - side)
        skin = np.array(i.skin, np.float32) * (1 + 0.02 * fractal_noise(rng, x.shape, 0.2 * self.px, 4))[..., None]
        round_ = np.sqrt(np.maximum(1 - np.minimum(side / (neck_w * 1.08), 1) ** 2, 0.02))
        light = 0.55 + 0.45 * np.where(y < 1.2, round_, 1)
        light = light * (1 - 0.50 * np.exp(-0.5 * ((y - 0.80) / 0.22) ** 2))
        light = light * (1 - 0.14 * np.exp(-0.5 * ((side - 0.13 - 0.25 * (1.25 - y)) / 0.03) ** 2) * (y > 0.9))
        cloth, covered, fold = self._cloth(head, rng, x, y, side, neck_w)
        albedo = skin * (1 - covered[..., None]) + cloth * covered[..., None]
        light = (
            light * (1 - covered)
            + covered * (0.55 + 0.35 * np.sqrt(np.maximum(1 - (side / (width + 0.1)) ** 2, 0))) * fold
        )
        return np.dstack([(np.clip(albedo, 0.01, 1) ** 2) * light[..., None], alpha]).astype(np.float32)

    def _cloth(self, head, rng, x, y, side, neck_w) -> tuple[NDArray, Field, Field]:
        i = head.identity
        cloth = np.empty((*x.shape, 3), np.float32)
        cloth[:] = i.cloth
        weave = smooth_noise(rng, x.shape, 0.018 * self.px)
        cloth *= (1 + 0.035 * weave)[..., None]
        fold = 1 + 0.09 * fractal_noise(rng, x.shape, 0.35 * self.px, 3)
        crew = 1.10 + 0.16 * np.maximum(1 - (side / (neck_w + 0.12)) ** 2, 0)
        if i.cloth_style == "v-neck":
            crew = 1.08 + 0.55 * np.maximum(1 - side / (neck_w + 0.05), 0)
        elif i.cloth_style in ("shirt", "jacket"):
            crew = 0.98 + 0.50 * np.maximum(1 - side / (neck_w + 0.02), 0)
            collar = smoothstep(0.02, -0.02, np.abs(y - crew - 0.09) - 0.085) * (side < neck_w + 0.25)
            shirt = (
                np.array([0.85, 0.86, 0.88], np.float32)
                if i.cloth_style == "jacket"
                else np.array(i.cloth, np.float32) * 1.12
            )
            if i.cloth_style == "jacket":
                lapel = smoothstep(0.01, -0.01, side - (0.12 + 0.30 * np.maximum(1.75 - y, 0)))
                cloth += (shirt - cloth) * lapel[..., None]
            cloth += (shirt - cloth) * collar[..., None]
            fold = fold * (1 - 0.3 * np.exp(-0.5 * ((y - crew - 0.19) / 0.015) ** 2) * (side < neck_w + 0.25))
            fold = fold * (1 - 0.25 * np.exp(-0.5 * (x / 0.012) ** 2))
        covered = smoothstep(-0.012, 0.012, y - crew)
        fold = fold * (1 - 0.25 * np.exp(-0.5 * ((y - crew) / 0.02) ** 2))
        return cloth, covered, fold

    def _paint_back(self, head: Head, rng: np.random.Generator) -> Layer | None:
        x, y = self._grid(BACK_X, BACK_Y, BACK_W, BACK_H)
        width = back_hair_width(head.shape, y[:, 0])
        if width is None:
            return None
        streak = cv2.GaussianBlur(smooth_noise(rng, x.shape, 0.03 * self.px), (0, 0), sigmaX=0.5, sigmaY=0.15 * self.px)
        streak /= streak.std()
        alpha = smoothstep(-0.02, 0.02, width[:, None] - np.abs(x) + 0.012 * streak)
        tone = np.array(head.identity.hair, np.float32) * (0.50 + 0.12 * streak)[..., None]
        return np.dstack([np.clip(tone, 0.01, 1) ** 2, alpha]).astype(np.float32)

    def lay_back(self, frame: NDArray, pose: Pose, light: Light) -> None:
        """Draw the hair behind the neck into `frame`, in place."""
        if self.back is not None:
            self._lay(frame, self.back, pose, (BACK_X, BACK_Y), light, turn=0.75, lean=-0.30)

    def lay_torso(self, frame: NDArray, pose: Pose, light: Light) -> None:
        """Draw neck and shoulders into `frame`, in place; they follow the head's rotation only slightly."""
        self._lay(frame, self.torso, pose, (BODY_X, BODY_Y), light, turn=0.30, lean=-0.15)

    def _lay(self, frame, layer, pose, origin, light, turn, lean) -> None:
        c, s = np.cos(turn * pose.roll), np.sin(turn * pose.roll)
        k = pose.scale / self.px
        shift = (pose.x + lean * pose.scale * pose.yaw, pose.y + lean * 0.6 * pose.scale * pose.pitch)
        ox, oy = (origin[0] * pose.scale, origin[1] * pose.scale)
        matrix = np.array([[k * c, -k * s, c * ox - s * oy + shift[0]], [k * s, k * c, s * ox + c * oy + shift[1]]])
        size = frame.shape[1], frame.shape[0]
        drawn = cv2.warpAffine(layer, matrix, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT)
        side = light.vector()[0]
        level = np.array(light.ambient) + np.array(light.key) * (0.62 * light.vector()[2] + 0.15)
        ramp = 1 + 0.35 * side * (np.arange(size[0], dtype=np.float32) - pose.x) / (1.6 * pose.scale)
        rgb = drawn[..., :3] * level.astype(np.float32) * np.clip(ramp, 0.5, 1.5).astype(np.float32)[None, :, None]
        frame += (rgb - frame) * drawn[..., 3:]
