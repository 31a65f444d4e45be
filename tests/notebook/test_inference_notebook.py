"""What notebook 03 shows beside a clip where no data set is extracted."""

from typing import Any

from dfworkbench.core.input_spec import InputSpec
from dfworkbench.models import build_detector
from dfworkbench.notebook import inference
from dfworkbench.runs.checkpoints import LoadedDetector


def test_without_an_extracted_data_set_there_are_no_figures_and_no_error(tmp_path, monkeypatch):
    monkeypatch.setenv("DFWORKBENCH_HOME", str(tmp_path))
    unused: Any = None
    found = inference.HeldOut(unused, "demo", "mean")
    assert "the data set 'demo' is not extracted in this workspace" in str(found)
    assert found.table() is None
    assert found.figures() == []


def test_without_a_name_of_a_data_set_there_are_no_figures():
    unused: Any = None
    assert "no data set is named" in str(inference.HeldOut(unused, "", "mean"))


def test_a_detector_that_the_data_set_was_not_extracted_for_gets_a_sentence(toy):
    network: Any = build_detector("mesonet4", size_px=64)
    spec = InputSpec(size_px=64, alignment="whole_resized", crop_scale=1.0, interpolation="bilinear", antialias=True)
    network.input_spec = spec
    loaded = LoadedDetector(network, "mesonet4", spec, {}, toy.checkpoints / "whole" / "epoch_000.safetensors")
    found = inference.HeldOut(loaded, "toy", "mean")
    assert str(found).startswith("No held-out figures: ")
    assert found.table() is None
