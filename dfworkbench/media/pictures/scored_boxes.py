"""Draw boxes with scores into a picture."""

import numpy as np
from numpy.typing import ArrayLike, NDArray
from PIL import Image, ImageDraw, ImageFont

from dfworkbench.core.palette import ARTIFACT_RGB

_FONT = 10  # px


def draw_boxes(image: NDArray[np.uint8], boxes: ArrayLike) -> NDArray[np.uint8]:
    """A copy of a picture with the outlines of boxes and their scores.

    Args:
        image: `(H, W, 3)` uint8 RGB.
        boxes: `(n, 5)` corners x0, y0, x1, y1 in 0..1, and score; parts outside are clipped.
    """
    found = np.asarray(boxes, np.float64).reshape(-1, 5)
    if not len(found):
        return image
    height, width = image.shape[:2]
    picture = Image.fromarray(image)
    draw = ImageDraw.Draw(picture)
    font = ImageFont.load_default(size=_FONT)
    for *corners, score in found[::-1]:  # the highest score last, on top of the others
        x0, y0, x1, y1 = (np.clip(corners, 0, 1) * ((width - 1, height - 1) * 2)).round().astype(int).tolist()
        draw.rectangle((x0, y0, x1, y1), outline=ARTIFACT_RGB, width=max(1, round(min(height, width) / 80)))
        text = f"{score:.2f}"
        left, top, right, bottom = draw.textbbox((x0 + 2, y0 + 1), text, font=font)
        draw.rectangle((left - 2, top - 1, right + 1, bottom + 1), fill=ARTIFACT_RGB)
        draw.text((x0 + 2, y0 + 1), text, fill="black", font=font)
    return np.asarray(picture, dtype=np.uint8)
