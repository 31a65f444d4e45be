"""Orientations in every format that can say them, and modes that are rare, against Pillow where Pillow is right."""

import io

import cv2
import numpy as np
import pytest
from PIL import Image, ImageCms, ImageOps

from dfworkbench.core.errors import MediaError
from dfworkbench.media import read_image

ROWS, COLUMNS = np.mgrid[:40, :56]
SCENE = np.stack([COLUMNS * 255 // 55, ROWS * 255 // 39, (ROWS + COLUMNS) * 255 // 94], -1).astype(np.uint8)
SCENE[:12, :16] = (250, 10, 200)  # a corner that tells all eight ways apart
PICTURE = Image.fromarray(SCENE)


def saved(picture, kind, **options):
    out = io.BytesIO()
    picture.save(out, kind, **options)
    return out.getvalue()


def encoded(suffix, values):
    return cv2.imencode(suffix, values)[1].tobytes()


@pytest.mark.parametrize("turn", range(1, 9))
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_all_eight_orientations_in_every_format(tmp_path, kind, turn):
    exif = Image.Exif()
    exif[0x112] = turn
    options = {"WEBP": {"lossless": True}, "JPEG": {"quality": 95}}.get(kind, {})
    (tmp_path / "turned").write_bytes(saved(PICTURE, kind, exif=exif if kind == "TIFF" else exif.tobytes(), **options))
    with Image.open(tmp_path / "turned") as opened:
        upright = np.asarray(ImageOps.exif_transpose(opened).convert("RGB"), int)
    rgb = read_image(tmp_path / "turned")
    assert rgb.shape == upright.shape
    assert np.abs(rgb - upright).max() <= 2


CMYK = PICTURE.convert("CMYK")
DEEP = SCENE.astype(np.uint16) * 257
BY_PILLOW = {
    "CMYK JPEG": saved(CMYK, "JPEG", quality=95),
    "CMYK TIFF": saved(CMYK, "TIFF"),
    "grey": saved(PICTURE.convert("L"), "PNG"),
    "one bit": saved(PICTURE.convert("1"), "PNG"),
    "one bit, fax": saved(PICTURE.convert("1"), "TIFF", compression="group4"),
    "palette": saved(PICTURE.convert("P"), "PNG"),
    "palette of two bits": saved(PICTURE.quantize(4), "PNG", bits=2),
    "palette BMP": saved(PICTURE.convert("P"), "BMP"),
    "progressive": saved(PICTURE, "JPEG", progressive=True),
    "TIFF of YCbCr": saved(PICTURE.convert("YCbCr"), "TIFF"),
    "TIFF of JPEG": saved(PICTURE, "TIFF", compression="jpeg"),
    "TIFF, packed": saved(PICTURE, "TIFF", compression="packbits"),
    "PPM": saved(PICTURE, "PPM"),
    "JPEG 2000": saved(PICTURE, "JPEG2000"),
}


@pytest.mark.parametrize("kind", BY_PILLOW)
def test_rare_modes_are_read_as_by_pillow(tmp_path, kind):
    (tmp_path / "rare").write_bytes(BY_PILLOW[kind])
    with Image.open(tmp_path / "rare") as opened:
        expected = np.asarray(opened.convert("RGB"), int)
    assert np.abs(read_image(tmp_path / "rare") - expected).max() <= 2


@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_sixteen_bits_become_eight(tmp_path, suffix):
    (tmp_path / "deep").write_bytes(encoded(suffix, np.ascontiguousarray(DEEP[..., ::-1])))
    np.testing.assert_array_equal(read_image(tmp_path / "deep"), SCENE)
    (tmp_path / "deep grey").write_bytes(encoded(suffix, DEEP[..., 1]))
    np.testing.assert_array_equal(read_image(tmp_path / "deep grey"), np.repeat(SCENE[..., 1:2], 3, axis=2))


@pytest.mark.parametrize("values", [DEEP.astype(np.float32), DEEP.astype(np.float64), DEEP[..., 0].astype(np.int32)])
def test_numbers_without_a_white_are_refused(tmp_path, values):
    """Of floating-point and 32-bit TIFF nobody knows which number is white."""
    (tmp_path / "numbers.tif").write_bytes(encoded(".tif", values))
    with pytest.raises(MediaError, match="not a picture that OpenCV can decode"):
        read_image(tmp_path / "numbers.tif")


def test_lab_becomes_rgb(tmp_path):
    lab = ImageCms.createProfile("LAB")
    srgb = ImageCms.createProfile("sRGB")
    stored = ImageCms.profileToProfile(PICTURE, srgb, lab, outputMode="LAB")
    (tmp_path / "lab.tif").write_bytes(saved(stored, "TIFF"))
    assert np.abs(read_image(tmp_path / "lab.tif").astype(int) - SCENE).mean() < 2  # of eight bits per value
