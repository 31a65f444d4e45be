"""The facial swap as a transform of samples."""

import subprocess
import sys

import cv2
import numpy as np
import pytest
from scipy import ndimage

from dfworkbench.core.errors import InputError, ParameterError
from dfworkbench.core.input_spec import InputSpec
from dfworkbench.datasets.facial_swap import (
    CropSettings,
    FacialSwap,
    QualitySettings,
    SwapKind,
    SwapSettings,
    artifact_window,
    dssim,
    swap,
)
from dfworkbench.datasets.facial_swap.blend import blend_poisson
from dfworkbench.datasets.facial_swap.masks import elastic, hull_mask, smooth_field
from dfworkbench.datasets.facial_swap.quality import change_quality
from dfworkbench.datasets.facial_swap.windows import best_window
from dfworkbench.datasets.sample import FaceSample
from dfworkbench.faces import FaceTile
from dfworkbench.faces.alignment import canvas_points, five_points
from dfworkbench.faces.dense import fit_dense

SIZE = 96
SPEC = InputSpec(size_px=64, alignment="five_points", crop_scale=1.0)
FIVE = canvas_points(SIZE) * 0.5 + SIZE / 4  # a face of half the picture
SAME = QualitySettings(**dict.fromkeys(QualitySettings.model_fields, 0.0))
STILL = CropSettings(scale_spread=0, translation_px=0, rotation_deg=0, stretch_share=0)
ONLY_PARTIAL = SwapSettings(
    genuine_on_fake=0, fake_on_genuine=0, partial=1, poisson=0, halve=0, flip=0, crop=STILL, quality=SAME
)


def picture(seed: int) -> np.ndarray:
    noise = np.random.default_rng(seed).integers(0, 256, size=(SIZE, SIZE, 3)).astype(np.float32)
    smooth = cv2.GaussianBlur(noise, (0, 0), 2)
    return np.clip(128 + 4 * (smooth - 128), 0, 255).astype(np.uint8)


GENUINE = picture(0)
FAKE = (GENUINE + 0.6 * hull_mask(fit_dense(FIVE), SIZE, SIZE)[..., None] / 255 * (picture(1).astype(float) - GENUINE)).astype(
    np.uint8
)  # fmt: skip


def make_sample(
    fake: np.ndarray = FAKE, genuine: np.ndarray | None = GENUINE, label: int = 1, spec: InputSpec = SPEC, t: int = 1
) -> FaceSample:
    # the crop was stored at half the resolution of the frame, and starts at (100, 50)
    side = 2.0 * fake.shape[0]
    tile = FaceTile(fake, 100.0, 50.0, side)
    landmarks = FIVE / SIZE * side + (100, 50)
    box = np.array([[100, 50, 100 + side, 50 + side]])
    dense = np.full((t, 81, 2), np.nan)
    return FaceSample(
        spec, label, [tile] * t, np.repeat(box, t, 0), np.repeat(landmarks[None], t, 0), [genuine] * t, dense
    )


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def test_needs_no_torch():
    code = "import sys, dfworkbench.datasets.facial_swap; print('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "False\n"


def test_shapes_and_types_never_change():
    transform, seen = FacialSwap(), set()
    assert transform.needs_genuine
    for seed in range(500):
        out = transform(make_sample(label=seed % 5 > 0), rng(seed))
        assert (out["images"].shape, out["images"].dtype) == ((1, 64, 64, 3), np.uint8)
        assert (out["window"].shape, out["window"].dtype) == ((4,), np.float32)
        assert isinstance(out["swap"], int)
        kind, window = SwapKind(out["swap"]), out["window"]
        seen.add(kind)
        assert (kind == SwapKind.REAL) == (seed % 5 == 0)
        assert np.isfinite(window).all() == (kind == SwapKind.PARTIAL)
        if kind == SwapKind.PARTIAL:
            assert (window[2:] > window[:2]).all()
            assert window.min() >= 0
            assert window.max() <= 1
    assert seen >= {kind for kind in SwapKind if kind != SwapKind.FAILED}


@pytest.mark.parametrize("mode", ["corrected", "released"])
def test_equal_generators_give_equal_samples_and_no_other_state_is_used(mode):
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    transform = FacialSwap(SwapSettings(mode=mode))
    for seed in range(30):
        first, second, other = (transform(make_sample(), rng(n)) for n in (seed, seed, seed + 1))
        assert np.array_equal(first["images"], second["images"])
        assert np.array_equal(first["window"], second["window"], equal_nan=True)
        assert not np.array_equal(first["images"], other["images"])
    assert np.array_equal(np.random.get_state()[1], before)  # noqa: NPY002


def test_nothing_that_is_passed_in_is_changed():
    fake, genuine = FAKE.copy(), GENUINE.copy()
    for array in (fake, genuine):
        array.flags.writeable = False
    for seed in range(60):
        out = FacialSwap()(make_sample(fake, genuine), rng(seed))
        out["images"][:] = 0
        out["window"][:] = 0
    assert np.array_equal(fake, FAKE)
    assert np.isnan(FacialSwap()(make_sample(label=0), rng())["window"]).all()


def test_flip_moves_the_window_with_the_pixels():
    plain, flipped = (FacialSwap(ONLY_PARTIAL.replace(flip=flip)) for flip in (0, 1))
    for seed in range(10):
        a, b = plain(make_sample(), rng(seed)), flipped(make_sample(), rng(seed))
        assert np.array_equal(a["images"][0][:, ::-1], b["images"][0])
        x0, y0, x1, y1 = a["window"]
        np.testing.assert_allclose(b["window"], (1 - x1, y0, 1 - x0, y1), atol=1e-6)


def test_windows_lie_where_fake_and_genuine_differ():
    """A fake that differs at one place only: that is where it is swapped, and where the window points."""
    x, y = np.rint(FIVE[4]).astype(int)  # a corner of the mouth
    fake = GENUINE.copy()
    fake[y - 8 : y + 8, x - 10 : x + 10] = picture(7)[y - 8 : y + 8, x - 10 : x + 10]
    small, hits = ONLY_PARTIAL.replace(crop=STILL), 0
    spec = InputSpec(size_px=224, alignment="five_points", crop_scale=1.0)
    for seed in range(20):
        made = swap(fake, GENUINE, fit_dense(FIVE), rng(seed), small)
        assert made.kind == SwapKind.PARTIAL
        rows, columns = np.nonzero(np.any(made.image != GENUINE, axis=2))
        assert x - 10 <= columns.min() <= columns.max() < x + 10
        assert y - 8 <= rows.min() <= rows.max() < y + 8
        window = FacialSwap(small)(make_sample(fake, spec=spec), rng(seed))["window"]
        u, v = (FIVE[4] - SIZE / 4) / (SIZE / 2)  # in the aligned crop
        if np.isfinite(window).all():
            hits += 1
            assert window[0] - 0.1 <= u <= window[2] + 0.1
            assert window[1] - 0.1 <= v <= window[3] + 0.1
    assert hits > 10


def test_released_windows_are_mirrored_at_the_diagonal():
    a, b = (FacialSwap(ONLY_PARTIAL.replace(mode=mode)) for mode in ("corrected", "released"))
    sample = make_sample()
    for seed in range(10):
        made = swap(FAKE, GENUINE, fit_dense(FIVE), rng(seed), a.settings)
        corrected, released = a(sample, rng(seed))["window"], b(sample, rng(seed))["window"]
        assert made.window is not None
        if np.isfinite(corrected).all() and np.isfinite(released).all():
            size = corrected[2:] - corrected[:2]
            np.testing.assert_allclose(released[2:] - released[:2], size[::-1], atol=1e-6)


def test_without_a_genuine_frame_a_fake_stays_as_it_is():
    for seed in range(20):
        assert FacialSwap()(make_sample(genuine=None), rng(seed))["swap"] == SwapKind.PLAIN
    made = swap(FAKE, None, fit_dense(FIVE), rng(), ONLY_PARTIAL)
    assert made.image is FAKE
    assert not made.mask.any()


def test_a_partial_swap_that_fails_gives_the_fake():
    sample = make_sample(GENUINE, GENUINE)
    assert swap(GENUINE, GENUINE, fit_dense(FIVE), rng(), ONLY_PARTIAL).kind == SwapKind.FAILED
    out = FacialSwap(ONLY_PARTIAL)(sample, rng())
    assert out["swap"] == SwapKind.FAILED
    assert np.isnan(out["window"]).all()
    real = FacialSwap(ONLY_PARTIAL)(make_sample(GENUINE, None, label=0), rng())
    assert np.array_equal(out["images"], real["images"])


def test_a_genuine_frame_of_another_size_is_resized():
    double = cv2.resize(GENUINE, (2 * SIZE, 2 * SIZE))
    kinds = {swap(FAKE, double, fit_dense(FIVE), rng(seed)).kind for seed in range(40)}
    assert {SwapKind.GLOBAL_GENUINE_ON_FAKE, SwapKind.GLOBAL_FAKE_ON_GENUINE, SwapKind.PARTIAL} <= kinds


@pytest.mark.parametrize("mode", ["corrected", "released"])
@pytest.mark.parametrize(
    ("fake", "genuine"),
    [
        (np.zeros_like(FAKE), np.zeros_like(FAKE)),
        (np.full_like(FAKE, 255), np.zeros_like(FAKE)),
        (FAKE, np.full_like(FAKE, 77)),
        (FAKE[:5, :5], GENUINE[:5, :5]),
        (FAKE[:1, :1], GENUINE[:1, :1]),
        (FAKE[:16, :16], GENUINE[:16, :16]),
    ],
    ids=["black", "black and white", "constant", "5 px", "1 px", "16 px"],
)
def test_odd_pictures_always_give_something(fake, genuine, mode):
    fake, genuine = np.ascontiguousarray(fake), np.ascontiguousarray(genuine)
    for seed in range(60):
        out = FacialSwap(SwapSettings(mode=mode))(make_sample(fake, genuine), rng(seed))
        assert out["images"].shape == (1, 64, 64, 3)


def test_faces_partly_outside_the_crop_always_give_something():
    for shift in ((-60, 0), (300, 300), (0, -1000)):
        for seed in range(40):
            made = swap(FAKE, GENUINE, fit_dense(FIVE) + shift, rng(seed))
            assert made.image.shape == FAKE.shape


def test_dense_landmarks_are_used_where_there_are_any():
    guess = make_sample()
    known = FaceSample(**(vars(guess) | {"dense": fit_dense(guess.landmarks[0])[None]}))
    for seed in range(10):
        assert np.array_equal(FacialSwap()(guess, rng(seed))["images"], FacialSwap()(known, rng(seed))["images"])
    np.testing.assert_allclose(five_points(known.dense[0]).mean(axis=0), guess.landmarks[0].mean(axis=0), atol=2)


def test_clips_boxes_and_useless_landmarks_are_refused():
    with pytest.raises(ParameterError, match="a clip of 3 frames"):
        FacialSwap()(make_sample(t=3), rng())
    with pytest.raises(ParameterError, match="alignment='box'"):
        FacialSwap()(make_sample(spec=InputSpec(size_px=64)), rng())
    sample = make_sample()
    sample.landmarks[:] = 120
    with pytest.raises(InputError, match="its landmarks are"):
        FacialSwap()(sample, rng())


def test_settings_are_bounded():
    with pytest.raises(ParameterError, match=r"add up to 1\.1"):
        SwapSettings(genuine_on_fake=0.7)
    with pytest.raises(ParameterError, match="least <= largest"):
        SwapSettings(elastic_amplitude=(500, 300))
    with pytest.raises(ParameterError, match="poisson"):
        SwapSettings(poisson=1.5)
    assert SwapSettings(mode="released").content_hash() != SwapSettings().content_hash()


def test_dssim_against_its_definition():
    a, b = FAKE[:40, :50].astype(np.float64), GENUINE[:40, :50].astype(np.float64)
    black_and_white = np.zeros((30, 30, 3)), np.full((30, 30, 3), 255.0)
    for p, q in ((a, b), (a, a[::-1]), black_and_white):

        def smooth(x):
            return ndimage.gaussian_filter(x, 1.5, radius=5, mode="mirror", axes=(0, 1))

        mp, mq = smooth(p), smooth(q)
        top = (2 * mp * mq + 6.5025) * (2 * (smooth(p * q) - mp * mq) + 58.5225)
        bottom = (mp**2 + mq**2 + 6.5025) * (smooth(p * p) - mp**2 + smooth(q * q) - mq**2 + 58.5225)
        expected = np.abs(1 - top / bottom) / 2
        np.testing.assert_allclose(dssim(p.astype(np.uint8), q.astype(np.uint8)), expected, atol=1e-4)


@pytest.mark.parametrize(("height", "width"), [(90, 70), (40, 64)])
def test_smoothed_noise_against_scipy(height, width):
    noise = rng().uniform(-1, 1, size=(height, width))
    expected = ndimage.gaussian_filter(noise, 0.08 * height)
    found = smooth_field(noise, 0.08 * height, slice(10, 35), slice(5, 60))
    np.testing.assert_allclose(found, expected[10:35, 5:60], atol=1e-6)


def test_elastic_mask_against_scipy():
    mask, noise = hull_mask(fit_dense(FIVE), SIZE, SIZE), rng().uniform(-1, 1, size=(2, SIZE, SIZE))
    dx, dy = (60 * ndimage.gaussian_filter(field, 8) for field in noise)
    y, x = np.mgrid[:SIZE, :SIZE]
    expected = ndimage.map_coordinates(mask.astype(float), [y + dy, x + dx], order=1, mode="grid-constant")
    # before version 5, OpenCV reads at 1/32 of a pixel
    atol = 0.03 if int(cv2.__version__.partition(".")[0]) >= 5 else 10
    np.testing.assert_allclose(elastic(mask, noise, 60, 8), expected, atol=atol)


def test_poisson_blending_against_opencv():
    mask = hull_mask(fit_dense(FIVE), SIZE, SIZE)
    x, y, w, h = cv2.boundingRect(mask)
    # a copy, because OpenCV writes into the mask
    centre = x + w // 2, y + h // 2
    expected = cv2.seamlessClone(FAKE[::-1].copy(), GENUINE, mask.copy(), centre, cv2.NORMAL_CLONE)
    found = blend_poisson(FAKE[::-1].copy(), GENUINE, mask)
    assert found is not None
    assert np.abs(found.astype(int) - expected).max() <= 1
    assert np.mean(found != expected) < 0.02
    assert blend_poisson(FAKE, GENUINE, np.zeros_like(mask)) is None


def test_best_window_against_loops():
    values = rng().random((50, 60)).astype(np.float32)
    best, expected = 0.0, None
    for y in range(0, 50 - 12 + 1, 5):
        for x in range(0, 60 - 20 + 1, 7):
            if (total := values[y : y + 12, x : x + 20].sum(dtype=np.float64)) > best:
                best, expected = total, (x, y, x + 20, y + 12)
    assert best_window(values, (12, 20), (5, 7)) == expected
    assert best_window(np.ones((20, 20), np.float32), (4, 4), (4, 4)) == (0, 0, 4, 4), "the first of equal ones"
    assert best_window(np.zeros((20, 20), np.float32), (4, 4), (4, 4)) is None
    assert best_window(values, (51, 20), (5, 7)) is None


def test_artifact_window_scales_with_the_crop():
    fake, genuine = (cv2.resize(image, (224, 224)) for image in (FAKE, GENUINE))
    large = artifact_window(fake, genuine, (80, 120))
    small = artifact_window(*(cv2.resize(image, (112, 112)) for image in (fake, genuine)), (80, 120))
    assert large is not None
    assert small is not None
    assert np.array_equal(np.array(large) / 2, small)


@pytest.mark.parametrize("step", QualitySettings.model_fields)
def test_every_change_of_quality_changes_something(step):
    image, changed = cv2.resize(FAKE, (64, 64)), 0
    for seed in range(12):
        out = change_quality(image, SAME.replace(**{step: 1.0}), rng(seed))
        assert (out.shape, out.dtype) == (image.shape, np.uint8)
        changed += not np.array_equal(out, image)
    assert changed >= 6
    assert change_quality(image, SAME, rng()) is image
