"""Masks of a data set say whose face is forged."""

import logging

import numpy as np
import pandas as pd
import pytest
from heads import Head, write_heads

from dfworkbench.core.workspace import Workspace
from dfworkbench.datasets import read_layout
from dfworkbench.datasets.rows import main_tracks, mask_report, without_bystanders
from dfworkbench.extraction.extract import extract_table
from dfworkbench.extraction.masks import forged_shares
from dfworkbench.faces import FaceSettings, faces_in_file
from dfworkbench.media import VideoWriter
from dfworkbench.notebook.views import mask_sentence

PEOPLE = [Head(110, 110, 0.6), Head(300, 110, 0.4, mirrored=True)]  # the smaller one, on the right, is forged
WIDTH, HEIGHT, FRAMES = 400, 220, 8


def write_mask(path, width=WIDTH, height=HEIGHT, side="right", crf=18):
    mask = np.zeros((height, width, 3), np.uint8)
    mask[:, width // 2 :] = 255 * (side == "right")
    path.parent.mkdir(parents=True, exist_ok=True)
    with VideoWriter(path, 25, width, height, crf=crf) as writer:
        for _ in range(FRAMES):
            writer.write(mask)
    return path


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """A tree of FaceForensics++ with one forged clip of two people and its mask."""
    root = tmp_path_factory.mktemp("ffpp")
    forged = root / "manipulated_sequences/DeepFakeDetection"
    for video in (
        forged / "c23/videos/01_02__walking__ABCDEFGH.mp4",
        root / "original_sequences/actors/c23/videos/01__walking.mp4",
    ):
        video.parent.mkdir(parents=True)
        write_heads(video, PEOPLE, FRAMES, WIDTH, HEIGHT)
    write_mask(forged / "masks/videos/01_02__walking__ABCDEFGH.mp4")
    return root


def extract(root, tmp_path):
    videos = read_layout("faceforensics", root, "ffpp", compression="c23")
    return extract_table(videos, root, "ffpp", Workspace(tmp_path), FaceSettings(frames=4), progress=False)


@pytest.mark.usefixtures("no_workers")
def test_masks_choose_the_forged_face_and_the_report_says_how_often(root, tmp_path):
    found = extract(root, tmp_path)
    forged = found.faces[found.faces["video_id"].str.contains("DeepFakeDetection")]
    real = found.faces.drop(forged.index)
    shares = forged.groupby("track")["forged_share"].mean()
    assert shares[0] == 0  # the larger face, which is not forged
    assert shares[1] > 0.95
    assert real["forged_share"].isna().all()
    chosen = main_tracks(found.faces).groupby("video_id")["track"].unique()
    assert [tracks.tolist() for tracks in chosen] == [[1], [0]]  # in the real file the larger face, as ever
    assert mask_report(found.faces) == (4, 4)
    assert "4 frames that have a forgery mask show several faces. In 4 of them (100%)" in mask_sentence(found.faces)
    kept = without_bystanders(found.faces)
    assert kept.groupby("video_id")["track"].nunique().tolist() == [1, 2]


@pytest.mark.usefixtures("no_workers")
def test_a_mask_that_appears_later_is_used(root, tmp_path):
    mask = next(root.rglob("masks/videos/*.mp4"))
    aside = mask.rename(tmp_path / "aside.mp4")
    assert extract(root, tmp_path).faces["forged_share"].isna().all()
    aside.rename(mask)
    assert extract(root, tmp_path).faces["forged_share"].notna().sum() == 8


def test_masks_of_another_size_fit(root, tmp_path):
    found = faces_in_file(next(root.rglob("01_02*.mp4")), FaceSettings(frames=4))
    mask = write_mask(tmp_path / "small.mp4", WIDTH // 2, HEIGHT // 2)
    shares = forged_shares(mask, found.detections, WIDTH, HEIGHT)
    assert [round(share) for share in shares] == [0] * 4 + [1] * 4


def test_a_damaged_mask_costs_no_face(root, tmp_path, caplog):
    found = faces_in_file(next(root.rglob("01_02*.mp4")), FaceSettings(frames=4))
    (tmp_path / "mask.mp4").write_text("no video")
    with caplog.at_level(logging.WARNING):
        shares = forged_shares(tmp_path / "mask.mp4", found.detections, WIDTH, HEIGHT)
    assert np.isnan(shares).all()
    assert "a forgery mask is left out" in caplog.text


def test_files_whose_masks_are_empty_are_treated_as_without_masks():
    faces = pd.DataFrame(
        {
            "video_id": "v", "track": [0, 1], "frame": 0, "forged_share": 0.0,
            "box_x0": 0.0, "box_y0": 0.0, "box_x1": [10.0, 20.0], "box_y1": [10.0, 20.0],
        }
    )  # fmt: skip
    assert main_tracks(faces)["track"].tolist() == [1]
    assert len(without_bystanders(faces)) == 2
    assert mask_report(faces) == (0, 0)
    assert "No frame" in mask_sentence(faces)
