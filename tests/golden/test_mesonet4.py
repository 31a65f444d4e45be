"""MesoNet4 against the figures of DeepfakeForensics-v1 (an independent rebuild gave the seeded value)."""

import pytest
import torch
from torch import nn

from dfworkbench.models import build_detector
from dfworkbench.models.mesonet import MesoNet4Trunk


def count(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters() if parameter.requires_grad)


def test_parameters_and_buffers():
    detector = build_detector("mesonet4")
    assert (count(detector), count(detector.trunk), count(detector.head)) == (24_089, 11_512, 12_577)
    assert sum(buffer.numel() for buffer in detector.buffers()) == 100
    assert len(detector.state_dict()) == 28


def test_shapes_of_the_blocks():
    x, shapes = torch.zeros(1, 3, 224, 224), []
    trunk = MesoNet4Trunk().eval()
    for block in list(trunk)[:4]:
        x = block(x)
        shapes.append(tuple(x.shape[1:]))
    assert shapes == [(8, 112, 112), (8, 56, 56), (16, 28, 28), (16, 7, 7)]
    assert torch.equal(list(trunk)[4](x), x), "pooling to 7 x 7 is the identity at 224 px"


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_seeded_value(layout):
    torch.manual_seed(0)
    detector = build_detector("mesonet4").eval()
    ramp = torch.linspace(-2, 2, 3 * 224 * 224).reshape(1, 3, 224, 224).contiguous(memory_format=layout)
    with torch.inference_mode():
        assert detector(ramp).logit.item() == pytest.approx(-0.1545647, abs=1e-5)


def test_input_spec_is_the_original_one():
    spec = build_detector("mesonet4").input_spec
    assert (spec.size_px, spec.channel_order, spec.value_range) == (224, "rgb", (0.0, 1.0))
    assert (spec.mean, spec.std) == ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))


@pytest.mark.parametrize("size_px", [32, 64, 256])
def test_other_sizes_give_the_same_features(size_px):
    detector = build_detector("mesonet4", size_px=size_px).eval()
    assert detector.features(torch.zeros(2, 3, size_px, size_px)).shape == (2, 784)
