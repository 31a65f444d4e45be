"""Pictures as games: geometry, masks on the device, estimators against enumeration and captum on small networks."""

import json

import numpy as np
import pytest
import torch
from exact_shapley import exact
from torch import nn

from dfworkbench.core.errors import DeviceError, InputError, ParameterError, UnknownNameError
from dfworkbench.core.input_spec import InputSpec
from dfworkbench.explain.shapley.attribution_map import BASELINES, AttributionMap, AttributionSettings
from dfworkbench.explain.shapley.estimators import ESTIMATORS, estimate, random_for
from dfworkbench.explain.shapley.image_game import ImageGame, baseline_of, cell_of_pixel
from dfworkbench.explain.shapley.maps import attribute, attribute_all
from dfworkbench.explain.shapley.stopping import StopRule
from dfworkbench.explain.shapley.values import ClassLogit, ClassLogOdds
from dfworkbench.models import build_detector
from dfworkbench.models.inputs import prepare
from dfworkbench.models.prediction import Prediction
from dfworkbench.runs.checkpoints import LoadedDetector

ODD_SPEC = InputSpec(size_px=32, channel_order="bgr", value_range=(-1, 1), mean=(0.1, -0.2, 0.3), std=(0.5, 0.7, 0.9))
SMALL = AttributionSettings(grid=4, relative_error=None, evaluations=302)


def picture(size=32, frames=0, seed=0):
    shape = (size, size, 3) if not frames else (frames, size, size, 3)
    return np.random.default_rng(seed).integers(1, 256, size=shape, dtype=np.uint8)


def coalitions_of(count, players, seed=0):
    return np.random.default_rng(seed).random((count, players)) < 0.5


class Small(nn.Module):
    """A rough little network: two convolutions, tanh, a logit and three classes; batch norm and dropout to be kept still."""

    def __init__(self, spec=ODD_SPEC, seed=0):
        super().__init__()
        torch.manual_seed(seed)
        self.input_spec = spec
        self.body = nn.Sequential(
            nn.Conv2d(3, 8, 5, stride=4, padding=2), nn.Tanh(), nn.BatchNorm2d(8), nn.Conv2d(8, 8, 3), nn.ReLU(),
            nn.Dropout(0.5), nn.Flatten(), nn.LazyLinear(4),
        )  # fmt: skip
        self.eval()
        with torch.no_grad():
            self(torch.zeros(1, *spec.sample_shape()))
        self.modes, self.sizes = set(), []

    def forward(self, images):
        if hasattr(self, "modes"):
            self.modes.add((self.training, torch.is_inference_mode_enabled()))
            self.sizes.append(len(images))
        pictures = images.flatten(0, 1) if images.ndim == 5 else images
        out = self.body(pictures) * 3
        out = out.view(len(images), -1, 4).mean(dim=1)
        return Prediction(out[:, 0], {"identity": out[:, 1:]})


@pytest.fixture(scope="module")
def truth():
    game = ImageGame(Small(), picture(), grid=4, batch_size=1024)
    return game, exact(game)


def test_a7_cell_17_is_rows_and_columns_14_to_27():
    spec = InputSpec(size_px=224, value_range=(0, 255))
    game = ImageGame(Small(spec), np.ones((224, 224, 3), np.uint8))
    one = np.zeros((3, 256), bool)
    one[0, 17], one[1] = True, True
    shown, full, empty = game.masked(one).numpy()
    expected = np.zeros((3, 224, 224))
    expected[:, 14:28, 14:28] = 1
    assert np.array_equal(shown, expected)
    assert shown.sum() == 588
    assert (full == 1).all()
    assert (empty == 0).all()


@pytest.mark.parametrize("baseline", BASELINES)
@pytest.mark.parametrize("grid", [4, 5])
def test_masks_on_the_device_are_bit_for_bit_the_slow_way(baseline, grid):
    """Mask the pixels, then prepare, picture by picture."""
    image, some = picture(), coalitions_of(9, grid**2)
    hidden = baseline_of(image, baseline, grid)
    cells = cell_of_pixel(32, grid)
    got = ImageGame(Small(), image, grid=grid, baseline=baseline).masked(some)
    for row, members in enumerate(some):
        mask = members.reshape(grid, grid)[np.ix_(cells, cells)]
        pixels = np.where(mask[..., None], image, hidden)
        slow = prepare(torch.from_numpy(pixels).permute(2, 0, 1)[None], ODD_SPEC)
        assert torch.equal(got[row], slow[0])
    assert got.is_contiguous(memory_format=torch.channels_last)


def test_cells_are_as_even_as_possible():
    assert cell_of_pixel(224, 16).tolist() == [row // 14 for row in range(224)]
    sizes = np.bincount(cell_of_pixel(32, 5))
    assert len(sizes) == 5
    assert set(sizes) == {6, 7}


def test_baselines():
    image = picture()
    assert not baseline_of(image).any()
    mean = baseline_of(image, "mean")
    assert (mean == np.rint(image.mean(axis=(0, 1)))).all()
    blur = baseline_of(image, "blur", 4)
    assert blur.std() < image.std() / 5
    assert np.abs(blur.mean() - image.mean()) < 3
    assert baseline_of(picture(frames=3), "blur").shape == (3, 32, 32, 3)
    with pytest.raises(UnknownNameError, match=r"no baseline is called 'blck'\. Did you mean 'black'"):
        baseline_of(image, "blck")


def test_values_are_what_the_detector_says(truth):
    game, _ = truth
    some = coalitions_of(5, 16)
    with torch.no_grad():
        expected = game.network(game.masked(some)).logit.numpy()
    got = game.values(some)
    assert got.dtype == np.float64
    np.testing.assert_allclose(got, expected, rtol=1e-5)


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_estimators_agree_with_enumeration(truth, estimator):
    """16 players on a network, 65,536 coalitions; 16 errors of which none should be beyond 4.5 standard errors."""
    game, expected = truth
    assert abs(expected.efficiency_gap) < 1e-6
    got = estimate(game, random_for("row"), StopRule(None, 3202), estimator=estimator)
    wrong = got.values - expected.values
    assert (np.abs(wrong) < 4.5 * got.standard_error).all()
    assert np.linalg.norm(wrong) / np.linalg.norm(expected.values) == pytest.approx(got.relative_error, rel=0.6)
    if estimator != "published":
        assert abs(got.efficiency_gap) <= 1e-6 * max(1, abs(got.full))


def test_agrees_with_captum(truth):
    captum = pytest.importorskip("captum.attr", reason="captum is not installed")
    game, expected = truth
    cells = cell_of_pixel(32, 4)
    mask = torch.from_numpy(cells[:, None] * 4 + cells)[None, None]
    full, empty = game.masked(np.array([[True] * 16, [False] * 16]))[:, None]
    sampling = captum.ShapleyValueSampling(lambda images: game.network(images).logit)
    torch.manual_seed(0)
    samples = 100
    with torch.no_grad():
        theirs = sampling.attribute(
            full, baselines=empty, feature_mask=mask, n_samples=samples, perturbations_per_eval=16
        )
    theirs = theirs[0, 0, ::8, ::8].numpy().ravel()
    ours = estimate(game, random_for("row"), StopRule(None, 2 + 15 * samples), estimator="walk")
    # captum walks too, so its errors are as large as ours
    assert (np.abs(theirs - ours.values) < 4.5 * np.sqrt(2) * ours.standard_error).all()
    assert (np.abs(theirs - expected.values) < 4.5 * ours.standard_error).all()


def test_batch_size_and_layout_change_nothing_beyond_rounding(truth):
    game, _ = truth
    some = coalitions_of(23, 16)
    expected = game.values(some)
    for batch_size in (1, 7, 23):
        other = ImageGame(Small(), picture(), grid=4, batch_size=batch_size)
        np.testing.assert_allclose(other.values(some), expected, atol=1e-5)
        assert other.network.sizes[-1] == (23 % batch_size or batch_size)
    packed = Small().to(memory_format=torch.channels_last)
    np.testing.assert_allclose(ImageGame(packed, picture(), grid=4).values(some), expected, atol=1e-5)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
def test_a_gpu_gives_the_same(truth):
    game, _ = truth
    some = coalitions_of(23, 16)
    other = ImageGame(Small(), picture(), grid=4, device="cuda")
    np.testing.assert_allclose(other.values(some), game.values(some), atol=1e-2)  # TF32


def test_bf16_is_checked_against_float32(truth):
    game, _ = truth
    assert game.precision_gap() == 0
    fast = ImageGame(Small(), picture(), grid=4, precision="bf16-mixed")
    assert 0 < fast.precision_gap() < 0.1
    assert fast.precision == "bf16-mixed"
    with pytest.raises(UnknownNameError, match="precision"):
        ImageGame(Small(), picture(), precision="bf16")


def test_the_detector_is_in_eval_mode_and_comes_back_as_it_was():
    network = Small()
    network.train()
    network.body[2].eval()
    game = ImageGame(network, picture(), grid=4)
    first = game.values(coalitions_of(3, 16))
    assert network.modes == {(False, True)}
    assert network.training
    assert not network.body[2].training
    assert np.array_equal(first, game.values(coalitions_of(3, 16)))


def test_clips_hide_a_cell_in_every_frame():
    spec = InputSpec(size_px=32, clip_length=3)
    clip = picture(frames=3)
    game = ImageGame(Small(spec), clip, grid=4, baseline="mean")
    one = np.zeros((1, 16), bool)
    one[0, 6] = True  # row 1, column 2
    got = game.masked(one)[0].numpy()
    expected = np.broadcast_to(clip.mean(axis=(0, 1, 2)).round()[:, None, None], (3, 3, 32, 32)).copy()
    expected[:, :, 8:16, 16:24] = clip[:, 8:16, 16:24].transpose(0, 3, 1, 2)
    np.testing.assert_allclose(got, expected / 255, atol=1e-6)
    assert attribute(Small(spec), clip, settings=SMALL).efficiency_gap == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize(
    ("name", "frames", "options"),
    [("mesonet4", 0, {}), ("resnet18", 0, {}), ("mesonet4_lstm", 3, {"clip_length": 3})],
)
def test_detectors_of_the_workbench(name, frames, options):
    torch.manual_seed(0)
    network = build_detector(name, size_px=32, **options).eval()
    loaded = LoadedDetector(network, name, network.input_spec, {}, None)  # pyright: ignore[reportArgumentType]
    got = attribute(loaded, picture(frames=frames), settings=SMALL)
    assert got.detector == name
    assert got.values.shape == got.standard_error.shape == (4, 4)
    assert abs(got.efficiency_gap) <= 1e-6 * max(1, abs(got.full))
    images = torch.from_numpy(picture(frames=frames)).movedim(-1, -3)[None]
    with torch.no_grad():
        assert got.full == pytest.approx(float(network(prepare(images, network.input_spec)).logit[0]), abs=1e-4)


def test_values_of_classes():
    logits = torch.tensor([[1.0, 2.0, 4.0], [0.0, 0.0, 0.0]])
    prediction = Prediction(logits[:, 0], {"identity": logits})
    assert ClassLogit("identity", 2)(prediction).tolist() == [4, 0]
    odds = ClassLogOdds("identity", 1)(prediction)
    p = logits.softmax(dim=1)[:, 1]
    torch.testing.assert_close(odds, (p / (1 - p)).log())
    torch.testing.assert_close(ClassLogOdds("identity", 1)(Prediction(odds, {"identity": logits + 7})), odds)
    with pytest.raises(InputError, match=r"no such entry in the prediction.*There: identity"):
        ClassLogit("person", 0)(prediction)
    with pytest.raises(InputError, match=r"explaining class 3 .*shape \(2, 3\)"):
        ClassLogOdds("identity", 3)(prediction)


def test_any_number_of_the_prediction_can_be_explained():
    got = attribute(Small(), picture(), value=ClassLogOdds("identity", 1), settings=SMALL)
    assert got.value == "ClassLogOdds(aux='identity', index=1)"
    assert not np.allclose(got.values, attribute(Small(), picture(), settings=SMALL).values)
    with pytest.raises(InputError, match=r"has shape \(2, 3\), expected \(2,\)"):
        attribute(Small(), picture(), value=lambda prediction: prediction.aux["identity"], settings=SMALL)
    with pytest.raises(InputError, match="got 'fake', expected 'logit'"):
        attribute(Small(), picture(), value="fake", settings=SMALL)


def test_a_map_and_its_record():
    seen: list[AttributionMap] = []
    settings = AttributionSettings(grid=4, relative_error=0.2, evaluations=5000, baseline="mean", seed=3)
    got = attribute(Small(), picture(), row_id="a", settings=settings, on_progress=seen.append)
    assert np.array_equal(seen[-1].values, got.values)
    assert (got.normalised**2).sum() == pytest.approx(1)
    assert got.reason == ""
    record = json.loads(json.dumps(got.to_dict(), allow_nan=False))
    assert AttributionSettings.from_dict(record["settings"]) == settings
    assert record["evaluations"] == got.evaluations <= 5000
    assert record["relative_error"] == got.relative_error == got.attribution.relative_error
    assert (record["value"], record["detector"], record["row_id"]) == ("logit", "Small", "a")
    cell = np.zeros((2, 16), bool)
    cell[1] = True
    np.testing.assert_allclose(
        [got.empty, got.full], ImageGame(Small(), picture(), grid=4, baseline="mean").values(cell)
    )


def test_a_map_of_zeros_has_no_direction_and_says_so():
    network = Small()
    for weights in network.body[-1].parameters():
        nn.init.zeros_(weights)
    got = attribute(network, picture(), settings=SMALL)
    assert not got.normalised.any()
    assert got.reason.startswith("the map is 0 everywhere")
    json.dumps(got.to_dict(), allow_nan=False)


def test_one_sample_has_a_record_without_nan():
    got = attribute(Small(), picture(), settings=AttributionSettings(grid=4, relative_error=None, evaluations=32))
    assert np.isnan(got.standard_error).all()
    assert json.loads(json.dumps(got.to_dict(), allow_nan=False))["relative_error"] is None


def test_rows_are_independent_and_share_coalitions_between_models():
    images = {"a": picture(seed=1), "b": picture(seed=2)}
    both = attribute_all(Small(), images, settings=SMALL, progress=False)
    assert list(both) == ["a", "b"]
    alone = attribute_all(Small(), iter([("b", images["b"])]), settings=SMALL, batch_size=5, progress=False)
    np.testing.assert_allclose(alone["b"].values, both["b"].values, atol=1e-5)
    # a model that says the same plus a constant is given the same map, errors and all: nothing else was drawn
    shifted = Small()
    with torch.no_grad():
        shifted.body[-1].bias.add_(1.0)
    other = attribute_all(shifted, images, settings=SMALL, progress=False)
    np.testing.assert_allclose(other["a"].values, both["a"].values, atol=1e-5)
    reseeded = attribute(
        Small(), images["a"], row_id="a", settings=AttributionSettings(**{**SMALL.to_dict(), "seed": 1})
    )
    assert not np.allclose(reseeded.values, both["a"].values, atol=1e-5)


def test_rows_may_have_values_of_their_own():
    images = {"a": picture(seed=1), "b": picture(seed=2)}
    values = {"a": ClassLogit("identity", 0), "b": ClassLogit("identity", 2)}
    got = attribute_all(Small(), images, value=values, settings=SMALL, progress=True)
    assert [one.value for one in got.values()] == [repr(value) for value in values.values()]
    with pytest.raises(InputError, match="no value for the row id 'b'"):
        attribute_all(Small(), images, value={"a": "logit"}, settings=SMALL, progress=False)
    with pytest.raises(InputError, match="'a' occurs twice"):
        attribute_all(Small(), [("a", picture()), ("a", picture())], settings=SMALL, progress=False)


@pytest.mark.parametrize(
    ("image", "words"),
    [
        (picture(33), r"Small takes \(B, 3, 32, 32\)"),
        (picture(frames=2), r"Small takes \(B, 3, 32, 32\)"),
        (picture().astype(np.float32), "type float32, expected"),
        (picture().transpose(2, 0, 1), r"shape \(3, 32, 32\)"),
    ],
    ids=["size", "clip", "float", "channels first"],
)
def test_other_pictures_are_refused(image, words):
    with pytest.raises(InputError, match=words):
        attribute(Small(), image, settings=SMALL)


def test_settings_out_of_range_are_refused():
    with pytest.raises(ParameterError, match="grid = 33"):
        ImageGame(Small(), picture(), grid=33)
    with pytest.raises(ParameterError, match="batch_size = 0"):
        ImageGame(Small(), picture(), batch_size=0)
    with pytest.raises(ParameterError, match="grid = 1, seed = 0"):
        AttributionSettings(grid=1)
    with pytest.raises(ParameterError, match=r"unknown \['colour'\]"):
        AttributionSettings.from_dict({"colour": 1})
    with pytest.raises(ParameterError, match="relative_error"):
        AttributionSettings(relative_error=-1)
    with pytest.raises(InputError, match=r"got coalitions of shape \(2, 4, 4\) and type bool, expected \(K, 16\) bool"):
        ImageGame(Small(), picture(), grid=4).masked(np.ones((2, 4, 4), bool))
    with pytest.raises(DeviceError):
        ImageGame(Small(), picture(), device="cuda:99")
