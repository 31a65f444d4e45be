"""Ready-made face crops are taken as they are: scored, extracted and trained on by the same pixels."""

import os
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from dfworkbench.core.errors import InputError, ParameterError
from dfworkbench.core.input_spec import InputSpec
from dfworkbench.core.workspace import HOME_VARIABLE, Workspace
from dfworkbench.datasets import read_layout
from dfworkbench.datasets.face_dataset import FaceDataset
from dfworkbench.datasets.recut import cut_again
from dfworkbench.evaluation.scoring.score import score, score_rows
from dfworkbench.evaluation.scoring.settings import ScoreSettings
from dfworkbench.extraction import ExtractSettings, extract_table
from dfworkbench.faces import FaceSettings
from dfworkbench.media import VideoWriter, read_image, write_png
from dfworkbench.models import build_detector
from dfworkbench.models.inputs import prepare
from dfworkbench.runs.checkpoints import LoadedDetector
from dfworkbench.runs.released import load_released

CROPS = ScoreSettings(crops=True)


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv(HOME_VARIABLE, str(tmp_path / "home"))


@pytest.fixture(scope="module")
def loaded():
    torch.manual_seed(0)
    detector = build_detector("mesonet4", size_px=32).eval()
    assert detector.input_spec.crop_scale > 1  # what is cut around a face that is found
    return LoadedDetector(detector, "mesonet4", detector.input_spec, {}, Path("none"))


def picture(height, width, seed=0):
    small = np.random.default_rng(seed).integers(0, 255, (6, 6, 3), dtype=np.uint8)
    return cv2.resize(small, (width, height), interpolation=cv2.INTER_CUBIC)


def logit_of(detector, rgb):
    with torch.inference_mode():
        images = torch.from_numpy(rgb).movedim(-1, 0)[None]
        return detector.detector(prepare(images, detector.input_spec, detector.name)).logit.item()


def test_a_crop_of_the_detectors_size_goes_in_pixel_for_pixel(loaded, tmp_path):
    rgb = picture(32, 32)
    write_png(tmp_path / "a.png", rgb)
    file = score(tmp_path / "a.png", loaded, CROPS)[0]
    assert file.ok
    assert file.describe() == "image 32 x 32, taken as a face crop"
    assert file.tracks[0].shows == "crop"
    row = score(tmp_path / "a.png", loaded, CROPS).table.iloc[0]
    assert row["logit"] == pytest.approx(logit_of(loaded, rgb), abs=1e-5)


@pytest.mark.parametrize(("height", "width"), [(64, 64), (20, 20), (700, 700)])
def test_a_crop_of_another_size_is_resized_and_nothing_else(loaded, tmp_path, height, width):
    rgb = picture(height, width)
    write_png(tmp_path / "a.png", rgb)
    row = score(tmp_path / "a.png", loaded, CROPS).table.iloc[0]
    fitted = cv2.resize(rgb, (32, 32), interpolation=cv2.INTER_AREA if height > 45 else cv2.INTER_LINEAR)
    assert row["logit"] == pytest.approx(logit_of(loaded, fitted), abs=0.05)


def test_a_crop_that_is_not_square_keeps_its_shape(loaded, tmp_path):
    write_png(tmp_path / "a.png", picture(32, 24))
    row = score(tmp_path / "a.png", loaded, CROPS).table.iloc[0]
    filled = cv2.copyMakeBorder(picture(32, 24), 0, 0, 4, 4, cv2.BORDER_REPLICATE)
    assert row["logit"] == pytest.approx(logit_of(loaded, filled), abs=1e-5)


def test_a_video_of_crops_is_one_track_without_doubt(loaded, tmp_path):
    with VideoWriter(tmp_path / "a.mp4", 5, 64, 64, crf=20) as writer:
        for _ in range(12):
            writer.write(picture(64, 64))  # a still picture, which is all there is
    file = score(tmp_path / "a.mp4", loaded, CROPS.replace(frames=6))[0]
    assert [len(track) for track in file.tracks] == [6]
    assert file.doubt == ""


def test_a_picture_without_a_face_names_the_way(loaded, tmp_path):
    write_png(tmp_path / "a.png", np.full((64, 64, 3), 128, np.uint8))
    assert "crops=true (--crops)" in score(tmp_path / "a.png", loaded)[0].reason


def test_five_landmarks_cannot_be_had(loaded, tmp_path):
    write_png(tmp_path / "a.png", picture(32, 32))
    spec = InputSpec(size_px=32, alignment="five_points")
    aligned = LoadedDetector(loaded.detector, "aligned", spec, {}, Path("none"))
    with pytest.raises(
        InputError, match=r"scoring ready-made face crops with aligned: .*five landmarks.* Leave out crops"
    ):
        score(tmp_path / "a.png", aligned, CROPS)


@pytest.mark.parametrize("settings", [FaceSettings, ScoreSettings, ExtractSettings])
def test_one_way_or_the_other(settings):
    with pytest.raises(ParameterError, match="whole and crops are both true"):
        settings(whole=True, crops=True)


def test_crops_have_a_hash_of_their_own():
    plain, crops, whole = FaceSettings(), FaceSettings(crops=True), FaceSettings(whole=True)
    assert len({one.crops_hash() for one in (plain, crops, whole)}) == 3
    assert crops.crops_hash() == crops.replace(min_face_px=80, search_every=1).crops_hash()
    assert crops.crops_hash() != crops.replace(frames=4).crops_hash()


@pytest.mark.usefixtures("no_workers")
@pytest.mark.parametrize("layout", ["folders", "generated_images"])
def test_an_extracted_crop_is_what_scoring_sees(loaded, tmp_path, layout):
    sizes = {"real/a.png": (32, 32), "fake/kind/b.png": (48, 40), "fake/kind/c.png": (90, 90)}
    for seed, (name, size) in enumerate(sizes.items()):
        (tmp_path / "set" / name).parent.mkdir(parents=True, exist_ok=True)
        write_png(tmp_path / "set" / name, picture(*size, seed))
    space = Workspace(tmp_path)
    videos = read_layout(layout, tmp_path / "set", "own")
    found = extract_table(videos, tmp_path / "set", "own", space, FaceSettings(crops=True), progress=False)
    assert found.faces["shows"].tolist() == ["crop"] * len(sizes)
    data = FaceDataset(found.faces, found.videos, loaded.input_spec, space.extracted)
    stored = score_rows(loaded, data, progress=False).set_index("video_id")["logit"]
    direct = score(tmp_path / "set", loaded, CROPS, progress=False).table.set_index("video_id")["logit"]
    for name in found.videos["path"]:
        assert stored[f"own/{name}"] == pytest.approx(direct[f"set/{name}"], abs=1e-5)
    first = found.faces.iloc[0]
    rgb = read_image(tmp_path / "set" / found.videos["path"][0])
    again = torch.from_numpy(cut_again(rgb, first, loaded.input_spec)).movedim(-1, 0)
    assert torch.equal(again, data[0]["images"])


TRIALS = os.environ.get("DFWORKBENCH_TRIALS")


@pytest.mark.trials
@pytest.mark.skipif(not TRIALS or not (Path(TRIALS) / "weights").is_dir(), reason="DFWORKBENCH_TRIALS is not set")
@pytest.mark.parametrize("weights", ["Meso4_DF", "MesoInception_F2F"])
def test_published_weights_see_the_pixels_of_a_crop(weights):
    """256 px crops go into MesoNet unchanged, as in the authors' own script; a face cut out of them is another picture."""
    detector = load_released("mesonet", Path(TRIALS) / "weights" / "mesonet" / f"{weights}.h5")
    files = sorted((Path(TRIALS) / "media" / "real_faces" / "stylegan" / "real").glob("*.jpg"))[:3]
    table = score(files, detector, CROPS, progress=False).table
    expected = [logit_of(detector, read_image(file)) for file in files]
    assert table["logit"].to_numpy() == pytest.approx(np.array(expected), abs=1e-3)
    assert table["note"].str.contains("unknown training data").all()
    cut = score(files, detector, progress=False).table["logit"]
    assert np.abs(cut.to_numpy() - expected).max() > 0.1
