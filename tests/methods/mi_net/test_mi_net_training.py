"""Training of Exposing the Deception: which loss moves what, what is mixed, logged, resumed and refused."""

import json
import re
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn
from toy import make_workspace

from dfworkbench.__main__ import main
from dfworkbench.core.errors import ParameterError
from dfworkbench.core.input_spec import InputSpec
from dfworkbench.methods.mi_net.augment import ClueAugment
from dfworkbench.methods.mi_net.loss_weights import AutomaticWeights
from dfworkbench.methods.mi_net.training import SCALES, MiNetTraining, _accuracy
from dfworkbench.models import DETECTORS, build_detector
from dfworkbench.models.prediction import Prediction
from dfworkbench.notebook.flags import given_settings
from dfworkbench.training import TrainSettings, prepare, train
from dfworkbench.training.registry import build_method

SETTINGS = TrainSettings(
    dataset="toy", detector="mi_net_mobilenet", size_px=32, detector_options={"blocks": 2, "dropout": 0.2}, epochs=1, batch_size=8,
    frames_per_video=1, threads=1, name="run", device="cpu", learning_rate=1e-3,
)  # fmt: skip


class Blocks(nn.Module):
    """The outputs and heads of an MI_Net over three blocks that are one linear layer each."""

    trained_by = "mi_net"

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.input_spec = InputSpec(size_px=8)
        self.trunks = nn.ModuleList(nn.Linear(192, 5) for _ in range(3))
        self.fusion, self.classifier = nn.Linear(15, 5), nn.Linear(5, 2)
        self.joint_head = nn.Linear(15, 2)
        self.left_out_heads = nn.ModuleList(nn.Linear(10, 2) for _ in range(3))

    def forward(self, images):
        self.seen = images.detach().clone()
        local = torch.stack([trunk(images.flatten(1)) for trunk in self.trunks], dim=1)
        logits = self.classifier(self.fusion(local.flatten(1)))
        kept = [[j for j in range(3) if j != i] for i in range(3)]
        left_out = [head(local[:, k].flatten(1)) for head, k in zip(self.left_out_heads, kept, strict=True)]
        aux = {
            "class_logits": logits,
            "joint_logits": self.joint_head(local.flatten(1)),
            "left_out_logits": torch.stack(left_out, 1),
        }
        return Prediction(logits[:, 1] - logits[:, 0], aux)


def batch(labels=(0, 1, 1, 0, 1, 1)):
    images = torch.randint(
        0, 256, (len(labels), 3, 8, 8), generator=torch.Generator().manual_seed(1), dtype=torch.uint8
    )
    return {"images": images, "label": torch.tensor(labels), "row": torch.arange(len(labels))}


def small(**options):
    return MiNetTraining(Blocks(), **{"mixup": 0, **options}).train()


def moved(method, part=None):
    """Names of the detector's children that a step, or a part of it, gives a gradient."""
    method.zero_grad()
    step = method(batch())
    (step.loss if part is None else step.parts[part]).backward()
    grads = {name: p.grad for name, p in method.detector.named_parameters()}
    return {name.split(".")[0] for name, grad in grads.items() if grad is not None and grad.abs().max() > 0}


def test_which_part_moves_what():
    method = small()
    blocks = {"trunks"}
    assert moved(method, "bce") == moved(method, "global_information") == blocks | {"fusion", "classifier"}
    assert moved(method, "local_information") == moved(method, "left_out_bce") == blocks | {"left_out_heads"}
    assert moved(method, "joint_bce") == blocks | {"joint_head"}
    assert moved(method) == {name for name, _ in method.detector.named_children()}


@pytest.mark.parametrize(
    ("options", "idle"),
    [
        ({"global_loss": False}, set()),  # the head of all blocks is trained although only the local loss is on
        ({"global_loss": False, "train_joint_head": "global"}, {"joint_head"}),
        ({"local_loss": False}, {"left_out_heads"}),
        ({"local_loss": False, "train_joint_head": "global"}, {"left_out_heads"}),
        ({"local_loss": False, "global_loss": False}, {"joint_head", "left_out_heads"}),
    ],
)
def test_heads_that_no_loss_needs_are_frozen(options, idle):
    method = small(**options)
    everything = {name for name, _ in method.detector.named_children()}
    assert moved(method) == everything - idle
    frozen = {name.split(".")[0] for name, p in method.detector.named_parameters() if not p.requires_grad}
    assert frozen == idle
    grouped = {id(p) for group in method.parameter_groups(0.1, 0.0) for p in group["params"]}
    assert grouped == {id(p) for p in method.parameters() if p.requires_grad}
    parts = method(batch()).parts
    assert ("joint_bce" in parts, "left_out_bce" in parts) == ("joint_head" not in idle, "left_out_heads" not in idle)


def test_the_loss_is_the_weighted_sum_of_its_parts():
    for options, factors in (
        ({"weighting": "sum"}, (1, 1, 1)),
        ({"weighting": "scales"}, (1, 2, 10)),
        ({"weighting": "scales", "scales": {"local": 3, "classification": 0.5}}, (0.5, 2, 3)),
    ):
        step = small(**options)(batch())
        parts = [step.parts[name] for name in ("classification", "global_information", "local_information")]
        assert step.loss.item() == pytest.approx(
            sum(f * p.item() for f, p in zip(factors, parts, strict=True)), rel=1e-6
        )
        shares = [step.shares[f"weight_{name}"].item() for name in ("classification", "global", "local")]
        assert shares == pytest.approx(factors)
    assert isinstance(small().weights, AutomaticWeights)
    step = small()(batch())
    halves = sum(step.parts[name].item() / 2 for name in ("classification", "global_information", "local_information"))
    assert step.loss.item() == pytest.approx(halves + 3 * np.log(2), rel=1e-6)
    heads = step.parts["bce"] + step.parts["joint_bce"] + 3 * step.parts["left_out_bce"]
    assert step.parts["classification"].item() == pytest.approx(heads.item(), rel=1e-6)


def test_class_weights_and_smoothing_act_as_in_plain_training():
    method = small(local_loss=False, global_loss=False, weighting="sum", label_smoothing=0.1)
    method.balance_classes([0, 1, 1, 1])
    given = batch()
    step = method(given)
    assert step.loss.item() == pytest.approx(method.cross_entropy(step.logit, given["label"]).item(), rel=1e-6)
    plain = small(local_loss=False, global_loss=False, weighting="sum")(given)
    assert abs(step.loss.item() - plain.loss.item()) > 1e-3


def test_pictures_and_labels_are_mixed_alike_while_training():
    method, given = small(mixup=0.5), batch()
    method.eval()
    still = method(given)
    unmixed = method.detector.seen
    assert still.logit is not None
    assert "weight_local" not in still.shares
    assert torch.equal(method(given).loss, still.loss)
    method.train()
    torch.manual_seed(4)
    step = method(given)
    assert step.logit is None  # the loop would compare it with the wrong labels
    assert 0 <= step.shares["accuracy"] <= 1
    torch.manual_seed(4)
    share = torch.distributions.Beta(0.5, 0.5).sample()
    order = torch.randperm(6)
    torch.testing.assert_close(method.detector.seen, share * unmixed + (1 - share) * unmixed[order])
    # the same mixed pictures with either label, and the losses that know no label
    torch.manual_seed(4)
    own = _losses_of(method, given["label"])
    other = _losses_of(method, given["label"][order])
    assert step.parts["classification"].item() == pytest.approx(
        (share * own["classification"] + (1 - share) * other["classification"]).item(), rel=1e-5
    )
    for name in ("global_information", "local_information"):
        assert step.parts[name].item() == pytest.approx(own[name].item(), rel=1e-5)


def _losses_of(method, labels):
    """Parts for the pictures that the detector saw last, with other labels."""
    prepared, images = method.detector.seen, (method.detector.seen * 255).round().clamp(0, 255).to(torch.uint8)
    quiet = MiNetTraining(method.detector, mixup=0)
    forward = method.detector.forward
    method.detector.forward = lambda _: forward(prepared)
    try:
        return quiet({"images": images, "label": labels, "row": torch.arange(len(labels))}).parts
    finally:
        del method.detector.forward


def test_accuracy_of_mixed_samples_counts_both_labels():
    logits = torch.tensor([[0.0, 1], [0, 1], [1, 0], [0, 0]])  # a tie is real
    assert _accuracy(logits, torch.tensor([1.0, 0.25, 0.25, 0.0])).item() == pytest.approx((1 + 0.25 + 0.75 + 1) / 4)


@pytest.mark.parametrize("name", ["global", "local"])
def test_each_loss_falls_by_itself_and_leaves_the_joint_head(name):
    """The global vector comes nearer to what all blocks know; heads that miss a block go away from it."""
    method = small(weighting="scales", scales={**dict.fromkeys(SCALES, 0.0), name: 1.0})
    joint = method.detector.joint_head.weight.detach().clone()
    optimizer = torch.optim.Adam(method.parameter_groups(3e-3, 0.0))
    losses = []
    for _ in range(30):
        step = method(batch())
        optimizer.zero_grad()
        step.loss.backward()
        optimizer.step()
        losses.append(step.parts[f"{name}_information"].item())
    assert losses[-1] < 0.9 * losses[0]
    assert torch.equal(method.detector.joint_head.weight, joint)


@pytest.mark.parametrize("value", ["False", "false", "True", 0, 1, None])
@pytest.mark.parametrize("name", ["local_loss", "global_loss"])
def test_a12b_only_true_and_false_are_switches(name, value):
    with pytest.raises(ParameterError, match=rf"{name} = {value!r}: .*boolean"):
        build_method("mi_net", Blocks(), **{name: value})


def test_a12b_false_is_false_in_settings_and_on_the_command_line(toy, capsys):
    settings = SETTINGS.replace(method_options={"local_loss": False, "mixup": 0})
    method = prepare(settings, toy).method
    own = method.settings
    assert (own.local_loss, own.global_loss, own.mixup) == (False, True, 0)
    with pytest.raises(ParameterError, match=r"local_loss = 'False'.*boolean"):
        prepare(SETTINGS.replace(method_options={"local_loss": "False"}), toy)
    flags = SimpleNamespace(**{"setting.method_options": ['local_loss=false, scales={"local": 3}, weighting=scales']})
    method = prepare(SETTINGS.replace(method_options=given_settings("train", flags).method_options), toy).method
    assert not method.settings.local_loss
    assert method.weights.factors()["global"] == 2
    words = [
        "train",
        "--dataset",
        "toy",
        "--detector",
        "mi_net_mobilenet",
        "--size-px",
        "32",
        "--detector-options",
        "blocks=2",
    ]
    assert main([*words, "--method-options", "global_loss=False", "--epochs", "1"]) == 2
    assert re.search("global_loss = 'False'.*boolean", capsys.readouterr().err)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"mixup": True}, ParameterError, "mixup = True.*number"),
        ({"mixup": "0.5"}, ParameterError, "mixup = '0.5'"),
        ({"mixup": float("nan")}, ParameterError, "mixup = nan"),
        ({"temperature": 0}, ParameterError, "temperature = 0: .*0.01"),
        ({"weights_rate": -1}, ParameterError, "weights_rate = -1"),
        ({"distance": "w"}, ParameterError, "distance = 'w'.*'wasserstein'"),
        ({"direction": "reverse"}, ParameterError, "direction = 'reverse'.*'forward'"),
        ({"weighting": "auto"}, ParameterError, "weighting = 'auto'.*'automatic'"),
        ({"weighting": "scales", "scales": [1, 2, 10]}, ParameterError, r"scales = \[1, 2, 10\].*dictionary"),
        ({"weighting": "scales", "scales": {"gil": 2}}, ParameterError, "'gil'.*'local'"),
        ({"weighting": "scales", "scales": {"local": "10"}}, ParameterError, "scales.local = '10'"),
        ({"scales": {"local": 1}}, ParameterError, 'set weighting="scales"'),
        ({"clue_augment": 3}, ParameterError, "clue_augment = 3.*dictionary"),
        ({"clue_augment": {"jpg": 1}}, ParameterError, "no setting 'jpg'. Did you mean 'jpeg'"),
    ],
)
def test_mistakes_are_named(options, error, message):
    with pytest.raises(error, match=message):
        MiNetTraining(Blocks(), **options)


def test_other_detectors_are_refused():
    with pytest.raises(ParameterError, match="needs outputs that this detector does not have"):
        build_method("mi_net", build_detector("mesonet4"))


def test_published_settings():
    settings = TrainSettings.published("mi_net", dataset="toy")
    assert settings.method_name == "mi_net"
    assert (settings.learning_rate, settings.weight_decay, settings.batch_size) == (1e-3, 1e-6, 256)
    assert settings.build_options() == {"weights": "imagenet", "bgr": True}
    method = small(mixup=0.5)
    assert isinstance(method.train_transform(), ClueAugment)
    assert method.eval_transform() is None
    groups = method.parameter_groups(settings.learning_rate, settings.weight_decay)
    assert (groups[-1]["lr"], groups[-1]["weight_decay"], len(groups[-1]["params"][0])) == (1e-3, 0.0, 3)
    assert small(weights_rate=0.01).parameter_groups(1e-4, 0.0)[-1]["lr"] == 0.01


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    return make_workspace(tmp_path_factory.mktemp("mi_net"), frames=1)


def test_a_resumed_run_keeps_its_weights(shared, monkeypatch):
    """Stopped after the first of two epochs and continued, all is as if it had not been: automatic weights too."""
    monkeypatch.setitem(DETECTORS, "three_blocks", Blocks)
    options = SETTINGS.replace(
        detector="three_blocks", size_px=None, detector_options={}, epochs=2, method_options={"weights_rate": 0.05}
    )
    (_, last) = train(options.replace(name="whole"), shared, progress=False)
    first = next(train(options.replace(name="halves"), shared, progress=False))
    (_, again) = train(options.replace(name="halves"), shared, progress=False)
    assert again.train == last.train
    assert again.val == last.val
    stored = [
        torch.load(shared.checkpoints / name / "resume.pt", weights_only=True)["method"] for name in ("whole", "halves")
    ]
    assert stored[0]["weights.p"].shape == (3,)
    assert (stored[0]["weights.p"] - 1).abs().min() > 1e-3
    assert all(torch.equal(stored[0][name], stored[1][name]) for name in stored[0])
    expected = {
        "loss", "classification", "bce", "joint_bce", "left_out_bce", "global_information", "local_information", "accuracy",
        "joint_accuracy", "left_out_1_accuracy", "left_out_2_accuracy", "left_out_3_accuracy", "weight_classification",
        "weight_global", "weight_local",
    }  # fmt: skip
    assert expected == set(first.train)
    assert {"loss", "joint_accuracy", "left_out_1_accuracy", "auc_video"} <= set(last.val)
    assert not [name for name in last.val if name.startswith("weight_")]
    assert json.loads((shared.checkpoints / "whole" / "best.json").read_text())["epoch"] in (1, 2)


def test_a_real_detector_trains_and_automatic_weights_have_their_own_rate(shared):
    options = SETTINGS.replace(
        learning_rate=1e-4, method_options={"weights_rate": 0.05}, name="rates", schedule="constant"
    )
    (epoch,) = train(options, shared, progress=False)
    assert np.isfinite(epoch.train["loss"])
    assert epoch.train["weight_classification"] < 0.5  # p grows where the loss is above 1
    assert epoch.train["weight_global"] > 0.5
    groups = torch.load(shared.checkpoints / "rates" / "resume.pt", weights_only=True)["optimizer"]["param_groups"]
    assert [group["lr"] for group in groups] == pytest.approx([1e-4, 1e-4, 0.05])
