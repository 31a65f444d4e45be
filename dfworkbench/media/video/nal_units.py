"""H.264 and HEVC packets: how many pictures they contain, and whether decoding can start there.

Sources: ITU-T H.264 (7.3.1, 7.3.2.1, 7.3.3), ITU-T H.265 (7.3.1, 7.3.2.3, 7.3.6), ISO/IEC 14496-15 (avcC, hvcC).
"""

from collections.abc import Iterator

from dfworkbench.media.video.bits import Bits, Content, Reader, Unclear

#: H.264 profiles whose parameter sets have additional fields.
_HIGH = {100, 110, 122, 244, 44, 83, 86, 118, 128, 134, 135, 138, 139}


def has_layers(codec: str, extradata: bytes | None) -> bool:
    """Whether pictures not referenced within their own layer may still be referenced from another (HEVC)."""
    if codec != "hevc":
        return False
    return not extradata or extradata[0] != 1 or len(extradata) < 22 or extradata[21] >> 3 & 7 != 1


def nal_reader(codec: str, extradata: bytes) -> Reader:
    """A function from the bytes of a packet to its content; both raise `Unclear`, or IndexError if something is cut off."""
    boxed = extradata[:1] == b"\x01"  # avcC or hvcC; otherwise units are found by their start codes
    prefix = (extradata[4 if codec == "h264" else 21] & 3) + 1 if boxed else 0
    check, picture = (_check_h264, _h264) if codec == "h264" else (_check_hevc, _hevc)

    def read(data: bytes) -> Content:
        slices = []
        for nal in _sized(data, prefix) if prefix else _started(data):
            check(nal)
            if (content := picture(nal)) is not None:
                slices.append(content)
        pictures = sum(content.shown for content in slices)
        if slices and not pictures:
            raise Unclear("the beginning of a picture is lost")
        return Content(pictures, pictures > 0 and all(content.entry for content in slices))

    for nal in (_avcc(extradata) if codec == "h264" else _hvcc(extradata)) if boxed else _started(extradata):
        check(nal)
    return read


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
    for _ in range(extradata[5] & 31):  # sequence parameter sets; picture parameter sets do not matter here
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
    first = nal[1] >> 7  # a picture begins where the number of the first macroblock is 0, coded as a single 1
    return Content(first, kind == 5)


def _check_h264(nal: bytes) -> None:
    if nal[0] & 31 != 7:
        return
    bits = Bits(nal[1:])
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
    if kind > 31 or nal[0] & 1 or nal[1] >> 3:  # not a slice, or from another layer
        return None
    first, entry = nal[2] >> 7, 16 <= kind <= 21
    if entry and nal[2] >> 6 & 1:
        raise Unclear("pictures that wait to be shown are dropped")
    return Content(first, entry)


def _check_hevc(nal: bytes) -> None:
    if nal[0] >> 1 & 63 == 34:
        bits = Bits(nal[2:])
        bits.skip_numbers(2)
        if bits.take(2) & 1:
            raise Unclear("pictures may be hidden")
