"""Operations that degrade or recolour a picture: JPEG, noise, level tables, cropping, resizing, occlusion.

They are shared by augmentation, robustness tests, the facial swap and the demo set. All take `(H, W, 3)` uint8 RGB and do not
modify it; random ones take an explicit generator.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]
_GREY = np.array([0.299, 0.587, 0.114])  # ITU-R BT.601 luma


def jpeg(image: Pixels, quality: int) -> Pixels:
    """JPEG compression and decompression, with halved colour channels (4:2:0); `quality` 1..100."""
    # OpenCV expects BGR; JPEG stores colours coarser than brightness, so the order matters
    _, data = cv2.imencode(".jpg", cv2.cvtColor(image, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, quality])
    decoded = np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR))
    return np.asarray(cv2.cvtColor(decoded, cv2.COLOR_BGR2RGB), dtype=np.uint8)


def add_noise(images: Pixels, sigma: float, rng: np.random.Generator) -> Pixels:
    """Gaussian noise of `sigma` grey levels, independent in every pixel and channel; also for `(T, H, W, 3)`."""
    noise = rng.standard_normal(images.shape, dtype=np.float32)
    noise *= np.float32(sigma)
    noise += images
    return np.clip(np.rint(noise, out=noise), 0, 255, out=noise).astype(np.uint8)


def apply_levels(image: Pixels, table: NDArray[np.float64]) -> Pixels:
    """Replace every level through a table `(256,)` or `(256, 3)`, which is clipped to 0..255 and truncated to whole levels."""
    levels = np.clip(table, 0, 255).astype(np.uint8)
    return np.asarray(cv2.LUT(image, levels.reshape(1, 256, -1)), dtype=np.uint8)


def recolour(images: Pixels, amount: float, rng: np.random.Generator) -> Pixels:
    """Change saturation, contrast and brightness of `(T, H, W, 3)` by up to a relative `amount` each; one draw for all frames."""
    saturation, contrast, brightness = 1 + rng.uniform(-amount, amount, size=3)
    mix = saturation * np.eye(3) + (1 - saturation) * _GREY  # every row: the grey value of the pixel
    offset = 128 * (1 - contrast) + 255 * (brightness - 1) * 0.5
    matrix = np.concatenate([contrast * mix, np.full((3, 1), offset)], axis=1)
    changed = [np.asarray(cv2.transform(np.ascontiguousarray(image), matrix), dtype=np.uint8) for image in images]
    return changed[0][None] if len(changed) == 1 else np.stack(changed)  # a single one is not copied again


def crop_and_enlarge(image: Pixels, share: float) -> Pixels:
    """Remove a share of each side, and resize the rest back to full size, bicubic."""
    height, width = image.shape[:2]
    lost_y, lost_x = round(share * height), round(share * width)
    top, left = lost_y // 2, lost_x // 2
    kept = image[top : top + height - lost_y, left : left + width - lost_x]
    return np.asarray(cv2.resize(kept, (width, height), interpolation=cv2.INTER_CUBIC), dtype=np.uint8)


def shrink_and_enlarge(image: Pixels, size: tuple[int, int], interpolation: int) -> Pixels:
    """Resize to `size` (width, height; at least 1 each) by area averaging, and back."""
    height, width = image.shape[:2]
    small = cv2.resize(image, (max(1, size[0]), max(1, size[1])), interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.resize(small, (width, height), interpolation=interpolation), dtype=np.uint8)


def grey_pixels(image: Pixels, share: float, rng: np.random.Generator) -> Pixels:
    """Remove the colour of random pixels, leaving the plain mean of their channels."""
    chosen = rng.random(image.shape[:2]) < share
    mean = np.rint(image.mean(axis=2, keepdims=True)).astype(np.uint8)
    return np.where(chosen[..., None], mean, image)


def occlude(image: Pixels, share: float, rng: np.random.Generator) -> Pixels:
    """Draw a grey rectangle with the picture's proportions and a given share of its area, at a random place."""
    height, width = image.shape[:2]
    rows, columns = round(np.sqrt(share) * height), round(np.sqrt(share) * width)
    top, left = rng.integers(height - rows + 1), rng.integers(width - columns + 1)
    out = image.copy()
    out[top : top + rows, left : left + columns] = 128
    return out
