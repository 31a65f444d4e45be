"""Changing the boxes of an MP4 or MOV file whose index (moov) lies at its end, so that no offset into the media moves."""

import struct
from collections.abc import Callable
from pathlib import Path

_PARENTS = {b"moov", b"trak", b"mdia", b"minf", b"dinf", b"stbl", b"edts"}


def change(path: Path, name: bytes, edit: Callable[[bytes], bytes], track: int = 0) -> Path:
    """Replace the content of a track's box (of the whole file for `moov`) by `edit(content)`; the file is overwritten."""
    data = path.read_bytes()
    at = data.rindex(b"moov") - 4
    seen = [-1]
    path.write_bytes(data[:at] + _rebuilt(data[at:], name, edit, track, seen))
    return path


def _rebuilt(data: bytes, name: bytes, edit: Callable[[bytes], bytes], track: int, seen: list[int]) -> bytes:
    out = b""
    at = 0
    while at + 8 <= len(data):
        size, kind = struct.unpack(">I4s", data[at : at + 8])
        content = data[at + 8 : at + size]
        seen[0] += kind == b"trak"
        if kind == name and seen[0] in (-1, track):
            content = edit(content)
        elif kind in _PARENTS:
            content = _rebuilt(content, name, edit, track, seen)
        out += struct.pack(">I4s", len(content) + 8, kind) + content
        at += size
    return out


def set_matrix(path: Path, a: int, b: int, c: int, d: int, x: int = 0, y: int = 0) -> Path:
    """The display matrix of the first track."""

    def edit(content: bytes) -> bytes:
        at = 4 + (32 if content[0] else 20) + 16
        nine = (a << 16, b << 16, 0, c << 16, d << 16, 0, x << 16, y << 16, 1 << 30)
        return content[:at] + struct.pack(">9i", *nine) + content[at + 36 :]

    return change(path, b"tkhd", edit)


def set_edits(path: Path, edits: list[tuple[float, float]], timescale: int) -> Path:
    """An edit list: pieces of (length in seconds, begin in seconds of the media; -1 for a gap). The movie counts milliseconds."""
    body = b"".join(
        struct.pack(">Iihh", round(1000 * length), round(begin * timescale) if begin >= 0 else -1, 1, 0)
        for length, begin in edits
    )
    return change(path, b"elst", lambda _: struct.pack(">II", 0, len(edits)) + body)


def refer_to(path: Path, target: str) -> Path:
    """Let the first track's media lie in another file, by a Macintosh alias."""
    name = target.encode()
    alias = bytes(10) + b"\x04disk".ljust(28, b"\0") + bytes(12) + b"\x01x".ljust(64, b"\0") + bytes(16)
    alias += struct.pack(">hh", 1, 1) + bytes(16) + struct.pack(">hh", 2, len(name)) + name + b"\0" * (len(name) % 2)
    alias += struct.pack(">hh", -1, 0)
    entry = struct.pack(">I4sI", 12 + len(alias), b"alis", 0) + alias
    return change(path, b"dref", lambda _: struct.pack(">II", 0, 1) + entry)
