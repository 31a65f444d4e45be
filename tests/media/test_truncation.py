"""Which pictures are whole: kinds of padding, appended data and thumbnails, and of cut-off files."""

import struct

import cv2
import numpy as np
import pytest

from dfworkbench.core.errors import MediaError
from dfworkbench.media import read_image
from dfworkbench.media.pictures.truncation import is_cut

_END = b"\xff\xd9"


def encoded(suffix, *options, size=(48, 40)):
    noise = np.random.default_rng(3).integers(0, 255, (*size, 3), dtype=np.uint8)
    return cv2.imencode(suffix, cv2.GaussianBlur(noise, (5, 5), 2), list(options))[1].tobytes()


def segment(marker, content):
    return bytes((0xFF, marker)) + struct.pack(">H", len(content) + 2) + content


PLAIN = encoded(".jpg")
PROGRESSIVE = encoded(".jpg", cv2.IMWRITE_JPEG_PROGRESSIVE, 1)
RESTARTS = encoded(".jpg", cv2.IMWRITE_JPEG_RST_INTERVAL, 1)
SMALL = encoded(".jpg", size=(16, 16))
THUMBNAIL = segment(0xE1, b"Exif\x00\x00" + SMALL)  # bears an end marker of its own
LARGE_THUMBNAIL = segment(0xE1, b"Exif\x00\x00" + SMALL + bytes(40_000))


def with_segment(jpeg, extra):
    return jpeg[:2] + extra + jpeg[2:]


def with_fill_bytes(jpeg):
    """0xFF before each marker up to the scan, as the standard allows."""
    at, out = 2, [jpeg[:2]]
    while jpeg[at + 1] != 0xDA:
        end = at + 2 + int.from_bytes(jpeg[at + 2 : at + 4], "big")
        out.append(b"\xff\xff" + jpeg[at:end])
        at = end
    return b"".join([*out, jpeg[at:-2], b"\xff\xff", _END])


WHOLE = {
    "zeros of twice its length": PLAIN + bytes(2 * len(PLAIN)),
    "erased flash": PLAIN + b"\xff" * 10_000,
    "a maker's trailer": PLAIN + b"\x00\x00\x01\x0aSEFH" + bytes(3 * len(PLAIN)) + b"SEFT",
    "a second picture, as in MPF": PLAIN + PROGRESSIVE,
    "the beginning of a second picture": PLAIN + PROGRESSIVE[:300],
    "a video, as in motion photos": PLAIN + struct.pack(">I", 24) + b"ftypmp42" + bytes(50_000),
    "a thumbnail": with_segment(PLAIN, THUMBNAIL),
    "a thumbnail longer than the picture, and zeros": with_segment(PLAIN, LARGE_THUMBNAIL) + bytes(90_000),
    "fill bytes": with_fill_bytes(PLAIN),
    "progressive with zeros": PROGRESSIVE + bytes(9_000),
    "restart markers with zeros": RESTARTS + bytes(9_000),
    "PNG with zeros": encoded(".png") + bytes(30_000),
    "PNG with a second PNG": encoded(".png") + encoded(".png")[:200],
    "WebP with zeros": encoded(".webp") + bytes(9_000),
    "BMP with zeros": encoded(".bmp") + bytes(9_000),
}


@pytest.mark.parametrize("kind", WHOLE)
def test_what_follows_or_precedes_the_picture_does_not_matter(tmp_path, kind):
    data = WHOLE[kind]
    assert not is_cut(data)
    (tmp_path / "any name").write_bytes(data)
    plain = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    np.testing.assert_array_equal(read_image(tmp_path / "any name"), plain[..., ::-1])
    assert plain.shape == (48, 40, 3)


CUT = {
    "in its scan": PLAIN[: len(PLAIN) // 2],
    "in its scan, then zeros": PLAIN[: len(PLAIN) * 2 // 3] + bytes(len(PLAIN)),
    "in its scan, then erased flash": PLAIN[: len(PLAIN) * 2 // 3] + b"\xff" * len(PLAIN),
    "in its scan, then another picture": PLAIN[: len(PLAIN) * 2 // 3] + SMALL,
    "after a whole thumbnail": with_segment(PLAIN, THUMBNAIL)[: len(THUMBNAIL) + len(PLAIN) * 2 // 3],
    "after a thumbnail that fills most of the file": with_segment(PLAIN, LARGE_THUMBNAIL)[:-400],
    "before its scan": PLAIN[:300],
    "in a segment's length": PLAIN[:3],
    "between the scans of a progressive one": PROGRESSIVE[: len(PROGRESSIVE) * 3 // 4],
    "at its end marker": PLAIN[:-1],
    "PNG": encoded(".png")[:-700],
    "PNG, then zeros": encoded(".png")[:-700] + bytes(5_000),
    "PNG without its end": encoded(".png")[:-12],
    "WebP": encoded(".webp")[:-50],
    "BMP": encoded(".bmp")[:-50],
}


@pytest.mark.parametrize("kind", CUT)
def test_a_picture_that_is_cut_off_is_truncated(tmp_path, kind):
    (tmp_path / "a.jpg").write_bytes(CUT[kind])
    with pytest.raises(
        MediaError, match=r"it stops after [\d,]+ bytes without its end. Expected .*: copy it again"
    ) as caught:
        read_image(tmp_path / "a.jpg")
    assert caught.value.status == "truncated"


def test_other_formats_are_left_to_their_decoders():
    assert not is_cut(b"")
    assert not is_cut(b"no picture")
    assert not is_cut(encoded(".tif")[:500])


def test_a_long_row_of_markers_is_followed_once():
    """Time grows with the length of the data, whatever stands in it."""
    for data in (
        b"\xff\xd8" + b"\xff" * 200_000,
        b"\xff\xd8" + b"\xff\xe0\x00\x02" * 50_000,
        b"\xff\xd8" + bytes(200_000),
    ):
        assert is_cut(data)
