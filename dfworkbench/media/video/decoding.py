"""Demux and decode past damage: a packet that cannot be decoded loses its frame, not the file."""

from collections.abc import Iterator, Sequence

import av
import av.error
from av.container import InputContainer
from av.video.stream import VideoStream

from dfworkbench.core.cores import available_cores

#: Larger frames are refused before they are decoded.
MAX_PIXELS = 100_000_000


def prepare(stream: VideoStream, threads: int) -> None:
    """Set up a decoder: its threads (0: as many as use all cores), and the largest frame."""
    stream.thread_type = "NONE" if threads == 1 else "FRAME"  # pyright: ignore[reportAttributeAccessIssue]
    stream.codec_context.thread_count = threads or 2 * available_cores()  # they wait for one another
    stream.codec_context.options = {"max_pixels": str(MAX_PIXELS)}


def demux(container: InputContainer, *streams: VideoStream) -> Iterator[av.Packet]:
    """All packets with content, up to where a damaged file ends; how many there are shows what is missing.

    Packets without content stand for "as before" in AVI and Ogg. A decoder would take one for the end of the stream.
    """
    try:
        for packet in container.demux(streams):
            if packet.size:
                yield packet  # pyright: ignore[reportReturnType]
    except av.error.FFmpegError:
        return


def decode(stream: VideoStream, packet: av.Packet | None) -> Sequence[av.VideoFrame] | None:
    """Frames that come out when a packet goes in, those that are left for None; None if it cannot be decoded."""
    try:
        return stream.decode(packet)  # pyright: ignore[reportArgumentType]
    except av.error.FFmpegError:
        return None


class Damage:
    """Tells intact frames from damaged ones: those that the decoder flags, and all that build on them up to the next key frame.

    A decoder conceals what it cannot read. It flags the first frames of such a stretch, not all that are predicted from them.
    """

    def __init__(self) -> None:
        self._intact = True

    def spares(self, frame: av.VideoFrame) -> bool:
        """Whether a frame, asked for in the order of display from a key frame on, is intact."""
        self._intact = not frame.is_corrupt and (self._intact or bool(frame.key_frame))
        return self._intact


def decode_all(container: InputContainer, stream: VideoStream) -> Iterator[av.VideoFrame | None]:
    """All frames in the order in which the decoder gives them, which is that of display; None for a packet that is damaged."""
    for packet in demux(container, stream):
        frames = decode(stream, packet)
        yield from [None] if frames is None else frames
    yield from decode(stream, None) or ()
