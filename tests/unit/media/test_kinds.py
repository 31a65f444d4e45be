import pytest

from dfworkbench.errors import DataNotFoundError
from dfworkbench.media import list_media, media_kind


def test_kinds():
    assert media_kind("a/b.MP4") == "video"
    assert media_kind("b.jpeg") == "image"
    assert media_kind("notes.txt") is None


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
