"""Recipe switches of training: what is trained, averaged weights, pairs in a batch, losses of features."""

import copy
import json
import re

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

from dfworkbench.core.errors import ParameterError, TableError
from dfworkbench.datasets.genuine import genuine_samples
from dfworkbench.datasets.tables import BOX_COLUMNS, read_table, write_table
from dfworkbench.models import build_detector
from dfworkbench.runs.checkpoints import load_detector
from dfworkbench.training import TrainSettings, prepare, train
from dfworkbench.training.averaging import average_of
from dfworkbench.training.batches import paired_order, split_batches
from dfworkbench.training.binary import Binary
from dfworkbench.training.trainable import freeze_others
from dfworkbench.training.unit_sphere import alignment_and_uniformity, kept_features

SETTINGS = TrainSettings(
    dataset="toy", size_px=32, epochs=2, batch_size=8, learning_rate=3e-3, threads=1, name="run", device="cpu"
)


def weights_of(toy, name="run", epoch=None):
    return load_detector(name, epoch=epoch, workspace=toy).detector.state_dict()


# what is trained


@pytest.mark.parametrize(
    ("detector", "trainable", "parts"),
    [
        ("timm:test_vit", "norm", ("norm", "head")),
        ("timm:test_vit", "head", ("head",)),
        ("timm:resnet10t", "norm", ("bn", "downsample.2", "conv1.1", "conv1.4", "head")),  # norms in Sequentials too
        ("mesonet4", "norm", (".2.weight", ".2.bias", "head")),
        ("mesonet4", "all", ("",)),
    ],
)
def test_trained_weights_are_those_of_the_named_parts(detector, trainable, parts):
    network = build_detector(detector, size_px=64)
    freeze_others(network, trainable)
    for name, weight in network.named_parameters():
        assert weight.requires_grad == any(part in name for part in parts), name


def test_frozen_weights_stay_frozen():
    network = build_detector("mesonet4", size_px=32)
    network.head[1].bias.requires_grad_(False)
    freeze_others(network, "head")
    assert not network.head[1].bias.requires_grad


@pytest.mark.parametrize("trainable", ["norm", "head"])
def test_only_these_weights_change_in_training(toy, trainable):
    settings = SETTINGS.replace(trainable=trainable, epochs=1, weight_decay=0.1, sam_rho=0.05)
    before = copy.deepcopy(prepare(settings, toy).method.detector.state_dict())
    list(train(settings, toy, progress=False))
    after = weights_of(toy)
    for name, value in after.items():
        in_norm = re.match(r"trunk\.\d\.2\.", name) is not None
        may_change = name.startswith("head") or (trainable == "norm" and in_norm)
        assert torch.equal(value, before[name]) != may_change, name


def test_a_detector_without_such_parts_is_refused():
    class Bare(nn.Module):
        def __init__(self):
            super().__init__()
            self.body, self.top = nn.Linear(4, 4), nn.Linear(4, 1)

    with pytest.raises(ParameterError, match=r"Bare has no part named head or classifier.*trainable = 'all'"):
        freeze_others(Bare(), "head")
    bare = Bare()
    bare.head = bare.top
    with pytest.raises(ParameterError, match=r"no normalisation layers"):
        freeze_others(bare, "norm")


# averaged weights


def test_average_follows_the_formula():
    torch.manual_seed(0)
    method = nn.BatchNorm1d(3)
    average = average_of(method, 0.9)
    expected = None
    for n in range(30):
        with torch.no_grad():
            for value in (method.weight, method.running_mean):
                value.copy_(torch.randn(3))
            method.num_batches_tracked += 1
        average.update_parameters(method)
        now = torch.stack([method.weight.detach(), method.running_mean]).double()
        d = min(0.9, (1 + n) / (10 + n))
        expected = now if expected is None else d * expected + (1 - d) * now
    found = torch.stack([average.module.weight, average.module.running_mean]).double()
    assert torch.allclose(found, expected, atol=1e-6)
    assert average.module.num_batches_tracked == 30
    assert not average.module.training


def test_averaged_weights_are_saved_and_validated(toy):
    list(train(SETTINGS.replace(ema_decay=0.9), toy, progress=False))
    state = torch.load(toy.checkpoints / "run/resume.pt", weights_only=True)
    saved = weights_of(toy, epoch=2)
    of_average = {name: state["average"][f"module.detector.{name}"] for name in saved}
    assert all(torch.equal(saved[name], of_average[name]) for name in saved)
    assert not torch.equal(saved["head.4.weight"], state["method"]["detector.head.4.weight"])
    scores = pd.read_parquet(toy.checkpoints / "run/scores/val_epoch_002.parquet")
    method, data = prepare(SETTINGS, toy).method, prepare(SETTINGS, toy).val
    method.detector.load_state_dict(saved)
    batch = {"images": torch.stack([data[row]["images"] for row in range(len(data))])}
    with torch.inference_mode():
        assert method.eval().predict(batch).logit.tolist() == pytest.approx(scores["logit"].tolist(), abs=1e-5)


def test_a_run_with_averaged_weights_continues_bit_for_bit(toy):
    everything = {"ema_decay": 0.9, "sam_rho": 0.05, "paired_batches": True, "optimizer": "sgd", "epochs": 3}
    method_options = {"alignment": 0.1, "uniformity": 0.5}
    settings = SETTINGS.replace(**everything, method_options=method_options)
    list(train(settings, toy, progress=False))
    for _ in train(settings.replace(name="stopped"), toy, progress=False):
        break
    torch.manual_seed(3)
    list(train(settings.replace(name="stopped"), toy, progress=False))
    for epoch in (2, 3):
        whole, stopped = (weights_of(toy, name, epoch) for name in ("run", "stopped"))
        assert all(torch.equal(whole[name], stopped[name]) for name in whole)
    states = [torch.load(toy.checkpoints / name / "resume.pt", weights_only=True) for name in ("run", "stopped")]
    for part in ("method", "average"):
        assert all(torch.equal(states[0][part][name], states[1][part][name]) for name in states[0][part])
    assert states[0]["average"]["n_averaged"] == 3 * 6, (
        "once a step, with both passes of SAM: 24 fakes, 4 pairs a batch"
    )


# pairs in a batch


def test_every_fake_is_in_a_batch_with_its_genuine_frame(toy):
    data = prepare(SETTINGS.replace(paired_batches=True), toy).train
    genuine = data.genuine_samples()
    rows = data.rows
    batches = split_batches(paired_order(genuine, 0, 1), 8)
    seen = []
    for batch in batches:
        real, fake = rows.iloc[batch[::2]], rows.iloc[batch[1::2]]
        assert real["label"].eq(0).all()
        assert fake["label"].eq(1).all()
        assert real["frame"].tolist() == fake["frame"].tolist()
        assert real["video_id"].tolist() == [v.replace("/fake0/", "/real/") for v in fake["video_id"]]
        seen += batch[1::2]
    assert sorted(seen) == np.flatnonzero(rows["label"] == 1).tolist()
    assert paired_order(genuine, 0, 1).tolist() != paired_order(genuine, 0, 2).tolist()


def samples_of(*rows):
    """Rows of (video, frame, left edge of a face of 10 px); a video "f…" is a fake of "r…"."""
    table = pd.DataFrame(rows, columns=["video_id", "frame", "box_x0"])
    table = table.assign(box_y0=0.0, box_x1=table["box_x0"] + 10.0, box_y1=10.0)
    table["label"] = table["video_id"].str.startswith("f").astype(int)
    videos = pd.DataFrame({"video_id": table["video_id"].unique()})
    videos["genuine_id"] = [v.replace("f", "r") if v.startswith("f") else "" for v in videos["video_id"]]
    assert set(BOX_COLUMNS) <= set(table)
    return table, videos


def test_pairs_show_the_same_face_or_else_the_nearest_frame():
    table, videos = samples_of(
        ("f1", 4, 50.0), ("f1", 9, 0.0), ("r1", 4, 0.0), ("r1", 4, 51.0), ("r1", 11, 0.0), ("r2", 9, 0.0)
    )  # fmt: skip
    assert genuine_samples(table, videos).tolist() == [3, 4, -1, -1, -1, -1]


def test_fakes_without_a_genuine_sample_are_named():
    table, videos = samples_of(("f1", 0, 0.0), ("r1", 0, 0.0), ("f2", 0, 0.0))
    with pytest.raises(TableError, match=r"(?s)for 1 of 2 fakes \(first: 'f2'\).*genuine_id.*paired_batches=false"):
        genuine_samples(table, videos)
    with pytest.raises(TableError, match="at least one fake"):
        genuine_samples(*samples_of(("r1", 0, 0.0)))


def test_a_data_set_that_knows_no_pairs_is_refused_before_training(toy):
    file = toy.labels / "toy/videos.csv"
    write_table("video", read_table("video", file).assign(genuine_id=""), file)
    with pytest.raises(TableError, match=r"for 8 of 8 fakes.*folders of faces"):
        prepare(SETTINGS.replace(paired_batches=True), toy)
    assert not (toy.checkpoints / "run").exists()


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"batch_size": 7}, "batch_size = 7, but pairs fill only even"),
        ({"method": "sbi", "balance": "none"}, "the method 'sbi' does not learn from the fakes"),
    ],
)
def test_settings_that_cannot_make_pairs_are_refused(toy, changes, said):
    with pytest.raises(ParameterError, match=said):
        prepare(SETTINGS.replace(paired_batches=True, **changes), toy)


# features on the unit sphere


def test_alignment_and_uniformity_of_known_vectors():
    label = torch.tensor([0, 0, 1, 1])
    features = torch.tensor([[2.0, 0.0], [0.0, 0.5], [-3.0, 0.0], [-1.0, 0.0]])
    found = alignment_and_uniformity(features, label)
    squared = [2, 4, 4, 2, 2, 0]
    assert float(found["alignment"]) == pytest.approx((2 + 0) / 2)
    assert float(found["uniformity"]) == pytest.approx(np.log(np.mean(np.exp(-2.0 * np.array(squared)))))


def test_a_batch_without_pairs_costs_nothing():
    features = torch.ones(1, 4, requires_grad=True)
    found = alignment_and_uniformity(features, torch.tensor([1]))
    assert [float(value.detach()) for value in found.values()] == [0, 0]
    sum(found.values()).backward()
    assert not features.grad.any()


def test_feature_losses_are_added_in_training_alone():
    torch.manual_seed(0)
    detector = build_detector("timm:resnet10t", size_px=32)
    method = Binary(detector, alignment=0.1, uniformity=0.5)
    batch = {"images": torch.randint(0, 256, (4, 3, 32, 32), dtype=torch.uint8), "label": torch.tensor([0, 1, 1, 0])}
    step = method.train()(batch)
    expected = step.parts["bce"] + 0.1 * step.parts["alignment"] + 0.5 * step.parts["uniformity"]
    assert float(step.loss) == pytest.approx(float(expected), abs=1e-6)
    assert "features" not in vars(detector), "the detector is as it was"
    still = method.eval()(batch)
    assert set(still.parts) == {"bce"}
    assert float(still.loss) == float(still.parts["bce"])
    assert set(Binary(detector, uniformity=0.5).train()(batch).parts) == {"bce", "uniformity"}


def test_features_are_those_of_the_logit():
    detector = build_detector("timm:resnet10t", size_px=32).eval()
    with kept_features(detector) as kept:
        logit = detector(torch.zeros(2, 3, 32, 32)).logit
    assert torch.equal(detector.head(kept[0]).squeeze(1), logit)


def test_a_detector_that_never_computes_features_is_refused():
    class Opaque(nn.Module):
        def __init__(self):
            super().__init__()
            self.input_spec = build_detector("mesonet4", size_px=32).input_spec
            self.inner = build_detector("mesonet4", size_px=32)

        def features(self, images):
            raise AssertionError

        def forward(self, images):
            return self.inner(images)

    batch = {"images": torch.zeros(2, 3, 32, 32, dtype=torch.uint8), "label": torch.tensor([0, 1])}
    with pytest.raises(ParameterError, match="Opaque: it scores pictures without calling"):
        Binary(Opaque(), alignment=0.1).train()(batch)


@pytest.mark.parametrize("name", ["resnet18", "efficientnet_b0", "timm:resnet10t"])
def test_with_unit_features_only_their_direction_counts(name):
    picture, logits = torch.zeros(1, 3, 32, 32), {}
    for unit in (False, True):
        torch.manual_seed(0)
        detector = build_detector(name, size_px=32, unit_features=unit).eval()
        vector = torch.randn_like(detector.features(picture))
        for times in (1, 3):
            detector.features = lambda images, found=times * vector: found
            logits[unit, times] = float(detector(picture).logit.detach())
    assert logits[True, 1] == pytest.approx(logits[True, 3], abs=1e-6)
    assert abs(logits[False, 1] - logits[False, 3]) > 1e-3


def test_switches_at_their_defaults_rename_no_run():
    plain = TrainSettings(dataset="toy")
    named = TrainSettings(dataset="toy", trainable="all", ema_decay=0.0, paired_batches=False)
    assert plain.model_name == named.model_name
    changes = [
        {"trainable": "norm"},
        {"ema_decay": 0.99},
        {"paired_batches": True},
        {"method_options": {"alignment": 0.1}},
    ]
    assert len({plain.replace(**change).model_name for change in [{}, *changes]}) == 5
    stored = json.loads(plain.model_dump_json())
    old = {name: value for name, value in stored.items() if name not in ("trainable", "ema_decay", "paired_batches")}
    assert not plain.changed_fields(old), "runs from before the switches are continued"
