"""Stages of any detector of the workbench, in the place of VGG-19's."""

import threading
from typing import Any

import pytest
import torch
from torch.nn import functional

from dfworkbench.core.errors import CheckpointError, ParameterError
from dfworkbench.methods.resynthesis.network_taps import NetworkTaps
from dfworkbench.models import build_detector
from dfworkbench.models.inputs import prepare
from dfworkbench.runs.checkpoints import load_detector, save_detector
from dfworkbench.training.registry import build_method

OPTIONS: dict[str, Any] = {"size_px": 64, "alignment": "whole", "crop_scale": 1.0}
SMALL: dict[str, Any] = {"size_px": 64, "features": 4, "blocks": 1, "layers": 1, "depth": 18}


def pictures(count: int = 2, size_px: int = 64, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(0, 256, (count, 3, size_px, size_px), dtype=torch.uint8, generator=generator)


@pytest.fixture(scope="module")
def trained():
    """A small network that stands for a trained one: its weights are not those of another seed."""
    torch.manual_seed(3)
    return build_detector("resnet18", **OPTIONS).eval()


@pytest.fixture(scope="module")
def run(trained, tmp_path_factory):
    """The weight file of a run of it."""
    return str(save_detector(tmp_path_factory.mktemp("run") / "epoch_001.safetensors", trained, "resnet18", OPTIONS))


def stage_detector(stage: int = 3, **options: Any) -> Any:
    return build_detector(
        f"resynthesis_stage{stage}", **SMALL, feature_network="resnet18", feature_options=OPTIONS, **options
    )


def test_stages_are_the_last_maps_of_each_resolution(trained):
    taps = NetworkTaps("resnet18", OPTIONS, 64)
    taps.load(trained)
    net, images = trained.trunk.net, pictures()
    with torch.no_grad():
        first = net.relu(net.bn1(net.conv1(prepare(images, trained.input_spec))))
        maps = [first, net.layer1(net.maxpool(first))]
        for layer in (net.layer2, net.layer3, net.layer4):
            maps.append(layer(maps[-1]))
        found = taps(images / 255)
    assert taps.channels == (64, 64, 128, 256, 512)
    assert taps.stages == 5
    for mine, wanted in zip(found, maps, strict=True):
        torch.testing.assert_close(mine, wanted, rtol=1e-4, atol=1e-4)


def test_input_is_that_of_the_detector(trained):
    """BGR in 0..255 is what this one was trained with."""
    options = {**OPTIONS, "authors_input": True}
    theirs = build_detector("resnet18", **options).eval()
    taps = NetworkTaps("resnet18", options, 64, 1)
    taps.load(theirs)
    images = pictures()
    with torch.no_grad():
        wanted = functional.relu(theirs.trunk.net.bn1(theirs.trunk.net.conv1(prepare(images, theirs.input_spec))))
        torch.testing.assert_close(taps(images / 255)[0], wanted, rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize("name", ["resnet18", "mesonet4", "efficientnet_b0"])
def test_later_layers_are_left_out_and_change_nothing(name):
    whole, part = NetworkTaps(name, {"size_px": 64}, 64), NetworkTaps(name, {"size_px": 64}, 64, 2)
    part.load(whole.network)
    images = pictures() / 255
    assert all(torch.equal(a, b) for a, b in zip(whole(images, last=2), part(images), strict=True))
    sizes = [sum(p.numel() for p in taps.parameters()) for taps in (part, whole)]
    assert sizes[0] < 0.3 * sizes[1]


def test_other_sizes_and_other_threads(trained):
    taps = NetworkTaps("resnet18", OPTIONS, 64, 2)
    taps.load(trained)
    images = [pictures(1, seed=seed) / 255 for seed in range(4)]
    wanted, found = [taps(image)[1] for image in images], {}
    assert taps(pictures(1, 96) / 255)[1].shape == (1, 64, 24, 24)
    threads = [
        threading.Thread(target=lambda at=at, image=image: found.update({at: taps(image)[1]}))
        for at, image in enumerate(images)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(torch.equal(found[at], wanted[at]) for at in range(4))


def test_frozen_but_not_in_the_way_of_gradients():
    detector = stage_detector(2).train()
    assert not any(module.training for module in detector.network_taps.modules())
    detector(pictures() / 255).logit.sum().backward()
    assert all(p.grad is None for p in detector.network_taps.parameters())
    assert all(p.grad is not None and p.grad.any() for p in detector.resynthesiser.parameters())


@pytest.mark.parametrize(
    ("name", "options", "stages", "message"),
    [
        ("mesonet4", {"size_px": 32}, 5, r"stage 5 of mesonet4.*stages in it, with maps of 32 px"),
        ("mesonet4_lstm", {}, 1, r"clips .*Choose one, such as resnet18"),
    ],
)
def test_what_has_no_such_stage_is_refused(name, options, stages, message):
    with pytest.raises(ParameterError, match=message):
        NetworkTaps(name, options, 32, stages)


def test_a_detector_keeps_the_network_whose_stages_it_compares(run, tmp_path):
    """It is scored on another machine, where the run is not."""
    torch.manual_seed(0)
    detector = stage_detector()
    build_method("resynthesis", detector, features_from=run, allow_undertrained=True)
    options = {**SMALL, "feature_network": "resnet18", "feature_options": OPTIONS}
    file = save_detector(tmp_path / "one.safetensors", detector, "resynthesis_stage3", options)
    again: Any = load_detector(file).detector
    with torch.inference_mode():
        assert torch.equal(again(pictures() / 255).logit, detector.eval()(pictures() / 255).logit)
    assert again.network_taps.is_trained


def test_features_of_random_weights_are_refused(monkeypatch):
    detector = stage_detector()
    monkeypatch.setattr(
        "dfworkbench.methods.resynthesis.training.probe_psnr_db", lambda _: 30.0
    )  # that is not asked here
    with pytest.raises(ParameterError, match=r"resnet18.*random weights.*features_from=RUN"):
        build_method("resynthesis", detector)


@pytest.mark.parametrize(
    "built",
    [{}, {"feature_network": "resnet18", "feature_options": {"size_px": 96}}, {"feature_network": "mesonet4"}],
)
def test_a_run_of_another_detector_is_refused(run, built):
    detector = build_detector("resynthesis_stage1", **SMALL, **built)
    with pytest.raises(CheckpointError, match=r"feature_network=resnet18 and feature_options=\{.*64.*features_from"):
        build_method("resynthesis", detector, features_from=run, allow_undertrained=True)


def test_detectors_without_a_feature_network_have_the_weights_they_had():
    assert not [key for key in build_detector("resynthesis_stage1", **SMALL).state_dict() if "taps" in key]
    assert build_detector("resynthesis_pixel", **SMALL).taps is None
