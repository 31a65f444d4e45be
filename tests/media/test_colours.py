"""Which descriptions of colours are worth a word: ICC profiles that are written here from their definition, PNG, AVIF and EXIF."""

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image, ImageCms

from dfworkbench.media import read_picture
from dfworkbench.media.pictures.colours import explain_profile

SRGB = ((0.64, 0.33), (0.3, 0.6), (0.15, 0.06))
ADOBE_RGB = ((0.64, 0.33), (0.21, 0.71), (0.15, 0.06))
DISPLAY_P3 = ((0.68, 0.32), (0.265, 0.69), (0.15, 0.06))
BT2020 = ((0.708, 0.292), (0.17, 0.797), (0.131, 0.046))
D50, D65 = (0.9642, 1.0, 0.8249), (0.3127, 0.329)
_CONES = np.array([[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]])  # Bradford
PICTURE = Image.fromarray(np.random.default_rng(2).integers(0, 255, (32, 48, 3), dtype=np.uint8))


def _numbers(values):
    return b"".join(struct.pack(">i", round(float(value) * 65536)) for value in values)


def _to_d50(primaries):
    """XYZ of each primary, adapted from D65."""
    columns = np.array([[x / y, 1, (1 - x - y) / y] for x, y in (*primaries, D65)]).T
    matrix, white = columns[:, :3], columns[:, 3]
    scale = np.diag((_CONES @ D50) / (_CONES @ white))
    return np.linalg.inv(_CONES) @ scale @ _CONES @ (matrix * np.linalg.solve(matrix, white))


def make_profile(name, gamma, primaries=None):
    """An ICC profile, version 2: of three primaries, or grey without."""
    curve = b"curv" + bytes(4) + struct.pack(">IH", 1, round(gamma * 256)) + bytes(2)
    text = name.encode() + b"\x00"
    tags = {b"desc": b"desc" + bytes(4) + struct.pack(">I", len(text)) + text + bytes(78),
            b"wtpt": b"XYZ " + bytes(4) + _numbers(D50), b"cprt": b"text" + bytes(8)}  # fmt: skip
    if primaries is None:
        tags[b"kTRC"] = curve
    else:
        for colour, xyz in zip("rgb", _to_d50(primaries).T, strict=True):
            tags[f"{colour}XYZ".encode()] = b"XYZ " + bytes(4) + _numbers(xyz)
            tags[f"{colour}TRC".encode()] = curve
    table, body, start = b"", b"", 132 + 12 * len(tags)
    for tag, content in tags.items():
        table += tag + struct.pack(">II", start + len(body), len(content))
        body += content + bytes(-len(content) % 4)
    space = b"RGB " if primaries else b"GRAY"
    head = struct.pack(">I4xI4s4s4s", start + len(body), 0x02400000, b"mntr", space, b"XYZ ")
    head += struct.pack(">6H", 2020, 1, 1, 0, 0, 0) + b"acsp" + bytes(28) + _numbers(D50)
    return head.ljust(128, b"\x00") + struct.pack(">I", len(tags)) + table + body


def saved(kind, picture=PICTURE, **options):
    out = io.BytesIO()
    picture.save(out, kind, **options)
    return out.getvalue()


def notice_of(tmp_path, data):
    (tmp_path / "picture").write_bytes(data)
    return read_picture(tmp_path / "picture").notice


OTHERS = {
    "Adobe RGB": make_profile("Adobe RGB (1998)", 2.2, ADOBE_RGB),
    "Display P3": make_profile("Display P3", 2.2, DISPLAY_P3),
    "BT.2020": make_profile("BT.2020", 2.4, BT2020),
    "sRGB's primaries, gamma 1.8": make_profile("old Mac", 1.8, SRGB),
}
ALIKE = {
    "Little CMS's sRGB": ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes(),
    "sRGB's primaries, gamma 2.2": make_profile("simple", 2.2, SRGB),
}


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "TIFF", "AVIF"])
@pytest.mark.parametrize("name", OTHERS)
def test_profiles_that_are_not_like_srgb_are_named_in_every_format(tmp_path, kind, name):
    data = saved(kind, icc_profile=OTHERS[name])
    title = ImageCms.getProfileDescription(io.BytesIO(OTHERS[name])).strip().replace("(", "?").replace(")", "?")
    assert notice_of(tmp_path, data) == f"its values are taken as sRGB, although it has the colour profile '{title}'"


@pytest.mark.parametrize("name", [*OTHERS, *ALIKE])
def test_pixels_are_the_stored_ones_whatever_the_profile(tmp_path, name):
    (tmp_path / "a.png").write_bytes(saved("PNG", icc_profile={**OTHERS, **ALIKE}[name]))
    np.testing.assert_array_equal(read_picture(tmp_path / "a.png").rgb, np.asarray(PICTURE))


@pytest.mark.parametrize("name", ALIKE)
@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "TIFF"])
def test_profiles_like_srgb_need_no_word(tmp_path, kind, name):
    assert notice_of(tmp_path, saved(kind, icc_profile=ALIKE[name])) == ""


def test_grey_pictures_have_grey_profiles(tmp_path):
    grey = PICTURE.convert("L")
    assert notice_of(tmp_path, saved("PNG", grey, icc_profile=make_profile("dot gain", 1.75))).endswith("'dot gain'")
    assert notice_of(tmp_path, saved("PNG", grey, icc_profile=make_profile("grey 2.2", 2.2))) == ""
    assert notice_of(tmp_path, saved("PNG", grey, icc_profile=OTHERS["Adobe RGB"])) == ""  # viewers leave it alone


def test_damaged_profiles_and_odd_names_are_no_reason_to_fail(tmp_path):
    assert "cannot be read" in notice_of(tmp_path, saved("PNG", icc_profile=b"no profile"))
    assert "cannot be read" in notice_of(tmp_path, saved("JPEG", icc_profile=OTHERS["Adobe RGB"][:200]))
    assert explain_profile(make_profile("<b>$x$\n", 1.8, SRGB)) == "the colour profile '?b??x??'"


def _with_chunk(name, content):
    data = saved("PNG")
    extra = struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))
    return data[:33] + extra + data[33:]


def _chromaticities(primaries):
    return struct.pack(">8I", *(round(value * 100_000) for point in (D65, *primaries) for value in point))


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        (b"gAMA", struct.pack(">I", 45455), ""),
        (b"gAMA", struct.pack(">I", 100_000), "the gamma 1/1"),
        (b"cHRM", _chromaticities(SRGB), ""),
        (b"cHRM", _chromaticities(DISPLAY_P3), "primaries of its own"),
        (b"cICP", bytes((1, 13, 0, 1)), ""),
        (b"cICP", bytes((12, 13, 0, 1)), "Display P3"),
        (b"cICP", bytes((9, 16, 0, 1)), "BT.2020 in PQ (HDR)"),
    ],
)
def test_chunks_of_png_say_it_too(tmp_path, name, content, words):
    expected = f"its values are taken as sRGB, although it has {words}" if words else ""
    assert notice_of(tmp_path, _with_chunk(name, content)) == expected


def test_cameras_say_adobe_rgb_in_their_exif(tmp_path):
    for index, words in (("R98", ""), ("R03", "its values are taken as sRGB, although it has Adobe RGB (by its EXIF)")):
        exif = Image.Exif()
        exif.get_ifd(0x8769)[0xA005] = {1: index}
        assert notice_of(tmp_path, saved("JPEG", exif=exif)) == words
