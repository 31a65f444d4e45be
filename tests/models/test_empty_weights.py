"""Networks without values in their weights: buffers are right, nothing is drawn, other threads build as usual."""

import threading

import pytest
import timm
import torch
from torch import nn

from dfworkbench.models import build_detector
from dfworkbench.models.empty import empty_weights

SMALL = {
    "swin_tiny_patch4_window7_224": {"embed_dim": 24, "depths": (2, 1, 1, 1), "num_heads": (1, 1, 1, 1)},
    "vit_small_patch16_dinov3_qkvb": {"embed_dim": 64, "depth": 1, "num_heads": 2},
    "vit_pe_core_tiny_patch16_384": {"embed_dim": 64, "depth": 1, "num_heads": 2},
}


@pytest.mark.parametrize("name", SMALL)
def test_buffers_that_no_file_holds_have_their_values(name):
    usual = timm.create_model(name, num_classes=0, **SMALL[name])
    with empty_weights():
        empty = timm.create_model(name, num_classes=0, **SMALL[name])
    buffers = dict(usual.named_buffers())
    assert buffers.keys() == dict(empty.named_buffers()).keys()
    for key, value in empty.named_buffers():
        torch.testing.assert_close(value, buffers[key], rtol=0, atol=0, msg=key)
    empty.load_state_dict(usual.state_dict())
    size = usual.default_cfg["input_size"][-1]
    images = torch.rand(1, 3, size, size)
    with torch.no_grad():
        torch.testing.assert_close(empty.eval()(images), usual.eval()(images), rtol=0, atol=0)


@pytest.mark.parametrize("name", ["mesonet4", "resnet18", "mesonet4_lstm"])
def test_a_detector_takes_the_weights_of_another(name):
    with empty_weights():
        empty = build_detector(name)
    usual = build_detector(name).eval()
    empty.load_state_dict(usual.state_dict())
    images = torch.rand(1, *usual.input_spec.sample_shape())
    with torch.no_grad():
        torch.testing.assert_close(empty.eval()(images).logit, usual(images).logit, rtol=0, atol=0)


def test_no_random_number_is_drawn():
    torch.manual_seed(5)
    expected = torch.rand(1)
    torch.manual_seed(5)
    with empty_weights():
        nn.Linear(2000, 2000)
        timm.create_model("vit_tiny_patch16_224", depth=1)
    assert torch.rand(1) == expected


def test_buffers_and_other_threads_are_filled_as_usual():
    made = {}
    with empty_weights():
        thread = threading.Thread(target=lambda: made.update(layer=nn.Linear(64, 64)))
        thread.start()
        thread.join()
        norm = nn.BatchNorm2d(3)
    assert made["layer"].weight.std() > 0
    assert norm.running_var.tolist() == [1.0, 1.0, 1.0]
    assert nn.Linear(64, 64).weight.std() > 0
