"""Random fields for textures and random tracks for motion, all from a `numpy.random.Generator`."""

import cv2
import numpy as np
from numpy.typing import NDArray

Field = NDArray[np.floating]  #: one value per pixel; float32 where speed matters


def smooth_noise(rng: np.random.Generator, shape: tuple[int, int], cell_px: float) -> Field:
    """Noise of one scale, `shape`, zero mean and unit deviation: random values every `cell_px` pixels, cubic between."""
    height, width = shape
    rows, columns = (int(np.ceil(n / cell_px)) + 4 for n in shape)
    grid = rng.standard_normal((rows, columns), dtype=np.float32)
    scale = max(cell_px, 1.0)
    # The offset of two cells keeps the cubic filter away from the border of the grid.
    matrix = np.array([[1 / scale, 0, 1.5], [0, 1 / scale, 1.5]], np.float32)
    field = cv2.warpAffine(grid, matrix, (width, height), flags=cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP)
    return ((field - field.mean()) / (field.std() + 1e-6)).astype(np.float32)


def fractal_noise(
    rng: np.random.Generator, shape: tuple[int, int], cell_px: float, octaves: int = 4, gain: float = 0.55
) -> Field:
    """A sum of `smooth_noise` with cells halved and amplitudes times `gain` at each octave; unit deviation."""
    total = np.zeros(shape, np.float32)
    for octave in range(octaves):
        cell = cell_px / 2**octave
        if cell < 1:
            break
        total += gain**octave * smooth_noise(rng, shape, cell)
    return total / (total.std() + 1e-6)


def smooth_track(rng: np.random.Generator, frames: int, fps: float, period_s: float) -> NDArray[np.float64]:
    """A random signal over time, `(frames,)`, about -1.5..1.5, whose faster part has the period `period_s`.

    It is a sum of four sines with random phases, so its values do not depend on the number of frames.
    """
    time = np.arange(frames) / fps
    periods = period_s * np.array([1.0, 1.7, 2.9, 5.3]) * rng.uniform(0.8, 1.25, 4)
    phases = rng.uniform(0, 2 * np.pi, 4)
    amplitudes = np.array([0.3, 0.5, 0.6, 0.6])
    return (amplitudes * np.sin(2 * np.pi * time[:, None] / periods + phases)).sum(axis=1)


def smoothstep(low: float, high: float, x: Field) -> Field:
    """0 below `low`, 1 above `high`, a smooth S between; falling if `low > high`."""
    t = np.clip((x - low) / (high - low), 0, 1)
    return t * t * (3 - 2 * t)


def bump(x: Field, y: Field, centre: tuple[float, float], sigma: tuple[float, float], angle: float = 0.0) -> Field:
    """A Gaussian bump of height 1 at `centre`, rotated by `angle` radians."""
    dx, dy = x - centre[0], y - centre[1]
    if angle:
        c, s = np.cos(angle), np.sin(angle)
        dx, dy = c * dx + s * dy, c * dy - s * dx
    return np.exp(-0.5 * ((dx / sigma[0]) ** 2 + (dy / sigma[1]) ** 2))
