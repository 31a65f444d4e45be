"""Checkpoints of DeepfakeForensics-v1, against networks written here from its specification.

No real file is at hand, and the names of the layers inside are not known: files are made here with the structure that the
specification gives (shapes, numbers of entries, classifiers that are carried along unused), under two sets of names.
"""

import os
import pickle
from pathlib import Path

import pytest
import torch
from efficientnet_pytorch import EfficientNet
from torch import nn
from torch.nn import functional as F

from dfworkbench.core.errors import CheckpointError, DataNotFoundError, UnknownNameError
from dfworkbench.models import build_detector
from dfworkbench.runs.checkpoints import load_detector, save_detector
from dfworkbench.runs.released import load_released

MESONET = Path(os.environ.get("DFWORKBENCH_TRIALS", "")) / "weights" / "mesonet" / "Meso4_DF.h5"
#: Entries of the state dict, from the specification.
ENTRIES = {
    "mesonet4": 28, "efficientnet_b0": 362, "efficientnet_b3": 576,
    "mesonet4_lstm": 52, "efficientnet_b0_lstm": 388, "efficientnet_b3_lstm": 602,
}  # fmt: skip


class Meso(nn.Module):
    """MesoNet4; layers made block by block, or all convolutions first."""

    def __init__(self, blockwise=True):
        super().__init__()
        convs = [(3, 8, 3), (8, 8, 5), (8, 16, 5), (16, 16, 5)]
        makers = [
            [(f"conv{i}", nn.Conv2d(a, b, k, padding=k // 2, bias=False)) for i, (a, b, k) in enumerate(convs, 1)],
            [(f"bn{i}", nn.BatchNorm2d(b)) for i, (_, b, _) in enumerate(convs, 1)],
        ]
        pairs = (
            [pair for block in zip(*makers, strict=True) for pair in block] if blockwise else [*makers[0], *makers[1]]
        )
        for name, layer in pairs:
            self.add_module(name, layer)
        self.fc1, self.fc2 = nn.Linear(784, 16), nn.Linear(16, 1)

    def trunk(self, x):
        for i, pool in enumerate((2, 2, 2, 4), 1):
            x = F.max_pool2d(getattr(self, f"bn{i}")(F.relu(getattr(self, f"conv{i}")(x))), pool)
        return x.flatten(1)

    def forward(self, x):
        return self.fc2(F.leaky_relu(self.fc1(self.trunk(x)), 0.1))


class Efficient(nn.Module):
    def __init__(self, variant):
        super().__init__()
        self.base = EfficientNet.from_name(f"efficientnet-{variant}", image_size=224, include_top=False)
        self.fc1, self.fc2 = nn.Linear(self.base._conv_head.out_channels, 16), nn.Linear(16, 1)

    def trunk(self, x):
        return self.base.extract_features(x).flatten(1)

    def forward(self, x):
        x = self.base.extract_features(x).mean((2, 3))
        return self.fc2(F.leaky_relu(self.fc1(x), 0.1))


class Recurrent(nn.Module):
    """Backbone with its unused classifier, perhaps a projection, and as many LSTM layers as frames."""

    def __init__(self, backbone, features, hidden, project, frames=5):
        super().__init__()
        self.backbone = backbone
        self.project = nn.Sequential(nn.Linear(features, hidden), nn.LeakyReLU(0.1)) if project else nn.Identity()
        self.rnn = nn.LSTM(hidden if project else features, hidden, frames, batch_first=True)
        self.head1, self.head2 = nn.Linear(hidden, 16), nn.Linear(16, 1)

    def forward(self, clips):
        frames = self.project(self.backbone.trunk(clips.flatten(0, 1)))
        states, _ = self.rnn(frames.unflatten(0, clips.shape[:2]))  # zero state; the original draws one
        return self.head2(F.leaky_relu(self.head1(states[:, -1]), 0.1))


def original(name, frames=5):
    """The network of a variant with seeded weights, norms that have seen data, and an output that is not near zero."""
    torch.manual_seed(0)
    net = {
        "mesonet4": Meso,
        "mesonet4_convs_first": lambda: Meso(blockwise=False),
        "efficientnet_b0": lambda: Efficient("b0"),
        "efficientnet_b3": lambda: Efficient("b3"),
        "mesonet4_lstm": lambda: Recurrent(Meso(), 784, 128, False, frames),
        "efficientnet_b0_lstm": lambda: Recurrent(Efficient("b0"), 1280 * 49, 256, True),
        "efficientnet_b3_lstm": lambda: Recurrent(Efficient("b3"), 1536 * 49, 128, True),
    }[name]()
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.uniform_(-0.3, 0.3)
            module.running_var.uniform_(0.2, 1.5)
    return net.eval()


def save(path, net, prefix="", legacy=True, optimizer=None):
    """As the original does: a legacy torch pickle of two state dicts."""
    state = {prefix + key: value for key, value in net.state_dict().items()}
    torch.save({"model": state, "optimizer": optimizer or {}}, path, _use_new_zipfile_serialization=not legacy)
    return path


@pytest.fixture
def meso(tmp_path):
    return save(tmp_path / "checkpoint-39.pth.tar", original("mesonet4"))


@pytest.mark.parametrize("name", sorted(ENTRIES))
def test_logits_equal_those_of_the_original(tmp_path, name):
    net = original(name)
    assert len(net.state_dict()) == ENTRIES[name], "the structure of the specification"
    loaded = load_released("dfforensics", save(tmp_path / "checkpoint-3.pth.tar", net, prefix="module."))
    assert (loaded.name, loaded.detector.training) == (name, False)
    clip = (5,) if name.endswith("_lstm") else ()
    images = torch.randn(2, *clip, 3, 224, 224)
    with torch.inference_mode():
        logit, expected = loaded.detector(images).logit, net(images).squeeze(1)
    assert expected.abs().min() > 1e-3, "a wrong sign must show"
    torch.testing.assert_close(logit, expected, rtol=0, atol=1e-6)


def test_polarity_is_that_of_the_file(tmp_path):
    """The original's label 1 is fake: raising its output raises our log-odds of fake."""
    net = original("mesonet4")
    for bias in (5.0, -5.0):
        nn.init.constant_(net.fc2.bias, bias)
        loaded = load_released("dfforensics", save(tmp_path / "a.tar", net))
        with torch.inference_mode():
            logit = loaded.detector(torch.zeros(1, 3, 224, 224)).logit
        assert float(logit) * bias > 0


def test_equal_to_our_detector_with_the_same_tensors(tmp_path):
    net = original("mesonet4_convs_first")
    ours = build_detector("mesonet4").eval()
    for i in range(4):
        ours.trunk[i][0].load_state_dict(getattr(net, f"conv{i + 1}").state_dict())
        ours.trunk[i][2].load_state_dict(getattr(net, f"bn{i + 1}").state_dict())
    ours.head[1].load_state_dict(net.fc1.state_dict())
    ours.head[4].load_state_dict(net.fc2.state_dict())
    loaded = load_released("dfforensics", save(tmp_path / "a.tar", net, legacy=False), detector="mesonet4")
    images = torch.randn(3, 3, 224, 224)
    with torch.inference_mode():
        assert torch.equal(loaded.detector(images).logit, ours(images).logit)


def test_bare_dict_of_tensors_and_other_efficientnets(tmp_path):
    torch.save(Efficient("b1").state_dict(), tmp_path / "bare.pth")
    assert load_released("dfforensics", tmp_path / "bare.pth").name == "efficientnet_b1"


def test_the_optimizer_in_the_file_does_no_harm(tmp_path):
    net = original("mesonet4").train()
    adam = torch.optim.Adam(net.parameters(), lr=1e-4, weight_decay=1e-4)
    net(torch.randn(2, 3, 224, 224)).mean().backward()
    adam.step()
    path = save(tmp_path / "checkpoint-1.pth.tar", net, optimizer=adam.state_dict())
    assert 250_000 < path.stat().st_size < 350_000, "the real MesoNet4 files have 299,195 bytes"
    assert load_released("dfforensics", path).name == "mesonet4"


def test_input_spec_is_that_of_the_authors(meso, tmp_path):
    spec = load_released("dfforensics", meso).input_spec
    assert (spec.size_px, spec.channel_order, spec.value_range, spec.clip_length) == (224, "rgb", (0.0, 1.0), 1)
    assert (spec.mean, spec.std) == ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
    assert spec.crop_scale == pytest.approx(1.0467, abs=1e-4)  # margin 10 at 224 px: the box grows by 4.67 %
    assert (spec.region, spec.border, spec.fit, spec.interpolation) == ("sides", "clip", "stretch", "bilinear")
    assert spec.antialias
    assert spec.exact


def test_the_authors_crop_is_saved_with_the_weights(meso, tmp_path):
    loaded = load_released("dfforensics", meso)
    path = save_detector(tmp_path / "a.safetensors", loaded.detector, loaded.name, loaded.metadata["options"], {})
    assert load_detector(path).input_spec == loaded.input_spec


def test_clip_length_follows_the_lstm(tmp_path):
    loaded = load_released("dfforensics", save(tmp_path / "a.tar", original("mesonet4_lstm", frames=3)))
    assert loaded.input_spec.sample_shape() == (3, 3, 224, 224)
    images = torch.randn(1, 3, 3, 224, 224)
    with torch.inference_mode():
        assert torch.equal(loaded.detector(images).logit, loaded.detector(images).logit), "no random state"


# -- what is refused ---------------------------------------------------------------------------------------------------


class Attack:
    def __init__(self, target):
        self.target = target

    def __reduce__(self):
        return os.system, (f"touch {self.target}",)


@pytest.mark.parametrize("way", ["legacy", "zip", "pickle"])
def test_code_is_refused_and_not_run(tmp_path, way):
    bad, path = Attack(tmp_path / "ran"), tmp_path / "checkpoint-1.pth.tar"
    if way == "pickle":
        path.write_bytes(pickle.dumps(bad, protocol=2))
    else:
        content = {"model": original("mesonet4").state_dict(), "optimizer": bad}
        torch.save(content, path, _use_new_zipfile_serialization=way == "zip")
    with pytest.raises(CheckpointError, match=r"holds a pickled \w+\.system .*was not loaded"):
        load_released("dfforensics", path)
    assert not (tmp_path / "ran").exists()


def test_a_whole_pickled_network_is_refused(tmp_path):
    torch.save(original("mesonet4"), tmp_path / "net.pth")
    with pytest.raises(CheckpointError, match=r"holds a pickled .*Meso.*net\.state_dict\(\)"):
        load_released("dfforensics", tmp_path / "net.pth")


def test_damaged_files(meso):
    whole = meso.read_bytes()
    for damaged in (b"", b"hello", whole[:100], whole[:-50]):
        meso.write_bytes(damaged)
        with pytest.raises(CheckpointError, match="damaged or not written by torch"):
            load_released("dfforensics", meso)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"model": {}, "optimizer": {}}, "a dict with nothing"),
        ({"epoch": 3, "state": {}}, "a dict with 'epoch', 'state'"),
        ([torch.zeros(1)], "class 'list'"),
    ],
)
def test_files_without_a_network(tmp_path, content, message):
    torch.save(content, tmp_path / "a.tar")
    with pytest.raises(CheckpointError, match=message):
        load_released("dfforensics", tmp_path / "a.tar")


def test_other_networks_say_what_does_not_fit(tmp_path, meso):
    torch.save({"model": nn.Sequential(nn.Conv2d(3, 8, 3), nn.Linear(9, 2)).state_dict()}, tmp_path / "a.tar")
    with pytest.raises(
        CheckpointError, match=r"closest is mesonet4, with \d+ differences: convolution '0' is bias \(8,\)"
    ):
        load_released("dfforensics", tmp_path / "a.tar")
    with pytest.raises(CheckpointError, match=r"does not fit efficientnet_b3, with .*leave out detector="):
        load_released("dfforensics", meso, detector="efficientnet_b3")
    with pytest.raises(CheckpointError, match=r"does not fit mesonet4_lstm, with \d+ diff.*missing linear"):
        load_released("dfforensics", meso, detector="mesonet4_lstm")
    with pytest.raises(UnknownNameError, match="mesonet4"):
        load_released("dfforensics", meso, detector="mesonet")
    with pytest.raises(UnknownNameError, match="no option of the importer 'dfforensics' is called 'network'"):
        load_released("dfforensics", meso, network="mesonet4")


def test_a_missing_and_an_additional_layer_are_named(tmp_path):
    state = original("mesonet4").state_dict()
    torch.save({key: value for key, value in state.items() if not key.startswith("fc2")}, tmp_path / "a.tar")
    with pytest.raises(CheckpointError, match=r"with 1 differences: missing linear bias \(1,\), weight \(1, 16\)"):
        load_released("dfforensics", tmp_path / "a.tar")
    torch.save(state | {"extra.weight": torch.zeros(2, 2), "scale": torch.zeros(3)}, tmp_path / "b.tar")
    with pytest.raises(CheckpointError, match=r"unexpected linear 'extra' weight \(2, 2\); unexpected unknown layer"):
        load_released("dfforensics", tmp_path / "b.tar")


def test_a_missing_file_and_a_keras_file(tmp_path):
    with pytest.raises(DataNotFoundError, match="does not exist"):
        load_released("dfforensics", tmp_path / "none.tar")
    keras = tmp_path / "Meso4_DF.h5"
    keras.write_bytes(MESONET.read_bytes() if MESONET.is_file() else b"\x89HDF\r\n\x1a\n" + bytes(100))
    with pytest.raises(CheckpointError, match="are of kind 'mesonet'"):
        load_released("dfforensics", keras)
