"""A head and its rendering in a pose: surface, height and expression fields."""

from dataclasses import dataclass, replace
from functools import cached_property

import cv2
import numpy as np
from numpy.typing import NDArray

from dfworkbench.synthetic.expression import ExpressionFields
from dfworkbench.synthetic.features import Fragment, draw_eyes, draw_glasses, draw_mouth
from dfworkbench.synthetic.hair import grow_hair
from dfworkbench.synthetic.identity import Identity
from dfworkbench.synthetic.motion import Expression, Light, Pose
from dfworkbench.synthetic.noise import Field
from dfworkbench.synthetic.shape import X0, Y0, HeadShape
from dfworkbench.synthetic.skin import paint_skin

PIVOT = np.array([0.0, 0.15, 0.30])  #: the point that stays fixed when the head turns, face units


@dataclass(frozen=True)
class View:
    """A window on the frame: `width` x `height` samples, `step` frame pixels apart, from frame pixel (x0, y0)."""

    width: int
    height: int
    x0: float = 0.0
    y0: float = 0.0
    step: float = 1.0

    def coordinates(self) -> tuple[Field, Field]:
        """Frame coordinates of every sample (0 is the centre of the frame's first pixel)."""
        u = self.x0 + (np.arange(self.width, dtype=np.float32) + 0.5) * self.step - 0.5
        v = self.y0 + (np.arange(self.height, dtype=np.float32) + 0.5) * self.step - 0.5
        return np.broadcast_to(u, (self.height, self.width)), np.broadcast_to(v[:, None], (self.height, self.width))


@dataclass
class Drawn:
    """A head rendered in a view.

    Attributes:
        rgb: Linear light, `(H, W, 3)`.
        alpha: Coverage, `(H, W)`, 0..1.
        cover: Coverage of the skin by hair and glasses, `(H, W)`, 0..1.
        x, y: Face units of each pixel, expression included, `(H, W)`; 0 far from the head.
    """

    rgb: NDArray[np.floating]
    alpha: Field
    cover: Field
    x: Field
    y: Field


class Head:
    """One identity's head; `size` is the side of its canvas in pixels."""

    def __init__(self, identity: Identity, size: int) -> None:
        self.identity = identity
        self.shape = HeadShape(identity, size)
        self.fields = ExpressionFields(self.shape)
        self._paint()

    def _paint(self) -> None:
        shape, px = self.shape, self.shape.px_per_unit
        skin, hair = paint_skin(shape), grow_hair(shape)
        # where there is no skin beneath, thin hair must not show skin colour
        cover = np.maximum(hair.alpha, 1 - skin.alpha)[..., None]
        soft = cv2.GaussianBlur(hair.alpha, (0, 0), 0.03 * px)
        albedo = skin.albedo + (hair.albedo - skin.albedo) * cover * (hair.alpha > 0.003)[..., None]
        alpha = np.maximum(skin.alpha, hair.alpha)
        self.height = np.ascontiguousarray(shape.height + (hair.height - shape.height) * soft)
        form = np.maximum(shape.height, 0) * (1 - soft) + (hair.height + 0.03) * soft
        relief = skin.relief * (1 - hair.alpha) + hair.relief * hair.alpha
        dx = cv2.Sobel(form + relief, cv2.CV_32F, 1, 0, scale=px / 8)
        dy = cv2.Sobel(form + relief, cv2.CV_32F, 0, 1, scale=px / 8)
        length = np.sqrt(1 + dx * dx + dy * dy)
        under = cv2.GaussianBlur(hair.alpha, (0, 0), 0.05 * px)
        shadow = 1 - 0.55 * np.clip(cv2.GaussianBlur(np.roll(under, int(0.03 * px), 0), (0, 0), 0.02 * px), 0, 1)
        shade = skin.shade * shadow * (1 - hair.alpha) + hair.alpha
        gloss = skin.gloss * (1 - hair.alpha) + 0.22 * hair.alpha
        self._textures: dict[tuple[str, float], NDArray[np.floating]] = {
            ("colour", 1.0): np.dstack([albedo, alpha]).astype(np.float32),
            ("surface", 1.0): np.dstack([-dx / length, -dy / length, shade, gloss]).astype(np.float32),
        }
        self._cover = hair.alpha

    @cached_property
    def mean_height(self) -> float:
        """Height of the middle of the face."""
        return float(self.height[self.shape.size // 2, self.shape.size // 2])

    def _canvas(self, x: NDArray, y: NDArray) -> tuple[NDArray[np.floating], NDArray[np.floating]]:
        px = np.float32(self.shape.px_per_unit)
        return (x - np.float32(X0)) * px - np.float32(0.5), (y - np.float32(Y0)) * px - np.float32(0.5)

    def locate(self, pose: Pose, view: View) -> tuple[Field, Field]:
        """The point of the face, in face units, seen at each sample of a view."""
        rotation = pose.rotation()
        inverse = np.linalg.inv(rotation[:2, :2])
        u, v = view.coordinates()
        u, v = (u - np.float32(pose.x)) / np.float32(pose.scale), (v - np.float32(pose.y)) / np.float32(pose.scale)
        u, v = u - np.float32(PIVOT[0]), v - np.float32(PIVOT[1])
        qx = (inverse[0, 0] * u + inverse[0, 1] * v + PIVOT[0]).astype(np.float32)
        qy = (inverse[1, 0] * u + inverse[1, 1] * v + PIVOT[1]).astype(np.float32)
        lean = (inverse @ rotation[:2, 2]).astype(np.float32)
        z = np.full(qx.shape, self.mean_height, np.float32)
        for _ in range(5):
            x, y = qx - lean[0] * (z - np.float32(PIVOT[2])), qy - lean[1] * (z - np.float32(PIVOT[2]))
            found = cv2.remap(self.height, *self._canvas(x, y), cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT)
            z = 0.3 * z + 0.7 * found
        return qx - lean[0] * (z - np.float32(PIVOT[2])), qy - lean[1] * (z - np.float32(PIVOT[2]))

    def project(self, points: NDArray, pose: Pose, z: NDArray | None = None) -> NDArray[np.float64]:
        """Project points on the face, `(n, 2)` in face units, to frame pixels."""
        if z is None:
            canvas = self._canvas(*points.astype(np.float32).T[:, :, None])
            z = cv2.remap(self.height, *canvas, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)[:, 0]
        solid = np.column_stack([points, z]) - PIVOT
        flat = solid @ pose.rotation()[:2].T + PIVOT[:2]
        return flat * pose.scale + (pose.x, pose.y)

    def landmarks(self, pose: Pose, expression: Expression) -> NDArray[np.float64]:
        """The 81 landmarks (layout: `shape`) in frame pixels, `(81, 2)`."""
        return self.project(self.fields.move(self.shape.landmarks, expression), pose)

    def draw(self, pose: Pose, expression: Expression, light: Light, view: View, *, glasses: bool = True) -> Drawn:
        """Render the head in a pose, with an expression, under a light."""
        rows, columns = _window(pose, view)
        part = replace(view, width=columns.stop - columns.start, height=rows.stop - rows.start,
                       x0=view.x0 + columns.start * view.step, y0=view.y0 + rows.start * view.step)  # fmt: skip
        drawn = self._draw(pose, expression, light, part, glasses)
        size = (view.height, view.width)
        whole = Drawn(np.zeros((*size, 3), np.float32), *(np.zeros(size, np.float32) for _ in range(4)))
        for name in ("rgb", "alpha", "cover", "x", "y"):
            getattr(whole, name)[rows, columns] = getattr(drawn, name)
        return whole

    def _draw(self, pose: Pose, expression: Expression, light: Light, view: View, glasses: bool) -> Drawn:
        x, y = self.locate(pose, view)
        rest_x, rest_y, mouth_x, mouth_y = self.fields.to_rest(x, y, expression)
        canvas = self._canvas(rest_x, rest_y)
        canvas = (canvas[0].astype(np.float32), canvas[1].astype(np.float32))
        colour, surface = self._sample("colour", canvas, view, pose), self._sample("surface", canvas, view, pose)
        cover = np.asarray(
            cv2.remap(self._cover, *canvas, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT), np.float32
        )
        albedo = np.ascontiguousarray(colour[..., :3])
        f = Fragment(
            albedo,
            surface[..., 2].copy(),
            surface[..., 3].copy(),
            np.zeros_like(x),
            x,
            y,
            mouth_x,
            mouth_y,
            view.step / pose.scale,
        )
        draw_eyes(f, self.fields, expression, light)
        draw_mouth(f, self.fields, expression)
        # Hair lies over the eyes and the mouth.
        hair = (cover > 0.02)[..., None]
        f.albedo[...] = np.where(hair, f.albedo * (1 - cover[..., None]) + colour[..., :3] * cover[..., None], f.albedo)
        rgb = shade(f, surface[..., 0], surface[..., 1], light, pose)
        alpha = colour[..., 3]
        if glasses and self.identity.glasses:
            rim = self._add_glasses(rgb, pose, light, view)
            cover = np.maximum(cover, rim)
        return Drawn(rgb, alpha, cover, x, y)

    def _sample(self, name: str, canvas: tuple[NDArray, NDArray], view: View, pose: Pose) -> NDArray[np.floating]:
        # a coarse view must see averages of the texture, not single pixels
        shrink = round(4 * self.shape.px_per_unit * view.step / pose.scale) / 4
        if (name, shrink) not in self._textures:
            blurred = np.asarray(cv2.GaussianBlur(self._textures[name, 1.0], (0, 0), 0.35 * shrink), np.float32)
            self._textures[name, shrink] = blurred if shrink > 1.6 else self._textures[name, 1.0]
        texture = self._textures[name, shrink]
        return np.asarray(cv2.remap(texture, *canvas, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT), np.float32)

    def _add_glasses(self, rgb: NDArray, pose: Pose, light: Light, view: View) -> Field:
        rotation = pose.rotation()
        inverse = np.linalg.inv(rotation[:2, :2])
        u, v = view.coordinates()
        u, v = (u - pose.x) / pose.scale - PIVOT[0], (v - pose.y) / pose.scale - PIVOT[1]
        lean = inverse @ rotation[:2, 2]
        x = inverse[0, 0] * u + inverse[0, 1] * v + PIVOT[0]
        z = 0.90 - 0.5 * np.clip(x, -0.8, 0.8) ** 2 - PIVOT[2]
        x, y = x - lean[0] * z, inverse[1, 0] * u + inverse[1, 1] * v + PIVOT[1] - lean[1] * z
        rim, glare = draw_glasses(self.fields, x.astype(np.float32), y.astype(np.float32), view.step / pose.scale)
        tone = np.array(self.identity.glasses_colour, np.float32) ** 2 * (
            np.array(light.ambient) + 0.6 * np.array(light.key)
        )
        # soft shadow of the glasses on the skin
        down = max(1, round(0.03 * pose.scale / view.step))
        shadow = cv2.GaussianBlur(
            np.roll(rim, down, 0).astype(np.float32), (0, 0), max(0.5, 0.02 * pose.scale / view.step)
        )
        rgb *= (1 - 0.35 * shadow)[..., None]
        rgb += (tone.astype(np.float32) - rgb) * rim[..., None].astype(np.float32)
        rgb += (glare[..., None] * np.array(light.key)).astype(np.float32)
        return rim.astype(np.float32)


def _window(pose: Pose, view: View) -> tuple[slice, slice]:
    """Rows and columns of a view that a head can cover."""
    reach = 1.75 * pose.scale  # chin and long hair; less is needed beside the head
    low_x, high_x = ((pose.x + side * 0.72 * reach - view.x0) / view.step for side in (-1, 1))
    low_y, high_y = ((pose.y + side * reach - view.y0) / view.step for side in (-1, 1))
    left, right = int(np.clip(low_x, 0, view.width - 1)), int(np.clip(high_x + 1, 1, view.width))
    top, bottom = int(np.clip(low_y, 0, view.height - 1)), int(np.clip(high_y + 1, 1, view.height))
    return slice(top, max(bottom, top + 1)), slice(left, max(right, left + 1))


_WRAP = np.array([0.38, 0.24, 0.20], np.float32)  #: light bleeds around the terminator in skin, red the furthest


def shade(f: Fragment, nx: Field, ny: Field, light: Light, pose: Pose) -> NDArray[np.floating]:
    """Light the fragment: wrapped diffuse, ambient from above, a wide and a narrow highlight."""
    turn = pose.rotation()
    towards, eye, up = turn.T @ light.vector(), turn.T @ np.array([0, 0, 1.0]), turn.T @ np.array([0, -1.0, 0])
    nz = np.sqrt(np.maximum(1 - nx * nx - ny * ny, 0))

    def along(direction: NDArray) -> Field:
        d = direction.astype(np.float32)
        return nx * d[0] + ny * d[1] + nz * d[2]

    facing = along(towards)
    sky = 0.72 + 0.28 * along(up)
    key, ambient = np.array(light.key, np.float32), np.array(light.ambient, np.float32)
    diffuse = np.maximum((facing[..., None] + _WRAP) / (1 + _WRAP), 0)
    rgb = f.albedo * (ambient * (sky * f.shade)[..., None] + key * diffuse * (0.35 + 0.65 * f.shade)[..., None])
    half = towards + eye
    shine = np.maximum(along(half / np.linalg.norm(half)), 0)
    shine8 = np.square(np.square(np.square(shine)))
    glow = 0.040 * shine8 * shine8 + 0.030 * np.square(np.square(shine8)) * shine8
    rgb += (f.gloss * glow * f.shade)[..., None] * key
    rgb += f.glint[..., None] * key
    return rgb
