"""Detectors of other people: what is checked when they are registered, and where their names then stand."""

import subprocess
import sys
from importlib import metadata

import pytest
import torch
from torch import nn

from dfworkbench.core.errors import CheckpointError, InputError, ParameterError
from dfworkbench.core.input_spec import InputSpec
from dfworkbench.models import Prediction, build_detector, detector_options, list_detectors, register_detector
from dfworkbench.models.protocol import check_detector
from dfworkbench.models.registry import BUILT_IN, DESCRIBED, DETECTORS, HELPERS, home_of, installed_detectors
from dfworkbench.notebook.pickers import CHOICES
from dfworkbench.runs.checkpoints import load_detector, save_detector


class Flat(nn.Module):
    """The mean colours, weighed."""

    def __init__(self, size_px: int = 16, clip_length: int = 1) -> None:
        super().__init__()
        self.input_spec = InputSpec(size_px=size_px, clip_length=clip_length)
        self.head = nn.Linear(3, 1)

    def features(self, images):
        self.input_spec.check(images.shape, "flat")
        return images.mean(dim=(-1, -2)).reshape(len(images), -1, 3).mean(dim=1)

    def forward(self, images):
        return Prediction(self.head(self.features(images)).squeeze(1))


def build_flat(size_px: int = 24):
    return Flat(size_px)


@pytest.fixture
def known(monkeypatch):
    monkeypatch.setattr("dfworkbench.models.registry.DETECTORS", names := dict(DETECTORS))
    return names


def test_a_registered_name_stands_in_every_selector(known):
    register_detector("flat", Flat)
    assert "flat" in list_detectors()
    for field in ("detector", "plain"):
        assert "flat" in CHOICES[field].options("mesonet4")
    assert detector_options("flat") == {"size_px": 16, "clip_length": 1}
    register_detector("built", build_flat)
    assert build_detector("built").input_spec.size_px == 24
    register_detector("flat", type("Flat", (Flat,), {"__qualname__": "Flat"}))  # the cell is run again with a change
    assert known["flat"] is not Flat


@pytest.mark.parametrize("name", ["mesonet4", "rdn", "identity_resnet18", "a/b", "", ".hidden"])
def test_names_of_ours_and_impossible_ones_are_refused(known, name):
    with pytest.raises(ParameterError, match="this name is taken or not possible"):
        register_detector(name, Flat)
    assert known == DETECTORS


def test_registering_leaves_random_state_alone(known):
    torch.manual_seed(3)
    register_detector("flat", Flat)
    drawn = torch.rand(2)
    torch.manual_seed(3)
    assert torch.equal(drawn, torch.rand(2))


def changed(**methods):
    return type("Changed", (Flat,), methods)


def wide(self, images):
    return Prediction(self.head(self.features(images)))


def bare(self, images):
    return self.head(self.features(images)).squeeze(1)


def fixed(self, images):
    self.features(images)
    return Prediction(torch.zeros(len(images)))


def broken(self, images):
    return Prediction(self.head(self.features(images)).squeeze(1) / 0)


def careless(self, images):
    return images.mean(dim=(-1, -2))


def unlike(self, images):
    logit = self.head(Flat.features(self, images)).squeeze(1)
    self.features = lambda images: images
    return Prediction(logit)


def needy(self, size_px):
    Flat.__init__(self, size_px)


def odd_option(self, spec=InputSpec()):  # noqa: B008
    Flat.__init__(self)


def no_spec(self):
    Flat.__init__(self)
    self.input_spec = 16


def growing(self):
    Flat.__init__(self)
    growing.calls += 1
    self.extra = nn.Linear(growing.calls, 1)


growing.calls = 0


@pytest.mark.parametrize(
    ("builder", "message"),
    [
        (
            changed(forward=wide),
            r"its logit has the shape \(2, 1\) for 2 samples; expected \(2,\); logit\.squeeze\(1\)\?",
        ),
        (changed(forward=bare), r"forward gives a Tensor; expected Prediction"),
        (changed(forward=fixed), "does not depend on its parameters"),
        (changed(forward=broken), r"its logit is \[(nan|-?inf), .*expected finite numbers"),
        (changed(features=careless), r"takes pictures of another size.*call self\.input_spec\.check"),
        (changed(forward=unlike), r"its features have the shape \(2, 3, 16, 16\); expected \(2, F\)"),
        (changed(__init__=needy), "its option 'size_px' has no default"),
        (changed(__init__=odd_option), "its option 'spec' has the default InputSpec"),
        (changed(__init__=no_spec), "its input_spec is 16; expected an InputSpec"),
        (changed(__init__=growing), "built twice, weights do not fit"),
        (lambda: "net", "it builds a str; expected a torch.nn.Module"),
    ],
)
def test_what_breaks_the_protocol_is_said(known, builder, message):
    with pytest.raises(InputError, match=message):
        register_detector("flat", builder)
    assert "flat" not in known


def test_clips_are_tried_as_clips():
    check_detector("flat", lambda: Flat(clip_length=3))


@pytest.mark.parametrize("name", ["mesonet4", "mesonet4_lstm", "resnet18"])
def test_detectors_of_ours_pass(name):
    from dfworkbench.models.registry import load_builder

    check_detector(name, load_builder(name))


def test_checkpoints_say_where_a_plug_in_comes_from(known, tmp_path):
    register_detector("flat", Flat)
    path = save_detector(tmp_path / "flat.safetensors", Flat(), "flat", {})
    assert load_detector(path).metadata["registered_from"] == f"{__name__}:Flat"
    ours = save_detector(tmp_path / "ours.safetensors", build_detector("mesonet4"), "mesonet4", {})
    assert "registered_from" not in load_detector(ours).metadata
    del known["flat"]
    with pytest.raises(
        CheckpointError, match=rf"registered from {__name__}:Flat: import the module.*dfworkbench\.detectors"
    ):
        load_detector(path)


def test_another_process_is_told_what_to_import(known, tmp_path):
    register_detector("flat", Flat)
    path = save_detector(tmp_path / "flat.safetensors", Flat(), "flat", {})
    code = f"from dfworkbench.runs.checkpoints import load_detector; load_detector({str(path)!r})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert "import the module that calls register_detector('flat', …) before loading" in done.stderr


@pytest.fixture
def installed(monkeypatch):
    """Two entry points of an installed package, one with a name of ours."""
    module = type(sys)("a_lab_with_nets")
    module.Flat = Flat
    monkeypatch.setitem(sys.modules, "a_lab_with_nets", module)
    group = "dfworkbench.detectors"
    points = [metadata.EntryPoint(name, "a_lab_with_nets:Flat", group) for name in ("lab_flat", "mesonet4")]
    monkeypatch.setattr(metadata, "entry_points", lambda *, group: points if group == "dfworkbench.detectors" else [])
    installed_detectors.cache_clear()
    yield
    installed_detectors.cache_clear()


def test_installed_packages_bring_detectors(installed, tmp_path, caplog):
    assert "lab_flat" in list_detectors()
    assert list_detectors().count("mesonet4") == 1
    assert "'mesonet4' of an installed package" in caplog.text
    assert type(build_detector("mesonet4")) is not Flat
    assert isinstance(build_detector("lab_flat", size_px=8), Flat)
    assert home_of("lab_flat") == "a_lab_with_nets:Flat"
    assert home_of("mesonet4") == home_of("unknown") == ""
    path = save_detector(tmp_path / "a.safetensors", Flat(8), "lab_flat", {"size_px": 8})
    assert load_detector(path).input_spec.size_px == 8


def test_the_built_in_names_are_all_of_ours():
    assert {*DETECTORS, *HELPERS, *DESCRIBED} >= BUILT_IN >= {"mesonet4", "rdn", "identity_resnet18"}
