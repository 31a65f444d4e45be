"""Networks of timm as detectors: names, sizes, input, maps, and files of them."""

import pytest
import timm
import torch
from safetensors.torch import load_file, save_file

from dfworkbench.core.errors import CheckpointError, InputError, ParameterError, UnknownNameError
from dfworkbench.explain.last_map import find_map
from dfworkbench.models import build_detector, detector_options, list_detectors
from dfworkbench.models.timm_names import PREFIX, SUGGESTED, require_network
from dfworkbench.runs.checkpoints import load_detector, save_detector
from dfworkbench.training.settings import TrainSettings


def test_input_is_what_the_pretrained_weights_saw():
    spec = build_detector("timm:test_vit").input_spec
    assert (spec.size_px, spec.mean, spec.std) == (160, (0.5, 0.5, 0.5), (0.5, 0.5, 0.5))
    spec = build_detector("timm:resnet10t", crop_scale=1.0, alignment="five_points").input_spec
    assert (spec.size_px, spec.crop_scale, spec.alignment) == (176, 1.0, "five_points")
    assert spec.mean == (0.485, 0.456, 0.406)


def test_a_tag_stands_for_the_input_of_its_weights():
    assert build_detector("timm:convnext_atto.d2_in1k").input_spec.size_px == 224
    assert detector_options("timm:vit_tiny_patch16_224.augreg_in21k")["size_px"] is None


@pytest.mark.parametrize(
    ("name", "size_px"), [("resnet10t", 64), ("test_vit", 64), ("test_convnext", 96), ("eva02_tiny_patch14_224", 70)]
)
def test_features_are_those_of_timm_s_own_network(name, size_px):
    torch.manual_seed(0)
    detector = build_detector(PREFIX + name, size_px=size_px).eval()
    images = torch.randn(2, 3, size_px, size_px)
    with torch.inference_mode():
        torch.testing.assert_close(detector.features(images), detector.trunk(images), rtol=0, atol=1e-6)
        assert detector(images).logit.shape == (2,)
    with pytest.raises(InputError, match=rf"timm:{name} takes \(B, 3, {size_px}, {size_px}\)"):
        detector(images[..., :-8, :-8])


@pytest.mark.parametrize(
    ("name", "seen", "advice"),
    [
        ("timm:convnext_tinny", "no network 'convnext_tinny'", "'convnext_tiny'"),
        ("timm:convnext_tiny.other", "no weights 'other'", "convnext_tiny.fb_in22k"),
        ("timm:", "no network ''", "list_models"),
        ("timm:hf-hub:a/b", "no network 'hf-hub:a/b'", "list_models"),
        ("convnext_tiny", "no detector is called 'convnext_tiny'", "'timm:convnext_tiny'"),
    ],
)
def test_names_that_timm_does_not_have(name, seen, advice):
    with pytest.raises(UnknownNameError) as error:
        build_detector(name)
    assert seen in str(error.value)
    assert advice in str(error.value)


def test_what_is_suggested_is_there():
    for name in SUGGESTED:
        assert require_network(name.removeprefix(PREFIX))
    assert not {*SUGGESTED} & {*list_detectors()}


@pytest.mark.parametrize(("name", "size_px", "own"), [("inception_v3", 64, 299), ("efficientformer_l1", 64, 224)])
def test_sizes_that_a_network_does_not_take(name, size_px, own):
    with pytest.raises(ParameterError, match=rf"timm:{name}' for {size_px} px.*its own, {own} px"):
        build_detector(PREFIX + name, size_px=size_px)


def test_a_network_that_classifies_nothing():
    with pytest.raises(ParameterError, match=r"gemma4_vit_167m_enc' for 768 px.*\(2, 256, 768\).*choose another"):
        build_detector("timm:gemma4_vit_167m_enc")


def test_misspelt_and_wrong_options():
    with pytest.raises(ParameterError, match="Did you mean 'dropout'"):
        build_detector("timm:resnet10t", dropuot=0.1)
    with pytest.raises(ParameterError, match=r"timm:resnet10t'.*size_px = 8"):
        build_detector("timm:resnet10t", size_px=8)


@pytest.mark.parametrize(
    ("name", "size_px", "found"),
    [
        ("resnet10t", 64, "last_map"),
        ("swin_tiny_patch4_window7_224", 64, "last_map"),  # its maps have the channels last
        ("eva02_tiny_patch14_224", 56, "last_map"),  # a transformer that averages over places
        ("test_vit", 64, "trunk.patch_embed"),  # a class token sees the picture beside every later map
    ],
)
def test_where_grad_cam_looks(name, size_px, found):
    detector = build_detector(PREFIX + name, size_px=size_px).eval()
    images = torch.randn(1, 3, size_px, size_px, requires_grad=True)
    assert find_map(detector, lambda pictures: detector(pictures).logit, images) == found


def test_saved_and_loaded_without_the_file_it_began_with(tmp_path):
    torch.save(timm.create_model("resnet10t").state_dict(), tmp_path / "first.pth")
    options = {"weights": str(tmp_path / "first.pth"), "size_px": 64, "dropout": 0.2}
    detector = build_detector("timm:resnet10t", **options).eval()
    path = save_detector(tmp_path / "a.safetensors", detector, "timm:resnet10t", options)
    (tmp_path / "first.pth").unlink()
    loaded = load_detector(path)
    assert (loaded.name, loaded.input_spec) == ("timm:resnet10t", detector.input_spec)
    images = torch.randn(2, 3, 64, 64)
    with torch.inference_mode():
        assert torch.equal(loaded.detector(images).logit, detector(images).logit)


def test_a_checkpoint_of_a_network_that_this_timm_lacks(tmp_path):
    detector = build_detector("timm:resnet10t", size_px=64)
    path = save_detector(tmp_path / "a.safetensors", detector, "timm:resnet9000", {"size_px": 64})
    with pytest.raises(CheckpointError, match=r"no network 'resnet9000'.*Install the timm"):
        load_detector(path)


def test_a_checkpoint_with_other_weights(tmp_path):
    path = save_detector(tmp_path / "a.safetensors", build_detector("timm:resnet10t", size_px=64), "timm:resnet14t", {})
    save_file(load_file(path), tmp_path / "b.safetensors")
    for file in (path, tmp_path / "b.safetensors"):
        with pytest.raises(CheckpointError):
            load_detector(file)


def test_names_of_runs_have_no_colon():
    name = TrainSettings(detector="timm:resnet10t").model_name
    assert name.startswith("timm-resnet10t_demo_")
    assert TrainSettings().model_name == "mesonet4_demo_a57ab39f"  # as it always was
