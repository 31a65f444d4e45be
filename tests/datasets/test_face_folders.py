"""Folders of face pictures with train/, val/ and test/: splits, labels, forgeries, and who may be whom."""

import pytest

from dfworkbench.core.errors import ParameterError, SplitLeakError
from dfworkbench.datasets import LAYOUTS, assign_splits, read_layout


def touch(root, *paths):
    for path in paths:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).touch()


def read(root, **options):
    return read_layout("folders", root, "faces", **options).set_index("path")


def test_splits_come_from_folders_and_the_forgery_from_the_next_one(tmp_path, caplog):
    touch(tmp_path, *(f"{split}/real/r{i}.jpg" for split in ("train", "val", "test") for i in range(3)))
    touch(tmp_path, *(f"{split}/fake/faceswap/f{i}.jpg" for split in ("train", "val", "test") for i in range(3)))
    touch(tmp_path, "test/fake/g.jpg")
    videos = read(tmp_path)
    assert len(videos) == videos["group"].nunique() == 19
    row = videos.loc["val/fake/faceswap/f0.jpg"]
    assert (row["label"], row["forgery"], row["split"]) == (1, "faceswap", "val")
    assert videos.loc["test/fake/g.jpg", "forgery"] == "fake"
    assert videos["split"].value_counts().to_dict() == {"train": 6, "val": 6, "test": 7}
    assert assign_splits(videos.reset_index())["split"].tolist() == videos["split"].tolist()
    assert not [record for record in caplog.records if record.levelname == "WARNING"]


@pytest.mark.parametrize(
    ("path", "label", "split"),
    [
        ("Train/Real/a.jpg", 0, "train"),
        ("Validation/Fake/a.jpg", 1, "val"),
        ("valid/fake/a.jpg", 1, "val"),
        ("Testing/REAL/a.jpg", 0, "test"),
        ("training_real/a.jpg", 0, "train"),
        ("test_fake/a.jpg", 1, "test"),
        ("real/a.jpg", 0, ""),
    ],
)
def test_names_of_published_sets(tmp_path, path, label, split):
    touch(tmp_path, path)
    row = read(tmp_path).iloc[0]
    assert (row["label"], row["split"]) == (label, split)


def test_folders_of_splits_beside_real_and_fake_are_named_and_not_read(tmp_path, caplog):
    touch(tmp_path, "real/a.mp4", "fake/b.mp4", "test/real/c.mp4")
    assert set(read(tmp_path)["split"]) == {""}
    assert "test/real/c.mp4" in caplog.text


def test_a_folder_that_stands_in_two_splits_is_a_person_unless_told_otherwise(tmp_path):
    touch(tmp_path, "train/real/ann/1.jpg", "test/real/ann/2.jpg", "test/fake/swap/bob/1.jpg", "val/real/1.jpg")
    with pytest.raises(SplitLeakError, match="'faces/ann' in test, train"):
        assign_splits(read(tmp_path).reset_index())
    apart = read(tmp_path, folder_groups=False)
    assert apart["group"].nunique() == 4
    assert apart.loc["test/fake/swap/bob/1.jpg", "forgery"] == "swap"
    assert set(assign_splits(apart.reset_index())["split"]) == {"train", "val", "test"}
    with pytest.raises(ParameterError, match="folder_groups is 'no'; expected true or false"):
        read(tmp_path, folder_groups="no")


def test_the_card_says_what_nobody_knows():
    traps = " ".join(LAYOUTS["folders"].card.traps)
    for word in ("Identities are unknown", "one photograph", "crops=true", "folder_groups=false"):
        assert word in traps
