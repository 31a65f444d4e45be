"""Detect picture files that are cut off; anything after the regular end, such as a second picture, does not count."""

import struct

_START, _END, _ALONE = 0xD8, 0xD9, 0x01  # JPEG markers; the last bears no length
_NO_MARKER = frozenset((0x00, 0xFF, *range(0xD0, 0xD8)))  # stuffed bytes, fill bytes and restarts


def is_cut(data: bytes) -> bool:
    """Whether a JPEG, PNG, WebP or BMP ends too early; False for any other format, whose decoders notice it.

    A JPEG is followed segment by segment: an embedded thumbnail has its own end marker, and appended data may have many.
    """
    if data.startswith(b"\xff\xd8"):
        return not _jpeg_ends(data)
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return not _png_ends(data)
    if data.startswith(b"RIFF") and data[8:12] == b"WEBP":
        return int.from_bytes(data[4:8], "little") + 8 > len(data)
    return data.startswith(b"BM") and _bmp_length(data) > len(data)


def next_marker(data: bytes, at: int) -> int:
    """Position of the next JPEG marker, after compressed data, fill bytes or garbage; -1 if there is none."""
    while 0 <= (at := data.find(b"\xff", at)) < len(data) - 1:
        if data[at + 1] not in _NO_MARKER:
            return at
        at += 1 if data[at + 1] == 0xFF else 2
    return -1


def _jpeg_ends(data: bytes) -> bool:
    at = next_marker(data, 2)
    while at >= 0:
        marker = data[at + 1]
        if marker in (_END, _START):  # another picture begins where this one was cut off
            return marker == _END
        length = 0 if marker == _ALONE else int.from_bytes(data[at + 2 : at + 4], "big")
        at = next_marker(data, at + 2 + length)
    return False


def _png_ends(data: bytes) -> bool:
    at = 8
    while at + 12 <= len(data) and (name := data[at + 4 : at + 8]).isalpha():
        if name == b"IEND":
            return True
        at += 12 + int.from_bytes(data[at : at + 4], "big")
    return False


def _bmp_length(data: bytes) -> int:
    """Bytes that an uncompressed BMP needs; 0 for a compressed or unknown one."""
    if len(data) < 34 or int.from_bytes(data[14:18], "little") < 40:
        return 0
    (offset,) = struct.unpack_from("<I", data, 10)
    width, height, _, bits, compression = struct.unpack_from("<iiHHI", data, 18)
    return offset + (abs(width) * bits + 31) // 32 * 4 * abs(height) if compression in (0, 3) else 0
