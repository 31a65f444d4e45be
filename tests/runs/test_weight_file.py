"""The weight file of a run: the same bytes as ever, tied weights, and memory."""

import json

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from dfworkbench.core.errors import CheckpointError
from dfworkbench.models import build_detector
from dfworkbench.runs.checkpoints import load_detector, save_detector
from dfworkbench.runs.weight_file import FORMAT, fill_from, read_header, write_weights


def test_bytes_are_those_of_plain_copies(tmp_path):
    detector = build_detector("mesonet4")
    record = {"format": FORMAT, "detector": "mesonet4", "options": {}, "input_spec": detector.input_spec.to_dict()}
    copies = {name: value.detach().clone() for name, value in detector.state_dict().items()}
    save_file(copies, tmp_path / "plain.safetensors", metadata={"dfworkbench": json.dumps(record, sort_keys=True)})
    save_detector(tmp_path / "ours.safetensors", detector, "mesonet4", {})
    assert (tmp_path / "ours.safetensors").read_bytes() == (tmp_path / "plain.safetensors").read_bytes()
    loaded = load_detector(tmp_path / "plain.safetensors").detector
    for name, value in loaded.state_dict().items():
        torch.testing.assert_close(value, copies[name], rtol=0, atol=0)


def test_tied_and_strided_weights_are_written_as_what_they_hold(tmp_path):
    values = torch.arange(6.0).reshape(2, 3)
    tensors = {"a": values, "tied": values, "turned": values.T, "part": values[1]}
    write_weights(tmp_path / "w.safetensors", tensors, {"format": FORMAT})
    holder = nn.Module()
    for name, value in tensors.items():
        holder.register_buffer(name, torch.zeros_like(value.contiguous()))
    assert read_header(tmp_path / "w.safetensors")[1]["turned"] == (3, 2)
    fill_from(tmp_path / "w.safetensors", holder)
    for name, value in tensors.items():
        torch.testing.assert_close(holder.state_dict()[name], value)


def test_loaded_weights_do_not_follow_the_file(tmp_path):
    save_detector(tmp_path / "w.safetensors", build_detector("mesonet4"), "mesonet4", {})
    loaded = load_detector(tmp_path / "w.safetensors").detector
    before = {name: value.clone() for name, value in loaded.state_dict().items()}
    content = bytearray((tmp_path / "w.safetensors").read_bytes())
    content[-4000:] = b"\x11" * 4000
    with (tmp_path / "w.safetensors").open("r+b") as file:
        file.write(content)
    for name, value in loaded.state_dict().items():
        torch.testing.assert_close(value, before[name], rtol=0, atol=0)


def test_file_that_is_cut_off_is_refused(tmp_path):
    path = tmp_path / "w.safetensors"
    save_detector(path, build_detector("mesonet4"), "mesonet4", {})
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(CheckpointError, match="damaged"):
        load_detector(path)
