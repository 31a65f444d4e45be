"""How networks of re-synthesis behave: what they refuse, early exit, frozen features, fused probabilities, tiles, precision."""

import pytest
import torch
from torch import nn
from torchvision.models import VGG19_Weights
from torchvision.models.vgg import cfgs, make_layers

from dfworkbench.core.errors import CheckpointError, InputError, ParameterError
from dfworkbench.methods.resynthesis.deep_stem_resnet import DeepStemResNet
from dfworkbench.methods.resynthesis.rdn import Rdn, box_down
from dfworkbench.methods.resynthesis.tiling import resynthesise_tiled
from dfworkbench.models import build_detector
from dfworkbench.models.pretrained import IMAGENET_URLS
from dfworkbench.models.vgg import VggTaps

TINY = {"features": 8, "blocks": 2, "layers": 2}


def small(name, **options):
    torch.manual_seed(0)
    return build_detector(f"resynthesis_{name}", **{"size_px": 64, "depth": 18, **TINY, **options}).eval()


def pictures(*shape, seed=0):
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed))


def constant_answer(classifier, fake, real):
    """Make a classifier answer with the same two logits to everything, in the authors' order."""
    nn.init.zeros_(classifier.fc.weight)
    classifier.fc.bias.data = torch.tensor([fake, real])


def calls_of(module):
    """A list that grows with each call."""
    calls = []
    module.register_forward_hook(lambda *_: calls.append(1))
    return calls


# -- the re-synthesiser ------------------------------------------------------------------------------------------------


def test_sizes_that_are_no_multiples_are_refused():
    with pytest.raises(InputError, match=r"multiples of 4; got 66 x 64. Cut them to 64 x 64"):
        box_down(torch.zeros(1, 3, 66, 64))
    with pytest.raises(InputError, match=r"got 64 x 62"):
        small("pixel").residual(torch.zeros(1, 3, 64, 62), 0)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"scale": 1}, "scale = 1; .*2, 3 or 4"), ({"scale": 5}, "scale = 5"),
        ({"features": 0}, "features = 0"), ({"blocks": 0}, "blocks = 0"), ({"layers": 0}, "layers = 0"),
    ],
)  # fmt: skip
def test_impossible_rdns_are_refused(options, message):
    with pytest.raises(ParameterError, match=message):
        build_detector("rdn", **options)


def test_checkpointing_changes_neither_answer_nor_gradient():
    torch.manual_seed(0)
    rdn, low = Rdn(**TINY), pictures(2, 3, 8, 8)
    answers, gradients = [], []
    for rdn.checkpointing in (False, True):
        calls = calls_of(rdn.rdbs[0].layers[1])
        answers.append(rdn(low))
        rdn.zero_grad()
        answers[-1].square().mean().backward()
        gradients.append([p.grad.clone() for p in rdn.parameters()])
        assert len(calls) == 1 + rdn.checkpointing
    assert torch.equal(*answers)
    assert all(torch.equal(a, b) for a, b in zip(*gradients, strict=True))
    assert all(gradient.any() for gradient in gradients[0])


def test_the_network_by_itself():
    torch.manual_seed(0)
    network = build_detector("rdn", **TINY)
    assert (network.input_spec.size_px, network.input_spec.alignment) == (96, "whole")
    assert (network.scores_fakes, network.trained_by) == (False, "super_resolution")
    images = pictures(2, 3, 96, 96)
    assert torch.equal(network(images), network.rdn(box_down(images)))
    with pytest.raises(InputError, match=r"rdn takes \(B, 3, 96, 96\)"):
        network(pictures(2, 3, 64, 64))
    assert build_detector("rdn", size_px=33, scale=3, **TINY)(pictures(1, 3, 33, 33)).shape == (1, 3, 33, 33)
    with pytest.raises(ParameterError, match=r"size_px = 64; .*multiple of 3"):
        build_detector("rdn", size_px=64, scale=3, **TINY)


# -- VGG-19 ------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def vgg():
    torch.manual_seed(0)
    return VggTaps()


def test_early_exit_gives_the_same_and_computes_no_more(vgg):
    images = pictures(2, 3, 32, 32)
    whole = vgg(images)
    calls = [calls_of(vgg.get_submodule(f"slice{stage}")) for stage in range(1, 6)]
    found = vgg(images, last=3)
    assert [len(each) for each in calls] == [1, 1, 1, 0, 0]
    assert len(found) == 3
    assert all(torch.equal(a, b) for a, b in zip(found, whole, strict=False))


def test_only_the_stages_asked_for_are_built():
    vgg = VggTaps(stages=2)
    assert [name for name, _ in vgg.named_children()] == ["slice1", "slice2"]
    assert len(vgg(pictures(1, 3, 32, 32), last=2)) == 2
    with pytest.raises(ParameterError, match="last = 3, but stages 1 to 2 were built"):
        vgg(pictures(1, 3, 32, 32), last=3)


def test_published_weights_give_what_torchvision_gives(tmp_path):
    """Behind torchvision's layers 1, 6, 11, 20 and 29."""
    torch.manual_seed(0)
    published = make_layers(cfgs["E"])[:30].eval()
    file = tmp_path / "vgg19.pth"
    torch.save({f"features.{key}": value for key, value in published.state_dict().items()}, file)
    images = pictures(1, 3, 48, 48)
    with torch.inference_mode():
        found = VggTaps(str(file))(images)
        for number, layer in enumerate(published):
            images = layer(images)
            if number in (1, 6, 11, 20, 29):
                assert torch.allclose(images, found.pop(0), rtol=1e-4, atol=1e-6)
    assert found == []
    assert IMAGENET_URLS["vgg19"] == VGG19_Weights.IMAGENET1K_V1.url
    torch.save({"features.0.weight": torch.zeros(64, 3, 3, 3)}, file)
    with pytest.raises(CheckpointError, match=r"5 of 6 entries are missing.*slice1"):
        VggTaps(str(file), stages=2)


def test_vgg_is_frozen_and_stays_in_evaluation():
    detector = small("stage2").train()
    assert not any(module.training for module in detector.vgg.modules())
    assert detector.classifiers["stage2"].training
    detector(pictures(2, 3, 64, 64)).logit.sum().backward()
    assert all(p.grad is None for p in detector.vgg.parameters())
    learning = [p for part in (detector.resynthesiser, detector.classifiers) for p in part.parameters()]
    assert all(p.grad is not None and p.grad.isfinite().all() for p in learning)
    assert all(p.grad.any() for p in detector.resynthesiser.parameters())


def test_features_of_the_picture_are_a_target_without_gradient():
    detector = small("stage1")
    images, made = pictures(1, 3, 32, 32).requires_grad_(), pictures(1, 3, 32, 32, seed=1)
    assert not detector.residual(images, 1, made).requires_grad
    made.requires_grad_()
    detector.residual(images, 1, made).sum().backward()
    assert images.grad is None
    assert made.grad.any()


# -- the classifier ----------------------------------------------------------------------------------------------------


def test_first_weights_of_the_classifier():
    torch.manual_seed(0)
    net = DeepStemResNet(18, channels=64)
    weight = net.layer4[1].conv1.weight
    assert weight.std().item() == pytest.approx((2 / (9 * 512)) ** 0.5, rel=0.01)
    assert net.layer1[0].downsample[0].weight.std().item() == pytest.approx((2 / 64) ** 0.5, rel=0.05)
    with pytest.raises(ParameterError, match=r"depth = 20; .*18, 34, 50, 101 or 152"):
        small("pixel", depth=20)


# -- detectors ---------------------------------------------------------------------------------------------------------


def test_names_and_stages():
    stages = {"pixel": (0,), "fused": (0, 5), **{f"stage{stage}": (stage,) for stage in range(1, 6)}}
    assert {name: small(name).stages for name in stages} == stages


@pytest.mark.parametrize("name", ["pixel", "stage2", "fused"])
def test_detectors(name):
    detector = small(name)
    images = pictures(2, 3, 64, 64)
    with torch.inference_mode():
        found, features = detector(images), detector.features(images)
    levels = ["pixel", "stage5"] if name == "fused" else [name]
    assert list(detector.classifiers) == levels
    assert set(found.aux) == {"class_logits", *(f"{level}_logits" for level in levels)}
    assert found.logit.shape == (2,)
    assert all(value.shape == (2, 2) for value in found.aux.values())
    assert torch.equal(found.logit, found.aux["class_logits"][:, 1] - found.aux["class_logits"][:, 0])
    assert features.shape == (2, 512 * len(levels))
    assert (detector.vgg is None) == (name == "pixel")
    if detector.vgg is not None:
        assert detector.vgg.stages == max(detector.stages)
    assert (detector.input_spec.alignment, detector.input_spec.value_range) == ("whole", (0.0, 1.0))
    with pytest.raises(InputError, match=rf"resynthesis_{name} takes \(B, 3, 64, 64\)"):
        detector(pictures(1, 3, 128, 128))


def test_the_classifier_sees_nothing_but_the_residual():
    """A picture and a re-synthesis that equals it leave nothing to see, whatever they show."""
    detector = small("pixel")
    detector.resynthesise = lambda images: images
    with torch.inference_mode():
        logits = detector(pictures(3, 3, 64, 64)).logit
        nothing = detector.classifiers["pixel"](torch.zeros(1, 3, 64, 64))[0]
    assert torch.allclose(logits, (nothing[0] - nothing[1]).expand(3))


def test_polarity():
    detector = small("pixel")
    constant_answer(detector.classifiers["pixel"], fake=3.0, real=1.0)
    found = detector(pictures(1, 3, 64, 64))
    assert found.logit.item() == pytest.approx(2.0)
    assert found.aux["class_logits"][0].tolist() == pytest.approx([1.0, 3.0])


def test_fused_probability_is_the_mean():
    """Also where both classifiers are sure, and gradients stay finite there."""
    detector = small("fused")
    for answers in [(1.5, -0.5), (100.0, -100.0), (-120.0, -90.0), (0.0, 200.0), (200.0, -200.0)]:
        resyntheses = calls_of(detector.resynthesiser)
        for classifier, answer in zip(detector.classifiers.values(), answers, strict=True):
            constant_answer(classifier, fake=answer, real=0.0)
        with torch.inference_mode():
            found = detector(pictures(1, 3, 64, 64))
        assert len(resyntheses) == 1
        odds = torch.tensor(answers, dtype=torch.float64)
        fake, real = odds.sigmoid().mean(), (-odds).sigmoid().mean()
        assert found.logit.item() == pytest.approx((fake.log() - real.log()).item(), rel=1e-5, abs=1e-5)
        assert found.aux["class_logits"][0, 1].item() == pytest.approx(fake.log().item(), rel=1e-5, abs=1e-5)
    detector(pictures(2, 3, 64, 64)).logit.sum().backward()
    assert all(p.grad.isfinite().all() for p in detector.parameters() if p.requires_grad)


def test_residuals_of_any_size():
    detector = small("stage5")
    shapes = [(3, 48, 80), (64, 48, 80), (128, 24, 40), (256, 12, 20), (512, 6, 10), (512, 3, 5)]
    with torch.inference_mode():
        assert [detector.residual(pictures(1, 3, 48, 80), stage).shape[1:] for stage in range(6)] == shapes
    with pytest.raises(ParameterError, match="this detector has no features to compare, only stage 0"):
        small("pixel").residual(pictures(1, 3, 64, 64), 2)
    with pytest.raises(ParameterError, match="last = 5, but stages 1 to 2 were built"):
        small("stage2").residual(pictures(1, 3, 64, 64), 5)


def test_the_difference_is_taken_in_float32_under_autocast():
    """Half a grey level below white: with bfloat16 both are 1 and nothing is left."""
    detector = small("pixel")
    for parameter in detector.resynthesiser.parameters():
        nn.init.zeros_(parameter)
    nn.init.constant_(detector.resynthesiser.output.bias, 1.0)
    images = torch.full((1, 3, 64, 64), 1 - 0.5 / 255)
    with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):
        residual = detector.residual(images, 0)
        assert detector.low_resolution(images).dtype == torch.float32
    assert residual.dtype == torch.float32
    assert torch.allclose(residual, torch.tensor(0.5 / 255), rtol=1e-3)


def test_residual_under_autocast_is_near_that_in_float32():
    detector, images = small("stage3"), pictures(1, 3, 64, 64)
    with torch.inference_mode():
        exact = [detector.residual(images, stage) for stage in (0, 3)]
        with torch.autocast("cpu", torch.bfloat16):
            fast = [detector.residual(images, stage) for stage in (0, 3)]
    assert [value.dtype for value in fast] == [torch.float32] * 2
    assert (fast[0] - exact[0]).abs().max() < 1 / 255
    assert (fast[1] - exact[1]).abs().mean() < 0.02 * exact[1].mean()


@pytest.mark.parametrize("size_px", [30, 28, 66])
def test_sizes_of_detectors(size_px):
    with pytest.raises(
        ParameterError, match=f"size_px = {size_px}; .*(at least|greater than or equal to|multiple of) "
    ):
        build_detector("resynthesis_pixel", size_px=size_px)


def test_faces_and_whole_pictures():
    detector = small("pixel", alignment="box", crop_scale=1.3)
    assert (detector.input_spec.alignment, detector.input_spec.crop_scale) == ("box", 1.3)
    with pytest.raises(ParameterError, match=r"alignment = 'five_points'; .*'whole'"):
        small("pixel", alignment="five_points")
    with pytest.raises(ParameterError, match="crop_scale"):
        small("pixel", crop_scale=1.3)


# -- tiles -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("geometry", [{}, {"features": 16, "blocks": 4, "layers": 3}])
def test_tiles_give_the_same_picture(geometry):
    """With the default overlap; a tile by itself is wrong at its edges."""
    torch.manual_seed(0)
    rdn, images = Rdn(**geometry), pictures(1, 3, 32, 192)
    images = images.contiguous(memory_format=torch.channels_last)
    with torch.inference_mode():
        whole = rdn(box_down(images))
        difference = (resynthesise_tiled(rdn, images, tile_px=96) - whole).abs().max()
        apart = (resynthesise_tiled(rdn, images, tile_px=96, overlap_px=0) - whole).abs().max()
    assert difference < 1e-3
    assert apart > 1e-2


@pytest.mark.parametrize("tile_px", [4, 20, 64, 1024])
def test_tiles_need_not_fit(tile_px):
    """With an overlap that reaches as far as the network looks, nothing but rounding is left."""
    torch.manual_seed(0)
    rdn, images = Rdn(**TINY), pictures(2, 3, 40, 28)
    with torch.inference_mode():
        found = resynthesise_tiled(rdn, images, tile_px, overlap_px=40)
        assert torch.allclose(found, rdn(box_down(images)), atol=1e-6)


@pytest.mark.parametrize(("tile_px", "overlap_px"), [(30, 8), (32, 6), (0, 8), (32, -4)])
def test_impossible_tiles_are_refused(tile_px, overlap_px):
    with pytest.raises(ParameterError, match="both must be multiples of 4"):
        resynthesise_tiled(Rdn(**TINY), pictures(1, 3, 64, 64), tile_px, overlap_px)
