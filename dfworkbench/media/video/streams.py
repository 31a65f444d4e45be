"""Select the video stream that a player would show, and list its packets."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import av
from av.container import InputContainer
from av.stream import Disposition
from av.video.stream import VideoStream

from dfworkbench.core.errors import MediaError
from dfworkbench.media.video.bits import Reader, Unclear
from dfworkbench.media.video.decoding import demux
from dfworkbench.media.video.packet_headers import packet_reader

#: Covers and thumbnails, and layers that mean nothing without another stream.
_NO_FILM = Disposition.attached_pic | Disposition.timed_thumbnails | Disposition.dependent


class Place(NamedTuple):
    """Identifies a packet within its stream."""

    pts: int | None
    dts: int | None
    position: int | None
    size: int


class PacketInfo(NamedTuple):
    """A packet, examined without decoding it.

    Attributes:
        place: Identifies it within the stream.
        duration: Display duration in ticks; 0 if not stored.
        discard: Whether it is decoded but not shown, because it lies before or between the pieces of an edit list.
        shown: Number of its frames that are shown; None if that cannot be determined without decoding.
        entry: Whether decoding can start here.
    """

    place: Place
    duration: int
    discard: bool
    shown: int | None
    entry: bool


@dataclass(frozen=True)
class Film:
    """The video stream that a player would show.

    Attributes:
        index: Number of the stream in the container.
        packets: Its packets in decoding order.
        others: Further video streams, in words.
    """

    index: int
    packets: list[PacketInfo]
    others: list[str]


def place_of(packet: av.Packet) -> Place:
    """Identify a packet."""
    return Place(packet.pts, packet.dts, packet.pos, packet.size)


def find_film(path: Path, container: InputContainer) -> Film:
    """Select the video stream as ffmpeg and players do; attached pictures do not count.

    Streams with more than one packet come before others, then those marked as default, then larger ones, then earlier ones.

    Raises:
        MediaError: There is none that could be decoded.
    """
    streams = [stream for stream in container.streams.video if not stream.disposition & _NO_FILM]
    if not streams:
        raise MediaError(
            f"opening the video {path}: it has no video stream but a cover picture. Expected a video: leave the file out."
        )
    known = [stream for stream in streams if stream.codec_context is not None]
    if not known:
        raise MediaError(
            f"opening the video {path}: FFmpeg knows no decoder for its video stream. The file is damaged, or in a rare "
            "format: convert it with another program, for example to H.264."
        )
    packets = _list_packets(container, known)
    film = max(known, key=lambda stream: (len(packets[stream.index]) > 1, *_rank(stream)))
    return Film(film.index, packets[film.index], [_describe(other) for other in streams if other is not film])


def _rank(stream: VideoStream) -> tuple[bool, int]:
    return bool(stream.disposition & Disposition.default), stream.codec_context.width * stream.codec_context.height


def _describe(stream: VideoStream) -> str:
    codec = stream.codec_context
    return (
        f"{stream.index}: {codec.name}, {codec.width} x {codec.height}" if codec else f"{stream.index}: unknown codec"
    )


def _list_packets(container: InputContainer, streams: list[VideoStream]) -> dict[int, list[PacketInfo]]:
    readers = {stream.index: _reader(stream) for stream in streams}
    packets: dict[int, list[PacketInfo]] = {stream.index: [] for stream in streams}
    for packet in demux(container, *streams):
        info = _look(packet, readers[packet.stream_index])
        if info.shown is None:
            readers[packet.stream_index] = None  # only decoding the stream will tell
        packets[packet.stream_index].append(info)
    return packets


def _reader(stream: VideoStream) -> Reader | None:
    codec = stream.codec_context
    try:
        return packet_reader(codec.codec.canonical_name, codec.extradata)
    except Unclear:
        return None


def _look(packet: av.Packet, reader: Reader | None) -> PacketInfo:
    shown, entry = None, False
    if reader and not packet.is_corrupt and not packet.has_sidedata("new_extradata"):
        try:
            shown, entry = reader(bytes(packet))
        except Unclear:
            pass
    return PacketInfo(place_of(packet), packet.duration or 0, packet.is_discard, shown, entry)


def visible(packets: Iterable[PacketInfo]) -> list[PacketInfo]:
    """Those that show a frame."""
    return [packet for packet in packets if packet.shown and not packet.discard]
