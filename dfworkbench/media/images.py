"""Still pictures: reading as RGB, writing as lossless PNG."""

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from dfworkbench.bounds import bounded_memory
from dfworkbench.errors import InputError, MediaError
from dfworkbench.media.picture_headers import count_scans, header_size_px
from dfworkbench.media.png import decode_rgb, encode_rgb
from dfworkbench.workspace import atomic_path

#: Larger pictures are refused before they are decoded: a few bytes of header can ask for gigabytes.
MAX_PIXELS = 200_000_000
_MOST_SCANS = 32  # of a JPEG at that size; programs write about ten
_MOST_BYTES = 1 << 31


def read_image(path: Path | str) -> NDArray[np.uint8]:
    """Read a picture as RGB, turned upright by its EXIF orientation.

    Grey pictures are repeated over three channels, an alpha channel is dropped, 16-bit values are scaled to 8 bits.

    Returns:
        `(H, W, 3)` uint8, RGB.

    Raises:
        MediaError: With status "missing", "truncated" or "unreadable".
    """
    path = Path(path)
    data = _read_bytes(path)
    width, height = header_size_px(data)
    _require_bounded(path, width, height, count_scans(data))
    if data[:2] == b"\xff\xd8" and data.rfind(b"\xff\xd9") < len(data) // 2:
        raise MediaError(  # OpenCV would fill the missing part with grey and say nothing
            f"reading the picture {path}: the JPEG stops after {len(data):,} bytes without its end marker. "
            "Expected a complete file: copy it again from its source.",
            "truncated",
        )
    rgb = decode_rgb(data)
    if rgb is not None:  # one of our own crops
        return rgb
    with bounded_memory(path, "reading the picture", MediaError):
        bgr = _decode(data) if width and height else None
    if bgr is None:
        raise MediaError(
            f"reading the picture {path}: its {len(data):,} bytes (first {data[:8]!r}) are no picture that OpenCV can "
            "decode. Expected PNG, JPEG, BMP, TIFF or WebP: check that the file is whole and that its suffix is right."
        )
    return np.asarray(cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB), dtype=np.uint8)


def write_png(path: Path | str, rgb: NDArray[np.uint8]) -> None:
    """Write `(H, W, 3)` uint8 RGB, or `(H, W)` grey, as a lossless PNG; folders are made as needed.

    Raises:
        InputError: The array is no picture.
        OutputError: The file cannot be written.
    """
    path = Path(path)
    if rgb.dtype != np.uint8 or rgb.ndim not in (2, 3) or (rgb.ndim == 3 and rgb.shape[2] != 3) or rgb.size == 0:
        raise InputError(f"writing {path}: got {rgb.dtype} {rgb.shape}, expected uint8 (H, W, 3) RGB or (H, W) grey.")
    with atomic_path(path, "a picture") as temporary:  # replaces a link that lies there, and not what it leads to
        temporary.write_bytes(encode_png(rgb))


def encode_png(rgb: NDArray[np.uint8]) -> bytes:
    """A picture as the bytes of a PNG file."""
    if rgb.ndim == 3:
        return encode_rgb(rgb)
    _, data = cv2.imencode(".png", rgb, [cv2.IMWRITE_PNG_COMPRESSION, 1])
    return data.tobytes()


def _require_bounded(path: Path, width: int, height: int, scans: int) -> None:
    if width * height * max(scans / _MOST_SCANS, 1) > MAX_PIXELS:
        size = f"{width} x {height} pixels" + (f" in {scans} passes" if scans > 1 else "")
        raise MediaError(
            f"reading the picture {path}: its header says {size}; at most {MAX_PIXELS:,} pixels are read. The file is damaged or "
            "made to exhaust memory: leave it out, or scale it down with another program."
        )


def _read_bytes(path: Path) -> bytes:
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


def _decode(data: bytes) -> NDArray[np.uint8] | None:
    try:
        return cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)  # pyright: ignore[reportReturnType]
    except cv2.error:
        return None
