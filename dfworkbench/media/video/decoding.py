"""Demux and decode past damage: a packet that cannot be decoded costs its frame, not the file."""

from collections.abc import Iterator, Sequence

import av
import av.error
from av.container import InputContainer
from av.video.stream import VideoStream

from dfworkbench.core.cores import available_cores

#: Larger frames are refused before they are decoded.
MAX_PIXELS = 100_000_000


def prepare(stream: VideoStream, threads: int) -> None:
    """Configure a decoder: number of threads (0: enough to use all cores), and largest frame."""
    stream.thread_type = "NONE" if threads == 1 else "FRAME"  # pyright: ignore[reportAttributeAccessIssue]
    stream.codec_context.thread_count = threads or 2 * available_cores()  # they wait for each other
    stream.codec_context.options = {"max_pixels": str(MAX_PIXELS)}


def demux(container: InputContainer, *streams: VideoStream) -> Iterator[av.Packet]:
    """All packets with content, up to where a damaged file ends; their number shows what is missing.

    In AVI and Ogg, an empty packet means "as before"; a decoder would take it for the end of the stream.
    """
    try:
        for packet in container.demux(streams):
            if packet.size:
                yield packet  # pyright: ignore[reportReturnType]
    except av.error.FFmpegError:
        return


def decode(stream: VideoStream, packet: av.Packet | None) -> Sequence[av.VideoFrame] | None:
    """Frames produced by a packet, or the remaining ones for None; returns None if it cannot be decoded."""
    try:
        return stream.decode(packet)  # pyright: ignore[reportArgumentType]
    except av.error.FFmpegError:
        return None


class Damage:
    """Distinguishes intact from damaged frames: those flagged by the decoder, and all that depend on them up to the next key frame.

    A decoder conceals what it cannot read. It flags the first frames of such a stretch, but not all frames predicted from them.
    """

    def __init__(self) -> None:
        self._intact = True

    def spares(self, frame: av.VideoFrame) -> bool:
        """Whether a frame is intact; to be called in display order from a key frame on."""
        self._intact = not frame.is_corrupt and (self._intact or bool(frame.key_frame))
        return self._intact


def decode_all(container: InputContainer, stream: VideoStream) -> Iterator[av.VideoFrame | None]:
    """All frames in the decoder's order, which is display order; None for a damaged packet."""
    for packet in demux(container, stream):
        frames = decode(stream, packet)
        yield from [None] if frames is None else frames
    yield from decode(stream, None) or ()
