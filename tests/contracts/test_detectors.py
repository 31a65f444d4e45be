"""What every detector must keep to."""

import copy

import pytest
import torch
from pairs import GIANTS, OF_TIMM, TWINS, make_batch, settle_norms, small_detector, small_options

from dfworkbench.core.errors import InputError
from dfworkbench.core.input_spec import InputSpec
from dfworkbench.models import Prediction, list_detectors
from dfworkbench.models.inputs import prepare
from dfworkbench.runs.checkpoints import load_detector, save_detector


@pytest.fixture(scope="module", params=[*list_detectors(), *OF_TIMM])
def name(request):
    return request.param


@pytest.fixture(scope="module")
def detector(name):
    """Made once for all tests of a name, because that takes longer than they do; who changes it takes a copy."""
    return small_detector(name).eval()


@pytest.fixture(scope="module")
def first_look(detector):
    """Three pictures, and what the detector says of them, which takes seconds for the largest."""
    images = images_for(detector, 3)
    with torch.inference_mode():
        return images, detector(images)


def images_for(detector, count, seed=0):
    return prepare(make_batch(detector.input_spec, [0] * count, seed)["images"], detector.input_spec)


def score(detector, images):
    with torch.inference_mode():
        return detector(images).logit


def leave_out_giants(name):
    if name in GIANTS:
        pytest.skip(f"{name} takes 20 s and more; a smaller one runs the same code, see GIANTS")


def test_shapes(detector, first_look):
    check_shapes(detector, *first_look)


def test_shapes_of_a_single_picture(name, detector):
    leave_out_giants(name)
    images = images_for(detector, 1)
    with torch.inference_mode():
        check_shapes(detector, images, detector(images))


def check_shapes(detector, images, prediction):
    count = len(images)
    assert isinstance(detector.input_spec, InputSpec)
    with torch.inference_mode():
        features = detector.features(images)
    assert isinstance(prediction, Prediction)
    assert prediction.logit.shape == (count,)
    assert prediction.logit.isfinite().all()
    assert features.ndim == 2
    assert len(features) == count


def test_same_input_same_score(detector, first_look):
    images, prediction = first_look
    assert torch.equal(score(detector, images), prediction.logit)


def test_order_and_company_in_a_batch_do_not_matter(name, detector):
    if name in TWINS:
        pytest.skip(f"{name} runs the code of another detector, see TWINS")
    detector = copy.deepcopy(detector).double()  # in float32 the deepest networks differ in the fourth digit
    images = images_for(detector, 3).double()
    settle_norms(detector, images)
    together = score(detector, images)
    assert together.std() > 0, "the samples must differ for this test to mean anything"
    assert torch.allclose(score(detector, images.flip(0)).flip(0), together, atol=1e-9)
    assert torch.allclose(torch.cat([score(detector, images[i : i + 1]) for i in range(3)]), together, atol=1e-9)


def test_scoring_leaves_mode_weights_and_random_state_alone(name, detector):
    leave_out_giants(name)
    images = images_for(detector, 2)
    before = {key: value.clone() for key, value in detector.state_dict().items()}
    state = torch.get_rng_state()
    score(detector, images)
    assert torch.equal(torch.get_rng_state(), state)
    assert not any(module.training for module in detector.modules())
    assert all(torch.equal(value, before[key]) for key, value in detector.state_dict().items())


def test_wrong_shapes_are_refused(name, detector):
    leave_out_giants(name)
    shape = (2, *detector.input_spec.sample_shape())
    wrong = [(*shape[:-1], shape[-1] + 1), (*shape[:-2], shape[-2] - 8, shape[-1] - 8), shape[1:], (2, 1, *shape[1:])]
    for bad in wrong:
        with pytest.raises(InputError, match=r"takes \(B, .*cut_for"):
            detector(torch.zeros(bad))
        with pytest.raises(InputError, match=r"takes \(B, .*cut_for"):
            prepare(torch.zeros(bad, dtype=torch.uint8), detector.input_spec)


def test_saved_and_loaded_it_scores_the_same(name, detector, tmp_path):
    leave_out_giants(name)
    detector = copy.deepcopy(detector)
    settle_norms(detector, images_for(detector, 4))
    path = save_detector(tmp_path / "a.safetensors", detector, name, small_options(name))
    loaded = load_detector(path).detector
    images = images_for(detector, 3, seed=1)
    assert torch.equal(score(loaded, images), score(detector, images))
