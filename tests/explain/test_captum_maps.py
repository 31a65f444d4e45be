"""Grad-CAM, integrated gradients and occlusion: closed forms, hand-written loops, completeness, and networks left untouched."""

import json
import sys

import numpy as np
import pytest
import torch
from exact_shapley import exact
from torch import nn

from dfworkbench.core.errors import InputError, MissingDependencyError, ParameterError, UnknownNameError
from dfworkbench.core.input_spec import InputSpec
from dfworkbench.explain.captum_maps import Explanation, grad_cam, integrated_gradients, occlusion
from dfworkbench.explain.last_map import find_map
from dfworkbench.explain.shapley.image_game import ImageGame, baseline_of, cell_of_pixel
from dfworkbench.explain.shapley.values import ClassLogit, ClassLogOdds
from dfworkbench.models import build_detector
from dfworkbench.models.inputs import prepare
from dfworkbench.models.prediction import Prediction

pytest.importorskip("captum", reason="captum is not installed")

ODD_SPEC = InputSpec(size_px=32, channel_order="bgr", value_range=(-1, 1), mean=(0.1, -0.2, 0.3), std=(0.5, 0.7, 0.9))
CLIP_SPEC = InputSpec(size_px=32, clip_length=3)
BASELINES = ("black", "mean", "blur")


def picture(size=32, frames=0, seed=0):
    shape = (size, size, 3) if not frames else (frames, size, size, 3)
    return np.random.default_rng(seed).integers(1, 256, size=shape, dtype=np.uint8)


def explained(method, detector, image, **options):
    """The map of one picture; options of the method apart from those of the game."""
    own = {name: options.pop(name) for name in ("steps", "layer", "relu") if name in options}
    return method(ImageGame(detector, image, **options), **own)


def prepared(image, spec):
    return prepare(torch.from_numpy(image).movedim(-1, -3)[None], spec)


class Linear(nn.Module):
    """Weights for every number of the input, so that every attribution has a closed form."""

    def __init__(self, spec=ODD_SPEC):
        super().__init__()
        self.input_spec = spec
        self.weights = nn.Parameter(torch.randn(spec.sample_shape(), generator=torch.Generator().manual_seed(0)))

    def forward(self, images):
        return Prediction((images * self.weights).flatten(1).sum(dim=1) + 3)


class Small(nn.Module):
    """Rough: two convolutions, dropout and batch norm to be kept still, a logit and three classes."""

    def __init__(self, spec=ODD_SPEC, seed=0):
        super().__init__()
        torch.manual_seed(seed)
        self.input_spec = spec
        side = spec.size_px // 4 - 2
        self.body = nn.Sequential(
            nn.Conv2d(3, 8, 5, stride=4, padding=2), nn.Tanh(), nn.BatchNorm2d(8), nn.Conv2d(8, 8, 3), nn.Tanh(),
            nn.Dropout(0.5), nn.Flatten(), nn.Linear(8 * side**2, 4),
        )  # fmt: skip

    def forward(self, images):
        pictures = images.flatten(0, 1) if images.ndim == 5 else images
        out = 10 * self.body(pictures).view(len(images), -1, 4).mean(dim=1)
        return Prediction(out[:, 0], {"identity": out[:, 1:]})


class Mapped(nn.Module):
    """Two channels of 4 x 4 from squares of 8 x 8 px, and a weight for each of their 32 cells: Grad-CAM by hand."""

    def __init__(self, squared=False):
        super().__init__()
        torch.manual_seed(0)
        self.input_spec = InputSpec(size_px=32)
        self.conv = nn.Conv2d(3, 2, 8, stride=8)
        self.pool = nn.MaxPool2d(2)
        self.weights = nn.Parameter(torch.randn(2, 4, 4))
        self.squared = squared

    def forward(self, images):
        maps = self.conv(images)
        self.pool(maps)  # a map later than the convolution's, which the logit does not see
        maps = maps**2 if self.squared else maps
        return Prediction((maps * self.weights).flatten(1).sum(dim=1))


@pytest.mark.parametrize("baseline", BASELINES)
@pytest.mark.parametrize("grid", [4, 5])
@pytest.mark.parametrize("spec", [ODD_SPEC, CLIP_SPEC], ids=["picture", "clip"])
def test_linear_detectors_have_one_attribution(baseline, grid, spec):
    """Weight times difference to the baseline, summed over each cell: integrated gradients, occlusion and Shapley values."""
    image, network = picture(frames=spec.clip_length if spec.clip_length > 1 else 0), Linear(spec)
    difference = prepared(image, spec) - prepared(baseline_of(image, baseline, grid), spec)
    pixels = (difference * network.weights)[0].detach().double().flatten(0, -3).sum(dim=0).numpy()
    cells = cell_of_pixel(32, grid)
    expected = np.array(
        [[pixels[np.ix_(cells == row, cells == column)].sum() for column in range(grid)] for row in range(grid)]
    )
    found = explained(integrated_gradients, network, image, grid=grid, baseline=baseline, steps=3)
    np.testing.assert_allclose(found.values, expected, atol=2e-3)
    assert found.values.dtype == np.float64
    hidden = explained(occlusion, network, image, grid=grid, baseline=baseline)
    np.testing.assert_allclose(hidden.values, expected, atol=2e-3)
    assert hidden.values.dtype == np.float64
    assert np.abs(expected).min() > 2e-3  # else the tolerance would let anything pass


def test_linear_detectors_have_the_same_shapley_values():
    image, network = picture(), Linear()
    shapley = exact(ImageGame(network, image, grid=3, baseline="mean")).values.reshape(3, 3)
    for method in (integrated_gradients, occlusion):
        np.testing.assert_allclose(
            explained(method, network, image, grid=3, baseline="mean").values, shapley, atol=2e-3
        )


@pytest.mark.parametrize("baseline", BASELINES)
@pytest.mark.parametrize(("spec", "grid"), [(ODD_SPEC, 4), (ODD_SPEC, 5), (CLIP_SPEC, 5)])
def test_occlusion_hides_one_cell_at_a_time(baseline, spec, grid):
    """Against coalitions of all players but one, and against a loop over pixels."""
    image, network = picture(frames=spec.clip_length if spec.clip_length > 1 else 0), Small(spec).eval()
    found = explained(occlusion, network, image, grid=grid, baseline=baseline, batch_size=7)
    assert found.evaluations == grid**2 + 1
    players = grid**2
    game = ImageGame(network, image, grid=grid, baseline=baseline)
    values = game.values(np.concatenate([np.ones((1, players), bool), ~np.eye(players, dtype=bool)]))
    np.testing.assert_allclose(found.values.ravel(), values[0] - values[1:], atol=1e-5)
    cells, other = cell_of_pixel(32, grid), baseline_of(image, baseline, grid)
    row, column = 1, grid - 1
    changed = image.copy()
    for y in np.flatnonzero(cells == row):
        for x in np.flatnonzero(cells == column):
            changed[..., y, x, :] = other[..., y, x, :]
    with torch.no_grad():
        fall = network(prepared(image, spec)).logit - network(prepared(changed, spec)).logit
    assert found.values[row, column] == pytest.approx(float(fall), abs=1e-5)
    assert found.values.std() > 1e-3


def test_occlusion_is_that_of_captum():
    from captum.attr import Occlusion

    image, network = picture(), Small().eval()
    shown, hidden = prepared(image, ODD_SPEC), prepared(baseline_of(image, "blur", 4), ODD_SPEC)
    theirs = Occlusion(lambda images: network(images).logit).attribute(
        shown, sliding_window_shapes=(3, 8, 8), strides=(3, 8, 8), baselines=hidden
    )
    ours = explained(occlusion, network, image, grid=4, baseline="blur").values
    np.testing.assert_allclose(ours, theirs[0, 0, ::8, ::8].numpy(), atol=1e-5)


@pytest.mark.parametrize("value", ["logit", ClassLogit("identity", 2), ClassLogOdds("identity", 1)])
@pytest.mark.parametrize("spec", [ODD_SPEC, CLIP_SPEC], ids=["picture", "clip"])
def test_integrated_gradients_add_up_to_what_showing_everything_adds(value, spec):
    image, network = picture(frames=spec.clip_length if spec.clip_length > 1 else 0), Small(spec)
    found = explained(integrated_gradients, network, image, grid=5, baseline="mean", value=value, steps=60)
    game = ImageGame(network, image, grid=5, baseline="mean", value=value)
    empty, full = game.values(np.repeat([[False], [True]], 25, axis=1))
    assert abs(full - empty) > 0.01
    assert found.values.sum() == pytest.approx(full - empty, abs=1e-4)
    assert found.gap == pytest.approx(found.values.sum() - (full - empty), abs=1e-5)
    assert found.evaluations == 60 + 2


def test_the_gap_says_that_there_were_too_few_steps():
    image, network = picture(), Small(seed=1)
    with torch.no_grad():
        network.body[0].weight.mul_(30)  # tanh is a step now
    few, many = (explained(integrated_gradients, network, image, grid=4, steps=steps) for steps in (2, 200))
    assert abs(few.gap) > 10 * abs(many.gap)
    game = ImageGame(network, image, grid=4)
    empty, full = game.values(np.repeat([[False], [True]], 16, axis=1))
    assert few.gap == pytest.approx(few.values.sum() - (full - empty), abs=1e-5)


def test_integrated_gradients_are_the_slow_sum():
    """The midpoint rule with many points, by hand."""
    image, network = picture(), Small().eval()
    shown, hidden = prepared(image, ODD_SPEC), prepared(baseline_of(image, "black"), ODD_SPEC)
    total = torch.zeros_like(shown)
    for k in range(100):
        point = (hidden + (k + 0.5) / 100 * (shown - hidden)).requires_grad_()
        total += torch.autograd.grad(network(point).logit.sum(), point)[0] / 100
    expected = (total * (shown - hidden))[0].sum(dim=0).reshape(4, 8, 4, 8).sum(dim=(1, 3))
    got = explained(integrated_gradients, network, image, grid=4, batch_size=7).values
    np.testing.assert_allclose(got, expected.numpy(), atol=2e-3 * float(expected.abs().max()))


def cam_by_hand(network, image):
    maps = network.conv(prepared(image, network.input_spec))[0].detach().double()
    gradients = network.weights.detach().double() * (2 * maps if network.squared else 1)
    return (gradients.mean(dim=(1, 2), keepdim=True) * maps).sum(dim=0).numpy()


@pytest.mark.parametrize("squared", [False, True])
def test_grad_cam_by_hand(squared):
    image, network = picture(), Mapped(squared)
    expected = cam_by_hand(network, image)
    got = explained(grad_cam, network, image, grid=4)
    assert got.details == {"layer": "conv", "relu": False}
    np.testing.assert_allclose(got.values, expected, rtol=1e-4, atol=1e-6)
    assert got.values.dtype == np.float64
    assert np.isnan(got.gap)
    half = explained(grad_cam, network, image, grid=2).values  # finer than the cells: averaged
    np.testing.assert_allclose(half, expected.reshape(2, 2, 2, 2).mean(axis=(1, 3)), rtol=1e-4, atol=1e-6)
    one = explained(grad_cam, network, image, grid=1).values
    np.testing.assert_allclose(one, [[expected.mean()]], rtol=1e-4, atol=1e-6)


def test_grad_cam_is_enlarged_between_the_centres_of_cells():
    image, network = picture(), Mapped()
    expected, got = cam_by_hand(network, image), explained(grad_cam, network, image, grid=8).values
    # cell 1 of 8 has its centre a quarter of a step beyond that of cell 0 of 4, cell 0 is before it: held
    assert got[0, 0] == pytest.approx(expected[0, 0], rel=1e-4)
    assert got[0, 1] == pytest.approx(0.75 * expected[0, 0] + 0.25 * expected[0, 1], rel=1e-4)
    assert got[2, 0] == pytest.approx(0.25 * expected[0, 0] + 0.75 * expected[1, 0], rel=1e-4)


def test_relu_keeps_what_speaks_for_the_value():
    image, network = picture(), Mapped()
    expected = cam_by_hand(network, image)
    assert expected.min() < 0 < expected.max()
    kept = explained(grad_cam, network, image, grid=4, relu=True).values
    np.testing.assert_allclose(kept, np.maximum(expected, 0), rtol=1e-4, atol=1e-6)


def test_grad_cam_of_a_clip_is_the_sum_over_its_frames():
    spec, clip = InputSpec(size_px=32, clip_length=3), picture(frames=3)

    class Clips(Mapped):
        def __init__(self):
            super().__init__()
            self.input_spec = spec

        def forward(self, images):
            return Prediction(super().forward(images.flatten(0, 1)).logit.view(len(images), -1).sum(dim=1))

    frames = [explained(grad_cam, Mapped(), frame, grid=4).values for frame in clip]
    np.testing.assert_allclose(
        explained(grad_cam, Clips(), clip, grid=4).values, np.sum(frames, axis=0), rtol=1e-4, atol=1e-6
    )


@pytest.mark.parametrize(
    ("name", "size_px", "frames", "expected"),
    [
        ("mesonet4", 32, 0, "trunk.3.2"),  # pooled to one cell after it
        ("mesonet4", 64, 0, "trunk.3"),  # 2 x 2, enlarged to 7 x 7 after it
        ("mesonet4", 224, 0, "trunk.4"),  # pooling from 7 x 7 to 7 x 7 is none
        ("mesoinception4", 64, 0, "trunk.3"),
        ("resnet18", 64, 0, "trunk"),
        ("resnet18", 32, 0, "trunk.net.layer3"),  # one cell after it
        ("efficientnet_b0", 64, 0, "trunk"),  # its last activation is called many times
        ("mesonet4_lstm", 64, 2, "trunk.3"),
        ("efficientnet_b0_lstm", 64, 2, "trunk"),
        pytest.param("caddm_resnet34", 224, 0, "trunk", marks=pytest.mark.slow),  # maps of anchors come after it
    ],
)
def test_the_last_map_of_every_family(name, size_px, frames, expected):
    torch.manual_seed(0)
    options = {} if name.startswith("caddm") else {"size_px": size_px} | ({"clip_length": frames} if frames else {})
    network = build_detector(name, **options).eval()
    images = prepared(picture(size_px, frames), network.input_spec).requires_grad_()
    assert find_map(network, lambda images: network(images).logit, images) == expected


class Branches(nn.Module):
    """The logit sees the map of `whole` on two ways; `left` lies on one of them."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.input_spec = InputSpec(size_px=32)
        self.whole = nn.Conv2d(3, 4, 4, stride=4)
        self.left, self.again = nn.Conv2d(4, 4, 3), nn.Conv2d(4, 4, 1)

    def forward(self, images):
        maps = self.again(self.again(self.whole(images)))
        return Prediction(maps.mean(dim=(1, 2, 3)) + self.left(maps).sum(dim=(1, 2, 3)))


class Halves(nn.Module):
    """`part` is given one half of a map; the logit sees that half, or both."""

    def __init__(self, both):
        super().__init__()
        self.input_spec, self.both = InputSpec(size_px=32), both
        self.whole, self.part = nn.Conv2d(3, 4, 4, stride=4), nn.Identity()

    def forward(self, images):
        first, second = self.whole(images).chunk(2, dim=1)
        logit = self.part(second).mean(dim=(1, 2, 3))
        return Prediction(logit + first.mean(dim=(1, 2, 3)) if self.both else logit)


def test_one_half_of_a_map_is_all_only_where_nothing_else_is_seen():
    assert explained(grad_cam, Halves(both=True), picture(), grid=4).details["layer"] == "whole"
    assert explained(grad_cam, Halves(both=False), picture(), grid=4).details["layer"] == "part"


def test_maps_on_one_of_several_ways_and_modules_that_are_called_twice_are_passed_over():
    image = picture()
    assert explained(grad_cam, Branches(), image, grid=4).details["layer"] == "whole"
    assert explained(grad_cam, Branches(), image, grid=4, layer="left").details["layer"] == "left"
    with pytest.raises(InputError, match=r"of the layer 'again', it is called 2 times; expected one map"):
        explained(grad_cam, Branches(), image, layer="again")


def test_a_layer_can_be_named():
    image, network = picture(64), build_detector("resnet18", size_px=64)
    found = explained(grad_cam, network, image, grid=4, layer="trunk.net.layer2")
    assert found.details["layer"] == "trunk.net.layer2"
    assert found.values.std() > 0
    with pytest.raises(
        UnknownNameError, match=r"no layer is called 'trunk.net.layr4'\. Did you mean 'trunk.net.layer4'"
    ):
        explained(grad_cam, network, image, layer="trunk.net.layr4")
    with pytest.raises(InputError, match=r"of the layer 'head', it gives \(1, 1\); expected one map"):
        explained(grad_cam, network, image, layer="head")
    with pytest.raises(InputError, match="which the value does not depend on"):
        explained(grad_cam, Mapped(), picture(), layer="pool")


def test_a_layer_that_is_changed_in_place_is_read_as_it_was_before():
    """ResNet adds to the output of its last batch norm in place, and puts a ReLU on it in place."""
    image, network = picture(64), build_detector("resnet18", size_px=64).eval()
    last, seen = network.trunk.net.layer4[1].bn2, []
    with torch.no_grad():
        last.bias.uniform_(-0.5, 0.5)
        hook = last.register_forward_hook(lambda module, inputs, output: seen.append(output[0].clone()))
        end = network.trunk(prepared(image, network.input_spec))[0]
        hook.remove()
        # behind the ReLU the logit is linear: where that is open, its gradient is known
        slopes = (network.head.weight[0][:, None, None] / 4 * (end > 0)).mean(dim=(1, 2), keepdim=True)
        expected = (slopes * seen[0]).sum(dim=0).numpy()
    got = explained(grad_cam, network, image, grid=2, layer="trunk.net.layer4.1.bn2").values
    np.testing.assert_allclose(got, expected, rtol=1e-3, atol=1e-5)
    assert np.abs(got - explained(grad_cam, network, image, grid=2).values).max() > 1e-3


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("method", [grad_cam, integrated_gradients, occlusion])
@pytest.mark.parametrize("name", ["Small", "mesonet4_lstm"])
def test_networks_come_back_as_they_were(method, name):
    small = name == "Small"
    network = Small() if small else build_detector(name, size_px=64, clip_length=2)
    image = picture() if small else picture(64, frames=2)
    network.train()
    first = next(module for module in network.modules() if isinstance(module, nn.BatchNorm2d))
    first.eval()
    parameters = list(network.parameters())
    parameters[0].requires_grad_(False)
    parameters[1].grad = torch.ones_like(parameters[1])
    before = {key: value.clone() for key, value in network.state_dict().items()}
    modes = [module.training for module in network.modules()]
    trained = explained(method, network, image, grid=4).values
    assert [module.training for module in network.modules()] == modes
    assert all(torch.equal(value, before[key]) for key, value in network.state_dict().items())
    assert [p.requires_grad for p in parameters] == [False] + [True] * (len(parameters) - 1)
    assert bool((parameters[1].grad == 1).all())
    assert all(p.grad is None for p in parameters if p is not parameters[1])
    assert not any(module._forward_hooks for module in network.modules())
    # dropout and batch statistics would have changed the map
    np.testing.assert_array_equal(trained, explained(method, network.eval(), image, grid=4).values)


@pytest.mark.parametrize("context", [torch.no_grad, torch.inference_mode])
def test_gradients_are_there_where_the_caller_has_switched_them_off(context):
    network = Small()
    for parameter in network.parameters():
        parameter.requires_grad_(False)
    with context():
        maps = [
            explained(method, network, picture(), grid=4).values
            for method in (grad_cam, integrated_gradients, occlusion)
        ]
        assert not torch.is_grad_enabled()
    for found, method in zip(maps, (grad_cam, integrated_gradients, occlusion), strict=True):
        np.testing.assert_array_equal(found, explained(method, network, picture(), grid=4).values)


def test_modes_come_back_after_an_error():
    network = Small().train()
    with pytest.raises(InputError, match="has shape"):
        explained(integrated_gradients, network, picture(), grid=4, value=lambda prediction: prediction.aux["identity"])
    assert network.training


def test_batches_change_nothing_beyond_rounding():
    network, image = Small(), picture()
    for method in (integrated_gradients, occlusion):
        one, all_ = (explained(method, network, image, grid=4, batch_size=size) for size in (1, 100))
        np.testing.assert_allclose(one.values, all_.values, atol=1e-5)
        assert one.evaluations == all_.evaluations


def test_bad_inputs():
    network, image = Small(), picture()
    for method in (grad_cam, integrated_gradients, occlusion):
        with pytest.raises(InputError, match=r"Small takes \(B, 3, 32, 32\)"):
            explained(method, network, picture(33), grid=4)
        with pytest.raises(InputError, match="type float32, expected"):
            explained(method, network, image.astype(np.float32), grid=4)
        with pytest.raises(ParameterError, match="grid = 33"):
            explained(method, network, image, grid=33)
        with pytest.raises(InputError, match="got 'fake', expected 'logit'"):
            explained(method, network, image, grid=4, value="fake")
        with pytest.raises(
            InputError, match=r"has shape \(1, 3\), expected \(1,\)|has shape \(16, 3\), expected \(16,\)"
        ):
            explained(method, network, image, grid=4, value=lambda prediction: prediction.aux["identity"])
    with pytest.raises(ParameterError, match="steps = 0"):
        explained(integrated_gradients, network, image, steps=0)
    for method in (integrated_gradients, occlusion):
        with pytest.raises(UnknownNameError, match="no baseline is called 'grey'"):
            explained(method, network, image, grid=4, baseline="grey")
        with pytest.raises(ParameterError, match="batch_size = 0"):
            explained(method, network, image, grid=4, batch_size=0)


def test_values_without_a_gradient():
    network, image = Small(), picture()

    def class_number(prediction):
        return prediction.aux["identity"].argmax(dim=1).float()

    for method in (grad_cam, integrated_gradients):
        with pytest.raises(InputError, match="class_number has no gradient"):
            explained(method, network, image, grid=4, value=class_number)
    assert explained(occlusion, network, image, grid=4, value=class_number).value.endswith("class_number")
    with pytest.raises(InputError, match="no gradient leads from the value to the picture"):
        explained(grad_cam, network, image, value=lambda prediction: network.body[7].bias[:1] * 2)


def test_networks_without_a_map():
    with pytest.raises(InputError, match=r"explaining Linear by Grad-CAM: none of 0 modules makes a map"):
        explained(grad_cam, Linear(), picture())


def test_weights_that_are_not_numbers():
    network = Small()
    with torch.no_grad():
        network.body[7].weight.fill_(torch.nan)
    for method in (grad_cam, integrated_gradients, occlusion):
        with pytest.raises(InputError, match="16 of 16 cells are NaN"):
            explained(method, network, picture(), grid=4)


def test_captum_is_asked_for_by_name(monkeypatch):
    monkeypatch.setitem(sys.modules, "captum", None)
    monkeypatch.setitem(sys.modules, "captum.attr", None)
    with pytest.raises(MissingDependencyError, match="pip install captum"):
        explained(occlusion, Small(), picture())


def test_records_and_maps_of_zeros():
    network = Small()
    with torch.no_grad():
        network.body[7].weight.zero_()
    found = explained(occlusion, network, picture(), grid=4, baseline="mean")
    assert found.reason == "the map is 0 everywhere"
    record = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert record == {
        "method": "occlusion", "detector": "Small", "value": "logit", "evaluations": 17, "gap": None,
        "reason": "the map is 0 everywhere", "details": {"baseline": "mean"},
    }  # fmt: skip
    assert Explanation("a", np.eye(2), "b", "c", 1, gap=0.5).to_dict()["gap"] == 0.5
