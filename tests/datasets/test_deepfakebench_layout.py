"""Data set files of DeepfakeBench: labels, splits, compressions, slashes, people, and what is not there."""

import json

import pytest

from dfworkbench.core.errors import DataNotFoundError, ParameterError, TableError, UnknownNameError
from dfworkbench.core.names import FAKE, REAL
from dfworkbench.datasets import assign_splits, read_layout


def touch(root, *paths):
    for path in paths:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).touch()


def entry(label, folder, frames=3, slash="/"):
    return {"label": label, "frames": [f"{folder}/{number:03d}.png".replace("/", slash) for number in range(frames)]}


def save(root, content, name="set.json"):
    (root / name).write_text(json.dumps(content))


def read(root, **options):
    return read_layout("deepfakebench", root, "b", **options).set_index("path")


def ff(label, method, name, comp="c23", slash="/"):
    part = "original_sequences/youtube" if label == "FF-real" else f"manipulated_sequences/{method}"
    return entry(label, f"./datasets/FaceForensics++/{part}/{comp}/frames/{name}", slash=slash)


def ff_file(slash="/"):
    """FF-DF.json with two identities a split, at two compressions."""
    pairs = {"train": ("000", "003"), "val": ("010", "013"), "test": ("020", "023")}
    real, fake = {}, {}
    for split, (a, b) in pairs.items():
        real[split] = {c: {n: ff("FF-real", "", n, c, slash) for n in (a, b)} for c in ("c23", "c40")}
        fake[split] = {c: {f"{a}_{b}": ff("FF-DF", "Deepfakes", f"{a}_{b}", c, slash)} for c in ("c23", "c40")}
    return {"FF-DF": {"FF-real": real, "FF-DF": fake}}


@pytest.fixture
def frames(tmp_path):
    for listed in ("original_sequences/youtube/{}/frames/{}", "manipulated_sequences/Deepfakes/{}/frames/{}_{}"):
        for comp in ("c23", "c40"):
            for a, b in (("000", "003"), ("010", "013"), ("020", "023")):
                touch(tmp_path, f"FaceForensics++/{listed.format(comp, a, b)}/000.png")
                touch(tmp_path, f"FaceForensics++/{listed.format(comp, b, a)}/000.png")
    return tmp_path


@pytest.mark.parametrize("slash", ["/", "\\"])
@pytest.mark.parametrize("compression", ["c23", "c40"])
def test_faceforensics_keeps_its_splits_people_and_methods(frames, slash, compression):
    save(frames, ff_file(slash))
    videos = read(frames, compression=compression)
    assert videos["split"].value_counts().to_dict() == {"train": 3, "val": 3, "test": 3}
    folder = f"FaceForensics++/manipulated_sequences/Deepfakes/{compression}/frames"
    fake = videos.loc[f"{folder}/020_023"]
    assert (fake.label, fake.forgery, fake.compression, fake.split) == (FAKE, "Deepfakes", compression, "test")
    assert (fake.carrier, fake.donor) == ("b/020", "b/023")
    assert fake.genuine_id == f"b/FaceForensics++/original_sequences/youtube/{compression}/frames/020"
    assert set(assign_splits(videos.reset_index())["split"]) == {"train", "val", "test"}


@pytest.mark.parametrize("above", ["/home/x/datasets/rgb/", "D:\\data\\rgb\\", ""])
def test_paths_of_another_machine(tmp_path, above):
    touch(tmp_path, "UADFV/real/frames/0000/000.png", "UADFV/fake/frames/0000_fake/000.png")
    both = {
        "UADFV_Real": {"test": {"0000": entry("UADFV_Real", f"{above}UADFV/real/frames/0000")}},
        "UADFV_Fake": {"test": {"0000_fake": entry("UADFV_Fake", f"{above}UADFV/fake/frames/0000_fake")}},
    }
    save(tmp_path, {"UADFV": both})
    videos = read(tmp_path)
    assert videos["label"].to_dict() == {"UADFV/real/frames/0000": REAL, "UADFV/fake/frames/0000_fake": FAKE}
    assert videos["forgery"].tolist() == ["", "uadfv"]


def celeb(tmp_path, slash="/"):
    """As rearrange.py writes it: the training split holds everything, val and test the official list."""
    names = {
        "CelebDFv2_real": {"Celeb-real": ["id0_0000", "id1_0000"], "YouTube-real": ["90170", "90171"]},
        "CelebDFv2_fake": {"Celeb-synthesis": ["id0_id1_0000", "id1_id0_0000"]},
    }
    content = {"Celeb-DF-v2": {}}
    for label, folders in names.items():
        all_of = {n: entry(label, f"Celeb-DF-v2/{f}/frames/{n}", 2, slash) for f, ns in folders.items() for n in ns}
        tested = {n: one for n, one in all_of.items() if n in ("id0_0000", "90170", "id0_id1_0000")}
        content["Celeb-DF-v2"][label] = {"train": all_of, "val": tested, "test": tested}
        touch(tmp_path, *(f"Celeb-DF-v2/{f}/frames/{n}/000.png" for f, ns in folders.items() for n in ns))
    save(tmp_path, content, "Celeb-DF-v2.json")


def test_a_test_video_is_no_training_video_and_people_of_both_do_not_train(tmp_path, caplog):
    celeb(tmp_path)
    videos = read(tmp_path)
    assert videos.index[videos["split"] == "test"].tolist() == [
        "Celeb-DF-v2/Celeb-real/frames/id0_0000",
        "Celeb-DF-v2/YouTube-real/frames/90170",
        "Celeb-DF-v2/Celeb-synthesis/frames/id0_id1_0000",
    ]
    assert set(videos["split"]) == {"test", ""}
    fake = videos.loc["Celeb-DF-v2/Celeb-synthesis/frames/id1_id0_0000"]
    assert (fake.forgery, fake.carrier, fake.donor) == ("Celeb-synthesis", "b/id1", "b/id0")
    assert fake.genuine_id == "b/Celeb-DF-v2/Celeb-real/frames/id1_0000"
    assert videos.loc["Celeb-DF-v2/YouTube-real/frames/90171", "carrier"] == "b/youtube90171"
    assert "videos are in several splits (3 in train and val and test)" in caplog.text
    assert "the splits of CelebDFv2 share people. Its test split is kept; 3 videos" in caplog.text


def test_actors_in_folders_of_another_data_set(tmp_path):
    """As in a published DFD.json, whose frames lie below Celeb-DF-v2/ and whose splits share actors."""
    where = "Celeb-DF-v2/{}/frames/{}"
    real = {"train": ["02__kitchen"], "test": ["01__kitchen"]}
    fake = {"val": ["02_01__kitchen__AAAA"], "test": ["01_02__kitchen__BBBB"]}
    content = {
        f"DFD_{kind}": {
            split: {n: entry(f"DFD_{kind}", where.format(kind, n)) for n in names} for split, names in splits.items()
        }
        for kind, splits in (("real", real), ("fake", fake))
    }
    save(tmp_path, {"DFD": content}, "DFD.json")
    touch(tmp_path, "real/frames/01__kitchen/000.png", "fake/frames/01_02__kitchen__BBBB/000.png")
    videos = read(tmp_path)
    row = videos.loc["fake/frames/01_02__kitchen__BBBB"]
    assert (row.forgery, row.carrier, row.donor) == ("DeepFakeDetection", "b/actor01", "b/actor02")
    assert row.genuine_id == "b/real/frames/01__kitchen"
    assert videos["split"].tolist() == ["", "test", "", "test"]


def test_videos_are_read_where_frames_are_not_there_and_single_files_are_themselves(frames):
    save(frames, ff_file())
    gone = frames / "FaceForensics++/manipulated_sequences/Deepfakes/c23/frames/000_003"
    (gone / "000.png").unlink()
    gone.rmdir()
    touch(frames, "FaceForensics++/manipulated_sequences/Deepfakes/c23/videos/000_003.mp4", "roop/a.mp4", "roop/b.png")
    one = {"a": {"label": "roop_Fake", "frames": "roop/a.mp4"}, "b": {"label": "roop_Real", "frames": ["roop/b.png"]}}
    save(frames, {"roop": {"roop": {"test": one}}}, "roop.json")
    videos = read(frames)
    assert videos.loc["FaceForensics++/manipulated_sequences/Deepfakes/c23/videos/000_003.mp4", "split"] == "train"
    assert videos.loc[["roop/a.mp4", "roop/b.png"], "label"].tolist() == [FAKE, REAL]


def test_several_files_name_a_video_once(frames):
    save(frames, ff_file(), "FF-DF.json")
    save(frames, {"FaceForensics++": ff_file()["FF-DF"]}, "FaceForensics++.json")
    (frames / "settings.json").write_text('{"a": {"b": 1}, "c": [2]}')
    assert len(read(frames)) == 9
    assert len(read(frames, file="FF-*.json")) == 9


def test_what_is_missing_or_odd_is_one_line_a_kind(tmp_path, caplog):
    videos = {f"{n:04d}": entry("DFDC_Real", f"DFDC/test/frames/{n:04d}") for n in range(400)}
    odd = {
        "x1": {"label": "DFDC_Real", "frames": []},
        "x2": {"label": "DFDC_Real"},
        "x3": {"label": "maybe", "frames": ["a/b/0.png", "a/b/1.png"]},
        "x4": ["frames"],
        "x5": {"label": "DFDC_Real", "frames": ["a/b/0.png", "a/c/0.png"]},
        "x6": entry("DFDC_Real", "a/../../b"),
        "x7": entry("DFDC_Fake", "DFDC/test/frames/0000"),
        "x8": entry("DFDC_Real", "DFDC/test/frames/0001/inner"),
        "x9": entry("DFDC_Real", "DFDC/test/frames/0002"),
        "y1": entry("DFDC_Real", "DFDC/manipulated_sequences/Deepfakes/frames/1"),
    }
    bug = entry(
        "DFDC_Real", "DFDC/test/frames/0399"
    )  # rearrange.py writes the last entry in place of the split val of DFDC
    save(tmp_path, {"DFDC": {"DFDC_Real": {"test": videos | odd, "val": bug, "train": {}, "extra": 3}, "x": None}})
    touch(tmp_path, *(f"DFDC/test/frames/{n:04d}/000.png" for n in range(0, 400, 20)))
    assert len(read(tmp_path)) == 399
    lines = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert len([line for line in lines if "380 of 399 listed files or folders are not there" in line]) == 1
    for part in (
        "2 entry(s) left out, with no frames: DFDC_Real/test/x1, DFDC_Real/test/x2",
        "1 entry(s) left out, with a label that is neither real nor fake: DFDC_Real/test/x3 ('maybe')",
        "3 entry(s) left out, with no label: DFDC_Real/test/x4, DFDC_Real/val/label, DFDC_Real/val/frames",
        "frames in several folders: DFDC_Real/test/x5",
        "a path that is empty or climbs with '..': DFDC_Real/test/x6",
        "1 entry(s) left out, with a folder that is named real and fake: DFDC/test/frames/0000",
        "the folder of another video: DFDC/test/frames/0002 (0002, x9)",
        "a label against the folders of its path: DFDC/manipulated_sequences/Deepfakes/frames/1 (DFDC_Real)",
        "a folder inside another sequence: DFDC/test/frames/0001/inner",
    ):
        assert len([line for line in lines if part in line]) == 1, (part, lines)
    assert len(lines) == 11  # and the picture of the folder that is named twice


def test_files_that_cannot_be_used(frames):
    save(frames, ff_file())
    with pytest.raises(TableError, match=r"no entry of set\.json can be used.*c23, c40, not raw: choose one"):
        read(frames, compression="raw")
    with pytest.raises(UnknownNameError):
        read(frames, compression="c32")
    for pattern in ("../set.json", "/set.json", "", "**/x.json", 5):
        with pytest.raises((ParameterError, DataNotFoundError), match=r"option file|looked for"):
            read(frames, file=pattern)
    save(frames, [1, 2])
    with pytest.raises(TableError, match="they name no video"):
        read(frames)
    (frames / "set.json").write_text("{")
    with pytest.raises(TableError, match="it is not JSON"):
        read(frames)
    save(frames, {"x": {"y": {"test": {"v": entry("x_real", "elsewhere/v")}}}})
    with pytest.raises(DataNotFoundError, match=r"names 1 folder\(s\) of frames; the first is elsewhere/v"):
        read(frames)
