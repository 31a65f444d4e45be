"""Doubtful tracks from the video to the verdict and to training: a still picture beside somebody who talks, a false box."""

import os
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest
import torch
from heads import portrait
from torch import nn

from dfworkbench.core.input_spec import InputSpec
from dfworkbench.core.workspace import HOME_VARIABLE, Workspace
from dfworkbench.datasets.face_dataset import FaceDataset
from dfworkbench.datasets.rows import without_doubtful
from dfworkbench.datasets.tables import FACES, VIDEOS, read_table
from dfworkbench.evaluation.scoring.score import score, score_rows
from dfworkbench.evaluation.scoring.settings import ScoreSettings
from dfworkbench.extraction import extract_table
from dfworkbench.faces import FaceSettings, faces_in_file
from dfworkbench.media import VideoWriter
from dfworkbench.models.prediction import Prediction
from dfworkbench.runs.checkpoints import LoadedDetector

FRAMES, STEP = 32, 1.2
FALSE_BOX = "seen in 1 of 12 sampled frames"


class RightIsFake(nn.Module):
    """A stub: the tinted face is fake."""

    def __init__(self):
        super().__init__()
        self.input_spec = InputSpec(size_px=32)

    def forward(self, images):
        channels = images.mean(dim=(-1, -2))
        return Prediction(40 * (channels[:, 0] - channels[:, 2]) - 12)


def loaded():
    stub = RightIsFake().eval()
    return LoadedDetector(stub, "right", stub.input_spec, {}, Path("none"))


def talking(at: int, scale: float = 0.5) -> np.ndarray:
    rgb = portrait()[:420, 60:452]
    rows, columns = np.mgrid[: rgb.shape[0], : rgb.shape[1]].astype(np.float32)
    lips = np.exp(-(((columns - 196) / 35) ** 2) - ((rows - 262) / 22) ** 2)
    moved = cv2.remap(rgb, columns, rows + np.float32(14 * np.sin(at / 2)) * lips, cv2.INTER_LINEAR)
    return cv2.resize(moved, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)


def tinted(rgb: np.ndarray) -> np.ndarray:
    return np.clip(rgb * np.array([1.3, 1.0, 0.6]), 0, 255).astype(np.uint8)


def small(like: np.ndarray, shown: bool) -> np.ndarray:
    """A grey wall with a small face on it, or without: little enough that it is no cut."""
    wall = np.full_like(like, 128)
    face = tinted(talking(0, 0.3))
    if shown:
        wall[20 : 20 + face.shape[0], 20 : 20 + face.shape[1]] = face
    return wall


def write(path: Path, left, right, pan: float = 0.0) -> Path:
    """Two pictures side by side per frame, 210 x 400 px, at 25 fps; the camera moves on by `pan` px a frame."""
    rng = np.random.default_rng(0)
    with VideoWriter(path, 25, 380, 200, crf=20) as writer:
        for at in range(FRAMES):
            scene = np.concatenate([left(at), right(at)], axis=1)
            move = np.array([[1, 0, -pan * at], [0, 1, -5.0]])
            frame = cv2.warpAffine(scene, move, (380, 200), borderMode=cv2.BORDER_REPLICATE)
            writer.write(np.clip(frame + rng.normal(0, 2, frame.shape), 0, 255).astype(np.uint8))
    return path


@pytest.fixture(scope="module")
def clips(tmp_path_factory):
    folder = tmp_path_factory.mktemp("clips")
    still = talking(0)
    write(folder / "poster.mp4", talking, lambda at: tinted(still))
    write(folder / "panned.mp4", talking, lambda at: tinted(still), pan=0.35)
    write(folder / "two.mp4", talking, lambda at: tinted(talking(at + 4)))
    write(folder / "frozen.mp4", lambda at: np.full_like(still, 128), lambda at: tinted(still))
    write(folder / "flash.mp4", talking, lambda at: small(still, at < 2))
    return folder


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv(HOME_VARIABLE, str(tmp_path / "home"))


@pytest.mark.parametrize(
    ("name", "doubts", "fake"),
    [
        ("poster", ["", "still picture"], False),
        ("panned", ["", "still picture"], False),
        ("two", ["", ""], True),
        ("frozen", ["still picture"], True),
        ("flash", ["", FALSE_BOX], False),
    ],
)
def test_a_doubtful_track_does_not_decide(clips, name, doubts, fake):
    settings = ScoreSettings(frames=12, min_track_frames=1)
    file = score(clips / f"{name}.mp4", loaded(), settings, progress=False)[0]
    assert [track.doubt for track in sorted(file.tracks, key=lambda track: track.boxes[0, 0])] == doubts
    assert (file.fake_probability > 0.5) == fake
    assert max(track.fake_probability for track in file.tracks) > 0.5  # scored and shown all the same
    assert ("rests on doubtful tracks alone" in file.doubt) == (name == "frozen")


def test_pictures_and_very_short_videos_are_never_doubted(clips):
    for frames in (1, 3, 4):
        found = faces_in_file(clips / "flash.mp4", FaceSettings(frames=frames, min_track_frames=1))
        assert {face.doubt for face in found.detections} == {""}


@pytest.mark.usefixtures("no_workers")
def test_a_still_picture_does_not_train(clips, tmp_path):
    videos = VIDEOS.complete(
        [{"video_id": f"d/{n}.mp4", "dataset": "d", "path": f"{n}.mp4", "label": 0} for n in ("poster", "frozen")]
    )
    space = Workspace(tmp_path)
    settings = FaceSettings(frames=12)
    found = extract_table(videos, clips, "d", space, settings, progress=False)
    assert found.faces.groupby("video_id")["track"].nunique().to_dict() == {
        "d/frozen.mp4": 1,
        "d/poster.mp4": 2,
    }  # stored
    data = FaceDataset(found.faces, found.videos, InputSpec(size_px=32), space.extracted)
    kept = data.rows.drop_duplicates(["video_id", "doubt"])[["video_id", "doubt"]].to_numpy().tolist()
    assert kept == [["d/poster.mp4", ""], ["d/frozen.mp4", "still picture"]]  # nobody else is there
    table = score_rows(loaded(), data, progress=False)
    assert set(table["doubt"][table["video_id"] == "d/frozen.mp4"]) == {"still picture"}
    old = found.faces.drop(columns=["doubt", "shows"])  # a table of before
    old.to_parquet(tmp_path / "old.parquet")
    again = FaceDataset(
        read_table("face", tmp_path / "old.parquet"), found.videos, InputSpec(size_px=32), space.extracted
    )
    assert len(again) == len(found.faces)


def test_a_doubtful_track_that_a_mask_calls_forged_trains(toy):
    faces = read_table("face", toy.labels / "toy" / "faces.parquet").iloc[:3]
    two = pd.concat([faces, faces.assign(track=1, face_id=faces["face_id"] + "x", doubt=FALSE_BOX)], ignore_index=True)
    assert without_doubtful(FACES.check(two))["track"].unique().tolist() == [0]
    two["forged_share"] = np.where(two["track"] == 1, 0.8, 0.0)
    assert without_doubtful(two)["track"].unique().tolist() == [0, 1]
    assert without_doubtful(two.iloc[3:].assign(forged_share=np.nan))["track"].unique().tolist() == [1]


TRIALS = os.environ.get("DFWORKBENCH_TRIALS")


@pytest.mark.trials
@pytest.mark.skipif(not TRIALS or not (Path(TRIALS) / "media").is_dir(), reason="DFWORKBENCH_TRIALS is not set")
@pytest.mark.parametrize("name", ["clips/d0", "clips/d14", "clips/d19"])
def test_no_living_person_is_a_still_picture(name):
    """The same of a crowd in the street: `faces/test_faces_files.py`."""
    torch.set_num_threads(1)
    found = faces_in_file(Path(TRIALS) / "media" / f"{name}.mp4", FaceSettings(frames=16))
    assert {face.doubt for face in found.detections} <= {"", "seen in 1 of 16 sampled frames"}
    assert any(not face.doubt for face in found.detections)
