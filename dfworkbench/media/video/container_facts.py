"""Metadata of a video file: container, streams, and the hash of each stream's packets."""

import hashlib
import statistics
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

import av
import av.error
from av.container import InputContainer
from av.stream import Stream
from av.video.reformatter import ColorPrimaries, ColorRange, ColorTrc

from dfworkbench.media.foreign_text import clean_metadata, one_line
from dfworkbench.media.video.containers import open_video

_MICROSECOND = Fraction(1, 1_000_000)
_MOST_POSITIONS = 20
#: ITU-T H.273, table 4; PyAV's list is that of the scaler, which uses other names.
_MATRICES = {
    0: "RGB", 1: "BT709", 2: "unspecified", 4: "FCC", 5: "BT470BG", 6: "SMPTE170M", 7: "SMPTE240M", 8: "YCGCO", 9: "BT2020_NCL",
    10: "BT2020_CL", 14: "ICTCP",
}  # fmt: skip


def video_facts(path: Path, private: bool) -> dict[str, Any]:
    """Container, streams and metadata of a video; every packet is read, none is decoded.

    Args:
        path: The file.
        private: Show positions and serial numbers; otherwise "withheld" lists their names.

    Raises:
        MediaError: It cannot be opened as a video.
    """
    with open_video(path) as container:
        metadata, withheld = clean_metadata(container.metadata, private)
        seen, complete = _read_packets(container)
        streams = []
        for stream in container.streams:
            facts, private_names = _stream_facts(stream, private)
            streams.append(facts | seen[stream.index].facts(stream.type == "video"))
            withheld += [f"stream {stream.index}: {name}" for name in private_names]
        return {
            "format": container.format.name,
            "long_name": container.format.long_name,
            "duration_s": _seconds(container.duration, _MICROSECOND),
            "start_s": _seconds(container.start_time, _MICROSECOND),
            "bit_rate": container.bit_rate or None,
            "metadata": metadata,
            "streams": streams,
            "packets_complete": complete,
            "withheld": withheld,
        }


@dataclass
class _Packets:
    """Statistics of the packets of one stream."""

    count: int = 0
    size: int = 0
    keys: list[int] = field(default_factory=list)
    digest: Any = field(default_factory=hashlib.sha256)

    def add(self, packet: av.Packet) -> None:
        if packet.is_keyframe:
            self.keys.append(self.count)
        self.count += 1
        self.size += packet.size
        self.digest.update(memoryview(packet))

    def facts(self, with_keys: bool) -> dict[str, Any]:
        found = {"packets": self.count, "packet_bytes": self.size, "packets_sha256": self.digest.hexdigest()}
        return found | {"key_frames": self._key_frames()} if with_keys else found

    def _key_frames(self) -> dict[str, Any]:
        steps = [after - before for before, after in pairwise(self.keys)]
        return {
            "count": len(self.keys),
            "first_positions": self.keys[:_MOST_POSITIONS],
            "spacing": [min(steps), statistics.median(steps), max(steps)] if steps else None,
        }


def _read_packets(container: InputContainer) -> tuple[Mapping[int, _Packets], bool]:
    """Packets of each stream in file order, and whether they could be read to its end."""
    seen: defaultdict[int, _Packets] = defaultdict(_Packets)  # transport streams may announce a stream only midway
    try:
        for packet in _content(container):
            seen[packet.stream_index].add(packet)
    except av.error.FFmpegError:
        return seen, False
    return seen, True


def _content(container: InputContainer) -> Iterator[av.Packet]:
    for packet in container.demux():
        if packet.size:
            yield packet  # pyright: ignore[reportReturnType]


def _stream_facts(stream: Stream, private: bool) -> tuple[dict[str, Any], list[str]]:
    codec = stream.codec_context
    metadata, withheld = clean_metadata(stream.metadata, private)
    facts = {
        "index": stream.index,
        "type": stream.type,
        "codec": _get(codec, "name"),
        "profile": _get(codec, "profile"),
        "codec_tag": one_line(str(_get(codec, "codec_tag") or "")),
        "duration_s": _seconds(stream.duration, stream.time_base or 0),
        "time_base": _fraction(stream.time_base),
        "bit_rate": _get(codec, "bit_rate") or None,
    }
    if stream.type == "video":
        facts |= {
            "width": _get(codec, "width"),
            "height": _get(codec, "height"),
            "pix_fmt": _get(codec, "pix_fmt"),
            "frames": stream.frames or None,  # as the container says; 0 if it does not
            "average_rate": _fraction(_get(stream, "average_rate")),
            "pixel_aspect": _fraction(_get(stream, "sample_aspect_ratio")),
            "color_range": _name(ColorRange, _get(codec, "color_range")),
            "color_primaries": _name(ColorPrimaries, _get(codec, "color_primaries")),
            "color_transfer": _name(ColorTrc, _get(codec, "color_trc")),
            "color_space": _MATRICES.get(_get(codec, "colorspace"), "unknown"),
        }
    elif stream.type == "audio":
        facts |= {"sample_rate": _get(codec, "sample_rate"), "channels": _get(codec, "channels")}
    return facts | {"metadata": metadata}, withheld


def _get(thing: Any, name: str) -> Any:
    """An attribute; None if missing, as for a codec unknown to FFmpeg."""
    try:
        return getattr(thing, name, None)
    except (RuntimeError, ValueError, OverflowError):
        return None


def _name(names: Callable[[int], Any], number: int | None) -> str:
    try:
        return names(number or 0).name
    except ValueError:
        return f"number {number}"


def _seconds(ticks: int | None, tick_s: Any) -> float | None:
    return None if ticks is None else float(ticks * tick_s)


def _fraction(value: Any) -> str | None:
    return f"{value.numerator}/{value.denominator}" if value else None
