"""Videos and pictures are told apart by content where it is known, and by name elsewhere."""

import os

import av
import cv2
import numpy as np
import pytest

from dfworkbench.core.errors import DataNotFoundError, MediaError
from dfworkbench.media import VideoSource, list_media, media_kind, read_image
from dfworkbench.media.kinds import IMAGE_SUFFIXES, NOT_READ, VIDEO_SUFFIXES, kind_by_name, kind_or_reason
from dfworkbench.media.listing import list_folder


def test_kinds_by_name():
    assert media_kind("a/b.MP4") == "video"
    assert media_kind("b.jpeg") == "image"
    assert media_kind("notes.txt") is None
    assert len({*VIDEO_SUFFIXES, *IMAGE_SUFFIXES, *NOT_READ}) == len((*VIDEO_SUFFIXES, *IMAGE_SUFFIXES, *NOT_READ))
    assert all(
        suffix == suffix.lower() and suffix.startswith(".") for suffix in (*VIDEO_SUFFIXES, *IMAGE_SUFFIXES, *NOT_READ)
    )


def test_a_folder_stands_for_its_frames_whatever_its_name(tmp_path):
    (tmp_path / "071.mp4").mkdir()
    assert media_kind(tmp_path) == media_kind(tmp_path / "071.mp4") == "frames"
    assert media_kind(tmp_path / "072") is None
    (tmp_path / "071.mp4" / "1.png").touch()
    assert list_media(tmp_path) == [tmp_path / "071.mp4" / "1.png"]


def test_list_media_is_sorted_deep_and_skips_hidden(tmp_path):
    for name in ("b.mp4", "a/c.png", ".hidden/x.mp4", "a/.y.png", "notes.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    assert [p.relative_to(tmp_path).as_posix() for p in list_media(tmp_path)] == ["a/c.png", "b.mp4"]


def test_missing_and_empty_folder_say_what_to_do(tmp_path):
    with pytest.raises(DataNotFoundError, match=r"there is no folder .*Give the path"):
        list_media(tmp_path / "nowhere")
    with pytest.raises(DataNotFoundError, match=r"holds none.*\.mp4"):
        list_media(tmp_path)


# -- by content -------------------------------------------------------------------------------------------------------

#: Container -> codec, and the suffix that it commonly bears.
CONTAINERS = {
    "mp4": ("mpeg4", ".mp4"), "mov": ("mpeg4", ".mov"), "3gp": ("mpeg4", ".3gp"), "matroska": ("mpeg4", ".mkv"),
    "webm": ("libvpx", ".webm"), "avi": ("mpeg4", ".avi"), "mpegts": ("mpeg2video", ".mts"), "asf": ("mpeg4", ".wmv"),
    "flv": ("flv", ".flv"), "ogg": ("libvpx", ".ogv"), "vob": ("mpeg2video", ".vob"), "mpeg": ("mpeg1video", ".mpg"),
    "mxf": ("mpeg2video", ".mxf"), "ivf": ("libvpx", ".ivf"), "nut": ("mpeg4", ".nut"), "rm": ("rv10", ".rm"),
    "m2ts": ("mpeg2video", ".m2ts"),
}  # fmt: skip
_STRANGE = {"ivf", "nut", "rm"}  # known by their suffix alone
_NAMES = ("{}", "{upper}", "clip{suffix}.part", "clip", "clip.dat", "clip.ts")


@pytest.fixture(scope="session")
def clips(tmp_path_factory):
    """A clip of three frames in each container that this build of FFmpeg can write."""
    folder, made = tmp_path_factory.mktemp("containers"), {}
    for name, (codec, suffix) in CONTAINERS.items():
        path = folder / f"{name}{suffix}"
        size = (176, 144)  # the least that all of these codecs take
        options = {"mpegts_m2ts_mode": "1"} if name == "m2ts" else {}
        try:
            with av.open(str(path), "w", format="mpegts" if name == "m2ts" else name, options=options) as container:
                stream = container.add_stream(codec, rate=25)
                stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
                for value in (0, 100, 200):
                    frame = av.VideoFrame.from_ndarray(np.full((144, 176, 3), value, np.uint8), format="rgb24")
                    container.mux(stream.encode(frame))
                container.mux(stream.encode())
            made[name] = path
        except (av.FFmpegError, ValueError):
            continue
    assert len(made) >= 10
    return made


@pytest.mark.parametrize(
    ("container", "name"), [(c, n) for c in CONTAINERS for n in _NAMES if c not in _STRANGE or n[0] == "{"]
)
def test_a_video_is_found_and_read_whatever_it_is_called(tmp_path, clips, container, name):
    if container not in clips:
        pytest.skip(f"this build of FFmpeg cannot write {container}")
    made = clips[container]
    path = tmp_path / name.format(made.name, upper=made.name.upper(), suffix=made.suffix)
    path.write_bytes(made.read_bytes())
    assert media_kind(path) == "video"
    assert list_media(tmp_path) == [path]
    assert len(list(VideoSource(path).iterate())) >= 1


@pytest.mark.parametrize("container", ["mp4", "matroska", "avi"])
def test_a_video_under_the_name_of_a_picture_is_a_video(tmp_path, clips, container):
    path = tmp_path / "clip.jpg"
    path.write_bytes(clips[container].read_bytes())
    assert media_kind(path) == "video"
    assert len(list(VideoSource(path).iterate())) == 3


#: Kind -> first bytes, and a word of the reason for which such a file is not read.
NO_MEDIA = {
    "HEIC": (b"\x00\x00\x00\x18ftypheic\x00\x00\x00\x00mif1heic", "HEIC"),
    "HEIF by its second brand": (b"\x00\x00\x00\x18ftypmif1\x00\x00\x00\x00mif1heic", "HEIC"),
    "sound in MP4": (b"\x00\x00\x00\x18ftypM4A \x00\x00\x00\x00M4A mp42", "only sound"),
    "sound in Ogg": (b"OggS\x00\x02" + bytes(22) + b"\x01\x13OpusHead", "only sound"),
    "WAVE": (b"RIFF\x24\x00\x00\x00WAVEfmt ", "only sound"),
    "an animation": (b"GIF89a\x40\x00\x40\x00", "first frame only"),
    "an archive": (b"PK\x03\x04\x14\x00", "unpack"),
    "JPEG XL": (b"\xff\x0a\xfa\x1f", "cannot read it"),
    "TypeScript": (b"export const G = 71;\n" * 40, ""),
    "a text that begins like a BMP": (b"BMW 320, 2021\nBMW 330", ""),
    "HTML of a failed download": (b"<!DOCTYPE html><html>", ""),
    "nothing": (b"", ""),
}


@pytest.mark.parametrize("kind", NO_MEDIA)
def test_what_is_no_video_and_no_picture(tmp_path, kind):
    head, reason = NO_MEDIA[kind]
    path = tmp_path / "x.ts"
    path.write_bytes(head)
    assert media_kind(path) is None
    assert reason in kind_or_reason(path)
    [line] = list_folder(tmp_path).left_out
    assert line.startswith(".ts")
    assert reason in line
    # under the name of a video it is tried, and fails by name
    if kind == "an animation":
        return
    named = tmp_path / "x.mp4"
    path.rename(named)
    assert media_kind(named) == "video"
    with pytest.raises(MediaError, match=r"x\.mp4"):
        VideoSource(named)


def test_a_picture_under_the_name_of_a_video_is_a_picture(tmp_path):
    rgb = np.random.default_rng(1).integers(0, 255, (8, 8, 3), dtype=np.uint8)
    (tmp_path / "a.mp4").write_bytes(cv2.imencode(".png", rgb)[1].tobytes())
    assert media_kind(tmp_path / "a.mp4") == "image"
    np.testing.assert_array_equal(read_image(tmp_path / "a.mp4"), rgb[..., ::-1])


@pytest.mark.parametrize("suffix", IMAGE_SUFFIXES)
def test_every_suffix_of_pictures_is_read(tmp_path, suffix):
    written = {".jfif": ".jpg", ".pnm": ".ppm"}.get(suffix, suffix)
    try:
        grey = np.full((64, 64), 90, np.uint8)
        data = cv2.imencode(written, grey if suffix == ".pgm" else np.dstack([grey] * 3))[1]
    except cv2.error:
        pytest.skip(f"this build of OpenCV cannot write {written}")
    path = tmp_path / f"a{suffix.upper()}"
    path.write_bytes(data.tobytes())
    assert media_kind(path) == kind_by_name(path) == "image"
    assert read_image(path).shape == (64, 64, 3)


def test_a_file_that_cannot_be_opened_is_known_by_its_name(tmp_path):
    (tmp_path / "x.mp4").symlink_to("gone")
    assert media_kind(tmp_path / "x.mp4") == "video"
    assert media_kind(os.fsdecode(b"\xe9.png")) == "image"
