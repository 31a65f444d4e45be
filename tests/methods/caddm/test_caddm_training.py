"""CADDM from tables to checkpoints: targets reach the loss, the history counts, and what is missing stops it early."""

import pandas as pd
import pytest
import torch
from toy import make_workspace

from dfworkbench.core.errors import ParameterError, TableError, UnknownNameError
from dfworkbench.datasets.face_dataset import collate
from dfworkbench.datasets.facial_swap import SwapKind
from dfworkbench.datasets.tables import read_table, write_table
from dfworkbench.runs.checkpoints import load_detector, read_record
from dfworkbench.training import TrainSettings, prepare, train
from dfworkbench.training.registry import own_method

SETTINGS = TrainSettings(
    dataset="toy", detector="caddm_resnet18", epochs=1, batch_size=8, frames_per_video=1, threads=1, name="run",
    device="cpu", learning_rate=3.6e-4, value_clip=2.0,
)  # fmt: skip


@pytest.fixture(scope="module")
def toy(tmp_path_factory):
    return make_workspace(tmp_path_factory.mktemp("caddm"), fakes=2, frames=2)


def test_samples_bear_windows_and_kinds(toy):
    data = prepare(SETTINGS, toy).train
    swap_all = {"genuine_on_fake": 0.0, "fake_on_genuine": 0.3, "partial": 0.7}
    swapped = prepare(SETTINGS.replace(method_options={"swap": swap_all}), toy).train
    batch = collate([swapped[row] for row in range(len(swapped))])
    assert batch["images"].shape == (len(data), 3, 224, 224)
    assert batch["images"].dtype == torch.uint8
    kinds = batch["swap"]
    assert (kinds[batch["label"] == 0] == SwapKind.REAL).all()
    assert set(kinds[batch["label"] == 1].tolist()) <= {
        SwapKind.GLOBAL_FAKE_ON_GENUINE,
        SwapKind.PARTIAL,
        SwapKind.FAILED,
    }
    windows = batch["window"]
    assert (windows.isfinite().all(dim=1) == (kinds == SwapKind.PARTIAL)).all()
    assert (kinds == SwapKind.PARTIAL).any()
    found = windows[kinds == SwapKind.PARTIAL]
    assert ((found >= 0) & (found <= 1)).all()
    assert (found[:, 2:] > found[:, :2]).all()


def test_validation_sees_faces_as_they_are(toy):
    val = prepare(SETTINGS, toy).val
    assert set(val[0]) == {"images", "label", "row"}
    assert val[0]["images"].shape == (3, 224, 224)


def test_a_run_trains_counts_and_goes_on(toy):
    settings = SETTINGS.replace(kinds=["fake0"])
    (epoch,) = train(settings, toy, progress=False)
    assert {"loss", "bce", "box", "anchor", "accuracy", "swap_failed", "swap_window"} <= set(epoch.train)
    total = epoch.train["bce"] + 0.1 * (epoch.train["box"] + epoch.train["anchor"])
    assert epoch.train["loss"] == pytest.approx(total, rel=1e-4)
    assert 0 <= epoch.train["swap_failed"] <= 1
    assert read_record(epoch.checkpoint)["method"] == "caddm"
    history = pd.read_csv(toy.checkpoints / "run" / "history.csv")
    assert {"train_box", "train_anchor", "train_swap_failed"} <= set(history)
    loaded = load_detector(toy.checkpoints / "run")
    assert loaded.input_spec.alignment == "five_points"
    before = epoch.checkpoint.stat().st_mtime_ns
    list(train(settings, toy, progress=False))
    assert epoch.checkpoint.stat().st_mtime_ns == before
    list(train(settings.replace(method="caddm"), toy, progress=False))  # auto and the method it means are one run
    assert epoch.checkpoint.stat().st_mtime_ns == before


def test_a_fake_without_its_genuine_video_stops_before_anything_is_written(tmp_path):
    space = make_workspace(tmp_path)
    folder = space.labels / "toy"
    videos = read_table("video", folder / "videos.csv")
    lost = videos["video_id"] == "toy/fake0/train03.mp4"
    write_table("video", videos.assign(genuine_id=videos["genuine_id"].mask(lost, "")), folder / "videos.csv")
    with pytest.raises(TableError, match=r"1 of 8 fakes have none:\n  toy/fake0/train03.mp4: names no genuine video"):
        train(SETTINGS, space)
    assert not (space.checkpoints / "run").exists()
    assert prepare(SETTINGS.replace(detector="mesonet4", size_px=64), space)  # other methods do not mind


def test_auto_takes_the_method_of_the_detector():
    assert own_method("caddm_resnet34") == TrainSettings(detector="caddm_resnet34").method_name == "caddm"
    assert TrainSettings().method_name == "binary"
    assert TrainSettings(method="binary").changed_fields(TrainSettings().model_dump(mode="json")) == {}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"method": "binary"}, "parts of it would never be trained"),
        ({"method": "caddm", "detector": "mesonet4"}, "needs outputs that this detector does not have"),
        ({"method_options": {"negatives": -1}}, "negatives = -1: .*greater than or equal to 0"),
        ({"method_options": {"swap": {"partial": 0.9}}}, "add up to 1.5, more than 1"),
        ({"method_options": {"swap": 3}}, "swap = 3: .*dictionary"),
        ({"label_smoothing": 0.1, "method_options": {"augment": 3}}, "no setting 'augment'"),
    ],
)
def test_mistakes_are_named(toy, changes, message):
    with pytest.raises(ParameterError, match=message):
        prepare(SETTINGS.replace(**changes), toy)


def test_only_some_kinds_are_trained_on(toy):
    both, one = prepare(SETTINGS, toy), prepare(SETTINGS.replace(forgeries=["fake1"]), toy)
    assert set(both.train.rows["forgery"]) == {"", "fake0", "fake1"}
    assert set(one.train.rows["forgery"]) == set(one.val.rows["forgery"]) == {"", "fake1"}
    assert (one.train.rows["label"] == 0).sum() == (both.train.rows["label"] == 0).sum()
    with pytest.raises(UnknownNameError, match="fake1"):
        prepare(SETTINGS.replace(forgeries=["fake2"]), toy)
