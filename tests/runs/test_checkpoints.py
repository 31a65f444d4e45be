"""Detectors on disk."""

import json

import pytest
import torch
from safetensors.torch import load_file, save_file

from dfworkbench.core.errors import CheckpointError, DataNotFoundError, DeviceError
from dfworkbench.models import build_detector
from dfworkbench.runs.checkpoints import load_detector, read_record, save_detector
from dfworkbench.runs.layout import epoch_file

OPTIONS = {"size_px": 64, "dropout": 0.25}


@pytest.fixture
def saved(tmp_path):
    torch.manual_seed(0)
    detector = build_detector("mesonet4", **OPTIONS)
    return detector.eval(), save_detector(tmp_path / "a.safetensors", detector, "mesonet4", OPTIONS, {"epoch": 3})


def rewrite(path, **changes):
    """Save the same weights with another record."""
    record = {**read_record(path), **changes}
    save_file(load_file(path), path, metadata={"dfworkbench": json.dumps(record)})
    return path


def test_what_comes_back_is_what_was_saved(saved):
    detector, path = saved
    loaded = load_detector(path)
    images = torch.randn(3, 3, 64, 64)
    with torch.inference_mode():
        assert torch.equal(loaded.detector(images).logit, detector(images).logit)
    assert not loaded.detector.training
    assert loaded.name == "mesonet4"
    assert loaded.input_spec == detector.input_spec == loaded.detector.input_spec
    assert loaded.metadata["epoch"] == 3
    assert loaded.metadata["options"] == OPTIONS


def test_equal_detectors_give_equal_bytes(saved, tmp_path):
    detector, path = saved
    again = [
        save_detector(tmp_path / f"{i}.safetensors", detector, "mesonet4", OPTIONS, {"epoch": 3}) for i in range(5)
    ]
    assert {other.read_bytes() for other in again} == {path.read_bytes()}


def test_detector_of_another_kind_is_refused(saved):
    with pytest.raises(CheckpointError, match="saved for the detector 'mesonet4'; you asked for 'xception'"):
        load_detector(saved[1], expect="xception")


def test_weights_of_another_network_are_refused(saved):
    _, path = saved
    record, weights = read_record(path), load_file(path)
    weights["head.1.weight"] = weights["head.1.weight"][:, :-1].contiguous()
    save_file(weights, path, metadata={"dfworkbench": json.dumps(record)})
    with pytest.raises(
        CheckpointError, match=r"1 of 28 entries differ \(first: 'head.1.weight' is \(16, 783\), expected \(16, 784\)"
    ):
        load_detector(path)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_weights_that_are_no_numbers_are_refused(saved, value):
    _, path = saved
    record, weights = read_record(path), load_file(path)
    weights["head.1.weight"][0, 0] = value
    save_file(weights, path, metadata={"dfworkbench": json.dumps(record)})
    with pytest.raises(CheckpointError, match=r"1 of its 28 tensors .* not numbers \(first: 'head.1.weight'\)"):
        load_detector(path)


def test_spec_of_the_file_rules(saved):
    spec = saved[0].input_spec.to_dict() | {"crop_scale": 1.7, "channel_order": "bgr"}
    loaded = load_detector(rewrite(saved[1], input_spec=spec))
    assert (loaded.input_spec.crop_scale, loaded.input_spec.channel_order) == (1.7, "bgr")
    assert loaded.detector.input_spec == loaded.input_spec


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"detector": "mesonet5"}, "no detector is called 'mesonet5'.*register_detector"),
        ({"options": {"size": 64}}, "no option 'size'"),
        ({"options": {}}, "contradicts itself"),
        ({"format": "other"}, "format 'other' instead of"),
        ({"input_spec": {"size_px": 64, "colour": 1}}, "no field"),
    ],
)
def test_records_that_cannot_be_used(saved, changes, message):
    with pytest.raises(CheckpointError, match=message):
        load_detector(rewrite(saved[1], **changes))


def test_damaged_and_foreign_files(saved, tmp_path):
    path = saved[1]
    whole = path.read_bytes()
    for damaged in (b"", whole[:100], whole[:-50], b"\x80\x02}q\x00." * 50):
        path.write_bytes(damaged)
        with pytest.raises(CheckpointError, match="damaged or not a safetensors file"):
            load_detector(path)
    save_file({"w": torch.zeros(2)}, path)
    with pytest.raises(CheckpointError, match="format None instead of"):
        load_detector(path)
    torch.save({"model": {}}, path)
    with pytest.raises(CheckpointError, match="damaged or not a safetensors file"):
        load_detector(path)


def test_run_folder_and_run_name(toy, saved):
    detector = saved[0]
    folder = toy.checkpoints / "my_run"
    for epoch in (1, 2):
        save_detector(epoch_file(folder, epoch), detector, "mesonet4", OPTIONS, {"epoch": epoch})
    with pytest.raises(CheckpointError, match=r"no best.json, so no epoch was finished"):
        load_detector("my_run", workspace=toy)
    (folder / "best.json").write_text('{"epoch": 1}')
    assert load_detector("my_run", workspace=toy).metadata["epoch"] == 1
    assert load_detector(folder).metadata["epoch"] == 1
    assert load_detector(folder, epoch=2).path == folder / "epoch_002.safetensors"
    with pytest.raises(CheckpointError, match=r"no epoch_009.safetensors. There: epoch_001.safetensors, epoch_002"):
        load_detector("my_run", epoch=9, workspace=toy)
    with pytest.raises(DataNotFoundError, match="Did you mean 'my_run'"):
        load_detector("myrun", workspace=toy)
    with pytest.raises(DataNotFoundError, match="not a file, a folder"):
        load_detector(toy.checkpoints / "none" / "epoch_001.safetensors")


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a GPU")
def test_gpu_that_is_not_there(saved):
    with pytest.raises(DeviceError, match=r"'cuda' was asked for, but torch .* sees 0 GPU"):
        load_detector(saved[1], device="cuda")
    assert load_detector(saved[1], device="auto").path == saved[1]
    with pytest.raises(DeviceError, match="'gpu' is not a device"):
        load_detector(saved[1], device="gpu")
