"""Every method on every small detector from one call."""

import json

import numpy as np
import pytest
import torch
from torch import nn

from dfworkbench.core.errors import InputError, ParameterError, UnknownNameError
from dfworkbench.explain.captum_maps import grad_cam, integrated_gradients, occlusion
from dfworkbench.explain.explanations import METHODS, explain
from dfworkbench.explain.shapley.attribution_map import AttributionSettings
from dfworkbench.explain.shapley.image_game import ImageGame
from dfworkbench.explain.shapley.maps import attribute
from dfworkbench.explain.shapley.values import ClassLogOdds
from dfworkbench.models import build_detector
from dfworkbench.models.prediction import Prediction
from dfworkbench.runs.checkpoints import LoadedDetector

pytest.importorskip("captum", reason="captum is not installed")

SMALL = AttributionSettings(grid=4, baseline="mean", relative_error=None, evaluations=62)


def picture(size, frames=0):
    shape = (size, size, 3) if not frames else (frames, size, size, 3)
    return np.random.default_rng(0).integers(1, 256, size=shape, dtype=np.uint8)


def built(name, size_px, frames):
    """With random weights, and with the statistics of batch norm that belong to them: else nothing reaches the logit."""
    torch.manual_seed(0)
    network = build_detector(name, size_px=size_px, **({"clip_length": frames} if frames else {}))
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = 1.0
    with torch.no_grad():
        network.train()(torch.randn(8, *network.input_spec.sample_shape()))
    return network


@pytest.mark.parametrize(
    ("name", "size_px", "frames"),
    [
        ("mesonet4", 32, 0),
        ("mesoinception4", 64, 0),
        ("resnet18", 64, 0),
        ("resnet34", 32, 0),
        ("efficientnet_b0", 64, 0),
        ("mesonet4_lstm", 64, 2),
        ("efficientnet_b0_lstm", 64, 2),
        ("timm:resnet10t", 64, 0),
        ("timm:test_vit", 64, 0),
    ],
)
def test_every_family_of_detectors_from_one_call(name, size_px, frames):
    network = built(name, size_px, frames)
    loaded = LoadedDetector(network, name, network.input_spec, {}, None)  # pyright: ignore[reportArgumentType]
    found = explain(loaded, picture(size_px, frames), settings=SMALL, steps=30)
    assert list(found) == list(METHODS)
    for method, one in found.items():
        assert (one.method, one.detector, one.value) == (method, name, "logit")
        assert one.values.shape == (4, 4)
        assert one.values.dtype == np.float64
        assert np.isfinite(one.values).all()
        assert one.reason == ""
        json.dumps(one.to_dict(), allow_nan=False)
    shapley, gradients = found["shapley"], found["integrated_gradients"]
    assert shapley.standard_error is not None
    assert abs(shapley.gap) <= 1e-5
    # both add up to full - empty, one exactly and one up to its own gap
    assert gradients.values.sum() - gradients.gap == pytest.approx(shapley.values.sum(), rel=1e-4, abs=1e-4)
    assert found["occlusion"].evaluations == 17
    assert network.training


def test_each_method_is_as_by_itself():
    network, image, value = built("mesonet4", 32, 0), picture(32), double
    found = explain(network, image, row_id="a", value=value, settings=SMALL, steps=7, relu=True, layer="trunk.2")
    game = ImageGame(network, image, grid=4, baseline="mean", value=value)
    expected = {
        "shapley": attribute(network, image, row_id="a", value=value, settings=SMALL),
        "grad_cam": grad_cam(game, layer="trunk.2", relu=True),
        "integrated_gradients": integrated_gradients(game, steps=7),
        "occlusion": occlusion(game),
    }
    for method, one in expected.items():
        np.testing.assert_array_equal(found[method].values, one.values)
        assert found[method].value == "double"
    assert found["shapley"].details["settings"]["evaluations"] == 62
    assert found["grad_cam"].details == {"layer": "trunk.2", "relu": True}


def double(prediction: Prediction):
    return prediction.logit * 2


def test_methods_are_chosen_by_name():
    network, image = built("mesonet4", 32, 0), picture(32)
    assert list(explain(network, image, ("occlusion", "grad_cam"), settings=SMALL)) == ["occlusion", "grad_cam"]
    assert list(explain(network, image, "occlusion", settings=SMALL)) == ["occlusion"]
    with pytest.raises(UnknownNameError, match=r"no attribution method is called 'gradcam'\. Did you mean 'grad_cam'"):
        explain(network, image, ("occlusion", "gradcam"))
    with pytest.raises(ParameterError, match="methods is empty"):
        explain(network, image, ())
    with pytest.raises(InputError, match="no such entry in the prediction"):
        explain(network, image, value=ClassLogOdds("identity", 1), settings=SMALL)


def test_progress_is_that_of_shapley_values():
    seen = []
    found = explain(built("mesonet4", 32, 0), picture(32), "shapley", settings=SMALL, on_progress=seen.append)
    np.testing.assert_array_equal(seen[-1].values, found["shapley"].values)
