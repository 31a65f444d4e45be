"""Distinguish videos and pictures by suffix and by content."""

from pathlib import Path
from typing import Literal

Kind = Literal["video", "image"]

VIDEO_SUFFIXES = (
    ".3g2", ".3gp", ".asf", ".avi", ".divx", ".dv", ".f4v", ".flv", ".ivf", ".m2ts", ".m4v", ".mkv", ".mov", ".mp4", ".mpe",
    ".mpeg", ".mpg", ".mxf", ".nut", ".ogv", ".qt", ".rm", ".rmvb", ".vob", ".webm", ".wmv", ".wtv",
)  # fmt: skip
IMAGE_SUFFIXES = (
    ".avif", ".bmp", ".dib", ".jfif", ".jp2", ".jpe", ".jpeg", ".jpg", ".pgm", ".png", ".pnm", ".ppm", ".tif", ".tiff",
    ".webp",
)  # fmt: skip

_SOUND = "only sound"
_ARCHIVE = "an archive: unpack it"
_RAW_PHOTO = "a camera's raw file: convert it to JPEG or PNG"
_ANIMATION = "OpenCV reads its first frame only: convert it to MP4, for example with ffmpeg"
_RAW_STREAM = "a video stream without time stamps: put it into MP4 or MKV, for example with ffmpeg -c copy"
_RARE = "a rare video format: convert it to MP4, for example with ffmpeg"
_HEIC = "OpenCV cannot read HEIC: convert it to JPEG"
_NO_DECODER = "OpenCV cannot read it: convert it to PNG"
#: Suffix -> why the file is not read, whatever its first bytes are: raw photos look like TIFF, and contain a thumbnail.
NOT_READ = {
    ".gif": _ANIMATION,
    **dict.fromkeys((".heic", ".heif", ".hif"), _HEIC),
    **dict.fromkeys((".arw", ".cr2", ".cr3", ".dng", ".nef", ".orf", ".pef", ".raf", ".rw2", ".srw"), _RAW_PHOTO),
    **dict.fromkeys((".exr", ".hdr", ".ico", ".jxl", ".psd", ".svg", ".xcf"), _NO_DECODER),
    **dict.fromkeys((".264", ".265", ".h264", ".h265", ".hevc", ".mjpeg", ".mjpg", ".y4m", ".yuv"), _RAW_STREAM),
    **dict.fromkeys((".amv", ".bik", ".gxf", ".obu", ".swf"), _RARE),
    **dict.fromkeys((".7z", ".bz2", ".gz", ".rar", ".tar", ".tgz", ".xz", ".zip", ".zst"), _ARCHIVE),
    **dict.fromkeys((".aac", ".aif", ".aiff", ".flac", ".m4a", ".mka", ".mp3", ".oga", ".opus", ".wav", ".wma"), _SOUND),
}  # fmt: skip

#: Files commonly found beside media: their content is not checked, and if only these are left out, no warning is given.
BESIDE = (
    ".csv", ".htm", ".html", ".json", ".log", ".md", ".npy", ".npz", ".parquet", ".py", ".rst", ".txt", ".xml", ".yaml", ".yml",
)  # fmt: skip

_HEAD = 4096
#: First bytes of a file -> its kind, or why it is not read.
_SIGNATURES: tuple[tuple[bytes, str], ...] = (
    (b"\xff\xd8\xff", "image"),  # JPEG
    (b"\x89PNG\r\n\x1a\n", "image"),
    (b"II*\x00", "image"),  # TIFF
    (b"MM\x00*", "image"),
    (b"\x00\x00\x00\x0cjP  \r\n\x87\n", "image"),  # JPEG 2000
    (b"GIF8", _ANIMATION),
    (b"\x1aE\xdf\xa3", "video"),  # Matroska, WebM
    (b"0&\xb2u\x8ef\xcf\x11", "video"),  # ASF, WMV
    (b"FLV\x01", "video"),
    (b"\x06\x0e+4\x02\x05\x01\x01", "video"),  # MXF
    (b"\x00\x00\x01\xba", "video"),  # MPEG program stream
    (b"\x00\x00\x01\xb3", "video"),  # MPEG-1 and 2
    (b"PK\x03\x04", _ARCHIVE),
    (b"\x1f\x8b", _ARCHIVE),
    (b"Rar!\x1a\x07", _ARCHIVE),
    (b"7z\xbc\xaf'\x1c", _ARCHIVE),
    (b"ID3", _SOUND),
    (b"fLaC", _SOUND),
    (b"\xff\x0a", _NO_DECODER),  # JPEG XL
)
_RIFF = {b"AVI ": "video", b"WEBP": "image", b"WAVE": _SOUND}
_QUICKTIME = (b"moov", b"mdat", b"wide", b"pnot")  # files older than the box 'ftyp'
_BRANDS = {
    **dict.fromkeys((b"avif", b"avis"), "image"),
    **dict.fromkeys((b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"), _HEIC),
    **dict.fromkeys((b"M4A ", b"M4B ", b"M4P ", b"F4A "), _SOUND),
    b"crx ": _RAW_PHOTO,
}
_OGG_VIDEO = (b"\x80theora", b"\x01video\x00\x00\x00", b"OVP80", b"BBCD")
_PACKETS = ((0, 188), (4, 192))  # MPEG transport streams: first sync byte, and packet length


def media_kind(path: Path | str) -> Literal["video", "image", "frames"] | None:
    """Kind of a file: by its content if that is known, else by its name; None for anything else.

    "frames" for an existing folder. A picture named .mp4 is an image; a text named .mp4 is a video that cannot be read.
    """
    path = Path(path)
    if path.is_dir():  # whatever its name: the frames of 071.mp4 may be in a folder named 071.mp4
        return "frames"
    named = kind_by_name(path)
    found = kind_or_reason(path)
    return "video" if found == "video" else "image" if found == "image" else named


def kind_by_name(path: Path | str) -> Kind | None:
    """Kind of a file by its suffix alone; the file need not exist."""
    suffix = Path(path).suffix.lower()
    if suffix in VIDEO_SUFFIXES:
        return "video"
    return "image" if suffix in IMAGE_SUFFIXES else None


def kind_or_reason(path: Path) -> str:
    """Kind by the first bytes of a file: "video", "image", or why such a file is not read; "" if they say nothing."""
    suffix = path.suffix.lower()
    return "" if suffix in BESIDE else NOT_READ.get(suffix) or _kind_by_content(path)


def _kind_by_content(path: Path) -> str:
    try:
        with path.open("rb") as file:
            head = file.read(_HEAD)
    except OSError:
        return ""
    if head[4:8] == b"ftyp":
        return _kind_of_brands(head)
    if head[:4] == b"RIFF":
        return _RIFF.get(head[8:12], "")
    if head[:4] == b"OggS":
        return "video" if any(mark in head for mark in _OGG_VIDEO) else _SOUND
    if head[4:8] in _QUICKTIME or any(_is_transport(head, first, size) for first, size in _PACKETS):
        return "video"
    if head[:2] == b"BM" and head[6:10] == bytes(4):  # two letters alone may begin a text
        return "image"
    return next((kind for start, kind in _SIGNATURES if head.startswith(start)), "")


def _kind_of_brands(head: bytes) -> str:
    size = min(int.from_bytes(head[:4], "big"), 256)
    brands = [head[8:12], *(head[at : at + 4] for at in range(16, size, 4))]
    if brands[0] in (b"mif1", b"msf1") and any(brand in (b"avif", b"avis") for brand in brands):
        return "image"
    return _BRANDS.get(brands[0], "video")


def _is_transport(head: bytes, first: int, size: int) -> bool:
    places = range(first, len(head), size)
    return len(places) >= 3 and all(head[at] == 0x47 for at in places)
