"""Metadata of a picture file: format, EXIF, texts, colour profile and quantisation tables."""

import io
import re
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from PIL import Image, ImageCms
from PIL.ExifTags import GPSTAGS, IFD, TAGS

from dfworkbench.core.errors import MediaError
from dfworkbench.media.foreign import bounded_memory
from dfworkbench.media.foreign_text import clean_metadata, one_line
from dfworkbench.media.pictures.headers import count_scans, header_size_px
from dfworkbench.media.pictures.images import picture_bytes, require_bounded
from dfworkbench.media.pictures.pillow_reader import readable_formats
from dfworkbench.media.pictures.truncation import is_cut

#: Entries of Pillow's `info` that are not texts from the file, or are shown in another way.
_NO_TEXT = ("exif", "icc_profile", "xmp", "XML:com.adobe.xmp", "photoshop", "adobe")
_POINTERS = (IFD.Exif, IFD.GPSInfo, IFD.Interop)


def picture_facts(path: Path, private: bool) -> dict[str, Any]:
    """Format, EXIF, texts, colour profile and quantisation tables of a picture.

    Args:
        path: The file.
        private: Show positions and serial numbers; otherwise "withheld" lists their names.

    Raises:
        MediaError: It cannot be opened as a picture, or is cut off.
    """
    data = picture_bytes(path)
    require_bounded(path, *header_size_px(data), count_scans(data))
    if is_cut(data):
        raise MediaError(
            f"reading the picture {path}: it stops after {len(data):,} bytes without its end. Expected a complete file: copy it "
            "again from its source.",
            "truncated",
        )
    with bounded_memory(path, "reading the picture", MediaError), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # from Pillow, about damaged EXIF and large pictures
        return _facts(path, data, private)


def _facts(path: Path, data: bytes, private: bool) -> dict[str, Any]:
    try:
        image = Image.open(io.BytesIO(data), formats=readable_formats())
    except MemoryError:
        raise
    except Exception as error:  # for damaged files, Pillow's plugins raise any exception type
        raise MediaError(
            f"reading the picture {path}: its {len(data):,} bytes (first {data[:8]!r}) are not a picture that Pillow can open. "
            "Expected PNG, JPEG, BMP, TIFF or WebP: check that the file is whole and that its suffix is right."
        ) from error
    require_bounded(path, *image.size, 1)
    exif, withheld = clean_metadata(dict(_exif(image)), private)
    texts, more = clean_metadata(_texts(image), private)
    return {
        "format": image.format,
        "mode": image.mode,
        "width": image.width,
        "height": image.height,
        "pictures": getattr(image, "n_frames", 1),
        "exif": exif,
        "metadata": texts,
        "xmp_bytes": len(image.info.get("xmp") or image.info.get("XML:com.adobe.xmp") or b""),
        "icc_profile": _profile_name(image.info.get("icc_profile")),
        "quantisation_tables": [
            list(table) for _, table in sorted((getattr(image, "quantization", None) or {}).items())
        ],
        "withheld": withheld + more,
    }


def _exif(image: Image.Image) -> Iterator[tuple[str, Any]]:
    try:
        exif = image.getexif()  # for a PNG, this decodes it: the chunk may follow the pixels
        yield from ((TAGS.get(tag, f"tag {tag}"), value) for tag, value in exif.items() if tag not in _POINTERS)
        yield from ((TAGS.get(tag, f"tag {tag}"), value) for tag, value in exif.get_ifd(IFD.Exif).items())
        yield from ((f"GPS {GPSTAGS.get(tag, tag)}", value) for tag, value in exif.get_ifd(IFD.GPSInfo).items())
    except MemoryError:
        raise
    except Exception:
        yield "damaged", "the EXIF data could not be read to their end"


def _texts(image: Image.Image) -> dict[str, Any]:
    entries = {name: value for name, value in image.info.items() if name not in _NO_TEXT}
    return {str(name): value for name, value in entries.items() if isinstance(value, str | bytes | int | float | tuple)}


def _profile_name(profile: bytes | None) -> str:
    if not profile:
        return ""
    try:
        opened: Any = ImageCms.ImageCmsProfile(io.BytesIO(profile)).profile
        return one_line(re.sub(r"\s+", " ", opened.profile_description or "without a name").strip())
    except (ImageCms.PyCMSError, OSError, ImportError, ValueError):
        return "a colour profile that cannot be read"
