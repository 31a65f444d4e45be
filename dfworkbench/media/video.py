"""Reading videos frame by frame with PyAV: exact frame indices, and no more decoding than the wanted frames need.

The packets of a file are listed once without decoding. That gives every frame its index (the rank of its time stamp),
shows at once when a file is cut off, and lets the decoder leave out what no wanted frame depends on: groups of pictures
before the next wanted frame, and H.264/HEVC frames that no other frame refers to. The frames that are yielded are
identical to those of a full decode (tests/unit/media/test_video.py).
"""

import bisect
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import av
import av.error
import numpy as np
from av.container import InputContainer
from av.video.reformatter import VideoReformatter
from av.video.stream import VideoStream
from numpy.typing import NDArray

from dfworkbench.cores import available_cores
from dfworkbench.errors import MediaError

#: A file may hold a little less than its header says before it is "truncated": in some containers it is an estimate.
_TOLERATED_LOSS = 0.05
#: Larger frames are refused before they are decoded.
MAX_PIXELS = 100_000_000
#: Codecs whose decoders leave out unreferenced frames exactly.
_SKIPPING_CODECS = ("h264", "hevc")


class Frame:
    """One decoded frame; it is converted to RGB when `rgb` is first asked for.

    Attributes:
        index: Counted from 0 in the order of display.
        time_s: Seconds since the first frame.
    """

    def __init__(self, index: int, time_s: float, decoded: av.VideoFrame, converter: VideoReformatter) -> None:
        self.index, self.time_s, self._decoded, self._converter = index, time_s, decoded, converter

    @cached_property
    def rgb(self) -> NDArray[np.uint8]:
        """`(H, W, 3)` uint8, RGB, turned upright if the file says that the camera was not."""
        converted = self._converter.reformat(self._decoded, format="rgb24", threads=1)
        rgb = np.asarray(converted.to_ndarray(), dtype=np.uint8)
        turns = round(self._decoded.rotation / 90) % 4
        return np.ascontiguousarray(np.rot90(rgb, turns)) if turns else rgb

    def __iter__(self) -> Iterator[object]:
        """`index, time_s, rgb = frame`."""
        return iter((self.index, self.time_s, self.rgb))


@dataclass(frozen=True)
class _Packets:
    """Time stamps of all frames in order of display, and of those at which decoding can start; empty if not stamped."""

    stamps: list[int]
    keys: list[int]
    count: int


def sample_indices(frame_count: int, n: int) -> list[int]:
    """`n` frame indices spread evenly, `floor(i * frame_count / n)`; all frames where there are not more than `n`."""
    if n >= frame_count:
        return list(range(max(frame_count, 0)))
    return [i * frame_count // n for i in range(n)]


def is_cut_off(found: int, expected: int) -> bool:
    """Whether so many frames are missing that a file, or a folder of frames, counts as "truncated"."""
    return found < expected * (1 - _TOLERATED_LOSS) - 1


class VideoSource:
    """A video file that can be read as often as wanted.

    Attributes:
        path: The file.
        frames_expected: Frames in the file; where its packets bear no time stamps, what its header claims (or 0).
        fps: Frames per second, 25.0 where the file does not say.
        width_px: Width of a frame as stored.
        height_px: Height of a frame as stored.

    Raises:
        MediaError: On opening, with status "missing", "truncated" (cut off) or "unreadable".
    """

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)
        with self._open() as container:
            stream = container.streams.video[0]
            claimed = stream.frames
            self.fps = float(stream.average_rate or stream.guessed_rate or 25)
            self.width_px, self.height_px = stream.codec_context.width, stream.codec_context.height
            self._check_size()
            self._packets = _list_packets(container, stream)
        if not self._packets.count:
            raise MediaError(
                f"reading the video {self.path}: it holds no frame (its header says {claimed}). Copy it again from its "
                "source.",
                "truncated" if claimed else "unreadable",
            )
        self._check_end(self._packets.count, claimed)
        self.frames_expected = self._packets.count if self._packets.stamps else claimed

    def iterate(self, wanted: Sequence[int] | None = None, threads: int = 1) -> Iterator[Frame]:
        """Decode and yield the wanted frames.

        Args:
            wanted: Frame indices, in any order; None for all frames. Indices that the file does not have are left out.
            threads: Of the decoder; 0 for as many as use all cores. Two cores take 0.7 of the time of one,
                and 7 % more CPU.

        Yields:
            Frames in the order of display.

        Raises:
            MediaError: "truncated" if more than a few frames cannot be decoded, "unreadable" if none can.
        """
        stamps = self._packets.stamps
        with self._open() as container:
            stream = container.streams.video[0]
            stream.thread_type = "NONE" if threads == 1 else "FRAME"
            stream.codec_context.thread_count = threads or 2 * available_cores()  # they wait for one another
            if stamps:
                indices = (
                    range(len(stamps)) if wanted is None else sorted(i for i in set(wanted) if 0 <= i < len(stamps))
                )
                seen = 0
                for frame in self._decode_stamped(container, stream, list(indices)):
                    seen += 1
                    yield frame
                self._check_end(seen, len(indices))
            else:
                yield from self._decode_counted(container, stream, None if wanted is None else set(wanted))

    def _decode_stamped(self, container: InputContainer, stream: VideoStream, indices: list[int]) -> Iterator[Frame]:
        stamps, keys = self._packets.stamps, self._packets.keys
        tick = float(stream.time_base or 0)
        codec = stream.codec_context
        converter = VideoReformatter()  # one for all frames: preparing the conversion takes longer than a small frame
        for start, run in _runs(indices, stamps, keys):
            if start is not None:
                container.seek(start, stream=stream)
            index_of = {stamps[i]: i for i in run}
            for packet in _demux(container, stream):
                if codec.name in _SKIPPING_CODECS:
                    codec.skip_frame = "DEFAULT" if packet.pts in index_of else "NONREF"
                for decoded in _decode(packet):
                    index = None if decoded.pts is None else index_of.pop(decoded.pts, None)
                    if index is not None:
                        yield Frame(index, (stamps[index] - stamps[0]) * tick, decoded, converter)
                if not index_of:
                    break

    def _decode_counted(
        self, container: InputContainer, stream: VideoStream, wanted: set[int] | None
    ) -> Iterator[Frame]:
        last = None if wanted is None else max(wanted, default=-1)
        index, converter = 0, VideoReformatter()
        for packet in _demux(container, stream):
            for decoded in _decode(packet):
                if wanted is None or index in wanted:
                    yield Frame(index, index / self.fps, decoded, converter)
                index += 1
            if last is not None and index > last:
                return
        self._check_end(index, self.frames_expected)

    def _open(self) -> InputContainer:
        if not self.path.is_file():
            raise MediaError(f"opening the video {self.path}: there is no such file. Check the path.", "missing")
        try:
            container = av.open(str(self.path))
        except (av.error.FFmpegError, OSError, ValueError) as error:
            raise self._explain_open(error) from error
        if not container.streams.video:
            container.close()
            raise MediaError(
                f"opening the video {self.path}: it has no video stream (only sound?). Expected a video such as MP4, MKV "
                "or AVI: leave the file out."
            )
        if container.streams.video[0].codec_context is None:
            container.close()
            raise MediaError(
                f"opening the video {self.path}: FFmpeg knows no decoder for its video stream. The file is damaged, or in a rare "
                "format: convert it with another program, for example to H.264."
            )
        return container

    def _explain_open(self, error: Exception) -> MediaError:
        try:
            size = self.path.stat().st_size
            with self.path.open("rb") as file:
                head = file.read(8)
        except OSError as denied:
            return MediaError(f"opening the video {self.path}: {denied.strerror}. Check its permissions.")
        if not size:
            return MediaError(f"opening the video {self.path}: the file is empty (0 bytes). Copy it again.")
        if head[4:8] == b"ftyp":
            return MediaError(
                f"opening the video {self.path}: the MP4 has {size:,} bytes but not its index (the 'moov' box), which is "
                "written last. The file is cut off: copy or download it again.",
                "truncated",
            )
        return MediaError(
            f"opening the video {self.path}: FFmpeg cannot read its {size:,} bytes, which begin with {head!r} ({error}). "
            "Expected a video such as MP4, MKV or AVI: check that the file is what its suffix says."
        )

    def _check_size(self) -> None:
        if not 0 < self.width_px * self.height_px <= MAX_PIXELS:
            raise MediaError(
                f"opening the video {self.path}: its header says {self.width_px} x {self.height_px} pixels; expected "
                f"1 to {MAX_PIXELS:,} pixels. The file is damaged or made to exhaust memory: leave it out."
            )

    def _check_end(self, found: int, expected: int) -> None:
        if found == 0 and expected:
            raise MediaError(
                f"decoding the video {self.path}: not one of its {expected} frames can be decoded. The file is damaged: "
                "copy it again from its source."
            )
        if is_cut_off(found, expected):
            raise MediaError(
                f"reading the video {self.path}: only {found} of {expected} frames are there. The file is cut off or "
                "damaged: copy or download it again.",
                "truncated",
            )


def _list_packets(container: InputContainer, stream: VideoStream) -> _Packets:
    stamps: list[int | None] = []
    keys: list[int] = []
    for packet in _demux(container, stream):
        if packet.size and not packet.is_discard:
            stamps.append(packet.pts)
            if packet.is_keyframe and packet.pts is not None:
                keys.append(packet.pts)
    known = sorted(stamp for stamp in set(stamps) if stamp is not None)
    return _Packets(known if len(known) == len(stamps) else [], sorted(keys), len(stamps))


def _runs(indices: list[int], stamps: list[int], keys: list[int]) -> Iterator[tuple[int | None, list[int]]]:
    """Split wanted frames where a whole group of pictures between two of them can be jumped over.

    Yields:
        The key frame's time stamp to jump to (None: the beginning of the file), and the indices to decode from there.
    """
    run: list[int] = []
    at = first = 0
    for index in indices:
        group = max(bisect.bisect_right(keys, stamps[index]) - 1, 0)
        if group > at + 1:
            if run:
                yield (keys[first] if first else None), run
            run, first = [], group
        run.append(index)
        at = group
    if run:
        yield (keys[first] if first else None), run


def _demux(container: InputContainer, stream: VideoStream) -> Iterator[av.Packet]:
    """All packets, up to where a damaged file ends; how many there are shows what is missing."""
    try:
        yield from container.demux(stream)
    except av.error.FFmpegError:
        return


def _decode(packet: av.Packet) -> Sequence[av.VideoFrame]:
    try:
        return packet.decode()  # pyright: ignore[reportReturnType]
    except av.error.FFmpegError:
        return []  # a damaged packet; what is missing in the end is counted
