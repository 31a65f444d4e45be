"""Files of MI_Net. None is published: they are made here, with the entries that the specification lists, under the authors'
names."""

import json
import os
import re

import numpy as np
import pytest
import torch
from mi_net_weights import authors_state, head_shapes, trunk_shapes

from dfworkbench import __main__ as cli
from dfworkbench.core.errors import CheckpointError, DataNotFoundError, UnknownNameError
from dfworkbench.core.input_spec import InputSpec
from dfworkbench.methods.mi_net.weights import original_name
from dfworkbench.models import build_detector
from dfworkbench.models.mesonet import IMAGENET_MEAN, IMAGENET_STD
from dfworkbench.runs.checkpoints import load_detector
from dfworkbench.runs.released import load_released

#: Logits of real and fake that the original code gives to `images()` with the weights of `authors_state("mobilenet")`.
CLASS_LOGITS = [[0.393349, 1.645737], [0.378630, 1.632426]]


@pytest.fixture(scope="module")
def state():
    """All 684 tensors of a file with four MobileNets, the unused classifiers among them."""
    state = authors_state("mobilenet")
    assert len(state) == 684
    return state


@pytest.fixture
def path(tmp_path):
    """Files of 80 MB are not left to the end of all tests."""
    yield tmp_path / "model_best.pth"
    (tmp_path / "model_best.pth").unlink(missing_ok=True)


def images():
    return torch.from_numpy(np.random.RandomState(7).standard_normal((2, 3, 224, 224)).astype(np.float32))


def assert_original(detector):
    with torch.inference_mode():
        prediction = detector(images())
    np.testing.assert_allclose(prediction.aux["class_logits"].numpy(), CLASS_LOGITS, rtol=0, atol=1e-3)
    expected = torch.tensor(CLASS_LOGITS).softmax(1)[:, 1]
    assert torch.allclose(prediction.logit.sigmoid(), expected, atol=1e-3)


LAYOUTS = {
    "wrapped": lambda state: {"state_dict": state, "epoch": 3},
    "bare": lambda state: state,
    "several GPUs": lambda state: {"state_dict": {f"module.{key}": value for key, value in state.items()}, "epoch": 3},
    "without the unused heads": lambda state: {key: value for key, value in state.items() if ".fc." not in key},
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_layouts_give_the_answer_of_the_original(state, path, layout):
    torch.save(LAYOUTS[layout](state), path)
    loaded = load_released("mi_net", path)
    path.write_bytes(b"")  # the detector does not read the file any more
    assert_original(loaded.detector)
    options = {"blocks": 4, "bgr": True, "size_px": 224, "crop_scale": 1.3}
    assert (loaded.name, loaded.metadata["options"]) == ("mi_net_mobilenet", options)
    assert loaded.input_spec == InputSpec(channel_order="bgr", mean=IMAGENET_MEAN, std=IMAGENET_STD)
    assert not loaded.detector.training
    assert all(p.requires_grad and p.dtype == torch.float32 for p in loaded.detector.parameters())


def test_as_a_run_from_the_command_line(toy, state, path):
    torch.save({"state_dict": state, "epoch": 0}, path)
    assert cli.main(["import", "mi_net", str(path), "--name", "clues", "-p", "blocks", "4"]) == 0
    assert_original(load_detector("clues", workspace=toy).detector)
    record = json.loads((toy.checkpoints / "clues" / "provenance.json").read_text())
    assert record["source"]["options"] == {"blocks": 4}
    (toy.checkpoints / "clues" / "epoch_000.safetensors").unlink()


def hollow(backbone, d, blocks):
    """Right shapes, but stored as one number each."""
    shapes = {
        f"region_model{i}.{key}": shape for i in range(1, blocks + 1) for key, shape in trunk_shapes(backbone).items()
    }
    for part in head_shapes(d, blocks).values():
        shapes |= part
    return {key: torch.zeros(()).expand(shape) for key, shape in shapes.items()}


@pytest.mark.parametrize(
    ("backbone", "d", "blocks"),
    [("resnet34", 512, 2), ("mobilenet", 1024, 3), ("efficientnet_b0", 1280, 2), ("efficientnet_b2", 1408, 2)],
)
def test_backbone_and_blocks_follow_from_the_file(path, backbone, d, blocks):
    file = hollow(backbone, d, blocks)
    torch.save({"state_dict": file}, path)
    loaded = load_released("mi_net", path)
    assert (loaded.name, loaded.metadata["options"]["blocks"]) == (f"mi_net_{backbone}", blocks)
    names = {original_name(key) for key in loaded.detector.state_dict()}
    assert names == {key for key in file if not re.search(r"\b_?fc\.", key)}


def test_blocks_beyond_nine_keep_their_numbers():
    with torch.device("meta"):
        names = [original_name(key) for key in build_detector("mi_net_mobilenet", blocks=11).state_dict()]
    assert names[0] == "region_model1.model.0.0.weight"
    assert {"region_model10.model.0.0.weight", "region_model11.model.13.3.weight", "local_linear11.bias"} < set(names)
    assert len(names) == len(set(names))


def refused(path, message, content=None, **options):
    if content is not None:
        torch.save(content, path)
    with pytest.raises(CheckpointError, match=message):
        load_released("mi_net", path, **options)


def test_size_and_crop_are_not_in_the_file(path):
    torch.save({"state_dict": hollow("mobilenet", 1024, 2)}, path)
    spec = load_released("mi_net", path, size_px=128, crop_scale=1.5).input_spec
    assert (spec.size_px, spec.crop_scale, spec.channel_order) == (128, 1.5, "bgr")


def test_what_does_not_fit_is_named(path):
    file = hollow("mobilenet", 1024, 3)
    closest = r"does not fit any backbone; closest is mobilenet of 3 blocks, with \d+ differences: "
    rest = {key: value for key, value in file.items() if key != "region_model2.model.3.4.running_var"}
    refused(path, closest + r"missing region_model2\.model\.3\.4\.running_var \(128,\)\. Expected", rest)
    refused(path, closest + r"unexpected extra \(3,\)", file | {"extra": torch.zeros(3)})
    narrow = file | {"local_linear2.weight": torch.zeros(2, 1024)}
    refused(path, closest + r"local_linear2\.weight is \(2, 1024\), expected \(2, 2048\)", narrow)
    linear = {key: value for key, value in file.items() if not key.startswith("linear.")}
    refused(path, closest + r"missing linear\.1\.weight \(2, 1024\); missing linear\.1\.bias", linear)
    alone = {key: value for key, value in file.items() if not key.startswith(("region_model2.", "region_model3."))}
    refused(path, r"mobilenet of 2 blocks, with \d+ differences: .*expected", alone)
    refused(path, r"closest is \w+ of 2 blocks, with \d+ differences: missing ", {"weight": torch.zeros(3)})


def test_another_backbone_or_number_of_blocks(path):
    file = {"state_dict": hollow("mobilenet", 1024, 2)}
    refused(path, r"does not fit resnet34 of 2 blocks.*leave out backbone= to find it", file, backbone="resnet34")
    refused(path, r"closest is mobilenet of 4 blocks.*leave out blocks= to find it from the file\.", blocks=4)
    refused(path, r"leave out backbone= and blocks= to find", backbone="efficientnet-b1", blocks=3)
    assert load_released("mi_net", path, backbone="mobilenet", blocks=2).name == "mi_net_mobilenet"
    with pytest.raises(UnknownNameError, match=r"no backbone of MI_Net is called 'resnet'.*'resnet34'"):
        load_released("mi_net", path, backbone="resnet")


class Bomb:
    def __reduce__(self):
        return os.system, ("echo never",)


def test_code_is_refused(path, capfd):
    refused(path, r"holds a pickled (posix|nt)\.system beside or instead of tensors", {"state_dict": Bomb()})
    assert "never" not in capfd.readouterr().out


def test_other_files(path, tmp_path):
    with pytest.raises(
        DataNotFoundError, match=r"none\.pth does not exist\. No weights are published; train with https"
    ):
        load_released("mi_net", tmp_path / "none.pth")
    path.write_bytes(b"hello")
    refused(path, "damaged or not written by torch.save")
    refused(path, "holds a dict with 'epoch'; expected", {"epoch": 3})
