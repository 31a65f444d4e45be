"""What a packet of coded video holds, without decoding it: how many pictures it shows, and whether decoding can start there.

Only the first bits of headers are read. Sources: ITU-T H.264 (7.3.1, 7.3.2.1, 7.3.3), ITU-T H.265 (7.3.1, 7.3.2.3, 7.3.6), RFC
6386 (VP8, 9.1), the VP9 bitstream specification (6.2, annex B), the AV1 bitstream specification (5.3, 5.9.2), ISO/IEC 14496-15
(avcC, hvcC).
"""

from collections.abc import Callable, Iterator
from typing import NamedTuple


class Content(NamedTuple):
    """What is in a packet.

    Attributes:
        shown: Pictures that it shows.
        entry: Whether everything from here on can be decoded without what comes before (pictures that are shown before it aside).
    """

    shown: int
    entry: bool


class Unclear(Exception):
    """The headers do not say for sure what will be shown."""


Reader = Callable[[bytes], Content]

#: Codecs of which every packet is one picture of its own.
_INTRA = {
    "mjpeg", "prores", "dnxhd", "rawvideo", "huffyuv", "ffvhuff", "utvideo", "v210", "png", "jpeg2000", "dvvideo", "magicyuv",
}  # fmt: skip
#: H.264 profiles whose parameter sets have more fields.
_HIGH = {100, 110, 122, 244, 44, 83, 86, 118, 128, 134, 135, 138, 139}


def packet_reader(codec: str, extradata: bytes | None) -> Reader | None:
    """A function from the bytes of a packet to its content; it raises `Unclear`. None for codecs that must be decoded to know.

    Args:
        codec: FFmpeg's name.
        extradata: Of the stream.

    Raises:
        Unclear: The headers of the stream say that not every coded picture is one shown frame.
    """
    if codec in _INTRA:
        return lambda data: Content(1, True)
    if codec in ("h264", "hevc"):
        try:
            return _nal_reader(codec, extradata or b"")
        except IndexError as error:
            raise Unclear("cut off") from error
    return _careful({"vp8": _vp8, "vp9": _vp9, "av1": _av1}.get(codec))


def reorders(codec: str) -> bool:
    """Whether frames may be shown in another order than they are coded in, one picture per packet all the same."""
    return codec in ("h264", "hevc")


def has_layers(codec: str, extradata: bytes | None) -> bool:
    """Whether pictures that no other of their own layer refers to may yet be referred to from another (HEVC)."""
    if codec != "hevc":
        return False
    return not extradata or extradata[0] != 1 or len(extradata) < 22 or extradata[21] >> 3 & 7 != 1


def _careful(read: Reader | None) -> Reader | None:
    def safe(data: bytes) -> Content:
        try:
            return read(data)  # pyright: ignore[reportOptionalCall]
        except (IndexError, ValueError) as error:
            raise Unclear("cut off") from error

    return safe if read else None


# -- H.264 and HEVC -----------------------------------------------------------------------------------------------------


def _nal_reader(codec: str, extradata: bytes) -> Reader:
    boxed = extradata[:1] == b"\x01"  # avcC or hvcC; otherwise units are found by their start codes
    prefix = (extradata[4 if codec == "h264" else 21] & 3) + 1 if boxed else 0
    check, picture = (_check_h264, _h264) if codec == "h264" else (_check_hevc, _hevc)

    def read(data: bytes) -> Content:
        pictures, entry = 0, True
        for nal in _sized(data, prefix) if prefix else _started(data):
            check(nal)
            if (content := picture(nal)) is not None:
                pictures, entry = pictures + content.shown, entry and content.entry
        return Content(pictures, entry and pictures > 0)

    safe = _careful(read)
    assert safe is not None
    for nal in (_avcc(extradata) if codec == "h264" else _hvcc(extradata)) if boxed else _started(extradata):
        check(nal)
    return safe


def _sized(data: bytes, prefix: int) -> Iterator[bytes]:
    at = 0
    while at < len(data):
        size = int.from_bytes(data[at : at + prefix])
        if at + prefix + size > len(data):
            raise Unclear("cut off")
        if size:
            yield data[at + prefix : at + prefix + size]
        at += prefix + size


def _started(data: bytes) -> Iterator[bytes]:
    at = data.find(b"\0\0\1")
    while at >= 0:
        end = data.find(b"\0\0\1", at + 3)
        if nal := data[at + 3 : end if end >= 0 else len(data)]:
            yield nal
        at = end


def _avcc(extradata: bytes) -> Iterator[bytes]:
    at = 6
    for _ in range(extradata[5] & 31):  # sequence parameter sets; those of pictures say nothing here
        size = int.from_bytes(extradata[at : at + 2])
        yield extradata[at + 2 : at + 2 + size]
        at += 2 + size


def _hvcc(extradata: bytes) -> Iterator[bytes]:
    at = 23
    for _ in range(extradata[22]):
        count, at = int.from_bytes(extradata[at + 1 : at + 3]), at + 3
        for _ in range(count):
            size = int.from_bytes(extradata[at : at + 2])
            yield extradata[at + 2 : at + 2 + size]
            at += 2 + size


def _h264(nal: bytes) -> Content | None:
    kind = nal[0] & 31
    if kind not in (1, 2, 5):
        return None
    return Content(
        nal[1] >> 7, kind == 5
    )  # a picture begins where the number of the first macroblock is 0, coded as one 1


def _check_h264(nal: bytes) -> None:
    if nal[0] & 31 != 7:
        return
    bits = _Bits(nal[1:])
    profile = bits.take(8)
    bits.take(16)
    bits.number()
    if profile in _HIGH:
        if bits.number() == 3:
            bits.take(1)
        bits.skip_numbers(2)
        if bits.take(2) & 1:
            raise Unclear("scaling matrices")
    bits.number()
    order = bits.number()
    if order == 0:
        bits.number()
    elif order == 1:
        raise Unclear("the order of pictures follows a cycle")
    bits.number()
    gaps = bits.take(1)
    bits.skip_numbers(2)
    if gaps or not bits.take(1):
        raise Unclear("frames may be missing on purpose, or coded as two fields")


def _hevc(nal: bytes) -> Content | None:
    kind = nal[0] >> 1 & 63
    if kind in (36, 37):
        raise Unclear("a sequence ends midway")
    if kind > 31 or nal[0] & 1 or nal[1] >> 3:  # not a slice, or of another layer
        return None
    first, entry = nal[2] >> 7, 16 <= kind <= 21
    if entry and nal[2] >> 6 & 1:
        raise Unclear("pictures that wait to be shown are dropped")
    return Content(first, entry)


def _check_hevc(nal: bytes) -> None:
    if nal[0] >> 1 & 63 == 34:
        bits = _Bits(nal[2:])
        bits.skip_numbers(2)
        if bits.take(2) & 1:
            raise Unclear("pictures may be hidden")


class _Bits:
    """Reads bits, and numbers in exponential Golomb codes."""

    def __init__(self, data: bytes) -> None:
        self._bits = "".join(f"{byte:08b}" for byte in data[:200].replace(b"\0\0\3", b"\0\0"))
        self._at = 0

    def take(self, count: int) -> int:
        self._at += count
        if self._at > len(self._bits):
            raise Unclear("cut off")
        return int(self._bits[self._at - count : self._at], 2)

    def number(self) -> int:
        zeros = self._bits.find("1", self._at) - self._at
        if zeros < 0:
            raise Unclear("cut off")
        self._at += zeros
        return self.take(zeros + 1) - 1

    def skip_numbers(self, count: int) -> None:
        for _ in range(count):
            self.number()


# -- VP8, VP9, AV1 ------------------------------------------------------------------------------------------------------


def _vp8(data: bytes) -> Content:
    return Content(data[0] >> 4 & 1, not data[0] & 1)


def _vp9(data: bytes) -> Content:
    frames = [_vp9_frame(frame) for frame in _superframe(data)]
    return Content(sum(frame.shown for frame in frames), frames[0].entry)


def _vp9_frame(frame: bytes) -> Content:
    bits = _Bits(frame[:2])
    if bits.take(2) != 2:
        raise Unclear("no VP9")
    if bits.take(1) + 2 * bits.take(1) == 3:
        bits.take(1)
    if bits.take(1):  # a frame that was decoded before
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
    headed = any(kind == 1 for kind, _ in units)  # after a jump the decoder needs the header of the sequence again
    return Content(sum(frame.shown for frame in frames), headed and bool(frames) and frames[0].entry)


def _av1_frame(unit: bytes) -> Content:
    bits = _Bits(unit[:1])
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
