"""Metadata texts of unknown origin made safe to show: on one line, truncated, without positions and serial numbers."""

import re
from collections.abc import Iterable, Mapping
from typing import Any

from dfworkbench.core.safe_paths import printable

MOST_CHARACTERS = 2000
MOST_ENTRIES = 500
_MOST_IN_KEY = 200
_BREAKS = {ord(sign): f"\\x{ord(sign):02x}" for sign in "\n\r\t"}  # which `printable` leaves, or escapes differently
#: Names of entries that reveal where a picture was taken, with which device, or whose device it is. Some programs store a
#: copy of the EXIF data into a PNG as "Raw profile type exif". The serial number of a certificate (C2PA) is not one of a device.
_PRIVATE_KEY = re.compile(
    r"gps|geotag|location|latitude|longitude|\xa9xyz|(?<!cert_)serial|device.?id|imei|owner|raw.profile", re.IGNORECASE
)
_POSITION = re.compile(r"\s*[+-]\d{2,6}(\.\d+)?[+-]\d{3,7}(\.\d+)?([+-]\d+(\.\d+)?)?(CRS\S*)?/?\s*")  # ISO 6709


def one_line(text: str, most: int = MOST_CHARACTERS) -> str:
    r"""A text with control characters shown as \xNN, truncated if longer than `most` characters."""
    shown = printable(text[:most].translate(_BREAKS))
    return shown if len(text) <= most else f"{shown} … (cut: {len(text):,} characters)"


def clean_metadata(entries: Mapping[Any, Any], private: bool) -> tuple[dict[str, str], list[str]]:
    """Turn entries into texts that can be shown.

    Args:
        entries: Names and values of any type.
        private: Keep positions and serial numbers.

    Returns:
        The entries that may be shown, and the names of those withheld.
    """
    shown: dict[str, str] = {}
    withheld: list[str] = []
    for name, value in list(entries.items())[:MOST_ENTRIES]:
        key = one_line(str(name), _MOST_IN_KEY)
        text = _text_of(value)
        if not private and (_PRIVATE_KEY.search(str(name)) or _POSITION.fullmatch(text)):
            withheld.append(key)
        else:
            shown[key] = one_line(text)
    if len(entries) > MOST_ENTRIES:
        shown["…"] = f"{len(entries) - MOST_ENTRIES:,} further entries are not shown"
    return shown, withheld


def withhold_private(value: Any) -> tuple[Any, list[str]]:
    """A nested value without entries that give a position or a serial number, and the names of these."""
    withheld: list[str] = []

    def kept(inner: Any) -> Any:
        if isinstance(inner, dict):
            return {name: kept(item) for name, item in inner.items() if not is_private(str(name), item)}
        return [kept(item) for item in inner] if isinstance(inner, list) else inner

    def is_private(name: str, item: Any) -> bool:
        private = bool(_PRIVATE_KEY.search(name)) or (isinstance(item, str) and bool(_POSITION.fullmatch(item)))
        if private:
            withheld.append(one_line(name, _MOST_IN_KEY))
        return private

    return kept(value), withheld


def _text_of(value: Any) -> str:
    if isinstance(value, bytes):
        text = value.rstrip(b"\0")
        for start in (b"ASCII\0\0\0", b"UNICODE\0"):  # character codes of EXIF's UserComment
            text = text.removeprefix(start)
        return text.decode("ascii") if text.isascii() and _is_written(text) else f"{len(value):,} bytes"
    if isinstance(value, Iterable) and not isinstance(value, str):
        return ", ".join(map(str, value))
    return str(value)


def _is_written(text: bytes) -> bool:
    """Whether bytes are text and not numbers: at most one in ten is a control character."""
    return 10 * sum(byte < 32 or byte == 127 for byte in text) <= len(text)
