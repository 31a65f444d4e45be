"""Fakes beside the genuine frames they were made from: found by the tables, cut pixel for pixel."""

import json

import numpy as np
import pandas as pd
import pytest
from toy import make_workspace

from dfworkbench.core.errors import TableError
from dfworkbench.core.input_spec import InputSpec
from dfworkbench.datasets.dense_landmarks import read_dense
from dfworkbench.datasets.face_dataset import FaceDataset
from dfworkbench.datasets.genuine import cut_alike, genuine_rows
from dfworkbench.datasets.rows import in_video_order
from dfworkbench.datasets.tables import read_table
from dfworkbench.faces import FaceTile
from dfworkbench.media.pictures.images import read_image, write_png

SPEC = InputSpec(size_px=32, crop_scale=1.0)
SCENE = np.random.default_rng(0).integers(0, 256, size=(300, 300, 3)).astype(np.uint8)


class Whole:
    """Gives the sample itself away."""

    needs_genuine = True

    def __call__(self, sample, rng):
        return {"images": sample.cut(), "sample": sample}


@pytest.fixture(scope="module")
def toy(tmp_path_factory):
    return make_workspace(tmp_path_factory.mktemp("genuine"), fakes=2)


@pytest.fixture
def tables(toy):
    folder = toy.labels / "toy"
    return read_table("face", folder / "faces.parquet"), read_table("video", folder / "videos.csv")


def square(x0, y0, side, size=None, scene=SCENE):
    image = scene[y0 : y0 + side, x0 : x0 + side]
    if size:
        image = image.reshape(size, side // size, size, side // size, 3).mean(axis=(1, 3)).astype(np.uint8)
    return FaceTile(image, float(x0), float(y0), float(side))


@pytest.mark.parametrize(("dx", "dy"), [(0, 0), (7, -5), (-30, 12)])
def test_genuine_crop_lies_on_the_fake_pixel_for_pixel(dx, dy):
    like, genuine = square(100, 100, 64), square(100 + dx, 100 + dy, 80)
    like = FaceTile(np.zeros_like(like.image), like.x0, like.y0, like.side)
    found = cut_alike(genuine, like)
    rows, columns = np.mgrid[100:164, 100:164]
    there = (columns >= 100 + dx) & (columns < 180 + dx) & (rows >= 100 + dy) & (rows < 180 + dy)
    assert np.array_equal(found, np.where(there[..., None], SCENE[100:164, 100:164], 0))


def test_crops_that_do_not_meet_leave_the_other_one_as_it_is():
    like = square(0, 0, 40)
    assert np.array_equal(cut_alike(square(200, 200, 40), like), like.image)


def test_another_resolution_is_resampled_in_place():
    y, x = np.mgrid[0:300, 0:300]
    smooth = (np.stack([x, y, (x + y) // 2], axis=2) // 2).astype(np.uint8)
    like, genuine = square(100, 60, 64, 32, smooth), square(90, 50, 90, scene=smooth)
    found = cut_alike(genuine, like)
    assert np.abs(found.astype(int) - like.image).max() <= 1
    found = cut_alike(square(90, 50, 90, 45, smooth), square(100, 60, 64, scene=smooth))
    assert np.abs(found.astype(int) - square(100, 60, 64, scene=smooth).image).max() <= 1


def test_rows_are_those_of_the_same_frame_and_place(tables):
    faces, videos = tables
    chosen = in_video_order(faces, videos[videos["label"] == 1])
    at = genuine_rows(chosen, videos, faces)
    assert (at >= 0).all()
    found = faces.iloc[at].reset_index(drop=True)
    assert (found["frame"].to_numpy() == chosen["frame"].to_numpy()).all()
    wanted = chosen["video_id"].map(videos.set_index("video_id")["genuine_id"])
    assert (found["video_id"].to_numpy() == wanted.to_numpy()).all()
    moved = faces.assign(box_x0=faces["box_x0"] + 100, box_x1=faces["box_x1"] + 100)
    assert (genuine_rows(chosen, videos, moved) == -1).all()


def test_real_samples_have_none_and_fakes_have_theirs(toy, tables):
    faces, videos = tables
    data = FaceDataset(faces, videos, SPEC, toy.extracted, transform=Whole())
    for row in (0, len(data) // 3, len(data) - 1):
        sample = data[row]["sample"]
        if sample.label == 0:
            assert sample.genuine == [None]
        else:
            video, frame = data.rows.loc[row, ["video_id", "frame"]]
            real = videos.set_index("video_id").loc[video, "genuine_id"].removeprefix("toy/")
            assert np.array_equal(sample.genuine[0], read_image(toy.extracted / "toy" / real / f"t00_f{frame:06d}.png"))
    assert {data[row]["sample"].label for row in range(len(data))} == {0, 1}


def test_genuine_crops_that_are_missing_are_counted_too(toy, tables):
    faces, videos = tables
    gone = faces["video_id"].eq("toy/real/train00.mp4")
    faces = faces.assign(crop_path=faces["crop_path"].where(~gone, "gone/" + faces["crop_path"]))
    fakes = videos[videos["label"] == 1]
    FaceDataset(faces, fakes, SPEC, toy.extracted)
    with pytest.raises(TableError, match="3 of 162 crop files are missing"):
        FaceDataset(faces, fakes, SPEC, toy.extracted, transform=Whole())


def test_fakes_without_their_genuine_video_are_listed_before_anything_else(toy, tables):
    faces, videos = tables
    faces = faces[faces["video_id"] != "toy/real/train01.mp4"]
    videos = videos.assign(genuine_id=videos["genuine_id"].where(videos["video_id"] != "toy/fake0/train02.mp4", ""))
    with pytest.raises(TableError) as caught:
        FaceDataset(faces, videos, SPEC, toy.extracted, transform=Whole())
    text = str(caught.value)
    assert "3 of 36 fakes have none" in text
    assert "toy/fake0/train01.mp4: no faces of toy/real/train01.mp4" in text
    assert "toy/fake0/train02.mp4: names no genuine video" in text
    assert "genuine_id of videos.csv" in text


def test_faces_without_their_genuine_frame_are_warned_of(toy, tables, caplog):
    faces, videos = tables
    faces = faces[~(faces["video_id"].eq("toy/real/train00.mp4") & faces["frame"].eq(1))]
    data = FaceDataset(faces, videos, SPEC, toy.extracted, transform=Whole())
    assert "2 of 108 forged faces have no genuine one in their frame" in caplog.text
    rows = data.rows
    lost = rows.index[rows["video_id"].eq("toy/fake0/train00.mp4") & rows["frame"].eq(1)][0]
    assert data[lost]["sample"].genuine == [None]


def test_fakes_sampled_at_other_frames_are_refused(toy, tables):
    """Two of three frames of every genuine video lack: what remains would hardly ever be swapped."""
    faces, videos = tables
    real = faces["video_id"].str.contains("real")
    with pytest.raises(TableError, match="only 36 of 108 have one in the same frame and place"):
        FaceDataset(faces[~real | (faces["frame"] == 0)], videos, SPEC, toy.extracted, transform=Whole())
    apart = faces.assign(box_x0=faces["box_x0"].where(real, 0), box_x1=faces["box_x1"].where(real, 30))
    with pytest.raises(TableError, match=r"no face in the same frame and place of toy/real/train00.mp4"):
        FaceDataset(apart, videos, SPEC, toy.extracted, transform=Whole())


def test_a_fake_without_faces_needs_no_genuine_video(toy, tables):
    faces, videos = tables
    faces = faces[~faces["video_id"].isin(["toy/fake0/train00.mp4", "toy/real/train00.mp4", "toy/fake1/train00.mp4"])]
    assert FaceDataset(faces, videos, SPEC, toy.extracted, transform=Whole())


def points_in(box, frames):
    x0, y0, x1, y1 = box
    grid = np.stack(np.meshgrid(np.linspace(x0, x1, 9), np.linspace(y0, y1, 9)), axis=-1).reshape(81, 2)
    return np.stack([grid + frame * 0.25 for frame in range(frames)])


def test_dense_landmarks_from_npz(tmp_path, tables, caplog):
    faces, videos = tables
    box = (116.0, 66.0, 148.0, 98.0)
    for name, points in (
        ("good", points_in(box, 3)),
        ("elsewhere", points_in(box, 3) + 500),
        ("odd", np.zeros((3, 67, 2))),
    ):
        np.savez(tmp_path / f"{name}.npz", landmarks=points)
    chosen = videos[videos["split"] == "test"].reset_index(drop=True)
    files = ["good.npz", "elsewhere.npz", "odd.npz", "none.npz", ""]
    chosen["landmarks_path"] = [files[min(i, 4)] for i in range(len(chosen))]
    faces = in_video_order(faces, chosen)
    found = read_dense(tmp_path, chosen, faces)
    good = faces["video_id"] == chosen["video_id"][0]
    np.testing.assert_allclose(found[good], points_in(box, 3))
    assert np.isnan(found[~good]).all()
    assert "odd.npz cannot be read (landmarks have shape (3, 67, 2)" in caplog.text
    assert "none.npz cannot be read" in caplog.text


@pytest.mark.parametrize("shared", [False, True])
def test_dense_landmarks_from_ldm(tmp_path, shared, caplog):
    folder = tmp_path / "train_images" / "original_sequences" / "youtube" / "raw" / "frames" / "035"
    for number in (0, 10, 20):
        write_png(folder / f"frame_{number}.png", SCENE[:64, :64])
    points = points_in((10, 10, 50, 50), 3)
    place = "./train_images/original_sequences/youtube/raw/frames/035/frame_"
    entries = {
        f"{place}{n}": {"label": 0, "landmark": points[0 if shared else i].tolist()} for i, n in enumerate((0, 10, 20))
    }
    (tmp_path / "train_images" / "ldm.json").write_text(json.dumps(entries))
    path = folder.relative_to(tmp_path).as_posix()
    videos = pd.DataFrame({"video_id": ["x/v"], "path": [path], "landmarks_path": ["train_images/ldm.json"]})
    faces = pd.DataFrame(
        {"video_id": "x/v", "frame": [2, 0], "box_x0": 10.0, "box_y0": 10.0, "box_x1": 50.0, "box_y1": 50.0}
    )
    found = read_dense(tmp_path, videos, faces)
    if shared:  # the released script's files hold the last frame's points in every frame
        assert np.isnan(found).all()
        assert "all its frames have the same points" in caplog.text
    else:
        np.testing.assert_allclose(found, points[[2, 0]])
