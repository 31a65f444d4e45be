from fractions import Fraction

import av
import numpy as np
import pytest

from dfworkbench.media.video.bits import Unclear
from dfworkbench.media.video.nal_units import has_layers
from dfworkbench.media.video.packet_headers import packet_reader


def parameters(**options: str) -> bytes:
    """A sequence parameter set as x264 writes it."""
    context = av.CodecContext.create("libx264", "w")
    context.width, context.height, context.pix_fmt, context.time_base = 64, 64, "yuv420p", Fraction(1, 25)
    context.options = {"flags": "+global_header", **options}
    context.open()
    return context.extradata.split(b"\0\0\0\1")[1]


SPS = parameters()
H264 = {
    "idr": b"\x65\x88",
    "idr, second slice": b"\x65\x10",
    "other": b"\x41\x9a",
    "parameters": SPS,
    "note": b"\x06\x05",
}


def annexb(*units: bytes) -> bytes:
    return b"".join(b"\0\0\0\1" + unit for unit in units)


@pytest.mark.parametrize(
    ("names", "content"),
    [
        (["parameters", "idr", "idr, second slice"], (1, True)),
        (["note", "other"], (1, False)),
        (["note"], (0, False)),
        (["other", "other"], (2, False)),
    ],
)
def test_pictures_in_a_packet_of_h264(names, content):
    units = [H264[name] for name in names]
    assert packet_reader("h264", b"")(annexb(*units)) == content
    avcc = b"\x01\x64\x00\x0a\xff\xe1" + len(SPS).to_bytes(2) + SPS + b"\x01\x00\x00"
    assert packet_reader("h264", avcc)(b"".join(len(unit).to_bytes(4) + unit for unit in units)) == content


def test_a_unit_that_is_cut_off_is_unclear():
    avcc = b"\x01\x64\x00\x0a\xff\xe1" + len(SPS).to_bytes(2) + SPS + b"\x01\x00\x00"
    with pytest.raises(Unclear):
        packet_reader("h264", avcc)(b"\0\0\0\x09\x65\x88")


@pytest.mark.parametrize("options", [{"flags": "+global_header+ildct"}, {"x264-params": "fake-interlaced=1"}], ids=str)
def test_parameters_that_allow_fields_are_unclear(options):
    with pytest.raises(Unclear):
        packet_reader("h264", b"")(annexb(parameters(**options), H264["idr"]))


@pytest.mark.parametrize(
    "options", [{}, {"profile": "baseline"}, {"profile": "main", "bf": "3"}, {"x264-params": "keyint=1"}], ids=str
)
def test_parameters_of_progressive_video_are_clear(options):
    assert packet_reader("h264", b"")(annexb(parameters(**options), H264["idr"])) == (1, True)


@pytest.mark.parametrize(
    ("codec", "packet", "content"),
    [
        ("vp8", b"\x10\x00", (1, True)),
        ("vp8", b"\x11\x00", (1, False)),
        ("vp8", b"\x01\x00", (0, False)),  # an alt-ref frame
        ("vp9", b"\x82\x49", (1, True)),
        ("vp9", b"\x84\x00", (0, False)),
        ("vp9", b"\x86\x00", (1, False)),
        ("vp9", b"\x88", (1, False)),  # one that was decoded before
        ("vp9", b"\x84\x00\x86\x00" + b"\xc1\x02\x02\xc1", (1, False)),  # hidden and shown in one packet
        ("av1", b"\x12\x00" + b"\x0a\x01\x00" + b"\x32\x01\x10", (1, True)),
        ("av1", b"\x12\x00" + b"\x32\x01\x10", (1, False)),  # a key frame, but not what is needed to begin there
        ("av1", b"\x12\x00" + b"\x32\x01\x20" + b"\x32\x01\x80", (1, False)),
        ("mjpeg", b"\xff\xd8", (1, True)),
    ],
)
def test_what_is_hidden_and_what_is_shown(codec, packet, content):
    assert packet_reader(codec, None)(packet) == content


def test_other_codecs_must_be_decoded():
    assert packet_reader("mpeg4", b"") is None
    assert packet_reader("theora", b"") is None


def test_layers_of_hevc():
    assert has_layers("hevc", None)
    assert not has_layers("hevc", b"\x01" + bytes(20) + b"\x0f" + bytes(3))
    assert has_layers("hevc", b"\x01" + bytes(20) + b"\x17" + bytes(3))
    assert not has_layers("h264", None)


@pytest.mark.parametrize("codec", ["h264", "hevc", "vp8", "vp9", "av1"])
def test_no_bytes_do_harm(codec):
    rng = np.random.default_rng(0)
    for number in range(1500):
        data = rng.integers(0, 256 if number % 2 else 4, rng.integers(0, 60), dtype=np.uint8).tobytes()
        try:
            reader = packet_reader(codec, data if number % 3 else b"")
            content = reader(annexb(data, data[::-1]) if number % 5 else data) if reader else None
        except Unclear:
            continue
        assert content is None or (content.shown >= 0 and content.entry in (True, False))
