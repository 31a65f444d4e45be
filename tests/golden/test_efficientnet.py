"""Parameter counts and shapes of the original code (instantiated by the authors of the specification)."""

import pytest
import torch

from dfworkbench.core.errors import CheckpointError, InputError
from dfworkbench.models import build_detector
from dfworkbench.models.efficientnet import EfficientNetTrunk

COUNTS = {
    "b0": (4_007_548, 4_028_061), "b1": (6_513_184, 6_533_697), "b2": (7_700_994, 7_723_555),
    "b3": (10_696_232, 10_720_841), "b4": (17_548_616, 17_577_321),
}  # fmt: skip


def count(module):
    return sum(p.numel() for p in module.parameters())


@pytest.mark.parametrize("variant", sorted(COUNTS))
def test_parameter_counts(variant):
    detector = build_detector(f"efficientnet_{variant}")
    assert (count(detector.trunk), count(detector)) == COUNTS[variant]


@pytest.mark.parametrize(("variant", "shape"), [("b0", (1, 1280, 7, 7)), ("b3", (1, 1536, 7, 7))])
def test_feature_maps(variant, shape):
    with torch.inference_mode():
        assert EfficientNetTrunk(variant, 224).eval()(torch.zeros(1, 3, 224, 224)).shape == shape


def test_stages_of_b0():
    trunk = EfficientNetTrunk("b0", 224).eval()
    maps = []
    for block in trunk.net._blocks:
        block.register_forward_hook(lambda _m, _i, out: maps.append(tuple(out.shape[1:3])))
    with torch.inference_mode():
        trunk(torch.zeros(1, 3, 224, 224))
    last_of_stage = [maps[i] for i in (0, 2, 4, 7, 10, 14, 15)]
    assert last_of_stage == [(16, 112), (24, 56), (40, 28), (80, 14), (112, 14), (192, 7), (320, 7)]


def test_wrong_size_and_missing_weights(tmp_path):
    detector = build_detector("efficientnet_b0", size_px=64)
    with pytest.raises(InputError, match=r"efficientnet_b0 takes \(B, 3, 64, 64\)"):
        detector(torch.zeros(1, 3, 32, 32))
    with pytest.raises(CheckpointError, match=r"there is no file .*efficientnet-b0-355c32eb.pth"):
        build_detector("efficientnet_b0", weights=str(tmp_path / "none.pth"))
    (tmp_path / "text.pth").write_text("hello")
    with pytest.raises(CheckpointError, match="not a readable file"):
        build_detector("efficientnet_b0", weights=str(tmp_path / "text.pth"))
    torch.save({"_conv_stem.weight": torch.zeros(1)}, tmp_path / "other.pth")
    with pytest.raises(CheckpointError, match="belongs to another network"):
        build_detector("efficientnet_b0", weights=str(tmp_path / "other.pth"))


def test_weights_from_a_local_file_are_loaded(tmp_path):
    source = EfficientNetTrunk("b0", 64).net
    state = source.state_dict() | {"_fc.weight": torch.zeros(1000, 1280), "_fc.bias": torch.zeros(1000)}
    torch.save(state, tmp_path / "b0.pth")
    loaded = build_detector("efficientnet_b0", size_px=64, weights=str(tmp_path / "b0.pth")).trunk.net
    for key, value in source.state_dict().items():
        assert torch.equal(loaded.state_dict()[key], value)


def test_a_failed_download_names_the_file_to_fetch(tmp_path, monkeypatch):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))

    def no_network(*_args, **_kwargs):
        raise OSError("no network")

    monkeypatch.setattr(torch.hub, "download_url_to_file", no_network)
    with pytest.raises(CheckpointError, match=r"download failed .*Fetch https://.*efficientnet-b0-355c32eb\.pth"):
        build_detector("efficientnet_b0", weights="imagenet")
