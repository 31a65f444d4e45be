"""Packet headers of VP8, VP9, AV1 and others: how many pictures a packet shows, and whether decoding can start there.

Only the first bits of headers are read. Sources: RFC 6386 (VP8, 9.1), the VP9 bitstream specification (6.2, annex B), the AV1
bitstream specification (5.3, 5.9.2).
"""

from collections.abc import Iterator

from dfworkbench.media.video.bits import Bits, Content, Reader, Unclear, careful
from dfworkbench.media.video.nal_units import nal_reader

#: Codecs in which every packet is a self-contained picture.
_INTRA = {
    "mjpeg", "prores", "dnxhd", "rawvideo", "huffyuv", "ffvhuff", "utvideo", "v210", "png", "jpeg2000", "dvvideo", "magicyuv",
}  # fmt: skip


def packet_reader(codec: str, extradata: bytes | None) -> Reader | None:
    """A function from the bytes of a packet to its content; it raises `Unclear`. None for codecs that must be decoded to know.

    Args:
        codec: FFmpeg's name.
        extradata: Codec headers of the stream.

    Raises:
        Unclear: The headers of the stream say that not every coded picture is one shown frame.
    """
    if codec in _INTRA:
        return lambda data: Content(1, True)
    if codec in ("h264", "hevc"):
        return careful(careful(nal_reader)(codec, extradata or b""))
    read = {"vp8": _vp8, "vp9": _vp9, "av1": _av1}.get(codec)
    return careful(read) if read else None


def reorders(codec: str) -> bool:
    """Whether frames may be displayed in another order than coded, even with one picture per packet."""
    return codec in ("h264", "hevc")


def _vp8(data: bytes) -> Content:
    return Content(data[0] >> 4 & 1, not data[0] & 1)


def _vp9(data: bytes) -> Content:
    frames = [_vp9_frame(frame) for frame in _superframe(data)]
    return Content(sum(frame.shown for frame in frames), frames[0].entry)


def _vp9_frame(frame: bytes) -> Content:
    bits = Bits(frame[:2])
    if bits.take(2) != 2:
        raise Unclear("no VP9")
    if bits.take(1) + 2 * bits.take(1) == 3:
        bits.take(1)
    if bits.take(1):  # a frame decoded earlier
        return Content(1, False)
    key = not bits.take(1)
    return Content(bits.take(1), key)


def _superframe(data: bytes) -> list[bytes]:
    mark = data[-1]
    count, width = (mark & 7) + 1, (mark >> 3 & 3) + 1
    index = data[-2 - count * width :]
    if mark >> 5 != 6 or len(index) != 2 + count * width or index[0] != mark:
        return [data]
    frames, at = [], 0
    for k in range(count):
        size = int.from_bytes(index[1 + k * width : 1 + (k + 1) * width], "little")
        frames.append(data[at : at + size])
        at += size
    return [frame for frame in frames if frame]


def _av1(data: bytes) -> Content:
    units = list(_units(data))
    frames = [_av1_frame(unit) for kind, unit in units if kind in (3, 6)]
    headed = any(kind == 1 for kind, _ in units)  # after a seek, the decoder needs the sequence header again
    return Content(sum(frame.shown for frame in frames), headed and bool(frames) and frames[0].entry)


def _av1_frame(unit: bytes) -> Content:
    bits = Bits(unit[:1])
    if bits.take(1):
        return Content(1, False)
    key = bits.take(2) == 0
    shown = bits.take(1)
    return Content(shown, key and bool(shown))


def _units(data: bytes) -> Iterator[tuple[int, bytes]]:
    at = 0
    while at < len(data):
        head = data[at]
        at += 2 if head & 4 else 1
        if not head & 2:
            raise Unclear("a unit without its size")
        size = shift = 0
        while True:
            size |= (data[at] & 127) << shift
            shift, at = shift + 7, at + 1
            if not data[at - 1] & 128:
                break
        yield head >> 3 & 15, data[at : at + size]
        at += size
