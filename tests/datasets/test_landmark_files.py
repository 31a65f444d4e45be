"""Files of dlib and MediaPipe with dense landmarks: found beside videos, and read for each face."""

import numpy as np
import pandas as pd
import pytest

from dfworkbench.datasets import read_layout
from dfworkbench.datasets.dense_landmarks import read_dense
from dfworkbench.datasets.face_dataset import FaceDataset
from dfworkbench.datasets.layouts.landmark_files import find_landmarks
from dfworkbench.datasets.tables import read_table
from dfworkbench.faces.dense import MEAN_FACE
from dfworkbench.faces.landmark_schemes import _MESH
from dfworkbench.media.pictures.images import write_png
from dfworkbench.methods.sbi.settings import BlendSettings
from dfworkbench.methods.sbi.transform import SelfBlending
from dfworkbench.models import build_detector

FACE, OTHER = 20 * MEAN_FACE + (100, 80), 20 * MEAN_FACE + (300, 80)
BOX = {"box_x0": 75.0, "box_y0": 60.0, "box_x1": 125.0, "box_y1": 115.0}


def tables(path="a.mp4", landmarks="points.npy", frames=(0, 1), **columns):
    videos = pd.DataFrame([{"video_id": "d/a", "path": path, "landmarks_path": landmarks, **columns}])
    return videos, pd.DataFrame([{"video_id": "d/a", "frame": frame, **BOX} for frame in frames])


def test_the_face_in_the_box_is_taken_of_several(tmp_path):
    np.save(tmp_path / "points.npy", [[OTHER[:68], FACE[:68]], [FACE[:68] + 1, OTHER[:68]], [OTHER[:68]] * 2])
    found = read_dense(tmp_path, *tables(frames=(1, 0, 2, 7)))
    np.testing.assert_allclose(found[:2], [FACE + 1, FACE], atol=1e-9)
    assert np.isnan(found[2:]).all(), "nobody is there, and no such frame"


def test_a_mesh_in_shares_needs_the_size_of_the_frame(tmp_path, caplog):
    points = np.full((1, 478, 3), 0.5)
    points[:, _MESH, :2] = FACE / (640, 360)
    np.savez(tmp_path / "points.npz", landmarks=points)
    found = read_dense(tmp_path, *tables(landmarks="points.npz", frames=(0,), width_px=640, height_px=360))
    np.testing.assert_allclose(found[0], FACE)
    assert np.isnan(read_dense(tmp_path, *tables(landmarks="points.npz", frames=(0,)))).all()
    assert "shares of the frame, whose size is not known" in caplog.text


def test_one_file_per_frame_by_number_or_by_name(tmp_path):
    (tmp_path / "points").mkdir()
    for number in (0, 10):
        np.save(tmp_path / f"points/{number:03d}.npy", FACE + number)
    found = read_dense(tmp_path, *tables(landmarks="points", frames=(10, 3, 0)))
    np.testing.assert_allclose(found[[0, 2]], [FACE + 10, FACE])
    assert np.isnan(found[1]).all()
    for number in (0, 5, 10):
        write_png(tmp_path / f"frames/{number:03d}.png", np.zeros((4, 4, 3), np.uint8))
    found = read_dense(tmp_path, *tables("frames", "points", frames=(2, 1, 0)))
    np.testing.assert_allclose(found[[0, 2]], [FACE + 10, FACE])  # the third frame of the folder is number 10
    assert np.isnan(found[1]).all()


def test_a_picture_has_one_frame(tmp_path):
    np.save(tmp_path / "points.npy", FACE[:68])
    np.testing.assert_allclose(read_dense(tmp_path, *tables("a.jpg", frames=(0,)))[0], FACE, atol=1e-9)


@pytest.mark.parametrize(
    ("video", "file"),
    [
        ("real/ann/1.jpg", "landmarks/real/ann/1.npz"),
        ("real/ann/1.jpg", "landmarks/real/ann/1.jpg.npy"),
        ("youtube/c23/videos/000.mp4", "youtube/c23/landmarks/000.npz"),
        ("youtube/c23/videos/000.mp4", "youtube/c23/landmarks/000/000.npy"),
        ("youtube/c23/frames/000.x", "youtube/c23/landmarks/000.x/000.npy"),
        ("youtube/c23/videos/001.mp4", "landmarks/youtube/c23/videos/001.npy"),
    ],
)
def test_where_landmarks_are_looked_for(tmp_path, video, file):
    (tmp_path / file).parent.mkdir(parents=True)
    (tmp_path / file).touch()
    videos = pd.DataFrame({"path": [video, "other.mp4", video], "landmarks_path": ["", "", "own.npz"]})
    found = file.removesuffix("/000.npy")
    assert find_landmarks(videos, tmp_path).tolist() == [found, "", "own.npz"]


def test_any_layout_finds_them(tmp_path):
    for path in ("train/real/a.jpg", "train/fake/b.jpg"):
        write_png(tmp_path / path, np.zeros((4, 4, 3), np.uint8))
    (tmp_path / "landmarks/train/real").mkdir(parents=True)
    np.save(tmp_path / "landmarks/train/real/a.npy", FACE)
    videos = read_layout("folders", tmp_path, "faces").set_index("path")
    assert videos["landmarks_path"].to_dict() == {
        "train/real/a.jpg": "landmarks/train/real/a.npy",
        "train/fake/b.jpg": "",
    }


def test_self_blending_takes_them(toy, tmp_path):
    videos = read_table("video", toy.labels / "toy/videos.csv")
    faces = read_table("face", toy.labels / "toy/faces.parquet")
    videos = videos[videos["label"].eq(0) & videos["split"].eq("train")].reset_index(drop=True)
    points = 12 * MEAN_FACE + (132, 77)
    np.save(tmp_path / "dlib.npy", np.stack([points[:68]] * 3))
    videos["landmarks_path"] = ["dlib.npy", *[""] * (len(videos) - 1)]
    spec = build_detector("mesonet4", size_px=32).input_spec
    data = FaceDataset(faces, videos, spec, toy.extracted, transform=SelfBlending(BlendSettings()), root=tmp_path)
    assert data.dense_faces == 3
    np.testing.assert_allclose(data._sample(0).dense[0], points, atol=1e-9)
    assert data[0]["blended"].shape == (32, 32, 3)
