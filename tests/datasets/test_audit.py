"""The leakage audit: every planted kind of leak is found, one by one, and nothing in a clean table."""

import json
import shutil

import cv2
import numpy as np
import pandas as pd
import pytest
from toy import make_workspace

from dfworkbench.core.errors import TableError
from dfworkbench.datasets.audit.audit import KINDS, AuditSettings, audit
from dfworkbench.datasets.dataset import DataSet
from dfworkbench.datasets.tables import read_table, write_table
from dfworkbench.media.pictures.images import read_image, write_png
from dfworkbench.media.pictures.perceptual_hash import near_pairs, picture_hash

TRAIN, VAL, TEST = "toy/real/train00.mp4", "toy/real/val00.mp4", "toy/real/test00.mp4"


@pytest.fixture
def space(tmp_path):
    return make_workspace(tmp_path)  # pictures of its own, which a test may change


def tables(space):
    return read_table("video", space.labels / "toy/videos.csv"), read_table("face", space.labels / "toy/faces.parquet")


def change(videos, video_id, **values):
    return videos.assign(**{
        name: videos[name].where(videos["video_id"] != video_id, value) for name, value in values.items()
    })  # fmt: skip


def kinds(found):
    return {kind: count for kind, count in found.counts.items() if count}


def crop(space, video_id, frame):
    faces = tables(space)[1].set_index("face_id")
    return space.extracted / faces.loc[f"{video_id}#t0f{frame}", "crop_path"]


def test_a_clean_table_is_green_and_everything_was_looked_at(space):
    videos, faces = tables(space)
    root = space.root / "data"
    for path in videos["path"]:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(path.encode().ljust(40))  # as long as each other, so that all are read
    found = audit(videos, faces, space.extracted, root=root)
    assert found.verdict == "green"
    assert found.rows.empty
    assert found.counts == dict.fromkeys(KINDS, 0)
    assert [finding.kind for finding in found.findings] == list(KINDS)


def test_what_was_not_looked_at_is_said(space):
    found = audit(tables(space)[0])
    assert found.verdict == "green"
    assert not found.saw_pictures
    assert list(found.counts) == ["identity", "source", "pair", "path"]
    assert repr(found).count("not looked at") == 3
    assert "no frames were compared" in found._repr_html_()


@pytest.mark.parametrize("column", ["carrier", "donor", "group"])
def test_an_identity_in_two_splits(space, column):
    videos = tables(space)[0]
    # a real video: nobody's pair, so that nothing but the name crosses
    videos = change(videos, VAL, carrier="toy/lone", group="toy/lone")
    videos = videos[videos["label"] == 0]
    found = audit(change(videos, VAL, **{column: "toy/train03"}))
    assert kinds(found) == {"identity": 1}
    row = found.rows.iloc[0]
    assert (row["split_a"], row["video_a"], row["split_b"], row["video_b"]) == (
        "train",
        "toy/real/train03.mp4",
        "val",
        VAL,
    )
    assert row["detail"] == "'toy/train03' in train, val: 1 and 1 files"


def test_a_source_of_two_fakes(space):
    videos = tables(space)[0]
    for name in ("toy/fake0/train00.mp4", "toy/fake0/test00.mp4"):
        videos = change(videos, name, genuine_id="toy/elsewhere.mp4")
    found = audit(videos)
    assert kinds(found) == {"source": 1}
    assert found.rows.iloc[0]["detail"] == "'toy/elsewhere.mp4' in train, test: 1 and 1 files"


def test_a_fake_and_its_genuine_video(space):
    videos = change(tables(space)[0], TRAIN, carrier="toy/lone", group="toy/lone", split="val")
    videos = change(videos, "toy/fake0/train07.mp4", donor="toy/train06")  # else the donor is a second pair
    found = audit(videos)
    assert kinds(found) == {"pair": 1}
    row = found.rows.iloc[0]
    assert (row["video_a"], row["video_b"]) == ("toy/fake0/train00.mp4", TRAIN)
    assert row["detail"] == "the second is the genuine video"


@pytest.mark.parametrize("role", ["carrier", "donor"])
def test_a_fake_and_a_genuine_video_of_its_people(space, role):
    videos = change(tables(space)[0], "toy/fake0/train00.mp4", **{role: "toy/test02"})
    found = audit(videos)
    assert kinds(found)["pair"] == 1
    row = found.rows[found.rows["kind"] == "pair"].iloc[0]
    assert row["video_b"] == "toy/real/test02.mp4"
    assert role in row["detail"]


def test_one_path_under_two_names(space):
    videos = change(tables(space)[0], VAL, path="real/../real/./train00.mp4")
    found = audit(videos)
    assert kinds(found) == {"path": 1}
    assert found.rows.iloc[0]["video_a"] == TRAIN


@pytest.mark.parametrize("folders", [False, True])
def test_two_files_with_one_content(space, folders):
    videos, root = tables(space)[0], space.root / "data"
    for path in videos["path"]:
        file = root / path / "0001.png" if folders else root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(path.encode())
    target = root / ("real/test00.mp4/0001.png" if folders else "real/test00.mp4")
    target.write_bytes(b"real/train00.mp4")
    found = audit(videos, root=root)
    assert kinds(found) == {"content": 1}
    assert (found.rows.iloc[0]["video_a"], found.rows.iloc[0]["video_b"]) == (TRAIN, TEST)


def test_frames_with_the_same_pixels(space):
    for frame in (0, 2):
        shutil.copy(crop(space, TRAIN, frame), crop(space, VAL, frame))
    found = audit(*tables(space), space.extracted)
    assert kinds(found) == {"exact_frame": 1}
    assert found.rows.iloc[0].to_dict() == {
        "split_a": "train", "video_a": TRAIN, "split_b": "val", "video_b": VAL, "kind": "exact_frame",
        "detail": "2 pairs of frames: frame 0 is frame 0",
    }  # fmt: skip


def smooth_pictures(space):
    """Pictures with large structures, as faces have: smoothed noise of high contrast."""
    rng = np.random.default_rng(5)
    for path in tables(space)[1]["crop_path"]:
        coarse = rng.normal(128, 60, (16, 16, 3)).astype(np.float32)
        picture = cv2.resize(coarse, (96, 96), interpolation=cv2.INTER_CUBIC)
        write_png(space.extracted / path, np.clip(picture, 0, 255).astype(np.uint8))


def spoil(rgb, how):
    if how == "jpeg":
        coded = cv2.imencode(".jpg", rgb, [cv2.IMWRITE_JPEG_QUALITY, 40])[1]
        return np.asarray(cv2.imdecode(coded, cv2.IMREAD_COLOR), np.uint8)
    if how == "half":
        return np.asarray(cv2.resize(rgb, (48, 48), interpolation=cv2.INTER_AREA), np.uint8)
    if how == "noise":
        return np.clip(rgb + np.random.default_rng(0).normal(0, 6, rgb.shape), 0, 255).astype(np.uint8)
    return np.clip(rgb * 0.85 + 12, 0, 255).astype(np.uint8)


@pytest.mark.parametrize("how", ["jpeg", "half", "noise", "shade"])
def test_frames_that_look_the_same(space, how):
    smooth_pictures(space)
    assert audit(*tables(space), space.extracted).verdict == "green"
    write_png(crop(space, TEST, 1), spoil(read_image(crop(space, TRAIN, 0)), how))
    found = audit(*tables(space), space.extracted)
    assert kinds(found) == {"near_frame": 1}
    assert found.rows.iloc[0]["detail"].startswith("1 pair of frames, nearest")
    assert "frame 0 and frame 1" in found.rows.iloc[0]["detail"]


def test_black_frames_are_no_leak(space):
    for video in (TRAIN, VAL):
        write_png(crop(space, video, 0), np.zeros((64, 64, 3), np.uint8))
    found = audit(*tables(space), space.extracted)
    assert found.verdict == "green"
    assert "2 of them too flat" in repr(found)


def test_frames_are_drawn_evenly_and_no_more_than_asked(space):
    found = audit(*tables(space), space.extracted, settings=AuditSettings(frames_per_video=2))
    assert found.findings[5].looked_at == f"{2 * len(tables(space)[0])} frames"


def test_a_crop_that_is_gone_stops_the_audit(space):
    crop(space, TRAIN, 0).unlink()
    with pytest.raises(TableError, match="comparing frames across splits"):
        audit(*tables(space), space.extracted)


def test_files_without_a_split_take_no_part(space):
    videos = change(tables(space)[0], VAL, carrier="toy/train03", split="")
    assert audit(videos).verdict == "green"


def test_the_result_is_kept_for_these_tables_alone(space):
    shutil.copy(crop(space, TRAIN, 0), crop(space, VAL, 0))
    videos, faces = tables(space)
    assert not DataSet.open("toy", space).audit.saw_pictures
    first = DataSet.open("toy", space).run_audit(progress=False)
    assert json.loads((space.labels / "toy/audit.json").read_text())["verdict"] == "red"
    crop(space, TRAIN, 1).unlink()  # a second look would stop here
    again = DataSet.open("toy", space).run_audit(progress=False)
    pd.testing.assert_frame_equal(first.rows, again.rows)
    assert again.findings == first.findings
    shuffled = DataSet.open("toy", space).with_tables(videos.sample(frac=1, random_state=1), faces)
    assert shuffled.audit.saw_pictures
    assert shuffled.audit.verdict == "red"
    changed = DataSet.open("toy", space).with_tables(change(videos, VAL, carrier="toy/other"), faces)
    assert not changed.audit.saw_pictures


def test_the_splits_are_those_of_splits_csv(space):
    path = space.labels / "toy/splits.csv"
    splits = pd.read_csv(path, dtype="str")
    splits.loc[splits["video_id"] == TRAIN, "split"] = "val"
    splits.to_csv(path, index=False)
    assert DataSet.open("toy", space).audit.verdict == "red"


def test_the_report_and_the_rows(space, tmp_path):
    videos = change(tables(space)[0], VAL, carrier="toy/<train03>", group="toy/<train03>")
    videos = change(videos, TRAIN, carrier="toy/<train03>")
    found = audit(videos, name="toy")
    assert repr(found).startswith("toy: red")
    page = found._repr_html_()
    assert "red" in page
    assert "&lt;train03&gt;" in page
    assert "<train03>" not in page
    written = pd.read_csv(found.to_csv(tmp_path / "rows.csv"))
    assert written["kind"].tolist() == found.rows["kind"].tolist()


def test_tables_survive_writing(space):
    path = space.labels / "toy/videos.csv"
    videos = change(tables(space)[0], VAL, carrier="toy/train03")
    write_table("video", videos, path)
    assert audit(read_table("video", path)).counts == audit(videos).counts


def test_near_pairs_finds_what_a_slow_search_finds():
    rng = np.random.default_rng(3)
    left, right = (rng.integers(0, 2**63, (n, 4), dtype=np.uint64) for n in (150, 9000))
    flip = np.zeros((40, 256), np.uint8)
    for row, count in enumerate(np.arange(40)):
        flip[row, rng.permutation(256)[:count]] = 1
    right[np.arange(40) * 200] = left[:40] ^ np.packbits(flip, axis=1).view(np.uint64)
    found = {
        (int(i), int(j)): int(d) for a, b, c in near_pairs(left, right, 32) for i, j, d in zip(a, b, c, strict=True)
    }
    bits = [np.unpackbits(h.view(np.uint8), axis=1) for h in (left, right)]
    slow = {}
    for i, row in enumerate(bits[0]):
        distance = (bits[1] != row).sum(axis=1)
        slow |= {(i, int(j)): int(distance[j]) for j in np.flatnonzero(distance <= 32)}
    assert found == slow
    assert len(found) == 33


def test_the_hash_has_half_its_bits_set_and_ignores_brightness():
    rng = np.random.default_rng(0)
    picture = cv2.resize(rng.normal(110, 30, (20, 20, 3)).astype(np.float32), (120, 120))
    picture = np.clip(picture, 0, 255).astype(np.uint8)
    bits = np.unpackbits(picture_hash(picture).view(np.uint8))
    assert abs(int(bits.sum()) - 128) <= 1  # above the median
    assert np.array_equal(picture_hash(picture + np.uint8(20)), picture_hash(picture))
