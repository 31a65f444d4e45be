"""Decode the wanted frames of a stream: by time stamp with seeking, or by counting."""

import bisect
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import av
import av.error
from av.container import InputContainer
from av.video.stream import VideoStream

from dfworkbench.media.video.containers import open_video
from dfworkbench.media.video.decoding import Damage, decode, decode_all, demux, prepare
from dfworkbench.media.video.frame_times import Timeline
from dfworkbench.media.video.nal_units import has_layers
from dfworkbench.media.video.streams import Place, place_of

#: Codecs whose decoders can skip unreferenced frames exactly.
_SKIPPING_CODECS = ("h264", "hevc")


class _LostPlace(Exception):
    """A seek ended after the frame that it was meant to reach."""


def stream_of(container: InputContainer, index: int) -> VideoStream:
    """The video stream with that index."""
    stream = container.streams[index]
    assert isinstance(stream, VideoStream)
    return stream


@dataclass(frozen=True)
class FrameReader:
    """Reads frames of a video.

    Attributes:
        path: The file.
        stream: Index of the stream.
        timeline: Its frames.
    """

    path: Path
    stream: int
    timeline: Timeline

    def read(self, indices: list[int], threads: int) -> Iterator[tuple[int, av.VideoFrame]]:
        """Yield index and frame for all `indices`, in ascending order; damaged frames are skipped."""
        return (self._by_stamp if self.timeline.by_stamp else self._by_count)(indices, threads)

    def _by_count(self, indices: list[int], threads: int) -> Iterator[tuple[int, av.VideoFrame]]:
        wanted = set(indices)
        with open_video(self.path) as container:
            frames = (frame for frame in decode_all(container, self._prepared(container, threads)) if frame)
            damage = Damage()
            for index, decoded in enumerate(frames):
                if damage.spares(decoded) and index in wanted:
                    yield index, decoded
                if not indices or index >= indices[-1]:
                    return

    def _by_stamp(self, indices: list[int], threads: int) -> Iterator[tuple[int, av.VideoFrame]]:
        last = -1
        try:
            with open_video(self.path) as container:
                stream = self._prepared(container, threads)
                for entry, run in _runs(indices, self.timeline):
                    for last, decoded in self._decode_run(container, stream, entry, run):
                        yield last, decoded
        except _LostPlace:  # the container's index is misleading: start at the beginning, without seeking
            rest = [index for index in indices if index > last]
            with open_video(self.path) as container:
                yield from self._decode_run(container, self._prepared(container, threads), 0, rest)

    def _prepared(self, container: InputContainer, threads: int) -> VideoStream:
        stream = stream_of(container, self.stream)
        prepare(stream, threads)
        return stream

    def _decode_run(
        self, container: InputContainer, stream: VideoStream, entry: int, run: list[int]
    ) -> Iterator[tuple[int, av.VideoFrame]]:
        index_of, codec = {self.timeline.stamps[index]: index for index in run}, stream.codec_context
        damage = Damage()
        skips = codec.name in _SKIPPING_CODECS and not has_layers(codec.name, codec.extradata)
        for packet in self._packets_from(container, stream, entry):
            if skips and packet is not None:
                codec.skip_frame = "DEFAULT" if packet.pts in index_of else "NONREF"
            for decoded in decode(stream, packet) or ():
                index = None if decoded.pts is None else index_of.pop(decoded.pts, None)
                if damage.spares(decoded) and index is not None:
                    yield index, decoded
            if not index_of:
                break

    def _packets_from(self, container: InputContainer, stream: VideoStream, entry: int) -> Iterator[av.Packet | None]:
        """Packets from an entry on, then None to flush the frames that the decoder still holds."""
        if entry:
            try:
                container.seek(self.timeline.entries[entry], stream=stream)
            except av.error.FFmpegError as error:
                raise _LostPlace from error
        arrived = not entry
        for packet in demux(container, stream):
            arrived = arrived or self._has_arrived(place_of(packet), entry)
            if arrived:
                yield packet
        if not arrived:
            raise _LostPlace
        yield None

    def _has_arrived(self, place: Place, entry: int) -> bool:
        at, wanted = self.timeline.order.get(place), self.timeline.order[self.timeline.places[entry]]
        if at is None or at > wanted:
            raise _LostPlace
        return at == wanted


def _runs(indices: list[int], timeline: Timeline) -> Iterator[tuple[int, list[int]]]:
    """Split the wanted frames where a whole group of pictures between two of them can be skipped.

    Yields:
        The index of the entry to seek to (0: the beginning of the file), and the frame indices to decode from there.
    """
    entries = timeline.entries if timeline.order else []
    run: list[int] = []
    at = first = 0
    for index in indices:
        group = max(bisect.bisect_right(entries, timeline.stamps[index]) - 1, 0)
        if group > at + 1:
            if run:
                yield first, run
            run, first = [], group
        run.append(index)
        at = group
    if run:
        yield first, run
