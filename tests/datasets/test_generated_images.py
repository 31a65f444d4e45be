"""Folders and lists of generated pictures: who is real, which generator, which split, what stays together."""

import pytest

from dfworkbench.core.errors import DataNotFoundError, SplitLeakError, TableError
from dfworkbench.datasets import LAYOUTS, assign_splits, read_layout


def touch(root, *paths):
    for path in paths:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).touch()


def read(root, layout="generated_images"):
    return read_layout(layout, root, "pics").set_index("path")


def test_five_real_and_five_fake_pictures_are_ten_rows(tmp_path):
    touch(tmp_path, *(f"{kind}/{i}.png" for kind in ("real", "fake/gan") for i in range(5)))
    videos = read(tmp_path)
    assert videos["label"].value_counts().to_dict() == {0: 5, 1: 5}
    assert (videos.loc["real/3.png", "video_id"], videos.loc["fake/gan/3.png", "forgery"]) == ("pics/real/3.png", "gan")
    assert set(videos["split"]) == {""}
    assert videos["group"].nunique() == 10  # an equal name says nothing


def test_hidden_files_and_other_files_are_left_out(tmp_path):
    touch(tmp_path, "real/a.PNG", "real/.b.png", "real/.cache/c.png", "real/d.mp4", "real/e.txt", "contact_sheet.png")
    touch(tmp_path, "fake/deep/er/f.jpg", "fake/g.webp")
    videos = read(tmp_path)
    assert set(videos.index) == {"real/a.PNG", "fake/deep/er/f.jpg", "fake/g.webp"}
    assert videos["forgery"].to_dict() == {"real/a.PNG": "", "fake/deep/er/f.jpg": "deep", "fake/g.webp": "fake"}


@pytest.mark.parametrize(
    ("path", "label", "forgery", "split"),
    [
        ("train/real/a.png", 0, "", "train"),
        ("test/fake/nearest/a.png", 1, "nearest", "test"),
        ("val/progan/horse/0_real/a.png", 0, "", "val"),
        ("val/progan/horse/1_fake/a.png", 1, "progan", "val"),
        ("ADM/imagenet/train/ai/a.png", 1, "ADM", "train"),
        ("ADM/imagenet/train/nature/a.png", 0, "", "train"),
        ("Pos/a.png", 0, "", ""),
        ("NEG/a.png", 1, "fake", ""),
        ("1_real/a.png", 0, "", ""),
        ("fake/real/a.png", 1, "real", ""),
    ],
)
def test_what_a_path_says(tmp_path, path, label, forgery, split):
    touch(tmp_path, path)
    row = read(tmp_path).iloc[0]
    assert (row["label"], row["forgery"], row["split"]) == (label, forgery, split)


def test_groups_keep_people_together_and_out_of_two_splits(tmp_path):
    touch(tmp_path, "train/real/p012_00.png", "train/fake/a/p012_03.png", "test/fake/b/p044_00.png", "test/real/x.png")
    lines = ["train/real/p012_00.png,p012", "train/fake/a/p012_03.png,p012", "test/fake/b/p044_00.png,p044"]
    (tmp_path / "groups.csv").write_text("\n".join(["path,group", *lines]))
    videos = read(tmp_path)
    assert videos["group"].to_dict() == {
        "train/real/p012_00.png": "pics/p012", "train/fake/a/p012_03.png": "pics/p012",
        "test/fake/b/p044_00.png": "pics/p044", "test/real/x.png": "pics/test/real/x.png",
    }  # fmt: skip
    assert assign_splits(videos.reset_index())["split"].tolist() == videos["split"].tolist()
    touch(tmp_path, "test/fake/b/p012_00.png")
    (tmp_path / "groups.csv").write_text("\n".join(["path,group", *lines, "test/fake/b/p012_00.png,p012"]))
    with pytest.raises(SplitLeakError, match="'pics/p012' in test, train"):
        assign_splits(read(tmp_path).reset_index())


def test_groups_that_fit_nothing_are_not_ignored(tmp_path):
    touch(tmp_path, "real/a.png")
    (tmp_path / "groups.csv").write_text("path,group\nelsewhere/a.png,p1\n")
    with pytest.raises(TableError, match=r"not one of its 1 paths \(first: elsewhere/a.png\)"):
        read(tmp_path)
    (tmp_path / "groups.csv").write_text("file,person\nreal/a.png,p1\n")
    with pytest.raises(TableError, match=r"columns are file, person\. Expected path,group"):
        read(tmp_path)


def test_cards_say_how_to_extract_and_what_is_cut():
    traps = " ".join(LAYOUTS["generated_images"].card.traps)
    assert "whole=true" in traps
    assert "66 x 64 px gives 64 x 64" in traps
    assert "whole=true" in " ".join(LAYOUTS["picture_lists"].card.traps)


def test_lists_name_pictures_and_a_missing_last_newline_costs_nothing(tmp_path):
    touch(tmp_path, "data/CelebA/1.png", "data/CelebA/2.png", "data/gan/3.png")
    (tmp_path / "train_real.txt").write_text("./data/CelebA/1.png\n\n  ./data/CelebA/2.png")
    (tmp_path / "test_fake_style-gan2.txt").write_bytes(b"data/gan/3.png\r\ndata/gan/gone.png\r\n")
    (tmp_path / "README.txt").write_text("no list")
    videos = read(tmp_path, "picture_lists")
    assert videos[["label", "forgery", "split"]].T.to_dict("list") == {
        "data/CelebA/1.png": [0, "", "train"],
        "data/CelebA/2.png": [0, "", "train"],
        "data/gan/3.png": [1, "style_gan2", "test"],
        "data/gan/gone.png": [1, "style_gan2", "test"],
    }


def test_lists_of_another_machine_are_matched_by_their_ends(tmp_path):
    touch(tmp_path, "CelebA/1.png", "top.png")
    (tmp_path / "real.txt").write_text("/mnt/you/sets/CelebA/1.png\n/mnt/you/sets/CelebA/2.png\n")
    assert list(read(tmp_path, "picture_lists").index) == ["CelebA/1.png", "CelebA/2.png"]
    (tmp_path / "real.txt").write_text("top.png\n")
    assert list(read(tmp_path, "picture_lists").index) == ["top.png"]


def test_bad_lists_say_file_and_line(tmp_path):
    touch(tmp_path, "a/1.png", "a/2.png")
    for text, problem in (
        ("a/1.png\na/1.png\n", "line 2, 'a/1.png', names the same picture as line 1 of real.txt"),
        ("a/1.png\n../2.png\n", "line 2, '../2.png', is empty or climbs"),
        ("x/a/1.png\n2.png\n", "line 2, '2.png', is not below the first 1 folder"),
    ):
        (tmp_path / "real.txt").write_text(text)
        with pytest.raises(TableError, match=problem):
            read(tmp_path, "picture_lists")
    (tmp_path / "real.txt").write_bytes(b"a/\xff.png")
    with pytest.raises(TableError, match="not UTF-8 text"):
        read(tmp_path, "picture_lists")
    (tmp_path / "real.txt").write_text("b/9.png\n")
    with pytest.raises(
        DataNotFoundError, match=r"real\.txt names 1 picture\(s\); the first is b/9\.png\. None is below"
    ):
        read(tmp_path, "picture_lists")
