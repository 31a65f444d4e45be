"""The published lists of Exposing the Deception (A9): numbers, splits, the repair of test_fake.txt, counts and frames."""

import logging

import numpy as np
import pytest

from dfworkbench.core.errors import ParameterError, TableError
from dfworkbench.core.names import FAKE, REAL
from dfworkbench.core.workspace import Workspace
from dfworkbench.datasets import assign_splits, read_layout
from dfworkbench.extraction import ExtractSettings, extract
from dfworkbench.media.frame_folder import list_frames
from dfworkbench.training.batches import epoch_order

METHODS = ("Face2Face", "Deepfakes", "FaceSwap", "NeuralTextures")
ABOVE = "/data/somebody/x/faces/"
#: Pairs of identities of each split, published: 360, 70 and 70.
PAIRS = {"train": 360, "val": 70, "test": 70}


def touch(folder, count, suffix=".png"):
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(count):
        (folder / f"{number}{suffix}").touch()


def published(root, pairs):
    """Lists as they were published, of so many pairs of people; damaged as there. Returns identities by split."""
    root.mkdir(parents=True, exist_ok=True)
    names, first = {}, 0
    for split, count in pairs.items():
        ids = [f"{first + i:03d}" for i in range(2 * count)]
        first += 2 * count
        names[split] = ids
        real = [f"0,{ABOVE}FF++/original_sequences/youtube/c23/frames/{i}.mp4,92\n" for i in ids]
        both = [pair for a, b in zip(ids[::2], ids[1::2], strict=True) for pair in (f"{a}_{b}", f"{b}_{a}")]
        fake = [f"1,{ABOVE}FF++/manipulated_sequences/{m}/c23/frames/{p}.mp4,82\n" for m in METHODS for p in both]
        if split == "test":
            fake = [line.replace(ABOVE, "").replace("sequences/FaceSwap", "sequenceswap") for line in fake]
        (root / f"{split}_real.txt").write_text("".join(real))
        (root / f"{split}_fake.txt").write_text("".join(fake))
        folder = root / "original_sequences/youtube/c23/frames" / f"{ids[0]}.mp4"
        folder.mkdir(parents=True)  # one folder of each list tells where paths begin
        (root / "manipulated_sequences/Deepfakes/c23/frames" / f"{both[0]}.mp4").mkdir(parents=True)
    return names


def test_a9_the_published_numbers(tmp_path, caplog):
    root = tmp_path / "test_FF++"  # the name of a folder decides no split
    names = published(root, PAIRS)
    with caplog.at_level(logging.WARNING):
        videos = read_layout("list_files", root, "mi")
    counts = videos.groupby(["split", "label"]).size().to_dict()
    assert counts == {
        ("train", REAL): 720, ("train", FAKE): 2880, ("val", REAL): 140, ("val", FAKE): 560, ("test", REAL): 140,
        ("test", FAKE): 560,
    }  # fmt: skip
    fakes = videos[videos.label == FAKE]
    assert fakes[fakes.split == "test"].forgery.value_counts().to_dict() == dict.fromkeys(METHODS, 140)
    assert set(fakes[fakes.split == "train"].forgery.value_counts()) == {720}
    assert set(videos.compression) == {"c23"}
    assert caplog.text.count("manipulated_sequenceswap") == 1
    assert "test_fake.txt: 140 path(s)" in caplog.text
    for split, ids in names.items():
        own = videos[videos.split == split]
        assert set(own.carrier) == {f"mi/{i}" for i in ids}
        assert set(own[own.label == REAL].path) == {f"original_sequences/youtube/c23/frames/{i}.mp4" for i in ids}
    split = assign_splits(videos)
    assert split.split.tolist() == videos.split.tolist()
    assert split.groupby("group").split.nunique().max() == 1


def test_counts_are_compared_if_asked(tmp_path):
    touch(tmp_path / "a", 3)
    touch(tmp_path / "b", 2)
    (tmp_path / "test_real.txt").write_text("0,a,3\n0,gone,7\n")
    (tmp_path / "test_fake.txt").write_text("1,b,3\n")
    assert len(read_layout("list_files", tmp_path, "mi")) == 3
    with pytest.raises(TableError, match=r"test_fake\.txt: line 1, .*has the count 3, but the folder holds 2 pictures"):
        read_layout("list_files", tmp_path, "mi", check_counts=True)
    touch(tmp_path / "b", 3)
    assert len(read_layout("list_files", tmp_path, "mi", check_counts=True)) == 3


def test_options_of_a_layout_come_from_the_settings_of_extraction(tmp_path):
    touch(tmp_path / "a", 2)
    (tmp_path / "test_real.txt").write_text("0,a,3\n")
    settings = ExtractSettings(name="mi", layout="list_files", root=tmp_path, layout_options=["check_counts=true"])
    with pytest.raises(TableError, match="has the count 3, but the folder holds 2 pictures"):
        extract(settings, Workspace(tmp_path))
    with pytest.raises(ParameterError, match=r"'list_files': it has no option 'counts'\. Options: lists, check_counts"):
        extract(settings.replace(layout_options=["counts=true"]), Workspace(tmp_path))


def test_frames_are_sorted_and_known_by_their_ends(tmp_path):
    folder = tmp_path / "faces.png" / "071.mp4"  # .png in a path says nothing
    touch(folder, 12)
    for name in ("12.JPG", "13.jpeg", "14.webp", "notes.png.txt", "list.csv"):
        (folder / name).touch()
    (folder / "15.png").mkdir()
    names = [file.name for file in list_frames(folder)]
    assert names == [*(f"{i}.png" for i in range(12)), "12.JPG", "13.jpeg", "14.webp"]


def test_a9_real_files_are_repeated_by_the_measured_ratio():
    """With the numbers of the published training lists of FaceForensics++: real frames four times, each fake once."""
    labels = np.array([REAL] * 73_649 + [FAKE] * 264_598)
    order = epoch_order(labels, "repeat", seed=0, epoch=1)
    assert len(order) == 559_194
    assert set(np.bincount(order, minlength=len(labels))[labels == REAL]) == {4}
    assert set(np.bincount(order, minlength=len(labels))[labels == FAKE]) == {1}
    equal = epoch_order(np.array([REAL] * 9 + [FAKE] * 9), "repeat", seed=0, epoch=2)
    assert sorted(equal) == list(range(18))
    assert len(epoch_order(np.array([], dtype=int), "repeat", seed=0, epoch=1)) == 0


def test_both_classes_are_drawn_equally_often():
    """In place of listing real files four times: 3 real and 12 fake videos of 3 frames each."""
    labels = [REAL] * 9 + [FAKE] * 36
    order = epoch_order(np.array(labels), "sample", seed=0, epoch=1)
    drawn = [labels[row] for row in order]
    assert drawn.count(REAL) == drawn.count(FAKE) == 22
    assert min(list(order).count(row) for row in range(9)) >= 2  # every real frame comes
