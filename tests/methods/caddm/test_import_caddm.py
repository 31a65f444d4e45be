"""Files of CADDM. None is at hand: they are made here with the entries that the specification lists, under the authors' names."""

import json
import os

import numpy as np
import pytest
import torch
from caddm_weights import value_of
from torchvision.models import resnet34

from dfworkbench import __main__ as cli
from dfworkbench.core.errors import CheckpointError, DataNotFoundError, UnknownNameError
from dfworkbench.core.input_spec import InputSpec
from dfworkbench.methods.caddm.weights import original_name
from dfworkbench.models import build_detector
from dfworkbench.runs.checkpoints import load_detector
from dfworkbench.runs.released import load_released

#: What the original code answers to `images()` with these weights.
FAKE = 0.00387445


def norm(name, channels):
    entries = {f"{name}.{entry}": (channels,) for entry in ("weight", "bias", "running_mean", "running_var")}
    return entries | {f"{name}.num_batches_tracked": ()}


def block(name, c, k):
    return {
        f"{name}.conv1.weight": (c, c, k, k), f"{name}.conv1.bias": (c,), **norm(f"{name}.bn1", c),
        f"{name}.conv2.weight": (c, c, 3, 3), **norm(f"{name}.bn2", c),
        f"{name}.downsample.0.weight": (c, c, k, k), **norm(f"{name}.downsample.1", c),
    }  # fmt: skip


def shapes_beside_the_backbone(c):
    """Entries of a file by name: the table of the specification, section 8."""
    shapes = {"fc.weight": (2, c), "fc.bias": (2,)}
    for i, k in enumerate((1, 3, 3)):
        shapes |= block(f"adm.adm_extra_layers.{i}.0", c, k)
    for layer, k in (("conv1", 3), ("conv2", 1), ("downsample", 3)):
        name = f"adm.adm_extra_layers.3.{layer}"
        shapes |= {f"{name}.weight": (c, c, k, k), f"{name}.bias": (c,)}
    for heads, numbers in (("ms_dets", 8), ("ms_cls", 4)):
        for i, k in enumerate((3, 3, 3, 1)):
            name = f"adm.multi_scale_detection_module.{heads}.{i}"
            shapes |= {f"{name}.weight": (numbers, c, k, k), f"{name}.bias": (numbers,)}
    return shapes


@pytest.fixture(scope="module")
def state():
    """All 299 tensors of a file with ResNet-34, the unused classifier among them."""
    with torch.device("meta"):
        backbone = {f"base_model.{key}": tuple(value.shape) for key, value in resnet34().state_dict().items()}
    shapes = backbone | shapes_beside_the_backbone(512)
    assert len(shapes) == 299
    return {key: value_of(key, shape) for key, shape in shapes.items()}


@pytest.fixture
def path(tmp_path):
    """Files of 180 MB are not left to the end of all tests."""
    yield tmp_path / "resnet34.pkl"
    (tmp_path / "resnet34.pkl").unlink(missing_ok=True)


def images():
    return torch.from_numpy(np.random.RandomState(0).uniform(0, 1, (1, 3, 224, 224)).astype(np.float32))


def fake_probability(detector):
    with torch.inference_mode():
        return detector(images()).logit.sigmoid().item()


LAYOUTS = {
    "network": lambda state: {"network": state, "opt_state": {"lr": 1e-4}, "epoch": 3},
    "state_dict": lambda state: {"state_dict": state},
    "first release": lambda state: state,
    "several GPUs": lambda state: {"network": {f"module.{key}": value for key, value in state.items()}},
    "torch.compile": lambda state: {"network": {f"_orig_mod.{key}": value for key, value in state.items()}},
    "several GPUs of a compiled one": lambda state: {f"module._orig_mod.{key}": value for key, value in state.items()},
    "compiled for several GPUs": lambda state: {f"_orig_mod.module.{key}": value for key, value in state.items()},
    "without the unused head": lambda state: {k: v for k, v in state.items() if not k.startswith("base_model.fc.")},
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_layouts_give_the_score_of_the_original(state, path, layout):
    torch.save(LAYOUTS[layout](state), path, _use_new_zipfile_serialization=layout != "first release")
    loaded = load_released("caddm", path)
    assert fake_probability(loaded.detector) == pytest.approx(FAKE, rel=1e-3)
    assert (loaded.name, loaded.metadata["options"]) == ("caddm_resnet34", {"authors_input": True})
    assert not loaded.detector.training
    assert all(p.requires_grad and p.dtype == torch.float32 for p in loaded.detector.parameters())


def test_fed_as_its_authors_do(state, path):
    torch.save({"network": {key: value.half() for key, value in state.items()}}, path)
    loaded = load_released("caddm", path, backbone="resnet34")
    assert loaded.input_spec == InputSpec(
        size_px=224, crop_scale=1.0, alignment="five_points", channel_order="bgr", value_range=(0.0, 255.0)
    )
    path.write_bytes(b"")  # the detector does not read the file any more
    assert fake_probability(loaded.detector) == pytest.approx(FAKE, rel=0.02)
    assert {p.dtype for p in loaded.detector.parameters()} == {torch.float32}


def test_as_a_run_from_the_command_line(toy, state, path):
    torch.save({"network": state, "opt_state": {}, "epoch": 1}, path)
    assert cli.main(["import", "caddm", str(path), "-p", "backbone", "resnet34"]) == 0
    loaded = load_detector("caddm_resnet34", workspace=toy)
    assert fake_probability(loaded.detector) == pytest.approx(FAKE, rel=1e-3)
    assert loaded.input_spec.alignment == "five_points"
    record = json.loads((toy.checkpoints / "caddm_resnet34" / "provenance.json").read_text())
    assert record["source"]["options"] == {"backbone": "resnet34"}
    (toy.checkpoints / "caddm_resnet34" / "epoch_000.safetensors").unlink()


@pytest.mark.parametrize(("backbone", "channels", "entries"), [("b3", 1536, 653), ("b4", 1792, 785)])
def test_names_of_the_efficientnets(backbone, channels, entries):
    with torch.device("meta"):
        own = build_detector(f"caddm_efficientnet_{backbone}").state_dict()
    theirs = {original_name(key): tuple(value.shape) for key, value in own.items()}
    assert len(theirs) == entries
    expected = shapes_beside_the_backbone(channels)
    assert {key: shape for key, shape in theirs.items() if not key.startswith("base_model.")} == expected
    assert {"base_model._conv_stem.weight", "base_model._blocks.2._se_expand.bias", "base_model._bn1.bias"} <= set(
        theirs
    )


@pytest.fixture(scope="module")
def hollow(state):
    """Right shapes, but stored as one number each: for refusals."""
    return {key: value.new_zeros(()).expand(value.shape) for key, value in state.items()}


def refused(path, message, content=None, **options):
    if content is not None:
        torch.save(content, path)
    with pytest.raises(CheckpointError, match=message):
        load_released("caddm", path, **options)


def test_another_backbone(hollow, path):
    for backbone in ("efficientnet-b3", "efficientnet_b4"):
        message = rf"does not fit {backbone.replace('_', '-')}, with \d+ differences: .*leave out backbone="
        refused(path, message, {"network": hollow}, backbone=backbone)
    with pytest.raises(UnknownNameError, match=r"no backbone of CADDM is called 'resnet-50'"):
        load_released("caddm", path, backbone="resnet_50")


def test_what_does_not_fit_is_named(hollow, path):
    closest = r"any of its backbones; closest is resnet34, with 1 differences: "
    rest = {key: value for key, value in hollow.items() if key != "adm.adm_extra_layers.3.downsample.bias"}
    refused(path, closest + r"missing adm\.adm_extra_layers\.3\.downsample\.bias \(512,\)", rest)
    refused(path, closest + r"unexpected extra \(3,\)", hollow | {"extra": torch.zeros(3)})
    refused(path, closest + r"fc\.bias is \(3,\), expected \(2,\)", hollow | {"fc.bias": torch.zeros(3)})


class Bomb:
    def __reduce__(self):
        return os.system, ("echo never",)


def test_code_is_refused(path, capfd):
    refused(path, r"holds a pickled (posix|nt)\.system beside or instead of tensors", {"network": Bomb()})
    assert "never" not in capfd.readouterr().out


def test_other_files(path, tmp_path):
    with pytest.raises(DataNotFoundError, match=r"none\.pkl does not exist\. Get .*github\.com/megvii-research/CADDM"):
        load_released("caddm", tmp_path / "none.pkl")
    path.write_bytes(b"hello")
    refused(path, "damaged or not written by torch.save")
    refused(path, "holds a dict with 'epoch'; expected", {"epoch": 3})
    refused(path, "holds a dict with nothing; expected", {"network": {}})
    refused(path, "holds <class 'list'>; expected", [torch.zeros(1)])
