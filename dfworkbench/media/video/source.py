"""Read videos frame by frame with PyAV: the frames that a player shows, decoding no more than the wanted ones need.

The packets of a file are listed once without decoding. If they determine what is shown (H.264, HEVC, VP8, VP9, AV1 and codecs of
single pictures, in containers that store when each frame is shown), the decoder skips what no wanted frame depends on: groups of
pictures before the next wanted frame, and H.264/HEVC frames that no other frame refers to. All other files are decoded once on
opening, to find their frames. The yielded frames are identical to those of a full decode (docs/decisions/0015-what-a-frame-is.md,
tests/media/test_video.py, tests/media/test_as_players_do.py).
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from av.container import InputContainer
from av.video.reformatter import VideoReformatter
from av.video.stream import VideoStream

from dfworkbench.core.errors import MediaError
from dfworkbench.media.video.containers import matroska_size, open_video
from dfworkbench.media.video.decoding import MAX_PIXELS, decode_all, prepare
from dfworkbench.media.video.display import Display, Frame
from dfworkbench.media.video.frame_reader import FrameReader, stream_of
from dfworkbench.media.video.frame_times import Timeline, timeline_of_frames, timeline_of_packets
from dfworkbench.media.video.packet_headers import reorders
from dfworkbench.media.video.streams import find_film

#: A file may contain slightly less than its header says before it is "truncated": in some containers it is an estimate.
_TOLERATED_LOSS = 0.05
#: Transfer characteristics (ITU-T H.273, table 3) that standard dynamic range screens do not show as stored.
_HDR = {16: "PQ", 18: "HLG"}
#: Containers that store for every packet when it is displayed, not only when it is decoded.
_STAMPED = {"mov", "matroska", "webm", "flv"}


def sample_indices(frame_count: int, n: int, *, both_ends: bool = False) -> list[int]:
    """`n` frame indices spread evenly; all frames if there are at most `n`.

    Args:
        frame_count: Number of frames in the video.
        n: Number of frames to sample.
        both_ends: From the first to the last frame, `numpy.linspace(0, frame_count - 1, n)` cut to integers, as most authors of
            published detectors sample; without it `floor(i * frame_count / n)`, the first frame of each of `n` equal parts.
    """
    if n >= frame_count:
        return list(range(max(frame_count, 0)))
    if both_ends:
        return np.linspace(0, frame_count - 1, n).astype(int).tolist()
    return [i * frame_count // n for i in range(n)]


def is_cut_off(found: float, expected: float) -> bool:
    """Whether so many frames are missing that a file, or a folder of frames, counts as "truncated"."""
    return found < expected * (1 - _TOLERATED_LOSS) - 1


class VideoSource:
    """A video file that can be read any number of times.

    Attributes:
        path: The file.
        frames_expected: Number of frames shown.
        fps: Frames per second: as stated in the file if its time stamps agree, else their mean.
        duration_s: Seconds from the first frame to the end of the last, by the time stamps.
        width_px: Displayed width of a frame.
        height_px: Displayed height of a frame.
        other_streams: Further video streams, in words; they are not read.
        notice: Warnings, in words, about further streams, a beginning that cannot be shown, HDR colours; "" if there are none.

    Raises:
        MediaError: On opening, with status "missing", "truncated" (cut off) or "unreadable".
    """

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)
        with open_video(self.path) as container:
            self._film = find_film(self.path, container)
            stream = stream_of(container, self._film.index)
            self._nominal = float(stream.average_rate or stream.guessed_rate or 25)
            self._tick = float(stream.time_base or 0)
            self._check_size(stream.codec_context.width, stream.codec_context.height)
            self._transfer = stream.codec_context.color_trc
            self._check_packets(container, stream)
            known = self._known_timeline(container, stream)
        self._timeline, self._display = self._look_at_first(known) if known else self._decode_once()
        self.frames_expected = self._timeline.count
        self.duration_s, self.fps = self._length()
        self.width_px, self.height_px = self._display.width_px, self._display.height_px
        self._check_size(self.width_px, self.height_px)
        self.other_streams = tuple(self._film.others)
        self.notice = self._explain()

    def iterate(self, wanted: Sequence[int] | None = None, threads: int = 1) -> Iterator[Frame]:
        """Decode and yield the wanted frames.

        Args:
            wanted: Frame indices, in any order; None for all frames. Indices not in the file are ignored.
            threads: Decoder threads; 0 to use all cores. Two cores take 0.7 of the time of one, and 7 % more CPU.

        Yields:
            Frames in display order.

        Raises:
            MediaError: "truncated" if more than a few frames cannot be decoded, "unreadable" if none can.
        """
        count = self._timeline.count
        indices = list(range(count)) if wanted is None else sorted(i for i in set(wanted) if 0 <= i < count)
        converter = VideoReformatter()  # shared by all frames: setting it up takes longer than converting a small frame
        seen = 0
        for index, decoded in FrameReader(self.path, self._film.index, self._timeline).read(indices, threads):
            seen += 1
            yield Frame(index, self._time_s(index), decoded, self._display, converter)
        self._check_end(seen, len(indices))

    # -- what the file contains --------------------------------------------------------------------------------------

    def _known_timeline(self, container: InputContainer, stream: VideoStream) -> Timeline | None:
        codec = stream.codec_context
        reordering = reorders(codec.codec.canonical_name)
        if reordering and not _STAMPED & set(container.format.name.split(",")):
            return None
        return timeline_of_packets(self._film.packets, reordering and codec.reorder_depth > 0)

    def _look_at_first(self, timeline: Timeline) -> tuple[Timeline, Display]:
        with open_video(self.path) as container:
            stream = stream_of(container, self._film.index)
            prepare(stream, threads=1)
            frame = next((frame for frame in decode_all(container, stream) if frame), None)
            if frame is None:
                raise self._none_decoded(timeline.count)
            return timeline, Display(frame, stream.sample_aspect_ratio)

    def _decode_once(self) -> tuple[Timeline, Display]:
        times, damaged, display = [], 0, None
        with open_video(self.path) as container:
            stream = stream_of(container, self._film.index)
            prepare(stream, threads=1)
            for frame in decode_all(container, stream):
                if frame is None:
                    damaged += 1
                    continue
                if display is None:
                    damaged = max(damaged - self._lead_in(), 0)
                display = display or Display(frame, stream.sample_aspect_ratio)
                times.append((frame.pts, frame.dts))
        if display is None:
            raise self._none_decoded(len(self._film.packets))
        self._check_end(len(times), len(times) + damaged)
        step = round(1 / (self._nominal * self._tick)) if self._tick else 1
        return timeline_of_frames(times, self._film.packets, step), display

    def _lead_in(self) -> int:
        """Packets before the first one at which decoding can start: the recording begins midway; this is not damage."""
        return next((at for at, packet in enumerate(self._film.packets) if packet.entry), 0)

    def _explain(self) -> str:
        film = f"stream {self._film.index} is read, not {'; '.join(self._film.others)}" if self._film.others else ""
        lead = self._lead_in()
        begins = f"its first {lead} packets build on frames that are not in the file, and show nothing" if lead else ""
        curve = _HDR.get(self._transfer, "")
        return "; ".join(filter(None, (film, begins, curve and f"its colours are HDR ({curve}) and are not mapped")))

    def _time_s(self, index: int) -> float:
        stamps = self._timeline.stamps
        return (stamps[index] - stamps[0]) * self._tick if stamps else index / self._nominal

    def _length(self) -> tuple[float, float]:
        """Seconds, and frames per second."""
        count, frame_s = self._timeline.count, 1 / self._nominal
        length = self._time_s(count - 1) + (self._timeline.last_ticks * self._tick or frame_s)
        steady = abs(length - count * frame_s) <= 0.5 * frame_s
        return length, self._nominal if steady else count / length

    # -- damage -----------------------------------------------------------------------------------------------------

    def _check_packets(self, container: InputContainer, stream: VideoStream) -> None:
        """Compare the packets in the file with those that it should have."""
        packets, claimed = self._film.packets, stream.frames
        if not packets:
            raise MediaError(
                f"reading the video {self.path}: it holds no frame (its header says {claimed}). Copy it again from its "
                "source.",
                "truncated" if claimed else "unreadable",
            )
        names = container.format.name.split(",")
        if "avi" in names:  # it counts frames that only repeat the last one and have no packets
            last = packets[-1].place.dts
            self._check_end(len(packets) if last is None else last + 1, claimed)
        elif "mov" in names:  # edit lists omit packets, or repeat them
            self._check_end(len(packets), len(stream.index_entries))
        elif "matroska" in names:
            self._check_bytes(self.path.stat().st_size, matroska_size(self.path))
        else:
            self._check_end(len(packets), claimed)

    def _check_bytes(self, found: int, expected: int) -> None:
        if is_cut_off(found, expected):
            raise MediaError(
                f"reading the video {self.path}: only {found:,} of {expected:,} bytes are there. The file is cut off: copy or "
                "download it again.",
                "truncated",
            )

    def _check_size(self, width: int, height: int) -> None:
        if not 0 < width * height <= MAX_PIXELS:
            raise MediaError(
                f"opening the video {self.path}: its header says {width} x {height} pixels; expected "
                f"1 to {MAX_PIXELS:,} pixels. The file is damaged or made to exhaust memory: leave it out."
            )

    def _check_end(self, found: int, expected: int) -> None:
        if found == 0 and expected:
            raise self._none_decoded(expected)
        if is_cut_off(found, expected):
            raise MediaError(
                f"reading the video {self.path}: only {found} of {expected} frames are there and whole. The file is cut off or "
                "damaged: copy or download it again.",
                "truncated",
            )

    def _none_decoded(self, expected: int) -> MediaError:
        return MediaError(
            f"decoding the video {self.path}: not one of its {expected} frames can be decoded. The file is damaged: "
            "copy it again from its source."
        )
