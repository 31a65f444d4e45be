import json

import pytest

from dfworkbench.core.errors import DataNotFoundError, ParameterError, TableError, UnknownNameError
from dfworkbench.core.names import FAKE, REAL
from dfworkbench.datasets import LAYOUTS, read_layout


def touch(root, *paths):
    for path in paths:
        file = root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(b"")


@pytest.fixture
def ff(tmp_path):
    for compression in ("raw", "c23"):
        touch(
            tmp_path,
            f"original_sequences/youtube/{compression}/videos/000.mp4",
            f"original_sequences/youtube/{compression}/videos/003.mp4",
            f"original_sequences/actors/{compression}/videos/01__walking.mp4",
            f"manipulated_sequences/Deepfakes/{compression}/videos/000_003.mp4",
            f"manipulated_sequences/FaceSwap/{compression}/videos/000_003.mp4",
            f"manipulated_sequences/DeepFakeDetection/{compression}/videos/01_02__walking__ABC.mp4",
        )
    touch(
        tmp_path,
        "manipulated_sequences/Deepfakes/masks/videos/000_003.mp4",
        "original_sequences/youtube/c23/videos/x.txt",
    )
    (tmp_path / "splits").mkdir()
    (tmp_path / "splits" / "train.json").write_text(json.dumps([["000", "003"]]))
    return tmp_path


def test_faceforensics_rows(ff):
    videos = read_layout("faceforensics", ff, "ff", compression="c23").set_index("path")
    assert len(videos) == 6
    fake = videos.loc["manipulated_sequences/Deepfakes/c23/videos/000_003.mp4"]
    assert (fake.label, fake.forgery, fake.carrier, fake.donor, fake.split) == (
        FAKE,
        "Deepfakes",
        "ff/000",
        "ff/003",
        "train",
    )
    assert fake.mask_path == "manipulated_sequences/Deepfakes/masks/videos/000_003.mp4"
    real = videos.loc["original_sequences/youtube/c23/videos/003.mp4"]
    assert (real.label, real.forgery, real.carrier, real.donor) == (REAL, "", "ff/003", "")
    assert real.group == fake.group == "ff/000"
    assert fake.genuine_id == "ff/original_sequences/youtube/c23/videos/000.mp4"
    assert real.genuine_id == ""
    actor = videos.loc["manipulated_sequences/DeepFakeDetection/c23/videos/01_02__walking__ABC.mp4"]
    assert actor.genuine_id == "ff/original_sequences/actors/c23/videos/01__walking.mp4"
    assert set(videos["genuine_id"]) - {""} <= set(videos["video_id"])


def test_equal_names_in_different_methods_stay_apart(ff):
    videos = read_layout("faceforensics", ff, "ff")
    assert videos.video_id.is_unique
    assert sum(videos.path.str.endswith("000_003.mp4")) == 2


def test_actors_are_not_the_youtube_people(ff):
    videos = read_layout("faceforensics", ff, "ff").set_index("forgery")
    assert videos.loc["DeepFakeDetection", "carrier"] == "ff/actor01"
    assert videos.loc["DeepFakeDetection", "donor"] == "ff/actor02"
    assert videos.loc["DeepFakeDetection", "split"] == ""


def test_unreadable_split_file(ff):
    (ff / "splits" / "val.json").write_text("not json")
    with pytest.raises(TableError, match=r"val\.json is not a list of identity pairs"):
        read_layout("faceforensics", ff, "ff")


def test_celebdf_labels_come_from_the_folder(tmp_path):
    touch(
        tmp_path, "Celeb-real/id0_0000.mp4", "YouTube-real/00001.mp4",
        "Celeb-synthesis/videos/id0_id1_0000.mp4", "Celeb-synthesis/videos/id2_id3_0000.mp4",
    )  # fmt: skip
    (tmp_path / "List_of_testing_videos.txt").write_text(
        "1 YouTube-real/00001.mp4\n0 Celeb-synthesis/id0_id1_0000.mp4\n"
    )
    videos = read_layout("celebdf", tmp_path, "cdf", compression="c23")
    by_name = videos.set_index(videos.path.str.split("/").str[-1])
    assert by_name.label.to_dict() == {"id0_0000.mp4": 0, "00001.mp4": 0, "id0_id1_0000.mp4": 1, "id2_id3_0000.mp4": 1}
    assert by_name.loc["00001.mp4", "split"] == "test"
    assert by_name.loc["id0_id1_0000.mp4", "split"] == "test"
    assert by_name.loc["id0_0000.mp4", "split"] == ""
    assert by_name.loc["id0_0000.mp4", "group"] == by_name.loc["id0_id1_0000.mp4", "group"]
    assert by_name.loc["id2_id3_0000.mp4", "group"] != by_name.loc["id0_0000.mp4", "group"]
    assert by_name.loc["id0_id1_0000.mp4", "genuine_id"] == "cdf/Celeb-real/id0_0000.mp4"
    assert by_name.loc["id2_id3_0000.mp4", "genuine_id"] == "cdf/Celeb-real/id2_0000.mp4"  # not downloaded
    assert by_name.loc["id0_0000.mp4", "genuine_id"] == ""


def test_folders(tmp_path):
    touch(tmp_path, "real/a.mp4", "fake/swap/b.MP4", "fake/c.png", "fake/notes.txt")
    videos = read_layout("folders", tmp_path, "mine").set_index("path")
    assert videos.label.to_dict() == {"fake/c.png": 1, "fake/swap/b.MP4": 1, "real/a.mp4": 0}
    assert videos.loc["fake/swap/b.MP4", "forgery"] == "swap"
    assert videos.group.nunique() == 3


@pytest.mark.parametrize("layout", sorted(LAYOUTS))
def test_wrong_folder_says_what_was_looked_for_and_found(tmp_path, layout):
    with pytest.raises(DataNotFoundError, match="no such folder"):
        read_layout(layout, tmp_path / "nowhere", "x")
    with pytest.raises(DataNotFoundError, match="it is empty"):
        read_layout(layout, tmp_path, "x")
    touch(tmp_path, "holiday/beach.txt")
    with pytest.raises(DataNotFoundError, match="found holiday/"):
        read_layout(layout, tmp_path, "x")
    with pytest.raises(DataNotFoundError, match="this is a file"):
        read_layout(layout, tmp_path / "holiday" / "beach.txt", "x")


def test_unknown_layout_and_names(tmp_path):
    with pytest.raises(UnknownNameError, match="Did you mean 'faceforensics'"):
        read_layout("faceforensic", tmp_path, "x")
    with pytest.raises(UnknownNameError, match="no compression is called 'c32'"):
        read_layout("faceforensics", tmp_path, "x", compression="c32")
    with pytest.raises(ParameterError, match="name of a single folder"):
        read_layout("folders", tmp_path, "a/b")


def test_dfdc_full_groups_a_fake_with_its_original(tmp_path):
    touch(tmp_path, "dfdc_train_part_0/a.mp4", "dfdc_train_part_0/b.mp4")
    entries = {
        "a.mp4": {"label": "FAKE", "split": "train", "original": "b.mp4"},
        "b.mp4": {"label": "REAL", "split": "train"},
        "gone.mp4": {"label": "REAL", "split": "train"},
    }
    (tmp_path / "dfdc_train_part_0" / "metadata.json").write_text(json.dumps(entries))
    videos = read_layout("dfdc", tmp_path, "dfdc").set_index("path")
    assert videos.label.tolist() == [1, 0, 0]
    assert videos.loc["dfdc_train_part_0/a.mp4", "group"] == videos.loc["dfdc_train_part_0/b.mp4", "group"]
    assert videos["genuine_id"].tolist() == ["dfdc/dfdc_train_part_0/b.mp4", "", ""]
    (tmp_path / "dfdc_train_part_0" / "metadata.json").write_text('{"a.mp4": {"label": "maybe"}}')
    with pytest.raises(TableError, match="neither REAL nor FAKE"):
        read_layout("dfdc", tmp_path, "dfdc")


def test_dfdc_preview_names_identities(tmp_path):
    entries = {
        "method_A/1/x.mp4": {"label": "fake", "set": "train", "target_id": 1, "swapped_id": 2},
        "original_videos/1/y.mp4": {"label": "real", "set": "test", "target_id": 1, "swapped_id": None},
    }
    touch(tmp_path, *entries)
    (tmp_path / "dataset.json").write_text(json.dumps(entries))
    videos = read_layout("dfdc", tmp_path, "dfdcp").set_index("path")
    fake = videos.loc["method_A/1/x.mp4"]
    assert (fake.forgery, fake.carrier, fake.donor, fake.split) == ("method_A", "dfdcp/1", "dfdcp/2", "train")
    assert videos.loc["original_videos/1/y.mp4", "split"] == "test"


def test_deeperforensics_reads_manipulated_videos_only(tmp_path):
    touch(tmp_path, "manipulated_videos/end_to_end/000_M101.mp4", "source_videos/M101/x.mp4")
    (tmp_path / "lists" / "splits").mkdir(parents=True)
    (tmp_path / "lists" / "splits" / "val.txt").write_text("000_M101.mp4\n")
    videos = read_layout("deeperforensics", tmp_path, "deeper")
    assert len(videos) == 1
    row = videos.iloc[0]
    assert (row.label, row.carrier, row.donor, row.split) == (FAKE, "deeper/000", "deeper/M101", "val")
