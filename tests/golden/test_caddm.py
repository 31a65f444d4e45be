"""CADDM against the figures that the original code gave to the authors of the specification (acceptance checks A1 to A4)."""

import numpy as np
import pytest
import torch
from caddm_weights import value_of
from torch import nn
from torchvision import models

from dfworkbench.core.errors import CheckpointError, InputError, ParameterError
from dfworkbench.methods.caddm.adm import ArtifactDetectionModule
from dfworkbench.methods.caddm.anchors import ANCHOR_COUNT, corners, decode, encode, prior_boxes
from dfworkbench.methods.caddm.weights import original_name
from dfworkbench.models import build_detector
from dfworkbench.models.inputs import prepare
from dfworkbench.models.pretrained import IMAGENET_URLS

#: Parameters in all with the 1000-way head, that head, backbone with it, ADM, classifier; entries and elements of the state
#: dict with that head.
COUNTS = {
    "resnet34": (44_003_162, 513_000, 21_797_672, 22_204_464, 1_026, 299, 44_029_447),
    "efficientnet_b3": (210_970_178, 1_537_000, 12_233_232, 198_733_872, 3_074, 655, 211_085_209),
    "efficientnet_b4": (289_736_546, 1_793_000, 19_341_616, 270_391_344, 3_586, 787, 289_894_107),
}
FIGURES = {
    "resnet34": {
        "mean of g": 1.84103, "g": [5.07823, 7.79768, 0.0264825, 0.789141], "a": [0, 1.40662, 0, 0.190847],
        "box 0": [-1.15969, 2.39372, -0.355262, -0.528348], "box 98": [0.237273, 1.10720, 0.874964, 1.31343],
        "box 167": [0.403066, -0.828966, 1.77398, 1.24347], "class 148": [-0.395343, -1.14323],
        "class 167": [-1.67650, -0.662237], "sums": [1354.07, 537.466], "logit": -1.86934 - 3.68013, "fake": 0.00387445,
    },
    "efficientnet_b3": {
        "mean of g": 0.0167957, "g": [-0.0446545, 0.0511601, -0.0442887, -0.106517],
        "a": [0, 0.0534247, 0.392162, 0.0754858], "box 0": [-0.117847, -0.0191578, -0.177010, 0.234331],
        "box 98": [0.0796917, -0.121036, 0.155554, 0.143366], "box 167": [-0.131386, 0.209738, 0.233346, -0.240667],
        "class 148": [0.224335, 0.346010], "class 167": [0.205956, -0.542220], "sums": [102.865, 39.3698],
        "logit": -0.0318196 + 0.377648, "fake": 0.585606,
    },
    "efficientnet_b4": {
        "mean of g": 0.0155368, "g": [-0.0179480, 0.139492, -0.0339652, -0.106683],
        "a": [0.0154390, 0.512912, 0.188487, 0.0773694], "box 0": [-0.255220, 0.161269, -0.201069, -0.113958],
        "box 98": [0.264550, -0.318412, -0.106105, 0.0460432], "box 167": [0.137194, 0.504645, -0.483466, -0.520051],
        "class 148": [-0.0298041, 0.180021], "class 167": [0.300836, -0.342083], "sums": [110.896, 50.3266],
        "logit": 0.166626 + 0.0685789, "fake": 0.558532,
    },
}  # fmt: skip


def count(module):
    return sum(p.numel() for p in module.parameters())


def shell(backbone):
    """Shapes without numbers."""
    with torch.device("meta"):
        return build_detector(f"caddm_{backbone}")


def filled(backbone):
    """The detector with weights that follow from the authors' names and the shapes, tensor by tensor."""
    detector = shell(backbone)
    state = {key: value_of(original_name(key), tuple(value.shape)) for key, value in detector.state_dict().items()}
    detector.load_state_dict(state, assign=True)
    return detector.eval()


# -- A1 ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("backbone", sorted(COUNTS))
def test_parameter_counts(backbone):
    total, unused, trunk, adm, classifier, entries, elements = COUNTS[backbone]
    detector = shell(backbone)
    assert count(detector) == total - unused
    assert count(detector.trunk) == trunk - unused
    assert (count(detector.adm), count(detector.classifier)) == (adm, classifier)
    state = detector.state_dict()
    assert len(state) == entries - 2
    assert sum(value.numel() for value in state.values()) == elements - unused


@pytest.mark.parametrize("channels", [1, 8, 512, 1792])
def test_adm_closed_form(channels):
    with torch.device("meta"):
        assert count(ArtifactDetectionModule(channels)) == 84 * channels**2 + 360 * channels + 48


# -- A2 ----------------------------------------------------------------------------------------------------------------


def test_shapes_of_the_adm():
    adm = ArtifactDetectionModule(16)
    maps = torch.rand(2, 16, 7, 7)
    assert [tuple(level.shape) for level in adm.pyramid(maps)] == [(2, 16, side, side) for side in (7, 5, 3, 1)]
    assert [tuple(answer.shape) for answer in adm(maps)] == [(2, 168, 4), (2, 168, 2), (2, 16)]


@pytest.mark.parametrize("training", [True, False])
def test_shapes_of_the_detector(training):
    detector = build_detector("caddm_resnet34").train(training)
    with torch.inference_mode():
        prediction = detector(torch.rand(2, 3, 224, 224))
    assert prediction.logit.shape == (2,)
    assert {name: tuple(value.shape) for name, value in prediction.aux.items()} == {
        "box_offsets": (2, 168, 4), "anchor_logits": (2, 168, 2),
    }  # fmt: skip


@pytest.mark.parametrize("side", [192, 256])
def test_other_sizes_are_refused(side):
    with pytest.raises(InputError, match=r"caddm_resnet34 takes \(B, 3, 224, 224\)"):
        shell("resnet34")(torch.zeros(1, 3, side, side, device="meta"))


def test_answers_follow_the_order_of_the_priors():
    """A cell's answers stand where its prior boxes do: heads that read one channel, which holds the number of the cell."""
    adm = ArtifactDetectionModule(1)
    adm.levels = nn.ModuleList([nn.Identity()])
    head = adm.class_heads[0]
    nn.init.zeros_(head.weight)
    head.weight.data[:, 0, 1, 1] = torch.tensor([1.0, 2.0, 3.0, 4.0])  # (anchor 0, 1) x (genuine, forged)
    nn.init.zeros_(head.bias)
    adm.class_heads, adm.box_heads = nn.ModuleList([head]), nn.ModuleList([adm.box_heads[0]])
    cells = torch.arange(49.0).view(1, 1, 7, 7)
    _, logits, _ = adm(cells)
    expected = torch.arange(49.0).repeat_interleave(2)[:, None] * torch.tensor([[1.0, 2.0], [3.0, 4.0]]).repeat(49, 1)
    assert torch.allclose(logits[0], expected)


# -- A3 ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("backbone", sorted(FIGURES))
def test_forward(backbone):
    expected = FIGURES[backbone]
    detector = filled(backbone)
    images = np.random.RandomState(0).uniform(0, 1, (1, 3, 224, 224)).astype(np.float32)
    with torch.inference_mode():
        images = torch.from_numpy(images)
        trunk = detector.trunk(images)  # it looks once
        detector.trunk.forward = lambda images: trunk
        prediction, features = detector(images), detector.features(images)[0]
        g = trunk.mean(dim=(2, 3))[0]
    offsets, logits = prediction.aux["box_offsets"][0], prediction.aux["anchor_logits"][0]
    found = {
        "mean of g": g.mean(), "g": g[:4], "a": (features - g)[:4], "box 0": offsets[0], "box 98": offsets[98],
        "box 167": offsets[167], "class 148": logits[148], "class 167": logits[167],
        "sums": torch.stack([offsets.abs().sum(), logits.abs().sum()]),
        "logit": prediction.logit, "fake": prediction.logit.sigmoid(),
    }  # fmt: skip
    for name, values in expected.items():
        np.testing.assert_allclose(found[name].numpy().squeeze(), values, rtol=1e-3, atol=1e-6, err_msg=name)


# -- A4 ----------------------------------------------------------------------------------------------------------------

PRIORS = {
    0: (0.071429, 0.071429, 0.178571, 0.357143), 1: (0.071429, 0.071429, 0.357143, 0.178571),
    2: (0.214286, 0.071429, 0.178571, 0.357143), 14: (0.071429, 0.214286, 0.178571, 0.357143),
    97: (0.928571, 0.928571, 0.357143, 0.178571), 98: (0.100446, 0.100446, 0.357143, 0.535714),
    99: (0.100446, 0.100446, 0.535714, 0.357143), 108: (0.100446, 0.301339, 0.357143, 0.535714),
    147: (0.904018, 0.904018, 0.535714, 0.357143), 148: (0.167411, 0.167411, 0.535714, 0.714286),
    165: (0.837054, 0.837054, 0.714286, 0.535714), 166: (0.5, 0.5, 1.0, 1.0), 167: (0.5, 0.5, 1.0, 1.0),
}  # fmt: skip
CODES = {
    0: (12.8, 9.2, 4.032379, 0.566644), 98: (5.5875, 5.591667, 0.566643, -1.460682),
    148: (2.475, 3.25625, -1.460682, -2.899092), 166: (-2, -1, -4.581453, -4.581453),
}  # fmt: skip


def test_priors():
    priors = prior_boxes()
    assert priors.shape == (ANCHOR_COUNT, 4) == (168, 4)
    assert priors.dtype == torch.float32
    np.testing.assert_allclose(priors[list(PRIORS)].numpy(), list(PRIORS.values()), atol=1e-6)
    np.testing.assert_allclose(priors.sum(dim=0).numpy(), [84.1518, 84.1518, 61.8214, 61.8214], atol=1e-4)
    assert priors.sum().item() == pytest.approx(291.9464, abs=1e-3)
    boxes = corners(priors)
    assert (boxes.min().item(), boxes.max().item()) == pytest.approx((-0.1897, 1.1942), abs=1e-4)


def test_priors_are_a_table_of_the_detector_and_not_a_weight():
    detector = shell("resnet34")
    assert torch.equal(detector.priors, prior_boxes())
    assert "priors" not in detector.state_dict()


def test_encode_by_hand():
    codes = encode(torch.tensor([0.10, 0.20, 0.50, 0.60]), prior_boxes())
    np.testing.assert_allclose(codes[list(CODES)].numpy(), list(CODES.values()), rtol=1e-5)


def test_decode_by_hand():
    box = decode(torch.tensor([1.0, -1.0, 0.5, -0.5]), prior_boxes()[98])
    np.testing.assert_allclose(box.numpy(), [-0.061191, -0.195492, 0.333513, 0.289242], atol=2e-6)


def test_decode_undoes_encode():
    generator = torch.Generator().manual_seed(0)
    low = torch.rand(3, 168, 2, generator=generator) * 0.5
    boxes = torch.cat([low, low + 0.05 + torch.rand(3, 168, 2, generator=generator) * 0.45], dim=-1)
    assert (decode(encode(boxes, prior_boxes()), prior_boxes()) - boxes).abs().max() < 1e-6
    assert torch.equal(decode(torch.zeros(3, 168, 4), prior_boxes())[1], corners(prior_boxes()))


# -- the backbone and detectors that are fed alike ---------------------------------------------------------------------


@pytest.mark.parametrize(("depth", "parameters"), [(18, 11_177_025), (34, 21_285_185)])
def test_plain_resnets(depth, parameters):
    """torchvision's network up to its classifier: 11,689,512 and 21,797,672 parameters with it."""
    torch.manual_seed(0)
    detector = build_detector(f"resnet{depth}", size_px=64).eval()
    assert count(detector) == parameters == {18: 11_689_512, 34: 21_797_672}[depth] - 513_000 + 513
    images = torch.rand(2, 3, 64, 64)
    with torch.inference_mode():
        assert torch.allclose(detector.features(images), detector.trunk.net(images), atol=1e-5)
        assert torch.allclose(detector(images).logit, detector.head(detector.trunk.net(images))[:, 0], atol=1e-5)
    assert (detector.input_spec.crop_scale, detector.input_spec.alignment) == (1.3, "box")


def test_resnet_refusals(tmp_path):
    with pytest.raises(ParameterError, match="resnet18': size_px = 16"):
        build_detector("resnet18", size_px=16)
    with pytest.raises(CheckpointError, match=r"there is no file .*download\.pytorch\.org/models/resnet34-"):
        build_detector("resnet34", weights=str(tmp_path / "none.pth"))


def test_imagenet_weights_are_those_of_torchvision(tmp_path):
    assert IMAGENET_URLS["resnet18"] == models.ResNet18_Weights.IMAGENET1K_V1.url
    assert IMAGENET_URLS["resnet34"] == models.ResNet34_Weights.IMAGENET1K_V1.url
    published = models.resnet34()
    torch.save(published.state_dict(), tmp_path / "resnet34.pth")
    loaded = build_detector("caddm_resnet34", weights=str(tmp_path / "resnet34.pth")).trunk.net.state_dict()
    assert all(torch.equal(value, published.state_dict()[key]) for key, value in loaded.items())
    (tmp_path / "resnet34.pth").unlink()


@pytest.mark.parametrize("name", ["resnet34", "efficientnet_b3"])
def test_plain_detectors_can_be_fed_like_caddm(name):
    with torch.device("meta"):
        plain = build_detector(name, alignment="five_points", crop_scale=1.0)
    assert plain.input_spec == shell(name).input_spec
    with pytest.raises(ParameterError, match=r"alignment = 'eyes'; .*'five_points'"):
        build_detector(name, alignment="eyes")


def test_input_of_the_authors():
    with torch.device("meta"):
        spec = build_detector("caddm_resnet34", authors_input=True).input_spec
    image = prepare(torch.tensor([255, 0, 128], dtype=torch.uint8).view(1, 3, 1, 1).expand(1, 3, 224, 224), spec)
    assert image[0, :, 0, 0].tolist() == [128, 0, 255]


def test_every_parameter_learns_from_logit_and_anchors():
    detector = build_detector("caddm_resnet34")
    prediction = detector(torch.rand(2, 3, 224, 224))
    torch.stack([value.square().sum() for value in (prediction.logit, *prediction.aux.values())]).sum().backward()
    assert [name for name, p in detector.named_parameters() if p.grad is None or not p.grad.any()] == []
