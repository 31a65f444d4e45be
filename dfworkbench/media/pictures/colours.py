"""Detect colour spaces of pictures (ICC profile, EXIF, PNG chunks, AVIF box) other than sRGB."""

import functools
import io
import re
from collections.abc import Mapping
from typing import Any, cast

import numpy as np
from PIL import Image, ImageCms

#: Mean difference in grey levels from sRGB, over colours of a regular grid, below which there is no notice. sRGB with gamma 2.2
#: instead of its own curve differs by 0.8, grey with gamma 2.2 by 1.9; Adobe RGB by 9.4, the primaries of Display P3 by 9.8.
_LIKE_SRGB = 2.5
_GRID = 6
_MODES = {"RGB ": ("RGB", 3), "GRAY": ("L", 1), "CMYK": ("CMYK", 4)}
_CHANNELS_OF = {"L": "GRAY", "LA": "GRAY", "1": "GRAY", "I;16": "GRAY", "CMYK": "CMYK"}
_SRGB_GAMMA, _SRGB_PRIMARIES = 1 / 2.2, (0.3127, 0.329, 0.64, 0.33, 0.3, 0.6, 0.15, 0.06)
_PRIMARIES = {9: "BT.2020", 11: "DCI-P3", 12: "Display P3"}  # ITU-T H.273; 1 is sRGB's, 2 means unspecified
_TRANSFERS = {8: "linear light", 16: "PQ (HDR)", 18: "HLG (HDR)"}


def explain_colours(image: Image.Image, data: bytes) -> str:
    """The colour space of a picture that a viewer would convert; "" for sRGB and if none is declared.

    Args:
        image: The picture as opened by Pillow.
        data: The file's bytes.
    """
    if profile := image.info.get("icc_profile"):
        return explain_profile(profile, _CHANNELS_OF.get(image.mode, "RGB "))
    return _explain_codes(data) or _explain_png(image.info) or _explain_exif(image, data)


@functools.lru_cache(maxsize=64)
def explain_profile(profile: bytes, channels: str = "RGB ") -> str:
    """The name of an ICC profile unlike sRGB; "" for one equivalent to it.

    Args:
        profile: The profile's bytes.
        channels: Channels of the picture, as profiles name them: "RGB ", "GRAY" or "CMYK".
    """
    try:
        opened = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        known: Any = opened.profile
        name = re.sub(r"[^\w .,+-]", "?", known.profile_description or "without a name").strip()[:60]
        if known.xcolor_space != channels:  # viewers ignore such a profile
            return ""
        off = _difference(opened, *_MODES[channels])
    except (ImageCms.PyCMSError, OSError, ImportError, ValueError):
        return "a colour profile that cannot be read"
    return "" if off <= _LIKE_SRGB else f"the colour profile {name!r}"


def lab_to_srgb(image: Image.Image) -> Image.Image:
    """Convert L*a*b* values to sRGB: libtiff, and so OpenCV, would render them as on an old monitor, 14 grey levels off."""
    lab, srgb = ImageCms.createProfile("LAB"), ImageCms.createProfile("sRGB")
    return cast(Image.Image, ImageCms.profileToProfile(image, lab, srgb, outputMode="RGB"))


def _difference(profile: ImageCms.ImageCmsProfile, mode: str, channels: int) -> float:
    levels = np.linspace(0, 255, 64 if channels == 1 else _GRID).round().astype(np.uint8)
    grid = np.stack(np.meshgrid(*[levels] * channels, indexing="ij"), -1).reshape(-1, 1, channels)
    stored = Image.fromarray(np.ascontiguousarray(grid[..., 0] if channels == 1 else grid), mode)
    shown = ImageCms.profileToProfile(
        stored, profile, ImageCms.createProfile("sRGB"), ImageCms.Intent.RELATIVE_COLORIMETRIC, "RGB",
        flags=ImageCms.Flags.BLACKPOINTCOMPENSATION,
    )  # fmt: skip
    return float(np.abs(np.asarray(shown, float) - np.asarray(stored.convert("RGB"), float)).mean())


def _explain_codes(data: bytes) -> str:
    """Colour space of a PNG's cICP chunk or an AVIF's nclx box: primaries and transfer by number."""
    head = data[: 1 << 16]
    if head.startswith(b"\x89PNG") and 0 <= (at := head.find(b"cICP")) < len(head) - 6:
        primaries, transfer = head[at + 4], head[at + 5]
    elif head[4:8] == b"ftyp" and 0 <= (at := head.find(b"colrnclx")) < len(head) - 12:
        primaries, transfer = int.from_bytes(head[at + 8 : at + 10]), int.from_bytes(head[at + 10 : at + 12])
    else:
        return ""
    return " in ".join(filter(None, [_PRIMARIES.get(primaries), _TRANSFERS.get(transfer)]))


def _explain_png(info: Mapping[Any, Any]) -> str:
    if "srgb" in info:
        return ""
    gamma = info.get("gamma")
    if gamma and abs(gamma / _SRGB_GAMMA - 1) > 0.1:
        return f"the gamma 1/{1 / gamma:.2g}"
    points = info.get("chromaticity")
    return "primaries of its own" if points and np.abs(np.subtract(points, _SRGB_PRIMARIES)).max() > 0.02 else ""


def _explain_exif(image: Image.Image, data: bytes) -> str:
    """Cameras without room for a profile declare Adobe RGB by the name R03 of the Exif standard."""
    if b"R03\x00" not in data[: 1 << 16]:
        return ""
    return "Adobe RGB (by its EXIF)" if image.getexif().get_ifd(0xA005).get(1) == "R03" else ""
