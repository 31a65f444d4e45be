"""Layouts of data sets that are not video files: still pictures, folders of frames, lists of folders, ldm.json."""

import json
import logging

import pytest

from dfworkbench.core.errors import DataNotFoundError, SplitLeakError, TableError, UnknownNameError
from dfworkbench.core.names import FAKE, REAL
from dfworkbench.datasets import assign_splits, read_layout

FF_REAL = "original_sequences/youtube/c23/frames/{}"
FF_FAKE = "manipulated_sequences/{}/c23/frames/{}"


def touch(root, *paths):
    for path in paths:
        file = root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(b"")


def frames(root, *folders):
    touch(root, *(f"{folder}/frame_{number}.png" for folder in folders for number in range(3)))


# ---- still pictures


def test_pictures_of_one_folder_are_one_group_in_both_classes(tmp_path):
    touch(
        tmp_path, "real/ann/1.png", "real/ann/2.jpg", "real/bob/1.png", "real/lone.png", "fake/GAN/ann/1.png",
        "fake/GAN/1.png", "fake/GAN/2.png", "real/clips/1.mp4", "real/clips/2.mp4",
    )  # fmt: skip
    (tmp_path / "real" / "folder.png").mkdir()
    videos = read_layout("folders", tmp_path, "mine").set_index("path")
    assert len(videos) == 9
    assert set(videos.loc[["real/ann/1.png", "real/ann/2.jpg", "fake/GAN/ann/1.png"], "group"]) == {"mine/ann"}
    assert videos.loc["real/bob/1.png", "group"] == "mine/bob"
    rest = ["real/lone.png", "fake/GAN/1.png", "fake/GAN/2.png", "real/clips/1.mp4", "real/clips/2.mp4"]
    assert videos.loc[rest, "group"].nunique() == len(rest)
    assert set(videos.loc[videos.label == FAKE, "forgery"]) == {"GAN"}


# ---- folders of frames


def test_every_folder_with_pictures_is_a_sequence(tmp_path):
    frames(tmp_path, "real/a", "real/b.mp4", "fake/c", "fake/Deepfakes/d", "fake/Deepfakes/e", "other/f")
    touch(tmp_path, "real/a/.hidden/1.png", "real/notes.txt", "real/empty/x.txt")
    videos = read_layout("frame_folders", tmp_path, "mine").set_index("path")
    assert videos.label.to_dict() == {
        "fake/Deepfakes/d": FAKE, "fake/Deepfakes/e": FAKE, "fake/c": FAKE, "real/a": REAL, "real/b.mp4": REAL
    }  # fmt: skip
    assert videos.forgery.tolist() == ["Deepfakes", "Deepfakes", "fake", "", ""]
    assert videos.group.nunique() == 5
    assert set(videos.split) == {""}


def test_wilddeepfake_splits_and_source_videos(tmp_path):
    frames(
        tmp_path, "real_train/1/real/10", "real_train/1/real/11", "real_test/1/real/10", "fake_train/1/fake/3",
        "fake train/7/fake/3", "Fake_Test/2/fake/0",
    )  # fmt: skip
    videos = read_layout("frame_folders", tmp_path, "wild").set_index("path")
    assert videos.split.to_dict() == {
        "Fake_Test/2/fake/0": "test", "fake train/7/fake/3": "train", "fake_train/1/fake/3": "train",
        "real_test/1/real/10": "test", "real_train/1/real/10": "train", "real_train/1/real/11": "train",
    }  # fmt: skip
    assert videos.label.tolist() == [FAKE, FAKE, FAKE, REAL, REAL, REAL]
    assert videos.loc["real_train/1/real/10", "group"] == videos.loc["real_train/1/real/11", "group"]
    assert videos.group.nunique() == 5
    assert set(videos.forgery) == {"", "fake"}
    assert assign_splits(videos.reset_index()).split.tolist() == videos.split.tolist()


@pytest.mark.parametrize(
    ("folders", "message"),
    [
        (["real", "fake/a"], r"pictures are directly in real/.*use the layout 'folders'"),
        (["real/a", "real/a/b"], r"real/a/ holds pictures and also the sequence real/a/b/"),
        (["fake/1/real/a"], r"fake/1/real/a names both real and fake"),
    ],
)
def test_frame_folders_that_contradict_themselves(tmp_path, folders, message):
    frames(tmp_path, *folders)
    with pytest.raises(TableError, match=message):
        read_layout("frame_folders", tmp_path, "mine")


# ---- lists


@pytest.fixture
def listed(tmp_path):
    fakes = [FF_FAKE.format(kind, "071_054.mp4") for kind in ("Deepfakes", "FaceSwap")]
    test = [FF_REAL.format("000.mp4")]
    frames(tmp_path, FF_REAL.format("071.mp4"), FF_REAL.format("054.mp4"), *fakes, *test)
    (tmp_path / "train_real.txt").write_text(
        f"0,{FF_REAL.format('071.mp4')},92\n\n0 , ./{FF_REAL.format('054.mp4')} , 3\n"
    )
    (tmp_path / "train_fake.txt").write_text("".join(f"1,{path},3\r\n" for path in fakes))
    (tmp_path / "test.txt").write_text(f"0,{test[0]},3\n")
    (tmp_path / "readme.txt").write_text("this is no list")
    return tmp_path


def test_lists(listed):
    videos = read_layout("list_files", listed, "mi", compression="c40").set_index("path")
    assert len(videos) == 5
    fake = videos.loc[FF_FAKE.format("FaceSwap", "071_054.mp4")]
    assert (fake.label, fake.forgery, fake.compression, fake.carrier, fake.donor, fake.split) == (
        FAKE, "FaceSwap", "c23", "mi/071", "mi/054", "train"
    )  # fmt: skip
    real = videos.loc[FF_REAL.format("054.mp4")]
    assert (real.label, real.forgery, real.carrier, real.donor, real.split) == (REAL, "", "mi/054", "", "train")
    assert real.group == fake.group
    assert videos.loc[FF_REAL.format("000.mp4"), "split"] == "test"


def test_a_person_in_two_lists_is_found(listed):
    frames(listed, FF_FAKE.format("Deepfakes", "000_071.mp4"))
    (listed / "val_fake.txt").write_text(f"1,{FF_FAKE.format('Deepfakes', '000_071.mp4')},3\n")
    with pytest.raises(SplitLeakError, match="in more than one split"):
        assign_splits(read_layout("list_files", listed, "mi"))


@pytest.mark.parametrize("above", ["/data/deepfake/x/faces/FF++/", "FF++/", ""], ids=str)
def test_paths_of_another_machine_are_matched_by_their_ends(listed, above):
    before = (listed / "train_fake.txt").read_text()
    (listed / "train_fake.txt").write_text(before.replace("1,", f"1,{above}"))
    assert sum(read_layout("list_files", listed, "mi").label == FAKE) == 2


def test_absolute_paths_below_the_root(listed):
    line = f"1,{FF_FAKE.format('Deepfakes', '071_054.mp4')},3\n"
    absolute = f"1,{(listed / FF_FAKE.format('FaceSwap', '071_054.mp4')).as_posix()},3\n"
    (listed / "train_fake.txt").write_text(line + absolute)
    videos = read_layout("list_files", listed, "mi")
    assert sorted(videos[videos.label == FAKE].path) == [
        FF_FAKE.format(kind, "071_054.mp4") for kind in ("Deepfakes", "FaceSwap")
    ]


def test_a_folder_that_is_missing_keeps_its_row_and_a_path_may_hold_a_comma(tmp_path):
    frames(tmp_path, "a, b")
    (tmp_path / "val.txt").write_text("1,a, b,3\n0,gone,3\n")
    videos = read_layout("list_files", tmp_path, "mi").set_index("path")
    assert videos.label.to_dict() == {"a, b": FAKE, "gone": REAL}
    assert videos.forgery.to_dict() == {"a, b": "fake", "gone": ""}
    assert set(videos.split) == {"val"}


@pytest.mark.parametrize(
    ("name", "line", "problem"),
    [
        ("train.txt", "fake,a,3", "has the label 'fake'"),
        ("train.txt", "2,a,3", "has the label '2'"),
        ("train.txt", "a 3", "has the label 'a 3'"),
        ("train.txt", "1,a,many", "has the count 'many'"),
        ("train.txt", "1,a", "has the count 'a'"),
        ("train.txt", "1,,3", "empty or climbs"),
        ("train.txt", "1,../a,3", "climbs with '..'"),
        ("train.txt", "0,good,4", r"names the same folder as line 1 of train\.txt"),
        ("train.txt", "0,good/inner,4", "names a folder inside good"),
        ("train_real.txt", "1,a,3", "has the label 1, against the name of the file"),
        ("train.txt", "0,manipulated_sequences/Deepfakes/c23/000_003,3", "against the folders of its path"),
        ("train.txt", "1,original_sequences/youtube/c23/000,3", "against the folders of its path"),
    ],
)
def test_a_bad_line_names_file_and_number(tmp_path, name, line, problem):
    frames(tmp_path, "good", "a")
    (tmp_path / name).write_text(f"0,good,3\n\n{line}\n")
    with pytest.raises(
        TableError, match=rf"{name.replace('.', chr(92) + '.')}: line 3, .*{problem}.*0 for real and 1 for"
    ):
        read_layout("list_files", tmp_path, "mi")


def test_lists_of_other_names(tmp_path):
    frames(tmp_path, "a", "b")
    (tmp_path / "lists").mkdir()
    (tmp_path / "lists" / "mine.txt").write_text("1,a,3\n")
    (tmp_path / "train.txt").write_text("0,b,3\n")
    videos = read_layout("list_files", tmp_path, "mi", lists={"val": "lists/*.txt"})
    assert videos[["path", "split"]].to_numpy().tolist() == [["a", "val"]]
    with pytest.raises(DataNotFoundError, match=r"looked for none\.txt .*found a/, b/, lists/, train\.txt"):
        read_layout("list_files", tmp_path, "mi", lists={"val": "none.txt"})
    with pytest.raises(UnknownNameError, match="no split is called 'vla'"):
        read_layout("list_files", tmp_path, "mi", lists={"vla": "lists/*.txt"})


def test_empty_lists_are_fine_unless_all_are_empty(listed):
    (listed / "train_real.txt").write_text("")
    assert len(read_layout("list_files", listed, "mi")) == 3
    for file in listed.glob("*.txt"):
        file.write_text("\n")
    with pytest.raises(TableError, match=r"test\.txt, train_fake\.txt, train_real\.txt name\(s\) no folder"):
        read_layout("list_files", listed, "mi")


def test_no_listed_folder_is_there(tmp_path):
    (tmp_path / "train.txt").write_text("0,x/a,3\n1,x/b,3\n")
    with pytest.raises(DataNotFoundError, match=r"train\.txt names 2 folder\(s\) .*first is x/a\. None is below"):
        read_layout("list_files", tmp_path, "mi")


# ---- ldm.json


def ldm(root, entries, folder="."):
    (root / folder).mkdir(parents=True, exist_ok=True)
    (root / folder / "ldm.json").write_text(json.dumps(entries))


def caddm_entries(top, method="Deepfakes", pair="035_036"):
    real = f"{top}/original_sequences/youtube/raw/frames/{pair[:3]}"
    fake = f"{top}/manipulated_sequences/{method}/raw/frames/{pair}"
    return {
        f"{folder}/frame_{n}": {"label": label, "landmark": [[1, 2]] * 81, "source_path": f"{real}/frame_{n}"}
        for folder, label in ((real, 0), (fake, 1))
        for n in range(3)
    }


@pytest.mark.parametrize(
    ("top", "where", "json_in", "prefix", "split"),
    [
        ("./train_images", "train_images", ".", "train_images/", "train"),
        ("./train_images", "train_images", "train_images", "train_images/", "train"),
        ("./test_images", ".", ".", "", "test"),  # the root is test_images itself
        ("./images", "images", ".", "images/", ""),
        (".\\train_images", "train_images", ".", "train_images/", "train"),
    ],
)
def test_frames_of_one_folder_are_one_sequence(tmp_path, top, where, json_in, prefix, split):
    entries = caddm_entries(top)
    for key in entries:
        touch(
            tmp_path,
            f"{where}/{key.replace(chr(92), '/').removeprefix(top.replace(chr(92), '/'))}.png".replace("//", "/"),
        )
    ldm(tmp_path, entries, json_in)
    videos = read_layout("ldm", tmp_path, "cad").set_index("path")
    real, fake = (
        videos.loc[f"{prefix}{rest}"]
        for rest in ("original_sequences/youtube/raw/frames/035", "manipulated_sequences/Deepfakes/raw/frames/035_036")
    )
    assert len(videos) == 2
    assert (real.label, real.forgery, real.carrier, real.donor) == (REAL, "", "cad/035", "")
    assert (fake.label, fake.forgery, fake.compression, fake.carrier, fake.donor) == (
        FAKE, "Deepfakes", "raw", "cad/035", "cad/036"
    )  # fmt: skip
    assert real.split == fake.split == split
    assert real.group == fake.group


def test_identities_of_entries_where_the_path_says_nothing(tmp_path):
    frames(tmp_path, "real/id0_0", "swaps/id0_id1_0", "fst/a", "fst/b")
    ldm(
        tmp_path,
        {
            "./real/id0_0/frame_0": {"label": 0, "source_path": "./real/id0_0/frame_0"},
            "./swaps/id0_id1_0/frame_0": {"label": 1, "source_path": "./real/id0_0/frame_0"},
            "./fst/a/frame_0": {"det_label": 0, "source_label": 35, "target_label": 35},
            "./fst/b/frame_0": {"det_label": 1, "source_label": "035", "target_label": "036"},
        },
    )
    videos = read_layout("ldm", tmp_path, "x").set_index("path")
    named = videos[["carrier", "donor", "forgery"]].T.to_dict("list")
    assert named == {
        "real/id0_0": ["x/id0_0", "", ""], "swaps/id0_id1_0": ["x/id0_0", "", "fake"],
        "fst/a": ["x/035", "", ""], "fst/b": ["x/035", "x/036", "fake"],
    }  # fmt: skip
    assert videos.group.nunique() == 2
    assert videos["genuine_id"].to_dict() == {
        "real/id0_0": "", "swaps/id0_id1_0": "x/real/id0_0", "fst/a": "", "fst/b": ""
    }  # fmt: skip
    assert set(videos["landmarks_path"]) == {"ldm.json"}


def test_odd_entries_are_left_out_and_named(tmp_path, caplog):
    frames(tmp_path, "a", "a/inner", "b", "c")
    good = {"label": 1}
    ldm(
        tmp_path,
        {
            "a/frame_0": good, "a/frame_1": "text", "frame_9": good, "../up/frame_0": good, "a/frame_2": {"label": 7},
            "b/frame_0": good, "b/frame_1": {"label": 0}, "a/inner/frame_0": good, "c/frame_0": {},
            "original_sequences/youtube/raw/frames/000/frame_0": good,
        },
    )  # fmt: skip
    with caplog.at_level(logging.WARNING):
        videos = read_layout("ldm", tmp_path, "x")
    assert videos.path.tolist() == ["a"]
    text = caplog.messages[0]
    assert "8 odd entries are left out, 1 sequences kept" in text
    for part in ("a/frame_1: str in place", "'frame_9': no path", "'../up/frame_0'", "label 7, not 0", "and 3 more"):
        assert part in text


def test_files_that_are_no_ldm(tmp_path):
    for text, message in (
        ("{", "it is not JSON"),
        ("[1]", "it is a list; expected an object"),
        ("{}", r"ldm\.json is empty"),
    ):
        (tmp_path / "ldm.json").write_text(text)
        with pytest.raises(TableError, match=message):
            read_layout("ldm", tmp_path, "x")
    ldm(tmp_path, {"a/frame_0": {"label": "?"}})
    with pytest.raises(TableError, match=r"no entry can be used: a/frame_0: label '\?'"):
        read_layout("ldm", tmp_path, "x")
    ldm(tmp_path, caddm_entries("./train_images"))
    with pytest.raises(
        DataNotFoundError, match=r"ldm\.json names 2 folder\(s\) of pictures; the first is train_images/"
    ):
        read_layout("ldm", tmp_path, "x")
