"""Training on a tiny data set: what comes out, what is written, and what is refused."""

import json
import os
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
import torch

from dfworkbench.__main__ import main
from dfworkbench.core.errors import (
    CheckpointError,
    DataNotFoundError,
    DeviceError,
    OutputError,
    ParameterError,
    SplitLeakError,
    TableError,
    UnknownNameError,
)
from dfworkbench.datasets.tables import read_table, write_table
from dfworkbench.evaluation.metrics.evaluate import metric_of
from dfworkbench.runs.checkpoints import load_detector
from dfworkbench.runs.writer import best_entry
from dfworkbench.training import TrainSettings, loop, prepare, train
from dfworkbench.training.batches import epoch_order, split_batches
from dfworkbench.training.binary import Binary
from dfworkbench.training.loop import _seeded, score_table
from dfworkbench.training.rates import halvings, learning_rate

SETTINGS = TrainSettings(
    dataset="toy", size_px=64, epochs=3, batch_size=8, learning_rate=3e-3, threads=1, name="run", device="cpu"
)


def run(toy, **changes):
    return list(train(SETTINGS.replace(**changes), toy, progress=False))


def test_it_learns_fakes_from_reals_and_fakes_score_high(toy):
    epochs = run(toy, epochs=6, schedule="constant")
    assert [epoch.number for epoch in epochs] == [1, 2, 3, 4, 5, 6]
    assert epochs[-1].train["loss"] < epochs[0].train["loss"]
    assert max(epoch.val["auc_video"] for epoch in epochs) > 0.85
    scores = read_table("score", toy.checkpoints / "run/scores/val_epoch_006.parquet")
    means = scores.groupby("label")["fake_probability"].mean()
    assert means[1] > means[0] + 0.1


def test_no_signal_no_skill(tmp_path):
    from toy import make_workspace

    workspace = make_workspace(tmp_path, signal=0.0)
    assert abs(run(workspace, epochs=3)[-1].val["auc_frame"] - 0.5) < 0.3


def test_what_is_written(toy):
    epochs = run(toy)
    folder = toy.checkpoints / "run"
    assert sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file()) == [
        ".lock",
        "best.json",
        "epoch_001.safetensors",
        "epoch_002.safetensors",
        "epoch_003.safetensors",
        "history.csv",
        "provenance.json",
        "resume.pt",
        "scores/val_epoch_001.parquet",
        "scores/val_epoch_002.parquet",
        "scores/val_epoch_003.parquet",
        "settings.json",
    ]
    history = pd.read_csv(folder / "history.csv")
    assert history["epoch"].tolist() == [1, 2, 3]
    assert history["val_auc_video"].tolist() == pytest.approx([epoch.val["auc_video"] for epoch in epochs])
    assert {"train_loss", "train_bce", "val_loss", "learning_rate", "seconds", "best"} <= set(history)
    best = json.loads((folder / "best.json").read_text())["epoch"]
    assert best == [epoch.number for epoch in epochs if epoch.best][-1]
    assert load_detector("run", workspace=toy).metadata["epoch"] == best
    assert TrainSettings(**json.loads((folder / "settings.json").read_text())) == SETTINGS


def test_provenance_names_code_data_and_settings(toy):
    run(toy, epochs=1)
    record = json.loads((toy.checkpoints / "run/provenance.json").read_text())
    assert {"git_commit", "git_dirty", "python", "platform", "packages", "seed", "sessions"} <= set(record)
    assert record["packages"]["torch"] == torch.__version__.split("+")[0]
    assert record["settings"]["learning_rate"] == SETTINGS.learning_rate
    assert set(record["tables"]) == {"videos", "faces"}
    assert len(record["splits"]) == 64
    inside = load_detector("run", workspace=toy).metadata["provenance"]
    assert inside == {name: value for name, value in record.items() if name != "sessions"}
    assert str(toy.root) not in json.dumps(record)


def test_every_validation_row_is_scored_once(toy):
    epochs = run(toy, epochs=1, batch_size=7)
    data = prepare(SETTINGS, toy).val
    scores = read_table("score", toy.checkpoints / "run/scores/val_epoch_001.parquet")
    assert scores["row_id"].tolist() == data.rows["row_id"].tolist()
    assert set(scores["split"]) == {"val"}
    per_video = scores.groupby("video_id")[["label", "fake_probability"]].mean()
    assert epochs[0].val["auc_video"] == pytest.approx(
        metric_of("auc", per_video["label"].astype(int), per_video["fake_probability"])
    )
    assert scores["fake_probability"].tolist() == pytest.approx(torch.sigmoid(torch.tensor(scores["logit"])).tolist())


def test_stored_weights_give_the_stored_scores(toy):
    run(toy, epochs=2)
    loaded = load_detector("run", epoch=2, workspace=toy)
    data = prepare(SETTINGS, toy).val
    from dfworkbench.models.inputs import prepare as prepare_images

    with torch.inference_mode():
        images = torch.stack([data[row]["images"] for row in range(len(data))])
        logit = loaded.detector(prepare_images(images, loaded.input_spec)).logit
    scores = read_table("score", toy.checkpoints / "run/scores/val_epoch_002.parquet")
    assert logit.tolist() == pytest.approx(scores["logit"].tolist(), abs=1e-5)


def test_a_row_that_came_twice_counts_once(toy):
    known = prepare(SETTINGS, toy).val.rows
    scores = score_table(known, np.array([3, 1, 3]), np.array([0.5, -1.0, 0.5], dtype=np.float32))
    assert scores["row_id"].tolist() == known["row_id"].iloc[[1, 3]].tolist()
    assert scores["logit"].tolist() == [-1.0, 0.5]


def test_training_leaves_global_random_state_alone(toy):
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    run(toy, epochs=1)
    assert torch.equal(torch.rand(3), expected)


def test_every_epoch_of_every_seed_draws_other_numbers():
    def draw(seed, epoch):
        with _seeded(seed, epoch, torch.device("cpu")):
            return float(torch.rand(()))

    drawn = [draw(seed, epoch) for seed in (0, 1) for epoch in (1, 2)]
    assert len(set(drawn)) == 4
    assert draw(0, 1) == drawn[0]


def test_same_seed_same_weights_other_seed_other_weights(toy):
    weights = []
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        run(toy, epochs=1, name=name, seed=seed)
        weights.append(load_detector(name, workspace=toy).detector.state_dict()["head.1.weight"])
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])


def test_worker_processes_change_nothing(toy):
    run(toy, epochs=2, name="a")
    run(toy, epochs=2, name="b", workers=2)
    first, second = (load_detector(name, epoch=2, workspace=toy).detector.state_dict() for name in "ab")
    assert all(torch.equal(first[key], second[key]) for key in first)


def test_options_reach_detector_and_method(toy):
    method = prepare(
        SETTINGS.replace(detector_options={"dropout": 0.1}, label_smoothing=0.2, balance="none"), toy
    ).method
    assert method.detector.head[0].p == 0.1
    assert method.settings.label_smoothing == 0.2
    assert method.class_weights.tolist() == [1, 1]


def test_balance_by_loss_weighs_the_rarer_class_more(tmp_path):
    from toy import make_workspace

    workspace = make_workspace(tmp_path, fakes=3, frames=1)
    real, fake = prepare(SETTINGS, workspace).method.class_weights.tolist()
    assert real == pytest.approx(3 * fake)
    assert real + 3 * fake == pytest.approx(4)


def test_balance_by_sampling_draws_both_equally_often():
    labels = np.array([0] * 10 + [1] * 50)
    first, second = (epoch_order(labels, "sample", 0, epoch) for epoch in (1, 2))
    for order in (first, second):
        assert np.bincount(labels[order]).tolist() == [30, 30]
        assert np.bincount(order[labels[order] == 0]).tolist() == [3] * 10
        assert np.bincount(order).max() == 3
    assert set(first) != set(second), "another part of the fakes in each epoch"
    assert sorted(epoch_order(labels, "loss", 0, 1)) == list(range(60))


@pytest.mark.parametrize(("rows", "size", "world"), [(20, 8, 1), (20, 8, 2), (5, 8, 2), (1, 4, 1), (16, 4, 4)])
def test_processes_share_the_same_batches(rows, size, world):
    order = np.arange(rows)[::-1].copy()
    parts = [split_batches(order, size, rank, world) for rank in range(world)]
    joined = [[row for share in shares for row in share] for shares in zip(*parts, strict=True)]
    used = min(size, rows // world * world)
    assert joined == [order[i : i + used].tolist() for i in range(0, rows - used + 1, used)]
    assert joined
    assert len({len(share) for part in parts for share in part}) == 1


def test_learning_rate_schedules():
    cosine = [learning_rate(SETTINGS, step, 10) for step in range(10)]
    assert cosine[0] == SETTINGS.learning_rate
    assert cosine[5] == pytest.approx(SETTINGS.learning_rate / 2)
    assert cosine == sorted(cosine, reverse=True)
    assert learning_rate(SETTINGS.replace(schedule="constant"), 9, 10) == SETTINGS.learning_rate


def test_weights_that_the_last_step_breaks_end_the_run(toy, monkeypatch):
    trained = loop._Loop._train

    def broken(self, *arguments):
        found = trained(self, *arguments)
        next(self.prepared.method.parameters()).data.fill_(float("inf"))
        return found  # whose loss is finite

    monkeypatch.setattr(loop._Loop, "_train", broken)
    with pytest.raises(ParameterError, match=r"after epoch 1, weights are not finite \(first: .*not kept"):
        list(train(SETTINGS, toy, progress=False))
    assert not list((toy.checkpoints / "run").glob("epoch_*"))


def test_a_loss_that_is_no_number_ends_the_run_and_keeps_what_is_done(toy, monkeypatch):
    forward = Binary.forward

    def broken(self, batch):
        step = forward(self, batch)
        return step._replace(loss=step.loss * float("nan"))

    epochs = train(SETTINGS, toy, progress=False)
    next(epochs)
    monkeypatch.setattr(Binary, "forward", broken)
    with pytest.raises(
        ParameterError, match=r"mean loss of epoch 2 is nan; this epoch is not kept.*Lower learning_rate"
    ):
        next(epochs)
    folder = toy.checkpoints / "run"
    assert pd.read_csv(folder / "history.csv")["epoch"].tolist() == [1]
    assert not (folder / "epoch_002.safetensors").exists()
    monkeypatch.setattr(Binary, "forward", forward)
    assert [epoch.number for epoch in run(toy)] == [1, 2, 3]


def test_rate_is_halved_by_validation_and_after_a_stop_too(tmp_path):
    from toy import make_workspace

    noise = make_workspace(tmp_path, signal=0.0)  # nothing to learn: the validation loss rises sooner or later
    settings = SETTINGS.replace(epochs=7, schedule="constant", learning_rate=0.03, halve_rate=True)
    for epoch in train(settings, noise, progress=False):
        if epoch.number == 5:
            break
    list(train(settings, noise, progress=False))
    history = pd.read_csv(noise.checkpoints / "run" / "history.csv")
    losses = history["val_loss"].tolist()
    shares = [0.5 ** halvings(losses[:number]) for number in range(7)]
    assert history["learning_rate"].tolist() == pytest.approx([0.03 * share for share in shares])
    assert shares[5:] == [0.5, 0.5]


def test_best_epoch_goes_by_auc_then_loss_then_earlier():
    def entry(epoch, auc_video, loss):
        return {"epoch": epoch, "val": {"auc_video": auc_video, "loss": loss}}

    nan = float("nan")
    assert best_entry([entry(1, 0.7, 0.1), entry(2, 0.8, 0.9)])["epoch"] == 2
    assert best_entry([entry(1, 0.8, 0.5), entry(2, 0.8, 0.4)])["epoch"] == 2
    assert best_entry([entry(1, 0.8, 0.4), entry(2, 0.8, 0.4)])["epoch"] == 1
    assert best_entry([entry(1, nan, 0.4), entry(2, 0.1, 0.9)])["epoch"] == 2
    assert best_entry([entry(1, nan, nan), entry(2, nan, 0.9)])["epoch"] == 2
    assert best_entry([{"epoch": 1, "val": {"loss": 0.2}}, {"epoch": 2, "val": {"loss": 0.1}}])["epoch"] == 2


def test_gradient_clipping_reports_the_norm(toy):
    assert run(toy, epochs=1, gradient_clip=0.01)[0].train["grad_norm"] > 0.01


# -- mistakes ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"detector": "mesonet"}, UnknownNameError, "Did you mean 'mesonet4'"),
        ({"method": "binnary"}, UnknownNameError, "Did you mean 'binary'"),
        ({"detector_options": {"dropuot": 0.1}}, ParameterError, "Did you mean 'dropout'"),
        ({"method_options": {"smoothing": 0.1}}, ParameterError, "no setting 'smoothing'.*'label_smoothing'"),
        ({"dataset": "toi"}, DataNotFoundError, "Extracted data sets: toy"),
    ],
)
def test_mistakes_stop_before_anything_is_written(toy, changes, error, message):
    with pytest.raises(error, match=message):
        train(SETTINGS.replace(**changes), toy)
    assert not list(toy.checkpoints.iterdir())


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a GPU")
def test_gpu_that_is_not_there(toy):
    with pytest.raises(DeviceError, match="'cuda' was asked for"):
        train(SETTINGS.replace(device="cuda"), toy)


def change_splits(toy, change):
    path = toy.labels / "toy/splits.csv"
    splits = pd.read_csv(path, dtype="str")
    change(splits)
    splits.to_csv(path, index=False)


def test_a_group_in_two_splits_is_refused(toy):
    def leak(splits):
        splits.loc[splits["video_id"] == "toy/real/train00.mp4", "split"] = "val"

    change_splits(toy, leak)
    with pytest.raises(SplitLeakError, match=r"1 identity.*'toy/train00' in train, val"):
        prepare(SETTINGS, toy)


def test_a_video_named_twice_is_refused(toy):
    def repeat(splits):
        splits.loc[1, "video_id"] = splits.loc[0, "video_id"]

    change_splits(toy, repeat)
    with pytest.raises(SplitLeakError, match="1 videos appear twice"):
        prepare(SETTINGS, toy)


def test_an_empty_split_says_what_is_there(toy):
    def no_val(splits):
        splits.loc[splits["split"] == "val", "split"] = "test"

    change_splits(toy, no_val)
    with pytest.raises(TableError, match=r"its val split has 0 real and 0 fake.*test: 20 files, train: 16 files"):
        prepare(SETTINGS, toy)


def test_a_training_split_of_one_class_is_refused(toy):
    path = toy.labels / "toy/videos.csv"
    videos = read_table("video", path)
    write_table("video", videos.assign(label=1), path)
    with pytest.raises(TableError, match="its train split has 0 real and 48 fake samples"):
        prepare(SETTINGS, toy)


def test_no_splits_file(toy):
    (toy.labels / "toy/splits.csv").unlink()
    with pytest.raises(DataNotFoundError, match="01_data_extraction"):
        prepare(SETTINGS, toy)


def test_validation_of_one_class_has_no_auc_but_a_best_epoch(toy):
    path = toy.labels / "toy/videos.csv"
    videos = read_table("video", path)
    only_fake = (videos["split"] == "val") & (videos["label"] == 0)
    write_table("video", videos[~only_fake], path)
    epochs = run(toy, epochs=2)
    assert np.isnan(epochs[0].val["auc_video"])
    best = json.loads((toy.checkpoints / "run/best.json").read_text())
    assert best["epoch"] == min(epochs, key=lambda epoch: epoch.val["loss"]).number
    assert best["val"]["auc_video"] is None


def test_full_disk_says_so(toy, monkeypatch):
    import errno

    def full(self, target):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("pathlib.Path.replace", full)
    with pytest.raises(OutputError, match="The disk is full"):
        run(toy, epochs=1)


def test_read_only_folder_says_so(toy, monkeypatch):
    import errno

    def read_only(self, *args, **kwargs):
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr("pathlib.Path.mkdir", read_only)
    with pytest.raises(OutputError, match="read-only"):
        run(toy, epochs=1)


# -- stopping and going on ---------------------------------------------------------------------------------------------


def test_a_finished_run_is_not_trained_again(toy, monkeypatch):
    first = run(toy)
    monkeypatch.setattr("dfworkbench.training.loop._Loop._train", None)
    assert run(toy) == first


@pytest.mark.parametrize(
    "changes",
    [
        {"detector": "mesonet4"},
        {"detector": "mesoinception4"},
        {"detector": "mesonet4_lstm", "detector_options": ["clip_length=3"]},
        {"detector": "efficientnet_b0", "frames_per_video": 1},  # slow, so it gets a third of the pictures
    ],
    ids=lambda changes: changes["detector"],
)
def test_break_leaves_a_run_that_goes_on(toy, changes):
    whole = run(toy, name="whole", **changes)
    for epoch in train(SETTINGS.replace(**changes), toy, progress=False):
        if epoch.number == 2:
            break
    assert load_detector("run", workspace=toy).metadata["epoch"] in (1, 2)
    continued = run(toy, **changes)
    weights, others = (load_detector(name, epoch=3, workspace=toy).detector.state_dict() for name in ("run", "whole"))
    assert all(torch.equal(weights[key], others[key]) for key in weights)
    assert [epoch.val for epoch in continued] == [epoch.val for epoch in whole]
    assert [epoch.train for epoch in continued] == [epoch.train for epoch in whole]


def test_two_processes_do_not_train_one_run(toy):
    """The second would overwrite the first, epoch by epoch, and both would end without a word."""
    first = train(SETTINGS, toy, progress=False)
    next(first)
    done = (toy.checkpoints / "run/epoch_001.safetensors").read_bytes()
    command = [sys.executable, "-m", "dfworkbench", "train", "--dataset", "toy", "--name", "run", "--epochs", "3"]
    command += ["--size-px", "64", "--batch-size", "8", "--learning-rate", "3e-3", "--threads", "1", "--device", "cpu"]
    second = subprocess.run(
        command, env={**os.environ, "DFWORKBENCH_HOME": str(toy.root)}, capture_output=True, text=True
    )
    assert second.returncode == 2
    assert f"process {os.getpid()}" in second.stderr
    assert "since" in second.stderr
    assert (toy.checkpoints / "run/epoch_001.safetensors").read_bytes() == done
    assert [epoch.number for epoch in first] == [2, 3]
    assert not (toy.checkpoints / "run/.lock.json").exists()
    assert len(run(toy)) == 3, "a finished run is read, whoever holds it"


def test_other_settings_under_the_same_name_are_refused(toy):
    run(toy, epochs=1, schedule="constant")
    with pytest.raises(ParameterError, match=r"'run' exists already .*learning_rate was 0.003, is 0.01.*another name"):
        run(toy, epochs=1, schedule="constant", learning_rate=0.01)
    assert len(run(toy, epochs=2, schedule="constant", workers=1)) == 2, "a constant rate can go on for more epochs"
    assert len(run(toy, epochs=1, schedule="constant")) == 1


def test_other_data_under_the_same_name_is_refused(toy):
    run(toy, epochs=1)

    def move(splits):
        splits["split"] = splits["split"].replace({"val": "test", "test": "val"})

    change_splits(toy, move)
    with pytest.raises(ParameterError, match="started on other data: the splits"):
        run(toy, epochs=1)


def test_damaged_resume_file_says_what_to_do(toy):
    run(toy, epochs=1)
    path = toy.checkpoints / "run/resume.pt"
    whole = path.read_bytes()
    for damaged in (whole[:1000], b"", b"nonsense"):
        path.write_bytes(damaged)
        with pytest.raises(CheckpointError, match=r"resume.pt cannot be read .* delete the folder"):
            run(toy, epochs=1)
    torch.save({"format": "other"}, path)
    with pytest.raises(CheckpointError, match="another format"):
        run(toy, epochs=1)


def test_resume_file_runs_no_code(toy):
    run(toy, epochs=1)
    torch.save({"format": pytest.approx}, toy.checkpoints / "run/resume.pt")
    with pytest.raises(CheckpointError, match=r"resume.pt cannot be read"):
        run(toy, epochs=1)


def test_command_line(toy, tmp_path, capsys):
    file = tmp_path / "settings.json"
    file.write_text(json.dumps(SETTINGS.replace(epochs=1).model_dump(mode="json")))
    assert main(["train", "--settings", str(file)]) == 0
    assert "epoch 1/1: train loss" in capsys.readouterr().out
    file.write_text('{"epoch": 1}')
    assert main(["train", "--settings", str(file)]) == 2
    assert "Did you mean 'epochs'" in capsys.readouterr().err
    assert main(["train", "--settings", str(tmp_path / "none.json")]) == 2
