"""What a layout does not take from a folder is named, and what its lists name and is not there."""

import json
import logging
import os
import re

import pytest

from dfworkbench.core.errors import DataNotFoundError
from dfworkbench.core.names import FAKE, GENERATED_MARKER
from dfworkbench.datasets import LAYOUTS, read_layout


def touch(root, *names):
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()


def write(root, name, content):
    (root / name).parent.mkdir(parents=True, exist_ok=True)
    (root / name).write_text(content if isinstance(content, str) else json.dumps(content))


#: Layout -> files with content, in the smallest data set that it reads; every media file of it gets a row.
SETS = {
    "celebdf": {"Celeb-real/id0_0000.mp4": "", "YouTube-real/00000.mp4": "", "Celeb-synthesis/id0_id1_0000.mp4": ""},
    "deeperforensics": {"manipulated_videos/end_to_end/000_M101.mp4": ""},
    "deepfakebench": {
        "f/0/0.png": "",
        "set.json": {"x": {"y": {"test": {"0": {"label": "x_real", "frames": ["f/0/0.png"]}}}}},
    },
    "dfdc": {"part_0/a.mp4": "", "part_0/metadata.json": {"a.mp4": {"label": "REAL", "split": "train"}}},
    "faceforensics": {"original_sequences/youtube/c23/videos/000.mp4": ""},
    "folders": {"real/a.mp4": "", "fake/b.png": ""},
    "frame_folders": {"real/1/0.png": "", "fake/2/0.png": ""},
    "generated_images": {"real/a.png": "", "fake/gan/b.png": ""},
    "ldm": {"f/000/0.png": "", "ldm.json": {"f/000/0": {"label": 0}}},
    "list_files": {"f/000/0.png": "", "test_real.txt": "0,f/000,1\n"},
    "picture_lists": {"f/0.png": "", "real.txt": "f/0.png\n"},
}


@pytest.fixture(params=sorted(LAYOUTS))
def layout(request, tmp_path):
    assert set(SETS) == set(LAYOUTS), "a new layout needs its smallest set here"
    for name, content in SETS[request.param].items():
        write(tmp_path, name, content)
    return request.param


def listing(caplog):
    return next(record for record in caplog.records if "found" in record.getMessage())


def test_a_set_that_is_taken_whole_is_read_without_a_word(layout, tmp_path, caplog):
    touch(tmp_path, "README.md", "notes/list.csv", ".DS_Store")
    (tmp_path / "landmarks.npz").write_bytes(b"PK\x03\x04")
    read_layout(layout, tmp_path, "x")
    said = [m for m in caplog.messages if "there is no" not in m]  # of official lists, which these sets lack
    assert said == []


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("elsewhere/a.mp4", "1 picture(s) or video(s) that are not part of the layout '{}': elsewhere/a.mp4"),
        ("raw/a.mp4", "1 picture(s) or video(s) that are not part of the layout '{}': raw/a.mp4"),
        ("elsewhere/IMG_3.HEIC", "1 .heic (OpenCV cannot read HEIC: convert it to JPEG): elsewhere/IMG_3.HEIC"),
        ("train_part_2.tar", "1 .tar (an archive: unpack it): train_part_2.tar"),
        (".thumbnails/a.mp4", "1 hidden file(s) or folder(s): .thumbnails"),
    ],
)
def test_every_layout_names_what_it_does_not_take(layout, tmp_path, caplog, name, line):
    if name.startswith("."):
        touch(tmp_path, "x.zip")  # hidden files alone are nothing to be warned of
    touch(tmp_path, name)
    read_layout(layout, tmp_path, "x")
    record = listing(caplog)
    assert record.levelno == logging.WARNING
    assert "  " + line.format(layout) in record.getMessage().splitlines()


def test_every_layout_follows_links(layout, tmp_path, tmp_path_factory):
    """All folders of a set may lie on another disk."""
    plain = read_layout(layout, tmp_path, "x")
    moved = tmp_path_factory.mktemp("disk")
    for entry in list(tmp_path.iterdir()):
        if entry.is_dir():
            entry.rename(moved / entry.name)
            entry.symlink_to(moved / entry.name)
    assert read_layout(layout, tmp_path, "x").equals(plain)


def test_inner_folders_behind_links(tmp_path):
    touch(tmp_path / "disk", "p/a.mp4", "p/b.mp4")
    write(tmp_path / "disk", "p/metadata.json", {f"{n}.mp4": {"label": "FAKE", "original": "b.mp4"} for n in "ab"})
    (tmp_path / "dfdc").mkdir()
    for part in ("dfdc_train_part_7", "dfdc_train_part_8"):
        (tmp_path / "dfdc" / part).symlink_to("../disk/p")
    assert read_layout("dfdc", tmp_path / "dfdc", "x").path.tolist() == [
        f"dfdc_train_part_{part}/{name}.mp4" for part in "78" for name in "ab"
    ]
    touch(tmp_path / "pictures", "real/a.png")
    touch(tmp_path / "disk", "sd/1/b.png")
    (tmp_path / "pictures" / "fake").mkdir()
    (tmp_path / "pictures" / "fake" / "diffusion").symlink_to(tmp_path / "disk" / "sd")
    rows = read_layout("generated_images", tmp_path / "pictures", "x").set_index("path")
    assert rows.loc["fake/diffusion/1/b.png", "forgery"] == "diffusion"


def test_a_file_under_two_paths_has_two_rows_and_is_named(tmp_path, caplog):
    touch(tmp_path, "real/a.mp4", "fake/b.mp4")
    (tmp_path / "real" / "again.mp4").symlink_to("a.mp4")
    assert len(read_layout("folders", tmp_path, "x")) == 3
    assert "1 of them under a second path (first: real/again.mp4 is real/a.mp4)" in listing(caplog).getMessage()


def test_masks_and_landmarks_of_rows_are_no_stray_files_and_other_compressions_are_expected(tmp_path, caplog):
    fake = "manipulated_sequences/FaceSwap"
    touch(
        tmp_path, f"{fake}/c23/videos/000_003.mp4", f"{fake}/c40/videos/000_003.mp4", f"{fake}/masks/videos/000_003.mp4"
    )
    with caplog.at_level(logging.INFO):
        read_layout("faceforensics", tmp_path, "x", compression="c23")
    assert listing(caplog).levelno == logging.INFO
    assert listing(caplog).getMessage().splitlines()[1:] == [
        f"  1 picture(s) or video(s) of another compression: {fake}/c40/videos/000_003.mp4"
    ]


def test_what_else_a_generator_wrote_is_expected(tmp_path, caplog):
    touch(tmp_path, "real/a.mp4", "fake/b.mp4", "extras/c.mp4", GENERATED_MARKER)
    read_layout("folders", tmp_path, "x")
    assert not caplog.records


@pytest.mark.parametrize("name", [b"real/ni\xf1o.mp4", b"real/\xd6\xd0/c.mp4", b"fake/\xff\xfe/1/x.png"])
def test_a_name_that_is_not_utf8_gets_a_row_that_tables_hold(tmp_path, caplog, name):
    touch(tmp_path, "real/a.mp4", "fake/b.mp4", os.fsdecode(name))
    videos = read_layout("folders", tmp_path, "x")
    assert len(videos) == 3
    [path] = set(videos.path) - {"real/a.mp4", "fake/b.mp4"}
    assert re.search("%[0-9A-F]{2}", path)
    videos.to_csv(tmp_path / "t.csv")
    videos.to_parquet(tmp_path / "t.parquet")
    assert (
        f"name(s) that are not UTF-8, which cannot be stored in a table (rename them; bytes are shown as %..): {path}"
        in caplog.text
    )
    assert "not there" not in caplog.text


def test_a_name_in_a_list_that_is_not_utf8_gets_a_row_too(tmp_path):
    touch(tmp_path, "a.mp4")
    write(
        tmp_path,
        "metadata.json",
        '{"a.mp4": {"label": "REAL"}, "\\ud83d.mp4": {"label": "FAKE", "original": "\\udce9.mp4"}}',
    )
    assert read_layout("dfdc", tmp_path, "x").path.tolist() == ["a.mp4", "%D83D.mp4"]


# -- what lists name --------------------------------------------------------------------------------------------------

LISTS = {
    "deepfakebench": (
        "set.json",
        lambda names: json.dumps(
            {
                "x": {
                    "y": {"test": {n: {"label": "x_real", "frames": [f"f/{n}/{i}.png" for i in (0, 1)]} for n in names}}
                }
            }
        ),
        "f/{}/0.png",
    ),
    "dfdc": ("metadata.json", lambda names: json.dumps({f"{n}.mp4": {"label": "REAL"} for n in names}), "{}.mp4"),
    "ldm": ("ldm.json", lambda names: json.dumps({f"f/{n}/0": {"label": 0} for n in names}), "f/{}/0.png"),
    "list_files": ("test_real.txt", lambda names: "".join(f"0,f/{n},1\n" for n in names), "f/{}/0.png"),
    "picture_lists": ("real.txt", lambda names: "".join(f"f/{n}.png\n" for n in names), "f/{}.png"),
}


@pytest.mark.parametrize("layout", LISTS)
def test_lists_of_which_little_is_there(tmp_path, caplog, layout):
    file, content, there = LISTS[layout]
    names = [f"{number:04d}" for number in range(400)]
    write(tmp_path, file, content(names))
    touch(tmp_path, *(there.format(name) for name in names[::20]))
    assert len(read_layout(layout, tmp_path, "x")) == 400
    [said] = [message for message in caplog.messages if "380 of 400 listed files or folders are not there" in message]
    assert said.count("0001") == 1
    assert "… and 377 more" in said


@pytest.mark.parametrize("layout", LISTS)
def test_lists_of_which_nothing_is_there_stop_the_run(tmp_path, layout):
    file, content, _ = LISTS[layout]
    write(tmp_path, file, content(["071", "072"]))
    touch(tmp_path, "other/clip.mp4")
    with pytest.raises(DataNotFoundError, match="071") as caught:
        read_layout(layout, tmp_path, "x")
    assert "Give the folder" in str(caught.value)


@pytest.mark.parametrize(("layout", "name"), [("list_files", "TEST_real.TXT"), ("picture_lists", "Real.Txt")])
def test_lists_in_another_case_are_read_and_other_texts_named(tmp_path, caplog, layout, name):
    touch(tmp_path, "f/000/0.png")
    write(tmp_path, name, "0,f/000,1\n" if layout == "list_files" else "f/000/0.png\n")
    write(tmp_path, "reel_2.txt", "0,f/000,1\n")
    assert len(read_layout(layout, tmp_path, "x")) == 1
    assert "by their names these are not lists, and are not read: reel_2.txt" in caplog.text


# -- DFDC -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("fake", "real"), [(1, 0), (True, False), ("1", "0"), (1.0, 0.0), ("true", "false")])
def test_dfdc_labels_by_is_fake(tmp_path, fake, real):
    touch(tmp_path, "test/a.mp4", "test/b.mp4")
    entries = {"a.mp4": {"is_fake": fake, "original": "b.mp4"}, "b.mp4": {"is_fake": real}}
    write(tmp_path, "test/metadata.json", entries)
    videos = read_layout("dfdc", tmp_path, "x").set_index("path")
    assert videos.label.to_dict() == {"test/a.mp4": FAKE, "test/b.mp4": 0}
    assert set(videos.split) == {"test"}
    assert videos.loc["test/a.mp4", "genuine_id"] == "x/test/b.mp4"


@pytest.mark.parametrize(
    "entry", [{"is_fake": 2}, {"is_fake": None}, {"label": "REAL", "is_fake": 1}, {}, {"label": None}]
)
def test_dfdc_entries_without_a_clear_label_are_refused_by_name(tmp_path, entry):
    touch(tmp_path, "a.mp4")
    write(tmp_path, "metadata.json", {"a.mp4": {"label": "REAL"}, "odd.mp4": entry})
    with pytest.raises(
        ValueError, match=r"the label of 'odd\.mp4' is neither REAL nor FAKE, and its is_fake neither 0 nor 1"
    ):
        read_layout("dfdc", tmp_path, "x")


def test_nothing_found_names_what_cannot_be_read(tmp_path):
    touch(tmp_path, "real/1.heic", "fake/2.zip")
    with pytest.raises(DataNotFoundError, match=r"(?s)looked for real/ and fake/.*OpenCV cannot read HEIC") as caught:
        read_layout("folders", tmp_path, "x")
    assert "an archive: unpack it" in str(caught.value)
