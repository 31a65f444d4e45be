import struct
import zlib

import cv2
import numpy as np
import pytest

from dfworkbench.core.errors import InputError, MediaError, OutputError
from dfworkbench.media import read_image, write_png
from dfworkbench.media.pictures.headers import header_size_px


@pytest.fixture
def picture():
    rng = np.random.default_rng(0)
    return cv2.resize(rng.integers(0, 255, (6, 8, 3), dtype=np.uint8), (80, 60), interpolation=cv2.INTER_CUBIC)


def test_png_keeps_every_pixel_and_the_order_of_channels(tmp_path, picture):
    write_png(tmp_path / "new" / "a.png", picture)
    np.testing.assert_array_equal(read_image(tmp_path / "new" / "a.png"), picture)
    np.testing.assert_array_equal(cv2.imread(str(tmp_path / "new" / "a.png"))[..., ::-1], picture)


def test_grey_alpha_and_16_bit(tmp_path, picture):
    grey = picture[..., 0]
    write_png(tmp_path / "grey.png", grey)
    np.testing.assert_array_equal(read_image(tmp_path / "grey.png"), np.repeat(grey[..., None], 3, axis=2))
    alpha = np.dstack([picture[..., ::-1], np.zeros_like(grey)])
    cv2.imwrite(str(tmp_path / "alpha.png"), alpha)
    np.testing.assert_array_equal(read_image(tmp_path / "alpha.png"), np.full_like(picture, 255))
    cv2.imwrite(str(tmp_path / "opaque.png"), alpha + np.uint8([0, 0, 0, 255]))
    np.testing.assert_array_equal(read_image(tmp_path / "opaque.png"), picture)
    cv2.imwrite(str(tmp_path / "deep.png"), picture[..., ::-1].astype(np.uint16) * 257)
    np.testing.assert_array_equal(read_image(tmp_path / "deep.png"), picture)


def test_exif_orientation_is_honoured(tmp_path, picture):
    data = cv2.imencode(".jpg", picture[..., ::-1])[1].tobytes()
    # orientation 6: the camera was turned, the picture must be rotated clockwise by 90 degrees
    tiff = b"II*\x00\x08\x00\x00\x00" + struct.pack("<HHHII", 1, 0x0112, 3, 1, 6) + b"\x00" * 4
    exif = b"\xff\xe1" + struct.pack(">H", len(tiff) + 8) + b"Exif\x00\x00" + tiff
    (tmp_path / "plain.jpg").write_bytes(data)
    (tmp_path / "turned.jpg").write_bytes(data[:2] + exif + data[2:])
    upright = read_image(tmp_path / "plain.jpg")
    np.testing.assert_array_equal(read_image(tmp_path / "turned.jpg"), np.rot90(upright, -1))


def test_bad_files_have_a_status_and_a_message(tmp_path, picture):
    def error_of(name: str, data: bytes | None) -> MediaError:
        if data is not None:
            (tmp_path / name).write_bytes(data)
        with pytest.raises(MediaError) as caught:
            read_image(tmp_path / name)
        assert name in str(caught.value)
        return caught.value

    jpeg = cv2.imencode(".jpg", picture)[1].tobytes()
    assert error_of("none.png", None).status == "missing"
    assert "0 bytes" in str(error_of("empty.png", b""))
    assert "not a picture" in str(error_of("text.png", b"this is no picture"))
    assert error_of("cut.jpg", jpeg[: len(jpeg) * 2 // 3]).status == "truncated"


def test_a_header_that_claims_a_huge_picture_is_refused_before_decoding(tmp_path):
    header = b"IHDR" + struct.pack(">IIBBBBB", 60000, 60000, 8, 2, 0, 0, 0)
    data = b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + header + struct.pack(">I", zlib.crc32(header))
    (tmp_path / "bomb.png").write_bytes(data)
    with pytest.raises(MediaError, match="60000 x 60000 pixels; at most"):
        read_image(tmp_path / "bomb.png")


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".bmp", ".tiff", ".webp", ".gif"])
def test_header_sizes(picture, suffix):
    assert header_size_px(cv2.imencode(suffix, picture)[1].tobytes()) == (80, 60)


def test_write_png_refuses_what_is_no_picture_and_explains_where_it_cannot_write(tmp_path, picture):
    with pytest.raises(InputError, match="expected uint8"):
        write_png(tmp_path / "a.png", picture.astype(np.float32))
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="cannot write"):
        write_png(tmp_path / "file" / "a.png", picture)
