"""Split and metadata files as their authors and users published them, and made twins with the same peculiarities.

The twins are made here; the tests whose names begin with test_trial read `media/formats` below `DFWORKBENCH_TRIALS`.
"""

import json
import os
import random
import shutil
from pathlib import Path

import pytest

from dfworkbench.core.errors import TableError, UnknownNameError
from dfworkbench.datasets import assign_splits, read_layout


def touch(root, *names):
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()


def warnings_in(caplog):
    return [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]


@pytest.fixture
def formats():
    folder = Path(os.environ.get("DFWORKBENCH_TRIALS", "")) / "media" / "formats"
    if "DFWORKBENCH_TRIALS" not in os.environ or not folder.is_dir():
        pytest.skip("DFWORKBENCH_TRIALS names no folder with published lists")
    return folder


# -- Celeb-DF: 1 is real, and lines end as they like ------------------------------------------------------------------


def celeb_set(root, lines, end):
    """The listed videos and twenty others; the list as it was saved."""
    listed = [line.split()[1] for line in lines if line.strip()]
    touch(root, *listed, *(f"Celeb-real/id{n}_9999.mp4" for n in range(20)))
    (root / "List_of_testing_videos.txt").write_bytes(end.join(lines).encode())
    return listed


def require_celeb(root, lines, end):
    listed = celeb_set(root, lines, end)
    videos = read_layout("celebdf", root, "c").set_index("path")
    assert set(videos.index[videos.split == "test"]) == set(listed)
    assert len(videos) == len(listed) + 20
    flags = {line.split()[1]: line.split()[0] for line in lines if line.strip()}
    assert {(flag, int(videos.label[path])) for path, flag in flags.items()} == {("1", 0), ("0", 1)}


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_the_list_of_celebdf_calls_real_videos_1_and_may_lack_its_last_line_end(tmp_path, end):
    lines = ["1 Celeb-real/id80_0001.mp4", "1 YouTube-real/90001.mp4", "0 Celeb-synthesis/id80_id81_0001.mp4"]
    require_celeb(tmp_path, lines, end)


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_trial_published_lists_of_celebdf(formats, tmp_path, end):
    for file in sorted((formats / "celebdf").glob("*.txt")):
        require_celeb(tmp_path / file.stem, file.read_text().split("\n"), end)


# -- FaceForensics++: splits, and which clips are of one YouTube video ------------------------------------------------


def ff_set(root, names, pairs=()):
    touch(root, *(f"original_sequences/youtube/c23/videos/{name}.mp4" for name in names))
    touch(root, *(f"manipulated_sequences/FaceSwap/c23/videos/{a}_{b}.mp4" for a, b in pairs))


def ff_splits(root, **pairs):
    (root / "splits").mkdir()
    for split, content in pairs.items():
        (root / "splits" / f"{split}.json").write_text(json.dumps(content))


CLIPS = {"000": "aaaaaaaaaaa 0", "001": "bb bb-bbbbb 0", "002": "bb bb-bbbbb 1", "003": "-_-ccccccc 0", "999": "gone 0"}


@pytest.mark.parametrize("where", ["", "splits"])
def test_clips_of_one_youtube_video_are_one_identity(tmp_path, where):
    ff_set(tmp_path, ["000", "001", "002", "003"], [("000", "002"), ("001", "003")])
    (tmp_path / where).mkdir(exist_ok=True)
    (tmp_path / where / "conversion_dict.json").write_text(json.dumps(CLIPS))
    videos = read_layout("faceforensics", tmp_path, "f").set_index("path")
    first, second = (f"original_sequences/youtube/c23/videos/{name}.mp4" for name in ("001", "002"))
    assert videos.carrier[first] == videos.carrier[second] == "f/001"
    assert videos.donor["manipulated_sequences/FaceSwap/c23/videos/000_002.mp4"] == "f/001"
    assert videos.genuine_id["manipulated_sequences/FaceSwap/c23/videos/001_003.mp4"] == f"f/{first}"
    assert videos.group.nunique() == 1


def test_official_splits_that_part_clips_of_one_video_are_kept_and_named(tmp_path, caplog):
    names = ["000", "001", "002", "003"]
    ff_set(tmp_path, names)
    ff_splits(tmp_path, train=[["000", "001"]], test=[["002", "003"]])
    (tmp_path / "conversion_dict.json").write_text(json.dumps({**CLIPS, "003": "aaaaaaaaaaa 1"}))
    videos = assign_splits(read_layout("faceforensics", tmp_path, "f"))
    assert videos.split.tolist() == ["train", "train", "test", "test"]
    assert videos.carrier.tolist() == [f"f/{name}" for name in names]
    [said] = [line for line in warnings_in(caplog) if "separate clips of 2 YouTube video(s)" in line]
    assert "000 (train) and 003 (test), 001 (train) and 002 (test)" in said


@pytest.mark.parametrize("content", ["[1]", '{"000": 1}', "{", '"text"'])
def test_a_conversion_dictionary_that_is_none(tmp_path, content):
    ff_set(tmp_path, ["000"])
    (tmp_path / "conversion_dict.json").write_text(content)
    with pytest.raises(TableError, match=r"conversion_dict\.json does not map names of clips to texts"):
        read_layout("faceforensics", tmp_path, "f")


def test_trial_published_splits_of_faceforensics(formats, tmp_path, caplog):
    names = random.Random(0).sample([f"{n:03d}" for n in range(1000)], 50)
    touch(tmp_path, *(f"original_sequences/youtube/raw/videos/{name}.mp4" for name in names))
    (tmp_path / "splits").symlink_to(formats / "faceforensics" / "splits")
    videos = read_layout("faceforensics", tmp_path, "f", compression="raw")
    assert set(videos.split) == {"train", "val", "test"}
    assert "50 of the 1000 names in splits/*.json are there" in caplog.text


def test_trial_published_conversion_dictionary(formats, tmp_path, caplog):
    clips = json.loads((formats / "faceforensics" / "conversion_dict.json").read_text())
    ff_set(tmp_path, clips)
    shutil.copy(formats / "faceforensics" / "conversion_dict.json", tmp_path)
    assert read_layout("faceforensics", tmp_path, "f").group.nunique() == 977  # YouTube videos
    shutil.copytree(formats / "faceforensics" / "splits", tmp_path / "splits")
    videos = assign_splits(read_layout("faceforensics", tmp_path, "f"))
    assert videos.split.value_counts().to_dict() == {"train": 720, "val": 140, "test": 140}
    assert "the official splits separate clips of 7 YouTube video(s)" in caplog.text


# -- DFDC: fakes whose sound alone may be altered ---------------------------------------------------------------------

SOUND = (
    "train_mp4,label,original,split,audio_altered\r\nb.mp4,FAKE,a.mp4,train,True\r\nzz.mp4,FAKE,a.mp4,train,True\r\n"
)


def dfdc_set(root, sound=SOUND, where="metadata_audio_altered.csv"):
    entries = {
        "a.mp4": {"label": "REAL", "split": "train", "original": None},
        "b.mp4": {"label": "FAKE", "split": "train", "original": "a.mp4"},
        "c.mp4": {"label": "FAKE", "split": "train", "original": "a.mp4"},
    }
    touch(root, *(f"dfdc_train_part_0/{name}" for name in entries))
    (root / "dfdc_train_part_0/metadata.json").write_text(json.dumps(entries))
    (root / where).write_bytes(sound.encode())


@pytest.mark.parametrize("where", ["metadata_audio_altered.csv", "dfdc_train_part_0/Metadata_Audio_Altered.CSV"])
def test_fakes_with_altered_sound_are_left_out_with_a_reason(tmp_path, caplog, where):
    dfdc_set(tmp_path, where=where)
    videos = read_layout("dfdc", tmp_path, "d")
    assert videos.path.tolist() == ["dfdc_train_part_0/a.mp4", "dfdc_train_part_0/c.mp4"]
    assert "left_out" not in videos
    [said] = warnings_in(caplog)
    assert "1 fake(s) whose sound was altered, and perhaps nothing else (audio_altered=fake takes them)" in said
    assert "dfdc_train_part_0/b.mp4" in said


def test_fakes_with_altered_sound_are_fakes_where_that_is_wanted(tmp_path, caplog):
    dfdc_set(tmp_path)
    videos = read_layout("dfdc", tmp_path, "d", audio_altered="fake")
    assert videos.label.tolist() == [0, 1, 1]
    assert warnings_in(caplog) == []
    with pytest.raises(UnknownNameError, match="real"):
        read_layout("dfdc", tmp_path, "d", audio_altered="real")


def test_lists_of_altered_sound_that_say_something_else(tmp_path, caplog):
    dfdc_set(tmp_path, SOUND.replace("True", "False"))
    assert len(read_layout("dfdc", tmp_path, "d")) == 3
    assert "none of the 0 names in metadata_audio_altered.csv is a fake that metadata name" in caplog.text
    dfdc_set(tmp_path, SOUND.replace("train_mp4", "file"))
    with pytest.raises(TableError, match="Expected train_mp4"):
        read_layout("dfdc", tmp_path, "d")
    dfdc_set(tmp_path, SOUND.replace("True", "perhaps"))
    with pytest.raises(TableError, match=r"line 2 of .* has the value 'perhaps' in the column audio_altered"):
        read_layout("dfdc", tmp_path, "d")
    dfdc_set(tmp_path, "train_mp4\nb.mp4\n")
    assert len(read_layout("dfdc", tmp_path, "d")) == 2


def test_a_set_of_which_everything_is_left_out_stops_the_run(tmp_path):
    dfdc_set(tmp_path)
    (tmp_path / "dfdc_train_part_0/metadata.json").write_text('{"b.mp4": {"label": "FAKE"}}')
    with pytest.raises(TableError, match=r"all 1 file\(s\) that are named are left out: fake\(s\) whose sound"):
        read_layout("dfdc", tmp_path, "d")


def test_trial_published_metadata_of_dfdc(formats, tmp_path):
    for file in sorted((formats / "dfdc").glob("*.json")):
        entries = json.loads(file.read_text())
        root = tmp_path / file.stem
        touch(root, *entries)
        (root / "metadata.json").symlink_to(file)
        videos = read_layout("dfdc", root, "d")
        assert len(videos) == len(entries)
        assert (videos.label == 1).sum() == sum(entry["label"] == "FAKE" for entry in entries.values())


def test_trial_published_list_of_altered_sound(formats, tmp_path):
    file = formats / "dfdc" / "train_sample_metadata.json"
    entries = json.loads(file.read_text())
    touch(tmp_path, *entries)
    (tmp_path / "metadata.json").symlink_to(file)
    (tmp_path / "metadata_audio_altered.csv").symlink_to(formats / "dfdc" / "metadata_audio_altered.csv")
    videos = read_layout("dfdc", tmp_path, "d")
    assert videos.label.value_counts().to_dict() == {1: 316, 0: 77}  # 7 of the 400 are on the list


# -- DeepfakeBench (made twins in test_deepfakebench_layout.py) -------------------------------------------------------


@pytest.mark.parametrize("slash", ["/", "\\"])
def test_trial_published_file_of_deepfakebench(formats, tmp_path, caplog, slash):
    text = (formats / "deepfakebench" / "DFD.json").read_text()
    entries = [
        entry for splits in json.loads(text)["DFD"].values() for split in splits.values() for entry in split.values()
    ]
    for entry in entries[::20]:
        touch(tmp_path, *(frame.removeprefix("Celeb-DF-v2/") for frame in entry["frames"][:2]))
    (tmp_path / "DFD.json").write_text(text.replace("/", "\\\\") if slash == "\\" else text)
    videos = assign_splits(read_layout("deepfakebench", tmp_path, "b"))
    assert videos.groupby(["label", "split"]).size().to_dict() == {
        (0, ""): 327, (0, "test"): 37, (1, ""): 597, (1, "test"): 37
    }  # fmt: skip
    assert set(videos.forgery) == {"", "DeepFakeDetection"}
    assert len(set(videos.carrier)) == 29  # actors, and a clip that is called Park
    lines = warnings_in(caplog)
    assert len([line for line in lines if "948 of 998 listed files or folders are not there" in line]) == 1
    assert len([line for line in lines if "the splits of DFD share people" in line]) == 1


# -- Exposing the Deception: most folders missing, some paths damaged -------------------------------------------------


def exposing_lists():
    """Lists like the published ones: other prefixes in each, and FaceSwap paths that lost letters in test_fake.txt."""
    far = "/data/deepfake/FF++/faces/"
    lists = {"train": (far, range(0, 240)), "val": (far, range(240, 280)), "test": ("FF++/", range(280, 320))}
    kinds = {"Deepfakes": "manipulated_sequences/Deepfakes", "FaceSwap": "manipulated_sequences/FaceSwap"}
    for split, (above, numbers) in lists.items():
        real = [f"0,{far}original_sequences/youtube/c23/{n:04d}.mp4,9" for n in numbers]
        fake = [f"1,{above}{kind}/c23/{n:04d}_{n ^ 1:04d}.mp4,9" for n in numbers for kind in kinds.values()]
        damaged = [line.replace("sequences/FaceSwap", "sequenceswap") if split == "test" else line for line in fake]
        yield f"{split}_real.txt", real
        yield f"{split}_fake.txt", damaged


def require_sparse(root, lists, caplog, damaged):
    """One folder in twenty is there: each kind of problem is one line."""
    names = [line.split(",")[1] for lines in lists.values() for line in lines]
    repaired = [name.replace("manipulated_sequenceswap/", "manipulated_sequences/FaceSwap/") for name in names]
    folders = [name[name.index("manipulated_" if "manipulated_" in name else "original_") :] for name in repaired]
    touch(root, *(f"{folder}/0.png" for folder in folders[::20]))
    for name, lines in lists.items():
        (root / name).write_text("\n".join([*lines, ""]))
    videos = read_layout("list_files", root, "x")
    assert len(videos) == len(names)
    assert set(videos.split) == {"train", "val", "test"}
    lines = warnings_in(caplog)
    gone = len(folders) - len(folders[::20])
    assert len(lines) == 2
    assert f"test_fake.txt: {damaged} path(s) with 'manipulated_sequenceswap/' are read as" in lines[0]
    assert f"{gone} of {len(folders)} listed files or folders are not there" in lines[1]
    return videos


def test_lists_of_which_one_folder_in_twenty_is_there(tmp_path, caplog):
    videos = require_sparse(tmp_path, dict(exposing_lists()), caplog, damaged=40)
    assert set(videos.forgery) == {"", "Deepfakes", "FaceSwap"}


def test_trial_published_lists_of_exposing_the_deception(formats, tmp_path, caplog):
    files = sorted((formats / "exposing" / "FF++").glob("*.txt"))
    videos = require_sparse(tmp_path, {file.name: file.read_text().splitlines() for file in files}, caplog, damaged=140)
    assert videos.label.value_counts().to_dict() == {1: 4000, 0: 1000}
    assert (videos.forgery == "FaceSwap").sum() == 1000
    assert assign_splits(videos).equals(videos)
