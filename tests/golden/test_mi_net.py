"""MI_Net against figures that the original code gave to the authors of the specification (acceptance checks A1-A3, A10, A12d)."""

import numpy as np
import pytest
import torch
from efficientnet_pytorch import EfficientNet
from mi_net_weights import BACKBONES, authors_state
from torch import nn
from torchvision import models

from dfworkbench.core.errors import InputError, ParameterError, UnknownNameError
from dfworkbench.methods.mi_net.loss_weights import AutomaticWeights
from dfworkbench.methods.mi_net.mi_losses import cross_entropies, local_information_loss, posterior_distances
from dfworkbench.methods.mi_net.network import PARAMETERS
from dfworkbench.methods.mi_net.weights import original_name
from dfworkbench.models import build_detector
from dfworkbench.models.inputs import prepare

#: Parameters of the original with n blocks, and the unused heads of a block among them.
COUNTS = {
    ("resnet34", 2): (44_359_484, 0), ("resnet34", 3): (66_161_278, 0), ("resnet34", 4): (87_965_120, 0),
    ("resnet34", 6): (131_578_948, 0), ("mobilenet", 2): (11_539_724, 1_025_000), ("mobilenet", 3): (16_805_942, 1_025_000),
    ("mobilenet", 4): (22_076_256, 1_025_000), ("mobilenet", 6): (32_629_172, 1_025_000),
    ("efficientnet_b0", 4): (27_463_504, 1_281_000), ("efficientnet_b4", 4): (85_997_696, 1_793_000),
}  # fmt: skip
#: Of four blocks: a block, a head of all others, the fusion, the head of all, the last head; entries of the state dict.
PARTS = {
    "resnet34": (21_284_672, 3_074, 2_809_012, 4_098, 1_026, 892),
    "mobilenet": (4_231_976 - 1_025_000, 6_146, 5_113_524, 8_194, 2_050, 684 - 8),
    "efficientnet_b0": (4_007_548, 7_682, 6_265_780, 10_242, 2_562, 1468 - 8),
    "efficientnet_b4": (17_548_616, 10_754, 8_570_292, 14_338, 3_586, 2852 - 8),
}
#: Width of a description, and parameters of an EfficientNet without head.
EFFICIENTNETS = {
    "b0": (1280, 4_007_548), "b1": (1280, 6_513_184), "b2": (1408, 7_700_994), "b3": (1536, 10_696_232),
    "b4": (1792, 17_548_616), "b5": (2048, 28_340_784),
}  # fmt: skip
#: "z" is the beginning of the first block's description; "losses" are of classification, global and local, then their sum.
FIGURES = {
    "resnet34": {
        "losses": [12.106687, 0.199810, 0.068447, 8.266913], "z": [0.382182, 0.554826, 2.433254, 0.803351],
        "p_z": [[-0.163149, -1.786404], [-0.101142, -1.811092]], "p_all": [[0.002638, -5.704139], [-0.033360, -5.670640]],
        "p_-1": [[-3.718794, 1.210898], [-3.888435, 1.074762]], "p_-2": [[-0.610470, -6.023572], [-0.810088, -5.941375]],
        "p_-3": [[0.705951, -3.966844], [0.835846, -4.108345]], "p_-4": [[-3.276389, -2.471269], [-3.476427, -2.396025]],
    },
    "mobilenet": {
        "losses": [6.452426, 0.005900, 0.827854, 5.722532], "z": [0.783838, 2.370581, 1.972067, 0.761954],
        "p_z": [[0.393349, 1.645737], [0.378630, 1.632426]], "p_all": [[-0.681086, -0.015070], [-0.865143, 0.016083]],
        "p_-1": [[1.126473, 1.383509], [1.097399, 1.368235]], "p_-2": [[-2.482146, 1.961413], [-2.521315, 2.080801]],
        "p_-3": [[-1.365172, 0.135347], [-1.345101, 0.082748]], "p_-4": [[-0.379079, 1.216899], [-0.449830, 1.278923]],
    },
    "efficientnet_b0": {
        "losses": [4.223399, 0.001051, 0.985387, 4.684360], "z": [0.177213, -0.019416, -0.245338, 0.195964],
        "p_z": [[0.154703, -0.050255], [0.155802, -0.052971]], "p_all": [[-0.127705, -0.134092], [-0.119526, -0.137533]],
        "p_-1": [[-0.078774, -0.211595], [-0.075900, -0.209797]], "p_-2": [[-0.070542, 0.338241], [-0.086727, 0.349900]],
        "p_-3": [[-0.037689, -0.318375], [-0.039818, -0.317870]], "p_-4": [[-0.378587, 0.114698], [-0.374410, 0.127386]],
    },
}  # fmt: skip


def count(module):
    return sum(p.numel() for p in module.parameters())


def shell(backbone, **options):
    """Shapes without numbers."""
    with torch.device("meta"):
        return build_detector(f"mi_net_{backbone}", **options)


# -- A1 ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("backbone", "blocks"), COUNTS)
def test_parameter_counts(backbone, blocks):
    total, unused = COUNTS[backbone, blocks]
    assert count(shell(backbone, blocks=blocks)) == total - blocks * unused


@pytest.mark.parametrize("backbone", PARTS)
def test_parameters_of_the_parts(backbone):
    detector = shell(backbone)
    trunk, left_out, fusion, joint, last, entries = PARTS[backbone]
    assert [count(part) for part in detector.trunks] == [trunk] * 4
    assert [count(part) for part in detector.left_out_heads] == [left_out] * 4
    assert [count(part) for part in (detector.fusion, detector.joint_head, detector.classifier)] == [
        fusion,
        joint,
        last,
    ]
    state = detector.state_dict()
    assert len(state) == entries
    assert sum(not key.startswith("trunks.") for key in state) == 28


@pytest.mark.parametrize("backbone", PARAMETERS)
def test_documented_counts(backbone):
    with torch.device("meta"):
        assert count(build_detector(f"mi_net_{backbone}")) == PARAMETERS[backbone]


@pytest.mark.parametrize("variant", EFFICIENTNETS)
def test_widths_of_the_efficientnets(variant):
    trunk = shell(f"efficientnet_{variant}", blocks=2).trunks[0]
    assert (trunk.channels, count(trunk)) == EFFICIENTNETS[variant]


# -- A2 ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("backbone", BACKBONES)
def test_every_parameter_learns(backbone):
    torch.manual_seed(0)
    detector = build_detector(f"mi_net_{backbone}", blocks=2, size_px=64)
    aux = detector(torch.randn(2, 3, 64, 64)).aux
    logits = [aux[name].flatten() for name in ("class_logits", "joint_logits", "left_out_logits")]
    torch.cat(logits).square().sum().backward()
    assert [name for name, p in detector.named_parameters() if p.grad is None or not p.grad.any()] == []


@pytest.mark.parametrize("size", [64, 128, 256, 299])
def test_any_size(size):
    detector = build_detector("mi_net_mobilenet", size_px=size, blocks=2).eval()
    with torch.inference_mode():
        assert detector(torch.zeros(1, 3, size, size)).logit.shape == (1,)
    with pytest.raises(InputError, match=rf"mi_net_mobilenet takes \(B, 3, {size}, {size}\)"):
        detector(torch.zeros(1, 3, size + 1, size + 1))


def test_shares_of_blocks_add_up_and_are_of_one_block_each():
    torch.manual_seed(0)
    detector = build_detector("mi_net_mobilenet", blocks=3, size_px=32).eval()
    images = torch.randn(4, 3, 32, 32)
    with torch.inference_mode():
        aux = detector(images).aux
        joint = aux["joint_logits"][:, 1] - aux["joint_logits"][:, 0]
        bias = detector.joint_head.bias[1] - detector.joint_head.bias[0]
        assert (aux["block_shares"].sum(dim=1) + bias).numpy() == pytest.approx(joint.numpy(), abs=1e-5)
        for parameter in detector.trunks[1].parameters():
            parameter.zero_()  # a blind block
        blind = detector(images).aux["block_shares"]
    assert blind[:, 1].std() == 0
    assert torch.equal(blind[:, [0, 2]], aux["block_shares"][:, [0, 2]])
    assert (blind[:, [0, 2]].std(dim=0) > 0).all()


def test_a_single_sample_cannot_be_trained_on():
    detector = build_detector("mi_net_mobilenet", blocks=2, size_px=32)
    with pytest.raises(ParameterError, match=r"a batch of 1 sample; batch norms need at least 2\. Set batch_size"):
        detector(torch.zeros(1, 3, 32, 32))


def test_an_unknown_backbone():
    with pytest.raises(UnknownNameError, match=r"no detector is called 'mi_net_resnet'.*'mi_net_resnet34'"):
        build_detector("mi_net_resnet")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"blocks": 1}, r"mi_net_mobilenet': blocks = 1; .*greater than or equal to 2"),
        ({"size_px": 31}, r"size_px = 31; .*greater than or equal to 32"),
        ({"dropout": 1.0}, r"dropout = 1.0; .*less than 1"),
        ({"spread": -1.0}, r"spread = -1.0; .*greater than or equal to 0"),
        ({"weights": "imagenet"}, "weights = 'imagenet', but none are published for it; expected ''"),
        ({"alignment": "eyes"}, r"alignment = 'eyes'; .*'five_points'"),
    ],
)
def test_refusals(options, message):
    with pytest.raises(ParameterError, match=message):
        shell("mobilenet", **options)


def test_dropout_of_fusion_and_last_layer():
    detector = shell("mobilenet", dropout=0.2)
    assert [module.p for module in detector.modules() if isinstance(module, nn.Dropout)] == [0.2] * 3
    kept = torch.ones(1000)
    assert detector.drop(kept).count_nonzero() < 900
    assert torch.equal(detector.eval().drop(kept), kept)


# -- A3 ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("backbone", FIGURES)
def test_forward(backbone):
    detector, state = shell(backbone), authors_state(backbone)
    detector.load_state_dict({key: state[original_name(key)] for key in detector.state_dict()}, assign=True)
    images = torch.from_numpy(np.random.RandomState(7).standard_normal((2, 3, 224, 224)).astype(np.float32))
    with torch.no_grad():
        prediction = detector.eval()(images)
    aux, expected = prediction.aux, FIGURES[backbone]
    d = BACKBONES[backbone][1]
    assert {name: tuple(value.shape) for name, value in aux.items()} == {
        "class_logits": (2, 2), "joint_logits": (2, 2), "left_out_logits": (2, 4, 2), "local_features": (2, 4, d),
        "global_features": (2, d), "block_shares": (2, 4),
    }  # fmt: skip
    decision, joint, left_out = aux["class_logits"], aux["joint_logits"], aux["left_out_logits"]
    found = {"z": aux["local_features"][0, 0, :4], "p_z": decision, "p_all": joint, "losses": losses(aux)}
    found |= {f"p_-{i + 1}": left_out[:, i] for i in range(4)}
    assert found.keys() == expected.keys()
    for name, values in expected.items():
        tolerance = 2e-3 if name == "losses" else 1e-3
        np.testing.assert_allclose(found[name].numpy(), values, rtol=0, atol=tolerance, err_msg=name)
    genuine, fake = np.transpose(expected["p_z"])
    np.testing.assert_allclose(prediction.logit.numpy(), fake - genuine, rtol=0, atol=2e-3)
    assert torch.allclose(detector.classifier(aux["global_features"]), decision)


def losses(aux):
    """With both information losses on, for a real and a fake picture."""
    decision, joint, left_out = (aux[f"{name}_logits"] for name in ("class", "joint", "left_out"))
    heads = torch.cat([decision[:, None], joint[:, None], left_out], dim=1)
    named = {
        "classification": cross_entropies(heads, torch.eye(2)).sum(),
        "global": posterior_distances(decision[:, None], joint)[0],
        "local": local_information_loss(posterior_distances(left_out, joint)),
    }
    return torch.stack([*named.values(), AutomaticWeights(list(named))(named).detach()])


def test_features_are_those_that_the_decision_stands_on():
    torch.manual_seed(0)
    detector = build_detector("mi_net_mobilenet", blocks=2, size_px=64).eval()
    images = torch.randn(2, 3, 64, 64)
    with torch.inference_mode():
        assert torch.equal(detector.features(images), detector(images).aux["global_features"])


# -- input and start -----------------------------------------------------------------------------------------------------


def test_padding_is_that_of_the_variants_own_size():
    """b1 is made for 240 px: one of its maps is 15 wide there and 14 at 224 px, which is padded differently."""
    torch.manual_seed(0)
    own = build_detector("mi_net_efficientnet_b1", blocks=2).trunks[0].eval()
    images = torch.randn(1, 3, 224, 224)
    maps = []
    for size in (240, 224):
        reference = EfficientNet.from_name("efficientnet-b1", image_size=size, include_top=False).eval()
        reference.load_state_dict(own.net.state_dict())
        with torch.inference_mode():
            maps.append(reference.extract_features(images))
    with torch.inference_mode():
        assert torch.equal(own(images), maps[0])
    assert (maps[0] - maps[1]).abs().max() > 0.1 * maps[0].abs().max()


@pytest.mark.parametrize(
    ("bgr", "expected"), [(True, (2.248909, -2.035713, -1.804445)), (False, (-2.117904, -2.035713, 2.640000))]
)
def test_a10_pixels_of_pure_blue(bgr, expected):
    spec = shell("mobilenet", bgr=bgr, size_px=64).input_spec
    blue = torch.tensor([0, 0, 255], dtype=torch.uint8).view(1, 3, 1, 1).expand(1, 3, 64, 64)
    np.testing.assert_allclose(prepare(blue, spec).mean(dim=(0, 2, 3)).numpy(), expected, atol=1e-5)
    assert (spec.crop_scale, spec.alignment) == (1.3, "box")


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    """A file as torchvision's."""
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("published") / "resnet34.pth"
    torch.save(models.resnet34().state_dict(), path)
    yield str(path)
    path.unlink()


def test_a12d_blocks_of_one_file_start_alike(published):
    detector = build_detector("mi_net_resnet34", blocks=3, size_px=64, weights=published)
    images = torch.randn(2, 3, 64, 64)
    for training in (True, False):
        with torch.no_grad():
            local = detector.train(training)(images).aux["local_features"]
        assert local.std() > 0
        assert torch.equal(local[:, :1].expand_as(local), local), training
    first, second, third = (head.weight for head in detector.left_out_heads)
    assert not torch.equal(first, second)
    assert not torch.equal(second, third)
    assert len({trunk.net.conv1.weight.data_ptr() for trunk in detector.trunks}) == 3, "alike, but not shared"


def test_spread_tells_all_blocks_but_the_first_apart(published):
    torch.manual_seed(0)
    detector = build_detector("mi_net_resnet34", blocks=3, size_px=64, weights=published, spread=0.1)
    banks = [trunk.net.layer3[0].conv1.weight for trunk in detector.trunks]
    kept = torch.load(published)["layer3.0.conv1.weight"]
    assert torch.equal(banks[0], kept)
    noise = [bank - kept for bank in banks[1:]]
    for change in noise:
        assert (change.std() / kept.std()).item() == pytest.approx(0.1, rel=0.02)
    assert not torch.allclose(noise[0], noise[1])


def test_blocks_without_a_file_differ():
    detector = build_detector("mi_net_mobilenet", blocks=2, size_px=64)
    first, second = (trunk.model[0][0].weight for trunk in detector.trunks)
    assert not torch.equal(first, second)
