import struct
import zlib

import numpy as np
import pytest

from dfworkbench.core.errors import MediaError, ParameterError
from dfworkbench.media import FrameFolder, VideoSource, VideoWriter, open_source, write_png


def grey(value: int, height: int = 8, width: int = 12) -> np.ndarray:
    return np.full((height, width, 3), value, np.uint8)


@pytest.fixture
def folder(tmp_path):
    """Twelve pictures; the one with number n is of grey n."""
    for number in range(12):
        write_png(tmp_path / "clip" / f"frame_{number}.png", grey(number))
    return tmp_path / "clip"


def numbered(path, count, broken=()):
    for number in range(count):
        write_png(path / f"{number:03d}.png", grey(number))
    for number in broken:
        (path / f"{number:03d}.png").write_bytes(b"no picture")
    return path


def test_numbers_are_sorted_as_numbers_and_only_pictures_count(folder):
    (folder / "notes.txt").touch()
    (folder / "._frame_0.png").write_bytes(b"macOS")
    (folder / "frame_3.d.png").mkdir()
    source = FrameFolder(folder)
    assert (source.frames_expected, source.width_px, source.height_px, source.fps) == (12, 12, 8, 25.0)
    seen = list(source.iterate())
    assert [frame.index for frame in seen] == list(range(12))
    assert [frame.rgb[0, 0, 0] for frame in seen] == list(range(12))


def test_names_without_padding_or_with_several_numbers(tmp_path):
    names = ["s1_9.png", "s1_10.png", "s02_1.png", "s10_0.png", "x.png"]
    for value, name in enumerate(names):
        write_png(tmp_path / name, grey(value))
    assert [frame.rgb[0, 0, 0] for frame in FrameFolder(tmp_path).iterate()] == [0, 1, 2, 3, 4]


def test_wanted_frames_come_in_order_once_and_again(folder):
    source = FrameFolder(folder, fps=10)
    for _ in range(2):
        seen = list(source.iterate([11, 3, 3, -1, 12], threads=0))
        assert [(frame.index, frame.time_s, int(frame.rgb[0, 0, 0])) for frame in seen] == [(3, 0.3, 3), (11, 1.1, 11)]
    assert list(source.iterate([])) == []


def test_the_frames_of_a_video_written_as_pictures_are_the_same_source(tmp_path):
    rng = np.random.default_rng(0)
    with VideoWriter(tmp_path / "a.mp4", 25, 32, 32, 18) as writer:
        for _ in range(11):
            writer.write(rng.integers(0, 255, (32, 32, 3), dtype=np.uint8))
    clip = open_source(tmp_path / "a.mp4")
    for frame in clip.iterate():
        write_png(tmp_path / "a" / f"{frame.index}.png", frame.rgb)
    pictures = open_source(tmp_path / "a")
    assert isinstance(clip, VideoSource)
    assert isinstance(pictures, FrameFolder)
    for name in ("fps", "width_px", "height_px", "frames_expected"):
        assert getattr(pictures, name) == getattr(clip, name)
    for a, b in zip(clip.iterate([0, 2, 9, 10]), pictures.iterate([0, 2, 9, 10]), strict=True):
        assert (a.index, a.time_s) == (b.index, pytest.approx(b.time_s))
        np.testing.assert_array_equal(a.rgb, b.rgb)


def test_sizes_may_differ_and_the_first_readable_one_counts(tmp_path):
    (tmp_path / "0.png").write_bytes(b"no picture")
    write_png(tmp_path / "1.png", grey(1, 20, 30))
    write_png(tmp_path / "2.png", grey(2, 21, 33))
    source = FrameFolder(tmp_path)
    assert (source.width_px, source.height_px, source.frames_expected) == (30, 20, 3)
    assert [(frame.index, frame.rgb.shape) for frame in source.iterate()] == [(1, (20, 30, 3)), (2, (21, 33, 3))]


def test_a_few_unreadable_pictures_are_left_out_as_frames_of_a_video_are(tmp_path):
    source = FrameFolder(numbered(tmp_path / "fair", 60, broken=(5, 6, 7, 30)))  # 56 = 60 * 0.95 - 1
    assert [frame.index for frame in source.iterate()] == [n for n in range(60) if n not in (5, 6, 7, 30)]
    source = FrameFolder(numbered(tmp_path / "poor", 60, broken=(5, 6, 7, 30, 31)))
    with pytest.raises(MediaError, match=r"poor: only 55 of 60 pictures .*005\.png: its 10 bytes.* Copy") as caught:
        list(source.iterate())
    assert caught.value.status == "truncated"
    with pytest.raises(MediaError, match="not one of its 2 pictures") as caught:
        list(source.iterate([30, 31]))
    assert caught.value.status == "unreadable"


def test_a_picture_that_is_too_large_is_left_out(folder):
    header = b"IHDR" + struct.pack(">IIBBBBB", 60000, 60000, 8, 2, 0, 0, 0)
    bomb = b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + header + struct.pack(">I", zlib.crc32(header))
    (folder / "frame_4.png").write_bytes(bomb)
    assert 4 not in [frame.index for frame in FrameFolder(folder).iterate()]


def test_frames_without_a_known_suffix_are_frames(tmp_path):
    folder = numbered(tmp_path / "frames", 3)
    for number, name in enumerate(("frame_0", "frame_1.orig", "frame_2.PNG.tmp")):
        (folder / f"{number:03d}.png").rename(folder / name)
    (folder / "frame_3.txt").write_text("none")
    (folder / "Thumbs.db").write_bytes(bytes(100))
    assert len(list(FrameFolder(folder).iterate())) == 3


def test_bad_folders_have_a_status_and_a_message(tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "file.png").write_bytes(b"")
    for name, status, message in (
        ("gone", "missing", "there is no such folder. Check the path"),
        ("file.png", "missing", "this is a file"),
        ("empty", "unreadable", r"holds no picture\. Expected numbered files that end in .*\.bmp"),
    ):
        with pytest.raises(MediaError, match=f"opening the frame folder .*{name}: .*{message}") as caught:
            FrameFolder(tmp_path / name)
        assert caught.value.status == status
    numbered(tmp_path / "broken", 3, broken=range(3))
    with pytest.raises(MediaError, match=r"not one of its 3 pictures can be read; the first: .*000\.png") as caught:
        FrameFolder(tmp_path / "broken")
    assert caught.value.status == "unreadable"


@pytest.mark.parametrize("fps", [0, -1, float("nan"), float("inf")])
def test_frames_per_second_must_make_sense(folder, fps):
    with pytest.raises(ParameterError, match="must be above 0"):
        FrameFolder(folder, fps=fps)
