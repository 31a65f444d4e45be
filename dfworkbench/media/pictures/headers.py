"""Picture sizes from file headers, before anything is decoded."""

import struct

_BITMAP_CORE = 12  # bytes of OS/2's header, whose numbers have 16 bits
_FEW_BYTES = {1: 1, 2: 1, 3: 2, 4: 4, 16: 8}  # of TIFF's numeric types
_MOST_TAGS = 4096


def header_size_px(data: bytes) -> tuple[int, int]:
    """Width and height claimed by a PNG, JPEG, BMP, TIFF, WebP or GIF header; (0, 0) for any other format or no size."""
    try:
        if data[:8] == b"\x89PNG\r\n\x1a\n":
            return struct.unpack(">II", data[16:24])
        if data[:2] == b"BM":
            core = struct.unpack("<I", data[14:18])[0] == _BITMAP_CORE
            width, height = struct.unpack("<HH", data[18:22]) if core else struct.unpack("<ii", data[18:26])
            return abs(width), abs(height)
        if data[:2] == b"\xff\xd8":
            return _jpeg_size_px(data)
        if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
            return _webp_size_px(data)
        if data[:4] in (b"GIF8",):
            return struct.unpack("<HH", data[6:10])
        if data[:2] in (b"II", b"MM"):
            return _tiff_size_px(data)
    except (struct.error, IndexError):  # cut off within its header
        pass
    return 0, 0


def count_scans(data: bytes) -> int:
    """Number of scans over all pixels in a JPEG: one, or about ten if it is progressive."""
    return data.count(b"\xff\xda") if data[:2] == b"\xff\xd8" else 1


def _jpeg_size_px(data: bytes) -> tuple[int, int]:
    at = 2
    while 0 <= (at := data.find(b"\xff", at)):  # anything between markers is skipped, as in libjpeg
        marker = data[at + 1]
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):  # start of frame
            height, width = struct.unpack(">HH", data[at + 5 : at + 9])
            return width, height
        if marker in (0x00, 0x01, 0xFF) or 0xD0 <= marker <= 0xD9:  # fill bytes, and markers without a length
            at += 1 if marker == 0xFF else 2
            continue
        at += 2 + struct.unpack(">H", data[at + 2 : at + 4])[0]
    return 0, 0


def _webp_size_px(data: bytes) -> tuple[int, int]:
    kind = data[12:16]
    if kind == b"VP8X":
        return int.from_bytes(data[24:27], "little") + 1, int.from_bytes(data[27:30], "little") + 1
    if kind == b"VP8L":
        bits = struct.unpack("<I", data[21:25])[0]
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    if kind == b"VP8 ":
        width, height = struct.unpack("<HH", data[26:30])
        return width & 0x3FFF, height & 0x3FFF
    return 0, 0


def _tiff_size_px(data: bytes) -> tuple[int, int]:
    """Size of the first picture, which is the one decoded; tags 256 and 257."""
    order = "<" if data[:2] == b"II" else ">"
    big = struct.unpack(f"{order}H", data[2:4])[0] == 43  # BigTIFF
    at = struct.unpack(f"{order}Q", data[8:16])[0] if big else struct.unpack(f"{order}I", data[4:8])[0]
    count = struct.unpack(f"{order}{'Q' if big else 'H'}", data[at : at + (8 if big else 2)])[0]
    at, step, value_at = at + (8 if big else 2), 20 if big else 12, 12 if big else 8
    sizes = {256: 0, 257: 0}
    for place in range(at, at + min(count, _MOST_TAGS) * step, step):
        tag, kind = struct.unpack(f"{order}HH", data[place : place + 4])
        if tag in sizes:
            length = _FEW_BYTES.get(kind, 4)
            value = data[place + value_at : place + value_at + length]
            sizes[tag] = int.from_bytes(value, "little" if order == "<" else "big")
    return sizes[256], sizes[257]
