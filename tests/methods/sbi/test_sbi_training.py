"""The method sbi from tables to checkpoints: real files alone, both pictures of a pair in one batch."""

import json

import numpy as np
import pandas as pd
import pytest
import torch
from toy import make_workspace

from dfworkbench.core.errors import ParameterError
from dfworkbench.datasets.face_dataset import collate
from dfworkbench.datasets.tables import read_table, write_table
from dfworkbench.models import build_detector
from dfworkbench.runs.checkpoints import load_detector
from dfworkbench.runs.run import Run
from dfworkbench.training import TrainSettings, prepare, train
from dfworkbench.training.registry import build_method

SETTINGS = TrainSettings(
    dataset="toy", detector="mesonet4", method="sbi", size_px=64, epochs=2, batch_size=4, frames_per_video=2, threads=1,
    device="cpu", name="run",
)  # fmt: skip


@pytest.fixture(scope="module")
def toy(tmp_path_factory):
    return make_workspace(tmp_path_factory.mktemp("sbi"))


def test_no_forgery_is_ever_read(toy):
    prepared = prepare(SETTINGS, toy)
    for part in (prepared.train, prepared.val):
        assert set(part.rows["label"]) == {0}
        assert not any("fake" in face for face in part.used_faces())


def test_a_set_without_fakes_is_enough(tmp_path):
    space = make_workspace(tmp_path, fakes=0)
    (epoch,) = train(SETTINGS.replace(epochs=1), space, progress=False)
    assert np.isfinite(epoch.train["loss"])


def test_items_follow_from_seed_epoch_and_row(toy):
    one, two, other = (prepare(SETTINGS.replace(seed=seed), toy) for seed in (0, 0, 1))
    first, second = one.train[3], two.train[3]
    assert all(np.array_equal(first[name], second[name]) for name in first)
    assert not torch.equal(other.train[3]["images"], first["images"])
    two.train.set_epoch(2)
    assert not np.array_equal(two.train[3]["blended"], first["blended"])
    before = one.val[0]
    one.train.set_epoch(2)
    assert np.array_equal(before["blended"], one.val[0]["blended"]), "validation measures the same pairs in every epoch"


def test_both_labels_come_from_one_picture(toy):
    """The loss is the mean of both cross-entropies of every pair."""
    method = prepare(SETTINGS, toy).method.eval()
    data = prepare(SETTINGS, toy).train
    batch = collate([data[row] for row in range(3)])
    assert batch["blended"].shape == (3, 64, 64, 3)
    step = method(batch)
    genuine = method.predict({"images": batch["images"]}).logit
    blended = method.predict({"images": batch["blended"].movedim(-1, -3)}).logit
    expected = (torch.nn.functional.softplus(genuine).mean() + torch.nn.functional.softplus(-blended).mean()) / 2
    assert step.loss.item() == pytest.approx(expected.item(), rel=1e-5)
    assert torch.allclose(step.logit, genuine, atol=1e-6)
    assert step.shares["ordered"] == (blended > genuine).double().mean()
    assert step.shares["not_blended"] == 0
    assert method.train()(batch).logit is None


def test_a_fake_that_equals_its_picture_counts_as_genuine(toy):
    method = prepare(SETTINGS, toy).method.eval()
    data = prepare(SETTINGS, toy).train
    batch = collate([data[row] for row in range(3)])
    batch["blended"] = batch["images"].movedim(-3, -1).clone()
    batch["is_blended"] = torch.zeros(3, dtype=torch.int64)
    step = method(batch)
    assert step.loss.item() == pytest.approx(torch.nn.functional.softplus(step.logit).mean().item(), rel=1e-5)
    assert step.shares["not_blended"] == 1


def test_a_run_trains_counts_and_goes_on(toy):
    epochs = list(train(SETTINGS, toy, progress=False))
    assert {"loss", "bce", "accuracy", "ordered", "not_blended"} <= set(epochs[0].train)
    assert {"loss", "accuracy", "ordered"} <= set(epochs[0].val)
    history = pd.read_csv(toy.checkpoints / "run" / "history.csv")
    assert {"val_ordered", "train_accuracy"} <= set(history)
    best = min(epochs, key=lambda epoch: epoch.val["loss"])
    assert load_detector(toy.checkpoints / "run").path == best.checkpoint, "no AUC is measured, so the loss decides"
    scores = Run(toy.checkpoints / "run").scores("val")
    assert set(scores["label"]) == {0}
    assert len(list(train(SETTINGS, toy, progress=False))) == 2


def test_it_learns_to_tell_a_blend_from_its_picture():
    """A small network overfits a few pairs, whose only difference is the blending."""
    rng = np.random.default_rng(0)
    genuine = rng.integers(60, 190, size=(4, 64, 64, 3)).astype(np.uint8)
    blended = genuine.copy()
    blended[:, 16:48, 16:48] = genuine[:, 16:48, 16:48] // 2 + genuine[:, 17:49, 16:48] // 2
    batch = {
        "images": torch.from_numpy(genuine).movedim(-1, -3), "blended": torch.from_numpy(blended),
        "is_blended": torch.ones(4, dtype=torch.int64), "label": torch.zeros(4, dtype=torch.int64),
    }  # fmt: skip
    torch.manual_seed(0)
    method = build_method("sbi", build_detector("mesonet4", size_px=64, dropout=0.0)).train()
    optimizer = torch.optim.Adam(method.parameters(), lr=3e-3)
    for _ in range(80):
        optimizer.zero_grad()
        step = method(batch)
        step.loss.backward()
        optimizer.step()
    assert step.loss < 0.2
    assert step.shares["ordered"] == 1


def test_dense_landmarks_of_the_data_set_are_counted(tmp_path):
    space = make_workspace(tmp_path)
    assert prepare(SETTINGS, space).train.dense_faces == 0
    videos = read_table("video", space.labels / "toy" / "videos.csv")
    points = np.random.default_rng(0).uniform((116, 66), (148, 98), size=(3, 81, 2))
    (tmp_path / "points").mkdir()
    np.savez(tmp_path / "points/a.npz", landmarks=points)
    first = (videos["split"] == "train") & (videos["label"] == 0) & (videos["path"] == "real/train00.mp4")
    videos["landmarks_path"] = np.where(first, "points/a.npz", "")
    write_table("video", videos, space.labels / "toy" / "videos.csv")
    (space.labels / "toy" / "source.json").write_text(json.dumps({"root": str(tmp_path)}))
    prepared = prepare(SETTINGS, space)
    assert prepared.train.dense_faces == 2
    assert prepared.run.provenance["dense_landmarks"] == 2


def test_detectors_of_clips_are_refused_before_anything_is_written(toy):
    settings = SETTINGS.replace(detector="mesonet4_lstm", size_px=None, name="refused")
    with pytest.raises(ParameterError, match=r"sbi with .*clip_length=5, but .* single faces.*efficientnet_b4"):
        prepare(settings, toy)
    assert not (toy.checkpoints / "refused").exists()


def test_published_settings():
    settings = TrainSettings.published("sbi", dataset="toy")
    assert (settings.detector, settings.size_px, settings.batch_size, settings.epochs) == (
        "efficientnet_b4",
        380,
        16,
        100,
    )
    assert (settings.optimizer, settings.sam_rho, settings.learning_rate) == ("sgd", 0.05, 1e-3)
    rates = settings.rates
    assert min(rates) == 76
    assert rates[76] == pytest.approx(1e-3)
    assert rates[100] == pytest.approx(1e-3 / 25)
    assert np.allclose(np.diff([rates[epoch] for epoch in range(76, 101)]), -1e-3 / 25)
