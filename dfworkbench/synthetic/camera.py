"""Camera model of a clip: white balance, exposure, tone curve, focus, sharpening, resolution, noise.

Every clip, real or forged, gets its own camera, so that global sharpness or colour reveals little.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from dfworkbench.synthetic.noise import smooth_track


@dataclass(frozen=True)
class Camera:
    """Settings of one camera.

    Attributes:
        gains: White balance and exposure, per channel.
        contrast: Around middle grey; 1 for no change.
        saturation: 1 for no change.
        resolution: Sensor pixels per frame pixel; below 1, the picture was enlarged.
        blur_px: Defocus, standard deviation in frame pixels.
        sharpen: Strength of the unsharp mask.
        noise: Standard deviation at middle grey, 0..1 scale.
        chroma_noise: Share of the noise that differs between channels.
        vignette: Light fall-off in the corners.
        flicker: Slow relative change of the exposure.
        seed: Seed of noise and flicker.
    """

    gains: tuple[float, float, float]
    contrast: float
    saturation: float
    resolution: float
    blur_px: float
    sharpen: float
    noise: float
    chroma_noise: float
    vignette: float
    flicker: float
    seed: int


def draw_camera(rng: np.random.Generator, size_px: int, quality: float = 1.0) -> Camera:
    """Draw a random camera; `quality` below 1 means more noise, blur and colour casts."""
    worse = 1 / quality
    exposure = 1 + rng.normal(0, 0.07)
    red, blue = rng.normal(0, 0.035 * worse, 2)
    return Camera(
        gains=(float(exposure * (1 + red)), float(exposure), float(exposure * (1 + blue))),
        contrast=float(1 + rng.normal(0.02, 0.07)),
        saturation=float(np.clip(1 + rng.normal(0, 0.13), 0.6, 1.4)),
        resolution=float(np.clip(rng.uniform(0.5, 1.1) ** worse, 0.45, 1.0)),
        blur_px=float(size_px / 256 * worse * rng.uniform(0.0, 0.9)),
        sharpen=float(rng.uniform(0.0, 1.5)),
        noise=float(worse * rng.uniform(0.003, 0.03)),
        chroma_noise=float(rng.uniform(0.2, 0.8)),
        vignette=float(rng.uniform(0.0, 0.25)),
        flicker=float(rng.uniform(0.0, 0.012)),
        seed=int(rng.integers(2**31)),
    )


class Sensor:
    """Takes pictures with one `Camera`, frame by frame."""

    def __init__(self, camera: Camera, size_px: int, frames: int, fps: float) -> None:
        self.camera, self.size = camera, size_px
        rng = np.random.default_rng((camera.seed, 105))
        self._rng = rng
        # Noise is cut at random places from one tile: it looks just as random, and is much faster to make.
        self._tile = rng.standard_normal((size_px + 64, size_px + 64, 4), dtype=np.float32)
        self._exposure = 1 + camera.flicker * smooth_track(rng, frames, fps, 0.7)
        axis = np.linspace(-1, 1, size_px, dtype=np.float32) ** 2
        self._fall_off = 1 - camera.vignette * 0.5 * (axis[:, None] + axis[None, :])

    def take(self, linear: NDArray[np.floating], frame: int) -> NDArray[np.uint8]:
        """Turn linear light `(H, W, 3)` into the recorded picture, uint8 RGB."""
        c, size = self.camera, self.size
        gains = np.array(c.gains, np.float32) * np.float32(self._exposure[frame])
        picture = np.sqrt(np.clip(linear * (self._fall_off[..., None] * gains), 0, None))
        picture = picture / (1 + 0.12 * picture * picture * picture)  # soft shoulder instead of clipped highlights
        grey = picture @ np.array([0.3, 0.59, 0.11], np.float32)
        picture = grey[..., None] + (picture - grey[..., None]) * np.float32(c.saturation)
        picture = (picture - 0.42) * np.float32(c.contrast) + 0.42
        picture = self._optics(picture)
        at = self._rng.integers(0, 64, 2)
        tile = self._tile[at[0] : at[0] + size, at[1] : at[1] + size]
        noise = tile[..., :1] * (1 - c.chroma_noise) + tile[..., 1:] * c.chroma_noise
        picture += np.float32(c.noise) * noise * (0.6 + 0.8 * np.clip(1 - grey, 0, 1))[..., None]
        if c.sharpen > 0.02:
            picture += np.float32(0.8 * c.sharpen) * (picture - cv2.GaussianBlur(picture, (0, 0), size / 256))
        return np.round(np.clip(picture, 0, 1) * 255).astype(np.uint8)

    def _optics(self, taken: NDArray[np.floating]) -> NDArray[np.floating]:
        picture, c, size = np.asarray(taken, np.float32), self.camera, self.size
        if c.blur_px > 0.15:
            picture = np.asarray(cv2.GaussianBlur(picture, (0, 0), c.blur_px), np.float32)
        if c.resolution < 0.97:
            small = round(size * c.resolution)
            picture = np.asarray(cv2.resize(picture, (small, small), interpolation=cv2.INTER_AREA), np.float32)
            picture = np.asarray(cv2.resize(picture, (size, size), interpolation=cv2.INTER_CUBIC), np.float32)
        return picture
