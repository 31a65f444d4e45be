"""Official lists: however they were saved they match, and a list that matches nothing stops the run."""

import json
import logging
from collections import Counter
from pathlib import Path

import pytest

from dfworkbench.core.errors import DataNotFoundError, TableError
from dfworkbench.datasets import assign_splits, read_layout
from dfworkbench.datasets.splits import with_splits


def touch(root, *names):
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()


CELEB = ("Celeb-real/id{0}_0001.mp4", "YouTube-real/{0:05d}.mp4", "Celeb-synthesis/id{0}_id{1}_0001.mp4")
TESTED = ("YouTube-real/00003.mp4", "Celeb-synthesis/id3_id2_0001.mp4", "Celeb-real/id5_0001.mp4")


@pytest.fixture
def celeb(tmp_path):
    touch(tmp_path, *(form.format(number, number ^ 1) for number in range(8) for form in CELEB))
    return tmp_path


def save(root, lines, name="List_of_testing_videos.txt", encoding="utf-8", end="\n"):
    (root / name).write_bytes(end.join([*lines, ""]).encode(encoding))


FORMS = {
    "official": lambda path: f"1 {path}",
    "several spaces": lambda path: f"0   {path}  ",
    "a tab": lambda path: f"0\t{path}",
    "a comma": lambda path: f"0,{path}",
    "flag behind": lambda path: f"{path} 1",
    "no flag": lambda path: path,
    "backslashes": lambda path: "1 " + path.replace("/", "\\"),
    "from here": lambda path: f"1 ./{path}",
    "in the folder of the set": lambda path: f"1 Celeb-DF-v2/{path}",
    "absolute, of another machine": lambda path: f"1 /home/ann/data/{path}",
    "absolute, of Windows": lambda path: "1 D:\\data\\" + path.replace("/", "\\"),
    "other case": lambda path: f"1 {path.upper()}",
    "name alone": lambda path: f"1 {Path(path).name}",
    "a level more": lambda path: f"1 {path.replace('/', '/videos/')}",
    "converted": lambda path: f"1 {path.replace('.mp4', '.avi')}",
    "in quotes": lambda path: f'"{path}"',
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(("encoding", "end"), [("utf-8", "\n"), ("utf-8-sig", "\r\n"), ("utf-16", "\r\n")])
def test_the_list_of_celebdf_matches_however_it_was_saved(celeb, form, encoding, end):
    save(celeb, ["", *map(FORMS[form], TESTED)], encoding=encoding, end=end)
    videos = assign_splits(read_layout("celebdf", celeb, "c"))
    assert set(videos.path[videos.split == "test"]) == set(TESTED)
    assert set(videos.split) == {"test", ""}


@pytest.mark.parametrize("name", ["list_of_testing_videos.txt", "LIST_OF_TESTING_VIDEOS.TXT"])
def test_the_list_of_celebdf_in_another_case(celeb, name):
    save(celeb, [f"1 {path}" for path in TESTED], name)
    assert (read_layout("celebdf", celeb, "c").split == "test").sum() == 3


def test_folders_of_celebdf_in_another_case_and_one_missing(tmp_path, caplog):
    touch(tmp_path, "celeb-real/id1_0000.mp4", "CELEB-SYNTHESIS/id1_id2_0000.mp4")
    videos = read_layout("celebdf", tmp_path, "c").set_index("path")
    assert videos.label.to_dict() == {"celeb-real/id1_0000.mp4": 0, "CELEB-SYNTHESIS/id1_id2_0000.mp4": 1}
    assert videos.loc["CELEB-SYNTHESIS/id1_id2_0000.mp4", "genuine_id"] == "c/celeb-real/id1_0000.mp4"
    assert "no video of YouTube-real is there" in caplog.text


UNMATCHED = {
    "of another version": ["1 YouTube-real/00170.mp4", "0 Celeb-synthesis/id31_id2_0003.mp4"],
    "of another set": ["000_M101.mp4"],
    "empty": [],
    "of blank lines": ["", "  "],
    "a page": ["<!DOCTYPE html>", "<html>"],
}


@pytest.mark.parametrize("kind", UNMATCHED)
def test_a_list_that_matches_nothing_stops_the_run(celeb, kind):
    save(celeb, UNMATCHED[kind])
    with pytest.raises(
        DataNotFoundError, match=r"List_of_testing_videos.txt .*: the list names .*none of it is there"
    ) as caught:
        read_layout("celebdf", celeb, "c")
    assert "The data set holds Celeb-real/id0_0001.mp4, Celeb-real/id1_0001.mp4" in str(caught.value)


def test_a_list_that_matches_in_part_is_one_sentence(celeb, caplog):
    save(celeb, [f"1 {path}" for path in (*TESTED, "YouTube-real/00900.mp4", "YouTube-real/00901.mp4")])
    assert (read_layout("celebdf", celeb, "c").split == "test").sum() == 3
    assert (
        "3 of the 5 names in List_of_testing_videos.txt are there; missing: YouTube-real/00900.mp4, YouTube-real/00901.mp4"
        in caplog.text
    )


def test_a_list_that_is_no_text(celeb):
    (celeb / "List_of_testing_videos.txt").write_bytes(b"1 YouTube-real/\xe9.mp4\n")
    with pytest.raises(TableError, match="not UTF-8 text"):
        read_layout("celebdf", celeb, "c")


@pytest.mark.parametrize("layout", ["celebdf", "faceforensics", "deeperforensics"])
def test_a_set_without_its_list_says_so(tmp_path, caplog, layout):
    touch(tmp_path, "Celeb-real/id0_0.mp4", "YouTube-real/0.mp4", "Celeb-synthesis/id0_id1_0.mp4")
    touch(tmp_path, "original_sequences/youtube/c23/videos/000.mp4", "manipulated_videos/end_to_end/000_M101.mp4")
    read_layout(layout, tmp_path, "x")
    assert "may train on official test videos" in caplog.text


# -- FaceForensics++ and DeeperForensics ------------------------------------------------------------------------------


@pytest.fixture
def ff(tmp_path):
    for name in ("007", "012", "100"):
        touch(tmp_path, f"original_sequences/youtube/c23/videos/{name}.mp4")
    touch(tmp_path, "manipulated_sequences/Deepfakes/c23/videos/007_012.mp4")
    return tmp_path


def splits(root, **pairs):
    (root / "splits").mkdir()
    for split, content in pairs.items():
        (root / "splits" / f"{split}.json").write_text(json.dumps(content), "utf-8-sig")


@pytest.mark.parametrize("pairs", [[], [["500", "501"]], [[7, 12]], [["7", "12"]], [["007.mp4", "012.mp4"]]])
def test_splits_of_faceforensics_that_match_nobody_stop_the_run(ff, pairs):
    splits(ff, train=pairs)
    with pytest.raises(
        DataNotFoundError, match=r"splits/\*\.json .*none of it is there. The data set holds 007, 012, 100"
    ):
        read_layout("faceforensics", ff, "f")


def test_splits_of_faceforensics_that_cover_a_part(ff, caplog):
    splits(ff, train=[["007", "012"]], test=[["800", "801"]])
    videos = assign_splits(read_layout("faceforensics", ff, "f"))
    assert Counter(videos.split) == {"train": 3, "": 1}
    assert "2 of the 4 names in splits/*.json are there; missing: 800, 801" in caplog.text
    assert (
        "1 of 4 videos have no official split (original_sequences/youtube/c23/videos/100.mp4): they are extracted, and stay out "
        "of training, validation and test."
    ) in caplog.text


def test_one_name_in_two_splits(ff, tmp_path):
    splits(ff, train=[["007", "012"]], test=[["012", "100"]])
    with pytest.raises(TableError, match="012 is in train and in test"):
        read_layout("faceforensics", ff, "f")


@pytest.mark.parametrize("form", ["{}.mp4", "{}", "end_to_end/{}.mp4", ".\\end_to_end\\{}.mp4", "{}.MP4", " {}.mp4 "])
def test_lists_of_deeperforensics(tmp_path, form):
    touch(tmp_path, *(f"manipulated_videos/end_to_end/{name}.mp4" for name in ("000_M101", "004_W011", "010_W044")))
    (tmp_path / "lists" / "splits").mkdir(parents=True)
    for split, name in (("train", "000_M101"), ("val", "004_W011")):
        (tmp_path / "lists" / "splits" / f"{split}.txt").write_bytes((form.format(name) + "\r\n").encode("utf-8-sig"))
    assert read_layout("deeperforensics", tmp_path, "d").split.tolist() == ["train", "val", ""]
    (tmp_path / "lists" / "splits" / "val.txt").write_text("")
    (tmp_path / "lists" / "splits" / "train.txt").write_text("900_M999.mp4\n")
    with pytest.raises(DataNotFoundError, match=r"lists/splits/\*\.txt .*: the list names 1 \(900_m999\)"):
        read_layout("deeperforensics", tmp_path, "d")


def test_groups_that_cover_a_part_are_one_sentence(tmp_path, caplog):
    touch(tmp_path, "real/a.png", "real/b.png", "fake/c.png")
    (tmp_path / "groups.csv").write_text("path,group\nreal\\a.png,ann\nreal/z.png,ann\n")
    videos = read_layout("generated_images", tmp_path, "g").set_index("path")
    assert videos.loc["real/a.png", "carrier"] == "g/ann"
    assert "1 of the 2 names in groups.csv are there; missing: real/z.png" in caplog.text


# -- splits -----------------------------------------------------------------------------------------------------------


def test_a_draw_over_official_splits_says_what_it_gives_up(celeb, caplog):
    save(celeb, [f"1 {path}" for path in TESTED])
    assign_splits(read_layout("celebdf", celeb, "c"), "identity")
    assert "splits are drawn anew: the official ones of 3 videos are discarded, 3 of them test videos" in caplog.text


def test_a_split_file_that_names_a_part_of_the_videos(celeb, tmp_path, caplog):
    videos = read_layout("celebdf", celeb, "c")
    videos.iloc[:20][["video_id", "group"]].assign(split="test").to_csv(tmp_path / "splits.csv", index=False)
    caplog.clear()
    with caplog.at_level(logging.WARNING):
        assert Counter(with_splits(videos, tmp_path / "splits.csv").split) == {"test": 20, "": 4}
    assert "names no split for 4 of 24 videos, which are left out: c/" in caplog.text
