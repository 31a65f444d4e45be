import json
import os
import shutil
from pathlib import Path

import cv2
import matplotlib.cbook
import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

from dfworkbench.core.errors import DataNotFoundError, DeviceError, InputError, MediaError, WorkbenchError
from dfworkbench.core.input_spec import InputSpec
from dfworkbench.core.names import GENERATED_MARKER
from dfworkbench.core.palette import ARTIFACT_RGB
from dfworkbench.datasets.domain import DOMAIN_KEY, GENERATED
from dfworkbench.datasets.face_dataset import FaceDataset
from dfworkbench.datasets.tables import SCORES, read_table
from dfworkbench.evaluation.scoring import file_scorer
from dfworkbench.evaluation.scoring import files as scoring_files
from dfworkbench.evaluation.scoring.aggregate import to_level
from dfworkbench.evaluation.scoring.file_scorer import face_settings
from dfworkbench.evaluation.scoring.media_files import find_files
from dfworkbench.evaluation.scoring.score import score, score_rows
from dfworkbench.evaluation.scoring.settings import ScoreSettings
from dfworkbench.faces import FaceSettings, FileFaces, TrackedFace, cut_for, cut_tile
from dfworkbench.media import VideoWriter, read_image, write_png
from dfworkbench.methods.caddm.artifacts import ArtifactBoxes
from dfworkbench.models import build_detector
from dfworkbench.models.prediction import Prediction
from dfworkbench.runs.checkpoints import LoadedDetector, load_detector, save_detector

torch.set_num_threads(1)


class Redness(nn.Module):
    """A stub: the logit is 10 times (mean red - mean blue), so that a red face is fake and a blue one real."""

    def __init__(self, spec=None):
        super().__init__()
        self.input_spec = spec or InputSpec(size_px=32)
        self.seen = []

    def forward(self, images):
        self.seen.append(images.clone())
        channels = images.mean(dim=(-1, -2))
        channels = channels.mean(dim=1) if channels.ndim == 3 else channels
        return Prediction(10 * (channels[:, 0] - channels[:, 2]))


def loaded(spec=None, **metadata):
    stub = Redness(spec).eval()
    return LoadedDetector(stub, "redness", stub.input_spec, metadata, Path("none"))


def frame_with(*reds):
    """A frame of 100 x 300 with a face of 40 px per person, as red as stated (0..255) and otherwise blue."""
    rgb = np.full((100, 300, 3), 90, np.uint8)
    for i, red in enumerate(reds):
        rgb[:, 100 * i : 100 * i + 100] = (red, 60, 255 - red)
    return rgb, [np.array([100.0 * i + 30, 30, 100 * i + 70, 70]) for i in range(len(reds))]


def stub_faces(monkeypatch, per_frame, kind="video"):
    """Replace the search for faces: per_frame is a list of the people's reds in each sampled frame (None: not seen)."""

    def found(path, settings, finder, threads):
        faces = []
        for number, reds in enumerate(per_frame):
            rgb, boxes = frame_with(*[r or 0 for r in reds])
            faces += [
                TrackedFace(number * 5, number / 5, t, box, 0.99, np.zeros((5, 2)), cut_tile(rgb, box, settings))
                for t, (red, box) in enumerate(zip(reds, boxes, strict=True))
                if red is not None
            ]
        return FileFaces(kind, 5 * len(per_frame), 25.0, 300, 100, sorted(faces, key=lambda f: (f.track, f.frame)))

    monkeypatch.setattr(file_scorer, "faces_in_file", found)
    monkeypatch.setattr(scoring_files, "FaceFinder", lambda settings: None)


@pytest.fixture
def clip(tmp_path):
    path = tmp_path / "clip.mp4"
    path.write_bytes(b"not read: the search for faces is replaced")
    return path


def test_one_fake_person_among_three_is_named(monkeypatch, clip):
    """Spec dfforensics, check 13: the rule over all faces would miss her."""
    stub_faces(monkeypatch, [(60, 70, 230)] * 4 + [(60, 70, None)] * 4)
    result = score(clip, loaded())
    file = result[0]
    assert [t.track for t in file.tracks if t.fake_probability > 0.5] == [2]
    assert file.fake_probability == file.tracks[2].fake_probability > 0.9
    assert score(clip, loaded(), ScoreSettings(rule="mean"))[0].fake_probability < 0.5


def test_all_real_people_make_a_real_file(monkeypatch, clip):
    stub_faces(monkeypatch, [(60, 70, 80)] * 4)
    assert score(clip, loaded())[0].fake_probability < 0.5


def test_tracks_carry_their_timeline(monkeypatch, clip):
    stub_faces(monkeypatch, [(40, 200), (None, 210), (60, 220)])
    file = score(clip, loaded())[0]
    first, second = file.tracks
    assert first.frames.tolist() == [0, 10]
    assert second.times.tolist() == [0.0, 0.2, 0.4]
    assert first.probabilities[0] < first.probabilities[1] < 0.5 < second.probabilities[0]
    assert first.boxes.tolist() == [[30, 30, 70, 70]] * 2
    assert second.fake_probability == pytest.approx(second.probabilities.mean())
    assert second.thumbnails.shape == (3, 112, 112, 3)
    assert second.shown.tolist() == [0, 1, 2]
    assert (file.frames, file.width_px, file.duration_s) == (15, 300, 0.6)


def test_probability_of_a_face_by_hand(monkeypatch, clip):
    stub_faces(monkeypatch, [(150,)])
    row = score(clip, loaded()).table.iloc[0]
    logit = 10 * (150 - 105) / 255
    assert row["logit"] == pytest.approx(logit, abs=1e-5)
    assert row["fake_probability"] == pytest.approx(1 / (1 + np.exp(-logit)), abs=1e-6)


def test_the_table_is_a_score_table(monkeypatch, clip):
    stub_faces(monkeypatch, [(40, 200), (50, 210)])
    table = score(clip, loaded()).table
    SCORES.check(table)
    folder = clip.parent.name
    assert set(table["video_id"]) == {f"{folder}/clip.mp4"}
    assert table["row_id"].tolist() == [f"{folder}/clip.mp4#t{t}f{f}" for t in (0, 1) for f in (0, 5)]
    assert (table["label"] == -1).all()


def test_a_spec_that_needs_exact_boxes_gets_them(monkeypatch, clip):
    asked = []

    def faces_in_file(path, faces, finder, threads):
        asked.append((faces, finder.settings))
        raise MediaError("stop here", "no_face")

    monkeypatch.setattr(file_scorer, "faces_in_file", faces_in_file)
    spec = InputSpec(size_px=32, region="sides", border="clip", interpolation="bilinear", antialias=True, exact=True)
    for given in (spec, InputSpec(size_px=32)):
        score(clip, loaded(given), ScoreSettings(context_max_px=64), progress=False)
    (exact, finder), (plain, _) = asked
    assert exact == finder
    assert (exact.exact, exact.context_max_px) == (True, 2048)
    assert (plain.exact, plain.context_max_px) == (False, 64)


def test_the_detector_sees_what_its_spec_says(monkeypatch, clip):
    spec = InputSpec(
        size_px=24, crop_scale=1.5, channel_order="bgr", value_range=(0, 255), mean=(1, 2, 3), std=(2, 2, 2)
    )
    stub_faces(monkeypatch, [(200,)])
    detector = loaded(spec)
    score(clip, detector)
    rgb, boxes = frame_with(200)
    crop = cut_for(spec, cut_tile(rgb, boxes[0], FaceSettings()), boxes[0])
    expected = (crop[..., ::-1].astype(np.float32) - [1, 2, 3]) / 2
    got = detector.detector.seen[0][0].permute(1, 2, 0).numpy()
    assert np.abs(got - expected).max() < 1e-4


def test_a_wide_crop_gets_a_wider_context(monkeypatch, clip):
    stub_faces(monkeypatch, [(200,)])
    assert score(clip, loaded(InputSpec(size_px=32, crop_scale=3.0)))[0].ok


TEMPLATE = ((0.377, 0.469), (0.623, 0.469), (0.5, 0.608), (0.4, 0.746), (0.6, 0.746))
ALIGNED = InputSpec(size_px=32, crop_scale=1.0, alignment="five_points", template=TEMPLATE, border="black")


@pytest.mark.parametrize("spread", [0.2, 2.0])
def test_faces_that_are_not_shown_whole_are_counted_in_the_notice(monkeypatch, clip, spread):
    """Two of three faces with points far from their box: at the larger spread their crops leave the tile."""
    rgb, boxes = frame_with(200, 200, 200)
    points = np.array([(-0.2, -0.15), (0.2, -0.15), (0, 0.1), (-0.15, 0.3), (0.15, 0.3)])
    spreads = (0.2, spread, spread)

    def found(path, settings, finder, threads):
        faces = [
            TrackedFace(
                0, 0.0, t, box, 0.99, (box[:2] + box[2:]) / 2 + 40 * spreads[t] * points, cut_tile(rgb, box, settings)
            )
            for t, box in enumerate(boxes)
        ]
        return FileFaces("video", 1, 5.0, 300, 100, faces, "of the file")

    monkeypatch.setattr(file_scorer, "faces_in_file", found)
    scored = score(clip, loaded(ALIGNED), progress=False)
    notice = scored[0].notice
    assert notice.startswith("of the file")
    assert ("2 of 3 faces reach beyond" in notice) == (spread == 2.0)
    assert ("score with context_scale=4" in notice) == (spread == 2.0)
    assert (scored.table["reason"] == notice).all()


@pytest.mark.parametrize(
    ("spec", "part", "side"),
    [
        (InputSpec(32, 1.0, "whole"), "grid", 512),
        (InputSpec(700, 1.0, "whole", pad="black"), "centre", 700),
        (
            InputSpec(32, 1.0, "whole_resized", interpolation="bilinear", antialias=True, fit="shortest_edge"),
            "square",
            2048,
        ),
        (InputSpec(32, 1.0, "whole_resized", interpolation="bicubic", antialias=True), "all", 2048),
    ],
)
def test_of_whole_pictures_is_kept_what_the_detector_sees(spec, part, side):
    faces = face_settings(ScoreSettings(crops=True), spec)
    assert (faces.whole, faces.crops, faces.whole_part, faces.context_max_px) == (True, False, part, side)


def test_a_detector_of_resized_pictures_scores_a_picture(tmp_path):
    rgb = np.zeros((90, 200, 3), np.uint8)
    rgb[..., 0], rgb[:, :50, 2] = 120, 255  # the left quarter is blue
    write_png(tmp_path / "a.png", rgb)
    sees = {"fit": "shortest_edge", "interpolation": "bilinear", "antialias": True}
    square = InputSpec(32, 1.0, "whole_resized", **sees)
    everything = InputSpec(32, 1.0, "whole_resized", **{**sees, "fit": "stretch"})
    for spec, blue in ((square, 0.0), (everything, 0.25)):
        scored = score(tmp_path / "a.png", loaded(spec), progress=False)
        (result,) = scored
        assert result.ok, result.reason
        assert scored.table["logit"][0] == pytest.approx(10 * (120 / 255 - blue), abs=0.1)
        assert result.tracks[0].thumbnails.shape[1:] == (112, 112, 3)


class Pointer(Redness):
    """Says that the upper left quarter was forged wherever a face is fake."""

    def artifact_boxes(self, images, whole=True):
        assert not whole
        fake = self(images).logit > 0
        boxes = torch.tensor([[0.0, 0.0, 0.5, 0.5]])
        return [ArtifactBoxes(boxes[: int(f)], torch.tensor([0.75])[: int(f)]) for f in fake]


def test_artifact_boxes_are_drawn_on_the_faces(monkeypatch, clip):
    stub_faces(monkeypatch, [(230, 20)] * 3)
    stub = Pointer().eval()
    file = score(clip, LoadedDetector(stub, "pointer", stub.input_spec, {}, Path("none")))[0]
    fake, real = file.tracks
    assert [found.tolist() for found in fake.artifacts] == [[[0.0, 0.0, 0.5, 0.5, 0.75]]] * 3
    assert [len(found) for found in real.artifacts] == [0, 0, 0]
    assert (fake.pictures()[0] == ARTIFACT_RGB).all(axis=-1).sum() > 100
    assert (fake.thumbnails[0] == ARTIFACT_RGB).all(axis=-1).sum() == 0  # the faces themselves stay as they are
    assert np.array_equal(real.pictures(), real.thumbnails)
    assert np.array_equal(score(clip, loaded())[0].tracks[0].pictures(), fake.thumbnails)


def test_batch_size_changes_nothing(monkeypatch, clip):
    stub_faces(monkeypatch, [(10 * i, 250 - 10 * i) for i in range(9)])
    whole, single = (score(clip, loaded(), ScoreSettings(batch_size=b)).table for b in (64, 1))
    pd.testing.assert_frame_equal(whole, single)
    pd.testing.assert_frame_equal(whole, score(clip, loaded()).table)


def test_clips_are_consecutive_faces_of_one_track(monkeypatch, clip):
    spec = InputSpec(size_px=32, clip_length=3)
    stub_faces(monkeypatch, [(0, 250), (30, None), (60, 250), (90, 250), (120, 250)])
    detector = loaded(spec)
    result = score(clip, detector)
    table = result.table
    assert table[["track", "frame"]].to_numpy().tolist() == [[0, 0], [0, 5], [0, 10], [1, 0], [1, 10]]
    reds = torch.cat(detector.detector.seen)[:, :, 0].mean(dim=(2, 3)) * 255
    assert reds[0].tolist() == pytest.approx([0, 30, 60], abs=1)
    p = table["fake_probability"].to_numpy()
    expected = [p[0], p[:2].mean(), p[:3].mean(), p[1:3].mean(), p[2]]
    assert result[0].tracks[0].probabilities == pytest.approx(expected)


def test_a_track_too_short_for_a_clip_says_so(monkeypatch, clip):
    spec = InputSpec(size_px=32, clip_length=3, clip_stride=2)
    stub_faces(monkeypatch, [(0, 200)] * 4 + [(0, None)] * 3)
    result = score(clip, loaded(spec))
    short = result.table[result.table["status"] == "error"]
    assert short["reason"].tolist() == ["track 1 has 4 faces, a clip of this detector needs 5; sample more frames"]
    assert result[0].ok
    assert np.isnan(result[0].tracks[1].fake_probability)
    stub_faces(monkeypatch, [(0, 200)] * 2)
    nobody = score(clip, loaded(spec))[0]
    assert (nobody.status, np.isnan(nobody.fake_probability)) == ("error", True)
    assert "no score" in repr(nobody)


def test_a_score_that_is_no_number_is_an_error_and_says_why(monkeypatch, clip, toy):
    class Overflowing(Redness):
        def forward(self, images):
            return Prediction(super().forward(images).logit * torch.nan)

    stub = Overflowing().eval()
    stub_faces(monkeypatch, [[200], [200], [200]])
    one = score(clip, LoadedDetector(stub, "redness", stub.input_spec, {}, Path("none")), progress=False)
    assert (one[0].status, one.table["status"].unique().tolist()) == ("error", ["error"])
    assert "gave no number" in one[0].reason
    rows = score_rows(stub, toy_data(toy, stub.input_spec)[0], progress=False)
    assert set(rows["status"]) == {"error"}


def test_one_bad_file_costs_the_others_nothing(monkeypatch, tmp_path):
    for name in ("a.mp4", "b.mp4", "c.mp4"):
        (tmp_path / name).write_bytes(b"x")
    stub_faces(monkeypatch, [(200,)])
    good = file_scorer.faces_in_file

    def found(path, settings, finder, threads):
        if path.name == "a.mp4":
            raise MediaError("decoding a.mp4: it stops after 3 frames", "truncated")
        if path.name == "b.mp4":
            raise RuntimeError("the decoder broke")
        return good(path, settings, finder, threads)

    monkeypatch.setattr(file_scorer, "faces_in_file", found)
    result = score(tmp_path, loaded())
    assert [f.status for f in result] == ["truncated", "error", "ok"]
    assert result[1].reason == "RuntimeError: the decoder broke"
    assert result.summary["reason"].tolist()[0].startswith("decoding a.mp4")
    assert result.table["status"].tolist() == ["truncated", "error", "ok"]
    assert "1 of 3 files scored" in repr(result)


def test_equal_names_in_two_folders_stay_apart(monkeypatch, tmp_path):
    for folder in ("Deepfakes", "FaceSwap"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "000.mp4").write_bytes(b"x")
    stub_faces(monkeypatch, [(200,)])
    for given in (tmp_path, [tmp_path / "Deepfakes", tmp_path / "FaceSwap" / "000.mp4"]):
        table = score(given, loaded()).table
        assert table["video_id"].tolist() == [f"{tmp_path.name}/{k}/000.mp4" for k in ("Deepfakes", "FaceSwap")]


def test_a_file_given_twice_is_scored_once(tmp_path):
    (tmp_path / "a.mp4").write_bytes(b"x")
    assert len(find_files([tmp_path, tmp_path / "a.mp4"])) == 1


def test_below_a_linked_folder_a_file_has_the_name_it_has_there(tmp_path):
    (tmp_path / "disk" / "set" / "clips").mkdir(parents=True)
    (tmp_path / "disk" / "set" / "clips" / "a.mp4").write_bytes(b"x")
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "data").symlink_to(tmp_path / "disk" / "set")
    file = tmp_path / "home" / "data" / "clips" / "a.mp4"
    assert list(find_files(file)) == ["clips/a.mp4"]
    assert list(find_files(tmp_path / "home" / "data")) == ["data/clips/a.mp4"]
    assert list(find_files(tmp_path / "home" / ".." / "home" / "data" / "clips")) == ["clips/a.mp4"]


def test_a_missing_path_stops_before_anything_is_scored(tmp_path):
    with pytest.raises(DataNotFoundError, match=r"there is no .*nowhere\.mp4.*check the path"):
        score(tmp_path / "nowhere.mp4", loaded())
    with pytest.raises(DataNotFoundError, match="holds none"):
        score(tmp_path, loaded())


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a GPU")
def test_a_gpu_that_is_not_there(toy, tmp_path):
    path = save_detector(
        tmp_path / "m.safetensors", build_detector("mesonet4", size_px=32), "mesonet4", {"size_px": 32}
    )
    write_png(tmp_path / "a.png", np.zeros((64, 64, 3), np.uint8))
    with pytest.raises(DeviceError, match="'cuda'"):
        score(tmp_path / "a.png", path, ScoreSettings(device="cuda"))


def test_a_detector_of_generated_faces_says_so(monkeypatch, clip):
    stub_faces(monkeypatch, [(200,)])
    result = score(clip, loaded(provenance={DOMAIN_KEY: GENERATED}))
    assert "not a verdict on real footage" in result[0].caveat
    assert "not a verdict on real footage" in repr(result)
    assert "not a verdict on real footage" in result._repr_html_()
    assert not score(clip, loaded())[0].caveat


def test_on_generated_footage_the_caveat_is_not_needed(monkeypatch, clip):
    stub_faces(monkeypatch, [(200,)])
    (clip.parent / GENERATED_MARKER).write_text(json.dumps({}))
    assert not score(clip, loaded(provenance={DOMAIN_KEY: GENERATED}))[0].caveat


# -- the real search for faces ------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def portrait():
    with matplotlib.cbook.get_sample_data("grace_hopper.jpg") as file:
        return read_image(file.name)


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("run") / "mesonet4.safetensors"
    return save_detector(path, build_detector("mesonet4", size_px=64), "mesonet4", {"size_px": 64})


def test_a_folder_of_good_and_bad_files(portrait, checkpoint, tmp_path):
    """A picture, a video, a text file named .mp4, an empty picture and a wall, with the real face finder."""
    write_png(tmp_path / "portrait.png", portrait)
    write_png(tmp_path / "wall.png", np.full((120, 160, 3), 128, np.uint8))
    (tmp_path / "text.mp4").write_text("this is no video")
    (tmp_path / "empty.jpg").write_bytes(b"")
    small = cv2.resize(portrait, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    with VideoWriter(tmp_path / "moving.mp4", 10, 200, 240, crf=20) as writer:
        for i in range(12):
            writer.write(small[10:250, 2 * i : 2 * i + 200])
    result = score(tmp_path, checkpoint, ScoreSettings(frames=6))
    status = {file.path.name: file.status for file in result}
    assert status == {
        "empty.jpg": "unreadable", "moving.mp4": "ok", "portrait.png": "ok", "text.mp4": "unreadable", "wall.png": "no_face",
    }  # fmt: skip
    video = result[1]
    assert len(video.tracks) == 1
    assert len(video.tracks[0]) == 6
    assert np.diff(video.tracks[0].boxes[:, 0]).max() < 0  # the camera pans to the right
    again = score(tmp_path, load_detector(checkpoint), ScoreSettings(frames=6), progress=False)
    pd.testing.assert_frame_equal(result.table, again.table)


def test_a_run_is_found_by_its_name(toy, portrait, checkpoint, tmp_path):
    run = toy.checkpoints / "my run"
    run.mkdir()
    shutil.copy(checkpoint, run / "epoch_001.safetensors")
    (run / "best.json").write_text('{"epoch": 1}')
    write_png(tmp_path / "portrait.png", portrait)
    by_name, by_file = (score(tmp_path / "portrait.png", c) for c in ("my run", checkpoint))
    pd.testing.assert_frame_equal(by_name.table.drop(columns="run"), by_file.table.drop(columns="run"))
    assert (by_name.detector, by_file.detector) == ("my run", "mesonet4")
    assert (set(by_name.table["run"]), set(by_file.table["run"])) == ({"my run"}, {"mesonet4"})


# -- extracted data sets ------------------------------------------------------------------------------------------------


def toy_data(toy, spec):
    videos = read_table("video", toy.labels / "toy" / "videos.csv")
    faces = read_table("face", toy.labels / "toy" / "faces.parquet")
    return FaceDataset(faces, videos, spec, toy.extracted), videos


def test_rows_of_a_data_set(toy):
    torch.manual_seed(0)
    detector = build_detector("mesonet4", size_px=32)
    data, videos = toy_data(toy, detector.input_spec)
    table = score_rows(detector, data, batch_size=7, progress=False)
    SCORES.check(table)
    assert table["row_id"].tolist() == data.rows["row_id"].tolist()
    assert table["label"].tolist() == data.rows["label"].tolist()
    other = score_rows(detector, data, batch_size=50, progress=False)
    assert np.abs(table["logit"] - other["logit"]).max() < 1e-5
    assert table["logit"].std() > 0
    assert detector.training  # as it was
    faces = read_table("face", toy.labels / "toy" / "faces.parquet").set_index("face_id").loc[table["row_id"]]
    area = (faces["box_x1"] - faces["box_x0"]) * (faces["box_y1"] - faces["box_y0"])
    np.testing.assert_allclose(table["face_px"] ** 2, area, rtol=1e-3)
    assert to_level(table, "video", "largest_mean")["fake_probability"].notna().all()


def test_frozen_parts_stay_frozen_also_where_scoring_fails(toy):
    detector = build_detector("mesonet4", size_px=32).train()
    frozen = next(module for module in detector.modules() if isinstance(module, nn.BatchNorm2d)).eval()
    data, _ = toy_data(toy, detector.input_spec)
    score_rows(detector, data, progress=False)
    assert detector.training
    assert not frozen.training
    data._paths[-1] = "gone.png"
    with pytest.raises(WorkbenchError):
        score_rows(detector, data, progress=False)
    assert detector.training
    assert not frozen.training


def test_files_without_faces_stay_in_the_table(toy):
    detector = Redness(InputSpec(size_px=32))
    data, videos = toy_data(toy, detector.input_spec)
    videos = pd.concat([videos, videos.iloc[:2].assign(video_id=["toy/x.mp4", "toy/y.mp4"])], ignore_index=True)
    videos.loc[videos["video_id"] == "toy/x.mp4", ["status", "reason"]] = ["no_face", "nobody"]
    table = score_rows(detector, data, videos=videos, progress=False)
    lost = table[table["status"] != "ok"]
    assert lost[["row_id", "status"]].to_numpy().tolist() == [["toy/x.mp4", "no_face"], ["toy/y.mp4", "missing"]]
    assert lost["fake_probability"].isna().all()
    assert lost["label"].tolist() == videos["label"].tolist()[-2:]


def test_a_data_set_cut_for_another_detector_is_refused(toy):
    data, _ = toy_data(toy, InputSpec(size_px=48, crop_scale=1.5))
    with pytest.raises(InputError, match=r"size_px 48 instead of 32, crop_scale 1.5 instead of 1.3"):
        score_rows(Redness(InputSpec(size_px=32)), data, progress=False)


# -- real photographs and a real clip -----------------------------------------------------------------------------------

TRIALS = os.environ.get("DFWORKBENCH_TRIALS")
trials = pytest.mark.skipif(not TRIALS or not (Path(TRIALS) / "media").is_dir(), reason="DFWORKBENCH_TRIALS is not set")
#: Hand-checked boxes of four people in street.mp4: frame -> box (spec dfforensics, check 13).
PEOPLE = {
    "boy": {0: (911, 633, 980, 721), 48: (968, 709, 1043, 810), 104: (753, 638, 848, 765)},
    "red-haired man": {0: (675, 561, 738, 636), 48: (581, 639, 656, 724), 90: (451, 596, 531, 704)},
    "white-haired woman": {0: (275, 618, 340, 699), 60: (206, 675, 271, 763), 90: (218, 661, 290, 754)},
    "woman crossing": {0: (286, 720, 378, 835), 20: (1010, 777, 1100, 907)},
}


@pytest.mark.trials
@trials
def test_every_person_in_real_photographs(checkpoint):
    result = score(Path(TRIALS) / "media" / "photos", checkpoint)
    tracks = {file.path.name: len(file.tracks) for file in result}
    assert tracks == {**{f"person_{k}.jpg": 1 for k in "abcd"}, "six_people.jpg": 6}
    assert result.table["fake_probability"].notna().all()


@pytest.mark.trials
@trials
def test_a_real_crowd_is_one_track_per_person(checkpoint):
    from dfworkbench.core.geometry import iou_matrix
    from dfworkbench.show.annotate import faces_at

    file = score(Path(TRIALS) / "media" / "street.mp4", checkpoint)[0]
    owner = {}
    for name, boxes in PEOPLE.items():
        for frame, box in boxes.items():
            seen = {t.track: faces_at(t, min(frame, 101)) for t in file.tracks}  # the last sampled frame
            overlaps = {track: float(iou_matrix([box], [f[0]])[0, 0]) for track, f in seen.items() if f is not None}
            best = max(overlaps, key=overlaps.get)
            if overlaps[best] >= 0.5:
                owner.setdefault(name, set()).add(best)
    assert {name: len(tracks) for name, tracks in owner.items()} == dict.fromkeys(PEOPLE, 1)
    assert len(set().union(*owner.values())) == len(PEOPLE)
    assert min(map(len, file.tracks)) >= 3
