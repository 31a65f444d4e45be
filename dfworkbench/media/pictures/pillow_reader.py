"""Read pictures with Pillow: transparency, further pictures in the file, and colour profiles, which OpenCV does not expose."""

import functools
import io
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from dfworkbench.media.pictures.colours import explain_colours, lab_to_srgb

#: Phones append previews and gain maps to a JPEG, which Pillow counts as pictures of the file.
_ONE_PICTURE = ("JPEG", "MPO")
#: Pillow supports many more formats, some of which start other programs.
_READ = ("PNG", "JPEG", "MPO", "TIFF", "WEBP", "BMP", "DIB", "GIF", "AVIF", "JPEG2000", "PPM")


@dataclass(frozen=True)
class OpenedPicture:
    """A picture file opened by Pillow, not decoded.

    Attributes:
        image: The opened file, at its first picture.
        size_px: Width and height according to the header.
        notices: What a user of the first picture's pixels should know, in words.
    """

    image: Image.Image
    size_px: tuple[int, int]
    notices: tuple[str, ...]

    @property
    def needs_pillow(self) -> bool:
        """Whether OpenCV would differ from a viewer: transparency, a first picture that is not shown, L*a*b* colours."""
        return self.image.has_transparency_data or _hides_first(self.image) or self.image.mode == "LAB"

    def shown(self, under: str) -> tuple[NDArray[np.uint8], bool]:
        """The picture that a viewer shows first: `(H, W, 3)` RGB; and whether any of it is transparent.

        Args:
            under: The colour that shows through.

        Raises:
            Exception: Of any type: Pillow cannot decode it.
        """
        if _hides_first(self.image):
            self.image.seek(1)
        rgba = _with_alpha(self.image)
        alpha = np.asarray(rgba.getchannel("A"))
        if self.image.format == "BMP" and not alpha.any():  # an unused channel, which viewers ignore
            return np.array(rgba.convert("RGB")), False
        ground = Image.new("RGBA", rgba.size, under)
        return np.array(Image.alpha_composite(ground, rgba).convert("RGB")), bool((alpha < 255).any())


def open_picture(data: bytes) -> OpenedPicture | None:
    """Open a file with Pillow; None if Pillow cannot open it."""
    try:
        image = Image.open(io.BytesIO(data), formats=readable_formats())
        notices = [_explain_others(image)]
        if colours := explain_colours(image, data):
            notices.append(f"its values are taken as sRGB, although it has {colours}")
    except MemoryError:
        raise
    except Exception:  # for damaged files, its plugins raise any exception type
        return None
    return OpenedPicture(image, image.size, tuple(filter(None, notices)))


@functools.cache
def readable_formats() -> tuple[str, ...]:
    """Pillow's names of the formats that we read."""
    Image.init()
    return tuple(name for name in _READ if name in Image.OPEN)  # AVIF since Pillow 11.3


def _explain_others(image: Image.Image) -> str:
    count = 1 if image.format in _ONE_PICTURE else getattr(image, "n_frames", 1) - _hides_first(image)
    return f"only the first of its {count} pictures was read" if count > 1 else ""


def _hides_first(image: Image.Image) -> bool:
    """Whether it is an animated PNG whose first picture is only for programs that cannot show the others."""
    return bool(getattr(image, "default_image", False))


def _with_alpha(image: Image.Image) -> Image.Image:
    upright = ImageOps.exif_transpose(image)
    if upright.mode == "LAB":
        return lab_to_srgb(upright).convert("RGBA")
    key = image.info.get("transparency")
    if upright.mode.startswith("I") and key is not None:  # Pillow would clip 16-bit grey at 255
        deep = np.asarray(upright).astype(np.int64)
        grey, alpha = (Image.fromarray(part.astype(np.uint8)) for part in (deep >> 8, 255 * (deep != key)))
        return Image.merge("LA", (grey, alpha)).convert("RGBA")
    if upright.mode == "RGB" and isinstance(key, tuple) and max(key) > 255:
        upright.info["transparency"] = tuple(value >> 8 for value in key)  # 16 bits, like the pixels in the file
    return upright.convert("RGBA")
