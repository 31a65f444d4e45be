import io

import cv2
import numpy as np
import pytest
from PIL import Image

from dfworkbench.media import read_image, write_png
from dfworkbench.media.pictures.png import decode_rgb, encode_rgb


def noise(height, width):
    return np.random.default_rng(height * 1000 + width).integers(0, 256, (height, width, 3), dtype=np.uint8)


@pytest.mark.parametrize("size", [(1, 1), (1, 7), (9, 1), (64, 48), (301, 299)], ids=str)
def test_what_is_written_is_read_by_us_and_by_others(size):
    picture = noise(*size)
    data = encode_rgb(picture)
    np.testing.assert_array_equal(decode_rgb(data), picture)
    np.testing.assert_array_equal(np.asarray(Image.open(io.BytesIO(data))), picture)
    np.testing.assert_array_equal(cv2.imdecode(np.frombuffer(data, np.uint8), 1)[:, :, ::-1], picture)


def test_a_picture_that_is_a_view_is_written_as_it_looks():
    picture = noise(40, 40)[4:30, 30:5:-1]
    np.testing.assert_array_equal(decode_rgb(encode_rgb(picture)), picture)


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L", "P"])
def test_files_of_others_are_left_to_opencv(mode, tmp_path):
    picture = Image.fromarray(noise(20, 30)).convert(mode)
    data = io.BytesIO()
    picture.save(data, "PNG")
    assert decode_rgb(data.getvalue()) is None
    picture.save(tmp_path / "a.png")
    np.testing.assert_array_equal(read_image(tmp_path / "a.png"), np.asarray(picture.convert("RGB")))


def test_damaged_files_are_not_taken_for_pictures():
    data = encode_rgb(noise(30, 30))
    assert decode_rgb(b"") is None
    rng = np.random.default_rng(0)
    for cut in rng.integers(1, len(data), 50):
        assert decode_rgb(data[:cut]) is None
    for at in rng.integers(41, len(data) - 20, 200):  # within the compressed pixels
        hurt = bytearray(data)
        hurt[at] ^= 1 << int(rng.integers(8))
        assert decode_rgb(bytes(hurt)) is None


def test_a_header_that_claims_more_than_there_is_is_refused():
    data = bytearray(encode_rgb(noise(30, 30)))
    data[16:24] = (100_000).to_bytes(4, "big") * 2
    assert decode_rgb(bytes(data)) is None


def test_read_image_reads_our_files(tmp_path):
    picture = noise(50, 60)
    write_png(tmp_path / "a.png", picture)
    np.testing.assert_array_equal(read_image(tmp_path / "a.png"), picture)
