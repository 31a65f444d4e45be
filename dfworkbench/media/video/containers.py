"""Open video containers with FFmpeg as plain files: no playlists, scripts or network."""

from pathlib import Path

import av
import av.error
from av.container import InputContainer, OutputContainer
from av.container.core import Flags

from dfworkbench.core.errors import MediaError

#: Demuxers that read a single file. For others in FFmpeg (concat, hls, dash, sdp, image2, ...), a file is a
#: script that names further files or addresses.
CONTAINERS = (
    "mov", "mp4", "matroska", "webm", "avi", "flv", "asf", "mpeg", "mpegts", "ogg", "rm", "mxf", "dv", "nut", "ivf", "wtv",
    "h264", "hevc", "m4v", "mpegvideo", "obu", "yuv4mpegpipe", "gif",
)  # fmt: skip
#: PyAV asks for it: display time stamps made up if the file has none, which may contradict the display order.
_GUESSED_STAMPS = Flags.gen_pts.value
_ONLY = {"format_whitelist": ",".join(CONTAINERS), "protocol_whitelist": "file"}


def plain_file(path: Path | str) -> str:
    """The path in a form that FFmpeg can only take for a file: "12:30.mp4" and "http:/a/b.mp4" may be files too."""
    return f"file:{Path(path).absolute()}"


def open_output(path: Path | str) -> OutputContainer:
    """A container to write to, in the format of its suffix."""
    return av.open(plain_file(path), "w")


def open_video(path: Path) -> InputContainer:
    """A container with at least one video stream, including attached pictures.

    Raises:
        MediaError: "missing", "truncated" (an MP4 without its index) or "unreadable".
    """
    if not path.is_file():
        raise MediaError(f"opening the video {path}: there is no such file. Check the path.", "missing")
    try:
        container = av.open(plain_file(path), options=_ONLY, metadata_errors="replace")
    except (av.error.FFmpegError, OSError, ValueError) as error:
        raise _explain(path, error) from error
    if not container.streams.video:
        container.close()
        raise MediaError(
            f"opening the video {path}: it has no video stream (only sound?). Expected a video such as MP4, MKV or AVI: "
            "leave the file out."
        )
    container.flags &= ~_GUESSED_STAMPS
    return container


def _explain(path: Path, error: Exception) -> MediaError:
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            head = file.read(8)
    except OSError as denied:
        return MediaError(f"opening the video {path}: {denied.strerror}. Check its permissions.")
    if not size:
        return MediaError(f"opening the video {path}: the file is empty (0 bytes). Copy it again.")
    if head[4:8] == b"ftyp":
        return MediaError(
            f"opening the video {path}: the MP4 has {size:,} bytes but not its index (the 'moov' box), which is written "
            "last. The file is cut off: copy or download it again.",
            "truncated",
        )
    why = getattr(error, "strerror", None) or error
    return MediaError(
        f"opening the video {path}: FFmpeg cannot read its {size:,} bytes, which begin with {head!r}, as a container of video "
        f"({why}). Expected a video such as MP4, MKV or AVI, not a picture, a playlist or a script: check that the file is what "
        "its suffix says."
    )


def matroska_size(path: Path) -> int:
    """Size in bytes that a Matroska or WebM file should have according to its header; 0 if it does not say (RFC 8794)."""
    with path.open("rb") as file:
        head = file.read(4096)
    at = 0
    for wanted in (b"\x1a\x45\xdf\xa3", b"\x18\x53\x80\x67"):  # the EBML header, then the segment that holds the rest
        if head[at : at + 4] != wanted or len(head) < at + 12:
            return 0
        length = 9 - head[at + 4].bit_length()  # length of the number that states the size
        size = int.from_bytes(head[at + 4 : at + 4 + length]) & (1 << 7 * length) - 1
        unknown = size == (1 << 7 * length) - 1
        at += 4 + length + size
    return 0 if unknown else at
