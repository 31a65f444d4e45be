"""Pictures as a viewer shows them: transparency over white in all formats, and the first picture of several."""

import io
import struct
import zlib

import cv2
import numpy as np
import pytest
from PIL import Image

from dfworkbench.core.errors import MediaError
from dfworkbench.datasets.masks import read_masks
from dfworkbench.media import FrameFolder, read_image, read_picture
from dfworkbench.media.pictures.pillow_reader import open_picture

HEIGHT, WIDTH, THIRD = 32, 48, 16
ROUNDED = 1.01  # a grey level is as exact as eight bits are
COLOURS = np.random.default_rng(5).integers(0, 255, (HEIGHT, WIDTH, 3), dtype=np.uint8)
THIRDS = np.repeat(np.uint8([0, 100, 255]), THIRD)[None].repeat(HEIGHT, 0)  # hidden, half shown, shown
CLEAR = np.where(THIRDS < 255, 0, 255).astype(np.uint8)


def over(rgb, alpha, ground=255.0):
    """The definition: what is seen of a layer before a ground."""
    share = alpha[..., None] / 255
    return rgb * share + ground * (1 - share)


def saved(picture, kind, **options):
    out = io.BytesIO()
    picture.save(out, kind, **options)
    return out.getvalue()


def layers(*parts):
    return Image.fromarray(np.dstack(parts))


def by_opencv(suffix, rgba):
    return cv2.imencode(suffix, np.ascontiguousarray(rgba[..., [2, 1, 0, 3]]))[1].tobytes()


def chunk(name, content):
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))


def png(depth, colour_type, rows, transparency):
    header = struct.pack(">IIBBBBB", rows.shape[1], rows.shape[0], depth, colour_type, 0, 0, 0)
    data = zlib.compress(b"".join(b"\x00" + row.tobytes() for row in rows))
    chunks = chunk(b"IHDR", header) + chunk(b"tRNS", transparency) + chunk(b"IDAT", data) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + chunks


def premultiplied_tiff():
    data = saved(layers((COLOURS * (THIRDS[..., None] / 255)).round().astype(np.uint8), THIRDS), "TIFF")
    declared = struct.pack("<HHIH", 338, 3, 1, 2)  # one further channel: alpha that was not multiplied in
    assert data.count(declared) == 1
    return data.replace(declared, struct.pack("<HHIH", 338, 3, 1, 1))


def palette(alphas, kind="PNG"):
    numbers = (np.arange(WIDTH) // THIRD).astype(np.uint8)[None].repeat(HEIGHT, 0)
    picture = Image.fromarray(numbers, "P")
    picture.putpalette([0, 255, 0, 200, 40, 40, 10, 20, 30])
    return saved(picture, kind, transparency=alphas)


def palette_shown(*alphas):
    colours = np.uint8([[0, 255, 0], [200, 40, 40], [10, 20, 30]])
    bands = [np.full((HEIGHT, THIRD), alpha, np.uint8) for alpha in alphas]
    return over(np.repeat(colours, THIRD, axis=0)[None].repeat(HEIGHT, 0), np.hstack(bands))


RGBA = np.dstack([COLOURS, THIRDS])
GREY = COLOURS[..., :1].repeat(3, 2)
DEEP = RGBA.astype(np.uint16) * 257
KEY = (0x1234, 0x56AB, 0x9ABC)
DEEP_KEYED = np.where(THIRDS[..., None] == 0, np.uint16(KEY), DEEP[..., :3] | 1).astype(">u2")

TRANSPARENT = {
    "PNG": (saved(layers(COLOURS, THIRDS), "PNG"), over(COLOURS, THIRDS)),
    "PNG of 16 bits": (by_opencv(".png", DEEP), over(COLOURS, THIRDS)),
    "PNG, grey": (saved(layers(COLOURS[..., 0], THIRDS), "PNG"), over(GREY, THIRDS)),
    "PNG, palette, one colour": (palette(0), palette_shown(0, 255, 255)),
    "PNG, palette, half": (palette(bytes((100, 0, 255))), palette_shown(100, 0, 255)),
    "PNG, grey with a key": (
        png(8, 0, np.where(CLEAR, COLOURS[..., 0] | 1, 8).astype(np.uint8), struct.pack(">H", 8)),
        over(GREY | 1, CLEAR),
    ),
    "PNG, colour with a key": (
        png(8, 2, np.where(CLEAR[..., None], COLOURS | 1, np.uint8([8, 0, 4])), struct.pack(">HHH", 8, 0, 4)),
        over(COLOURS | 1, CLEAR),
    ),
    "PNG, 16-bit colour with a key": (
        png(16, 2, DEEP_KEYED, struct.pack(">HHH", *KEY)),
        over(COLOURS, np.where(THIRDS == 0, 0, 255)),
    ),
    "PNG, 16-bit grey with a key": (
        png(16, 0, DEEP_KEYED[..., 0], struct.pack(">H", KEY[0])),
        over(GREY, np.where(THIRDS == 0, 0, 255)),
    ),
    "WebP": (saved(layers(COLOURS, THIRDS), "WEBP", lossless=True, exact=True), over(COLOURS, THIRDS)),
    "TIFF": (saved(layers(COLOURS, THIRDS), "TIFF"), over(COLOURS, THIRDS)),
    "TIFF, compressed": (saved(layers(COLOURS, THIRDS), "TIFF", compression="tiff_lzw"), over(COLOURS, THIRDS)),
    "TIFF of 16 bits": (by_opencv(".tif", DEEP), over(COLOURS, THIRDS)),
    "TIFF, grey": (saved(layers(COLOURS[..., 0], THIRDS), "TIFF"), over(GREY, THIRDS)),
    "TIFF, multiplied in": (premultiplied_tiff(), over(COLOURS, THIRDS)),
    "GIF": (palette(1, "GIF"), palette_shown(255, 0, 255)),
    "JPEG 2000": (saved(layers(COLOURS, THIRDS), "JPEG2000"), over(COLOURS, THIRDS)),
    "BMP": (by_opencv(".bmp", RGBA), over(COLOURS, THIRDS)),
}


@pytest.mark.parametrize("kind", TRANSPARENT)
def test_what_is_transparent_is_seen_over_white_in_every_format(tmp_path, kind):
    data, shown = TRANSPARENT[kind]
    (tmp_path / "layer").write_bytes(data)
    rgb, notice = read_picture(tmp_path / "layer")
    assert rgb.dtype == np.uint8
    assert rgb.shape == (HEIGHT, WIDTH, 3)
    assert np.abs(rgb - shown).max() <= ROUNDED
    assert notice == "what is transparent is shown over white"


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "TIFF"])
@pytest.mark.parametrize("turn", range(1, 9))
def test_transparent_pictures_are_turned_upright_too(tmp_path, kind, turn):
    exif = Image.Exif()
    exif[0x112] = turn
    options = {"lossless": True, "exact": True} if kind == "WEBP" else {}
    data = saved(layers(COLOURS, THIRDS), kind, exif=exif if kind == "TIFF" else exif.tobytes(), **options)
    (tmp_path / "turned").write_bytes(data)
    upright = {1: lambda a: a, 2: np.fliplr, 3: lambda a: np.rot90(a, 2), 4: np.flipud, 5: lambda a: a.swapaxes(0, 1),
               6: lambda a: np.rot90(a, -1), 7: lambda a: np.rot90(a, 2).swapaxes(0, 1), 8: np.rot90}[turn]  # fmt: skip
    rgb, _ = read_picture(tmp_path / "turned")
    shown = upright(over(COLOURS, THIRDS))
    assert rgb.shape == shown.shape
    assert np.abs(rgb - shown).max() <= ROUNDED


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "TIFF", "JPEG2000"])
def test_a_channel_that_hides_nothing_changes_nothing(tmp_path, kind):
    options = {"lossless": True} if kind == "WEBP" else {}
    (tmp_path / "opaque").write_bytes(saved(layers(COLOURS, np.full_like(THIRDS, 255)), kind, **options))
    rgb, notice = read_picture(tmp_path / "opaque")
    np.testing.assert_array_equal(rgb, COLOURS)
    assert notice == ""


def test_an_empty_fourth_channel_of_a_bmp_is_no_transparency(tmp_path):
    (tmp_path / "a.bmp").write_bytes(by_opencv(".bmp", np.dstack([COLOURS, np.zeros_like(THIRDS)])))
    rgb, notice = read_picture(tmp_path / "a.bmp")
    np.testing.assert_array_equal(rgb, COLOURS)
    assert notice == ""


def test_a_mask_is_forged_where_it_is_painted(tmp_path):
    (tmp_path / "mask.png").write_bytes(saved(layers(np.full_like(COLOURS, 255), THIRDS), "PNG"))
    np.testing.assert_array_equal(read_masks(tmp_path / "mask.png", {0})[0], THIRDS > 0)


# -- several pictures in one file ---------------------------------------------------------------------------------------

FRAMES = [Image.fromarray(np.full((HEIGHT, WIDTH, 3), (40 * i, 100, 255 - 40 * i), np.uint8)) for i in range(5)]


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "TIFF", "AVIF", "GIF"])
def test_of_several_pictures_the_first_is_read_and_the_others_are_counted(tmp_path, kind):
    options = {"lossless": True} if kind == "WEBP" else {}
    (tmp_path / "moving").write_bytes(saved(FRAMES[0], kind, save_all=True, append_images=FRAMES[1:], **options))
    rgb, notice = read_picture(tmp_path / "moving")
    assert np.abs(rgb.astype(int) - np.asarray(FRAMES[0])).max() <= 3  # AVIF is lossy
    assert notice == "only the first of its 5 pictures was read"


def test_the_picture_for_programs_that_cannot_play_is_not_taken_for_one_of_an_animation(tmp_path):
    hidden = Image.new("RGB", (WIDTH, HEIGHT), "white")
    data = saved(hidden, "PNG", save_all=True, append_images=FRAMES[2:], default_image=True)
    (tmp_path / "moving.png").write_bytes(data)
    rgb, notice = read_picture(tmp_path / "moving.png")
    np.testing.assert_array_equal(rgb, np.asarray(FRAMES[2]))
    assert notice == "only the first of its 3 pictures was read"


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF", "BMP"])
def test_nothing_is_said_of_plain_pictures(tmp_path, kind, caplog):
    (tmp_path / "plain").write_bytes(saved(Image.fromarray(COLOURS), kind))
    assert read_picture(tmp_path / "plain").notice == ""
    read_image(tmp_path / "plain")
    assert not caplog.records


def test_a_second_picture_that_a_phone_appends_to_a_jpeg_is_nothing_to_speak_of(tmp_path):
    data = saved(FRAMES[0], "MPO", save_all=True, append_images=FRAMES[1:2])
    opened = open_picture(data)
    assert opened is not None
    assert opened.image.format == "MPO"
    (tmp_path / "phone.jpg").write_bytes(data)
    assert read_picture(tmp_path / "phone.jpg").notice == ""


def test_notices_are_logged_and_go_with_a_folder_of_frames(tmp_path, caplog):
    for number in range(2):
        (tmp_path / f"{number}.png").write_bytes(saved(layers(COLOURS, THIRDS), "PNG"))
    read_image(tmp_path / "0.png")
    assert caplog.messages == [f"{tmp_path / '0.png'}: what is transparent is shown over white"]
    assert FrameFolder(tmp_path).notice == "its first picture: what is transparent is shown over white"
    assert len(caplog.messages) == 1  # not once per frame


def test_what_pillow_cannot_open_is_read_by_opencv_and_said(tmp_path, monkeypatch):
    (tmp_path / "plain.png").write_bytes(saved(Image.fromarray(COLOURS), "PNG"))
    monkeypatch.setattr(Image, "open", lambda *_: (_ for _ in ()).throw(Image.DecompressionBombError("large")))
    rgb, notice = read_picture(tmp_path / "plain.png")
    np.testing.assert_array_equal(rgb, COLOURS)
    assert notice.startswith("transparency, further pictures and colour profile were not looked for")


@pytest.mark.filterwarnings("ignore::UserWarning")  # Pillow's, of damaged tags
@pytest.mark.parametrize("kind", ["PNG", "WEBP", "TIFF", "AVIF", "GIF", "BMP", "JPEG2000"])
def test_a_transparent_picture_that_is_damaged_is_refused_or_read_and_never_an_error_of_another_kind(tmp_path, kind):
    data = saved(layers(COLOURS, THIRDS), kind)
    for place in range(8, len(data) - 40, max(len(data) // 40, 1)):
        (tmp_path / "hurt").write_bytes(data[:place] + b"\xa5" * 24 + data[place + 24 :])
        try:
            rgb, _ = read_picture(tmp_path / "hurt")
        except MediaError as error:
            assert error.status in ("unreadable", "truncated")  # noqa: PT017
        else:
            assert rgb.shape[2] == 3
