"""A real clip: one person talking to a camera, with its ground truth."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from dfworkbench.synthetic.camera import Camera, Sensor, draw_camera
from dfworkbench.synthetic.head import Head, View
from dfworkbench.synthetic.identity import draw_identity
from dfworkbench.synthetic.motion import UNIT_SHARE, Motion, draw_motion
from dfworkbench.synthetic.scene import Body, paint_background

Frames = list[NDArray[np.uint8]]
CANVAS_SHARPNESS = 1.25  #: canvas pixels per frame pixel


@dataclass(frozen=True)
class Person:
    """Head and body of one identity, painted for frames of a given size."""

    head: Head
    body: Body


@dataclass
class Clip:
    """A real clip and its ground truth.

    Attributes:
        frames: uint8 RGB `(H, W, 3)` each, as recorded, before any encoding.
        landmarks: `(T, 81, 2)` frame pixels, layout as in `shape`.
        cover: Coverage by hair and glasses over the face, `(H, W)` float32 0..1 each.
        face: Facial skin, without hair, `(H, W)` float32 0..1 each.
    """

    person: Person
    motion: Motion
    camera: Camera
    fps: float
    frames: Frames = field(default_factory=list)
    landmarks: NDArray[np.float64] = field(default_factory=lambda: np.zeros((0, 81, 2)))
    cover: list[NDArray[np.floating]] = field(default_factory=list)
    face: list[NDArray[np.floating]] = field(default_factory=list)

    @property
    def size_px(self) -> int:
        """Side of the square frames."""
        return self.frames[0].shape[0]


def make_person(identity_seed: int, size_px: int) -> Person:
    """Paint the person of a seed for frames of `size_px`."""
    px_per_unit = CANVAS_SHARPNESS * UNIT_SHARE * size_px
    head = Head(draw_identity(identity_seed), round(3.1 * px_per_unit))
    return Person(head, Body(head, px_per_unit))


def record(
    person: Person, clip_seed: int, size_px: int, frames: int, fps: float, quality: float = 1.0, liveliness: float = 1.0
) -> Clip:
    """Film a person: motion, background and camera follow from `clip_seed`."""
    rng = np.random.default_rng((clip_seed, person.head.identity.seed, 106))
    motion = draw_motion(rng, frames, fps, size_px, liveliness)
    camera = draw_camera(rng, size_px, quality)
    background = paint_background(rng, size_px)
    clip = Clip(person, motion, camera, fps)
    sensor, view = Sensor(camera, size_px, frames, fps), View(size_px, size_px)
    landmarks = []
    for n, (pose, expression, light) in enumerate(zip(motion.poses, motion.expressions, motion.lights, strict=True)):
        canvas = background * np.float32(0.55 + 0.45 * light.key[1])
        person.body.lay_back(canvas, pose, light)
        person.body.lay_torso(canvas, pose, light)
        drawn = person.head.draw(pose, expression, light, view)
        canvas += (drawn.rgb - canvas) * drawn.alpha[..., None]
        clip.frames.append(sensor.take(canvas, n))
        clip.cover.append(drawn.cover)
        clip.face.append(drawn.alpha * (1 - drawn.cover))
        landmarks.append(person.head.landmarks(pose, expression))
    clip.landmarks = np.array(landmarks)
    return clip
