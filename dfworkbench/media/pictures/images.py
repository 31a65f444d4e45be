"""Read pictures as RGB, and write them as lossless PNG."""

import logging
from pathlib import Path
from typing import NamedTuple, NoReturn

import cv2
import numpy as np
from numpy.typing import NDArray

from dfworkbench.core.errors import InputError, MediaError
from dfworkbench.core.workspace import atomic_path
from dfworkbench.media.foreign import bounded_memory
from dfworkbench.media.pictures.decoder_messages import decode_listening
from dfworkbench.media.pictures.headers import count_scans, header_size_px
from dfworkbench.media.pictures.pillow_reader import OpenedPicture, open_picture
from dfworkbench.media.pictures.png import decode_rgb, encode_rgb
from dfworkbench.media.pictures.truncation import is_cut

_log = logging.getLogger(__name__)
#: Larger pictures are refused before they are decoded: a few bytes of header can ask for gigabytes.
MAX_PIXELS = 200_000_000
_NOT_OPENED = "transparency, further pictures and colour profile were not looked for, because Pillow cannot open it"
_MOST_SCANS = 32  # scans of a JPEG at that size; programs write about ten
_MOST_BYTES = 1 << 31


class Picture(NamedTuple):
    """A picture as read.

    Attributes:
        rgb: `(H, W, 3)` uint8, RGB.
        notice: Warnings, in words, about further pictures in the file, transparency, a colour profile; "" if there are none.
    """

    rgb: NDArray[np.uint8]
    notice: str = ""


def read_image(path: Path | str) -> NDArray[np.uint8]:
    """Read a picture as RGB; the notice of `read_picture` is logged as a warning.

    Returns:
        `(H, W, 3)` uint8, RGB.

    Raises:
        MediaError: The file is missing, truncated or unreadable.
    """
    rgb, notice = read_picture(path)
    if notice:
        _log.warning("%s: %s", path, notice)
    return rgb


def read_picture(path: Path | str, under: str = "white") -> Picture:
    """Read a picture as a viewer shows it, turned upright by its EXIF orientation (docs/decisions/0021-what-a-picture-is.md).

    Grey pictures are repeated over three channels, 16-bit values are scaled to 8 bits. If a file contains several pictures, the
    first one shown is read. Values are taken as sRGB whatever the colour profile.

    Args:
        path: The file.
        under: Colour that shows through transparent pixels: "white" or "black".

    Raises:
        MediaError: With status "missing", "truncated" or "unreadable", the latter also for a JPEG or TIFF damaged in the middle.
    """
    path = Path(path)
    data = picture_bytes(path)
    require_bounded(path, *header_size_px(data), count_scans(data))
    rgb = decode_rgb(data)
    if rgb is not None:  # one of our own crops
        return Picture(rgb)
    if is_cut(data):  # some decoders silently fill the missing part with grey
        raise MediaError(
            f"reading the picture {path}: it stops after {len(data):,} bytes without its end. Expected a complete file: copy "
            "it again from its source.",
            "truncated",
        )
    with bounded_memory(path, "reading the picture", MediaError):
        opened = open_picture(data)
        if opened is None:
            return _decode_unopened(path, data)
        require_bounded(path, *opened.size_px, 1)  # formats whose headers are not read above
        if opened.needs_pillow:
            return _shown(path, data, opened, under)
        return Picture(_decode(path, data), "; ".join(opened.notices))


def write_png(path: Path | str, rgb: NDArray[np.uint8]) -> None:
    """Write `(H, W, 3)` uint8 RGB, or `(H, W)` grey, as a lossless PNG; folders are created as needed.

    Raises:
        InputError: The array is not a picture.
        OutputError: The file cannot be written.
    """
    path = Path(path)
    if rgb.dtype != np.uint8 or rgb.ndim not in (2, 3) or (rgb.ndim == 3 and rgb.shape[2] != 3) or rgb.size == 0:
        raise InputError(f"writing {path}: got {rgb.dtype} {rgb.shape}, expected uint8 (H, W, 3) RGB or (H, W) grey.")
    with atomic_path(path, "a picture") as temporary:  # replaces an existing link, not its target
        temporary.write_bytes(encode_png(rgb))


def encode_png(rgb: NDArray[np.uint8]) -> bytes:
    """Encode a picture as the bytes of a PNG file."""
    if rgb.ndim == 3:
        return encode_rgb(rgb)
    _, data = cv2.imencode(".png", rgb, [cv2.IMWRITE_PNG_COMPRESSION, 1])
    return data.tobytes()


def require_bounded(path: Path, width: int, height: int, scans: int) -> None:
    """Raise `MediaError` for a picture whose header claims more pixels than are allowed; `scans` as in `count_scans`."""
    if width * height * max(scans / _MOST_SCANS, 1) > MAX_PIXELS:
        size = f"{width} x {height} pixels" + (f" in {scans} passes" if scans > 1 else "")
        raise MediaError(
            f"reading the picture {path}: its header says {size}; at most {MAX_PIXELS:,} pixels are read. The file is damaged or "
            "made to exhaust memory: leave it out, or scale it down with another program."
        )


def picture_bytes(path: Path) -> bytes:
    """All bytes of a picture file.

    Raises:
        MediaError: It is missing, empty, not readable or too large.
    """
    if not path.is_file():
        raise MediaError(f"reading the picture {path}: there is no such file. Check the path.", "missing")
    if (size := path.stat().st_size) > _MOST_BYTES:
        raise MediaError(
            f"reading the picture {path}: it has {size:,} bytes; at most {_MOST_BYTES:,} are read. Is it a picture?"
        )
    try:
        data = path.read_bytes()
    except OSError as error:
        raise MediaError(f"reading the picture {path}: {error.strerror}. Check its permissions.") from error
    if not data:
        raise MediaError(f"reading the picture {path}: the file is empty (0 bytes). Copy it again from its source.")
    return data


def _decode(path: Path, data: bytes) -> NDArray[np.uint8]:
    bgr, complaint = decode_listening(data)
    if bgr is None:
        _refuse(path, data)
    if complaint:
        raise MediaError(
            f"reading the picture {path}: its {len(data):,} bytes are damaged, and part of its pixels is lost (the decoder says "
            f"{complaint!r}). Expected an undamaged file: copy it again from its source."
        )
    return np.asarray(cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB), dtype=np.uint8)


def _decode_unopened(path: Path, data: bytes) -> Picture:
    if not any(header_size_px(data)):  # its memory use is unknown
        _refuse(path, data)
    return Picture(_decode(path, data), _NOT_OPENED)


def _shown(path: Path, data: bytes, opened: OpenedPicture, under: str) -> Picture:
    try:
        rgb, transparent = opened.shown(under)
    except MemoryError:
        raise
    except Exception as error:  # for damaged files, Pillow's plugins raise any exception type
        _refuse(path, data, error)
    notices = (*opened.notices, f"what is transparent is shown over {under}" if transparent else "")
    return Picture(rgb, "; ".join(filter(None, notices)))


def _refuse(path: Path, data: bytes, error: Exception | None = None) -> NoReturn:
    raise MediaError(
        f"reading the picture {path}: its {len(data):,} bytes (first {data[:8]!r}) are not a picture that "
        f"{f'Pillow can decode ({error})' if error else 'OpenCV can decode'}. Expected PNG, JPEG, BMP, TIFF or WebP: check that "
        "the file is whole and that its suffix is right."
    ) from error
