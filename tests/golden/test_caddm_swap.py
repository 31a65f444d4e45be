"""The facial swap against figures measured with CADDM's released code on a synthetic pair of pictures."""

import cv2
import numpy as np
import pytest

from dfworkbench.datasets.facial_swap import (
    WINDOWS,
    SwapKind,
    SwapSettings,
    artifact_window,
    dssim,
    swap,
    swap_window,
)
from dfworkbench.datasets.facial_swap.blend import blend_alpha, blend_poisson, blend_poisson_at
from dfworkbench.datasets.facial_swap.masks import elastic, hull_mask, mask_box, soften, window_mask
from dfworkbench.datasets.facial_swap.quality import change_gamma, mix_tone, motion_kernel
from dfworkbench.datasets.facial_swap.windows import corner_of, face_cut, search_window
from dfworkbench.faces.alignment import align, alignment_matrix, canvas_points, five_points, transform_points

HEIGHT, WIDTH = 240, 256
RELEASED = SwapSettings(mode="released")


def make_pair() -> tuple[np.ndarray, np.ndarray]:
    y, x = (grid[..., None].astype(np.float64) for grid in np.mgrid[:HEIGHT, :WIDTH])
    c = np.arange(3)
    a = 128 + 60 * np.sin(x / 17) + 40 * np.cos(y / 23 + c)
    b = a + 25 * np.sin(x / 9) * np.cos(y / 11) - 10 * c
    genuine, fake = (np.clip(np.floor(picture), 0, 255).astype(np.uint8) for picture in (a, b))
    return genuine, fake


def make_landmarks() -> np.ndarray:
    angle = 2 * np.pi * np.arange(81) / 81
    points = np.rint(np.stack([128 + 60 * np.cos(angle), 120 + 75 * np.sin(angle)], axis=1))
    points[27:68] = 128, 135
    points[36:42], points[42:48] = (104, 105), (152, 103)
    points[30], points[48], points[54] = (129, 132), (110, 160), (147, 158)
    return points


GENUINE, FAKE = make_pair()
LANDMARKS = make_landmarks()
FIVE = five_points(LANDMARKS, whole_eyes=True)
HULL = hull_mask(LANDMARKS, HEIGHT, WIDTH)
X0, Y0, X1, Y1 = face_cut(LANDMARKS, HEIGHT, WIDTH)
CUT = np.s_[Y0:Y1, X0:X1]


def test_the_pair_is_the_measured_one():
    assert (int(GENUINE.sum()), GENUINE[0, 0].tolist()) == (23_952_147, [168, 149, 111])
    assert (int(FAKE.sum()), FAKE[100, 100].tolist()) == (22_119_922, [113, 141, 147])
    assert LANDMARKS.sum(axis=0).tolist() == [11724, 10943]


def test_canvas_and_matrix():
    expected = [(75.745703, 92.561983), (147.745703, 92.383388), (111.625247, 144.584174), (81.902365, 186.02365),
                (141.848486, 185.420018)]  # fmt: skip
    np.testing.assert_allclose(canvas_points(), expected, atol=1e-6)
    expected = [[1.637480899, -0.032744692, -94.169845], [0.032744692, 1.637480899, -79.502262], [0, 0, 1]]
    np.testing.assert_allclose(alignment_matrix(FIVE), expected, atol=1e-6)


def test_mapped_landmarks():
    expected = [(112.742947, 140.869357), (72.689991, 95.838712), (151.35461, 94.135511), (80.713956, 186.096702),
                (141.366274, 184.033305)]  # fmt: skip
    # the released code multiplies with a perspective matrix in single precision even where nothing is stretched
    np.testing.assert_allclose(
        transform_points(alignment_matrix(FIVE), LANDMARKS[[30, 36, 42, 48, 54]]), expected, atol=2e-4
    )


def test_mapped_landmarks_after_a_perspective_change():
    matrix = alignment_matrix(FIVE, translation_px=(10, -5), rotation_deg=15, eye_stretch=1.02, side_stretch=0.98)
    undivided = LANDMARKS[[30, 36]] @ matrix[:2, :2].T + matrix[:2, 2]
    np.testing.assert_allclose(undivided, [(127.662712, 133.682919), (79.816024, 102.973745)], atol=2e-4)
    depth = LANDMARKS[[30, 36]] @ matrix[2, :2] + matrix[2, 2]
    np.testing.assert_allclose(transform_points(matrix, LANDMARKS[[30, 36]]), undivided / depth[:, None])


def test_warped_picture():
    crop = align(GENUINE, alignment_matrix(FIVE))
    assert (crop[112, 112].tolist(), crop[0, 0].tolist()) == ([195, 223, 216], [91, 70, 86])
    assert crop.mean() == pytest.approx(17_780_938 / crop.size, abs=0.05)


def test_dssim():
    values = dssim(GENUINE, FAKE)
    assert values.sum(dtype=np.float64) == pytest.approx(9503.3105, abs=0.05)
    assert values.max() == pytest.approx(0.497642, abs=1e-5)
    np.testing.assert_allclose(values[100, 100], (0.021006, 0.009374, 0.008282), atol=1e-6)
    assert np.count_nonzero(values > 1e-3) == 184_320
    assert not dssim(GENUINE, GENUINE).any()
    flat = [np.full((30, 30, 3), level, np.uint8) for level in (100, 150)]
    np.testing.assert_allclose(dssim(*flat), 0.0384538, atol=1e-5)


@pytest.mark.parametrize(
    ("nominal", "rows_and_columns"),
    list(zip(WINDOWS, ([0, 132, 40, 212], [0, 88, 80, 208], [0, 44, 120, 204], [0, 0, 224, 224]), strict=True)),
)
def test_windows_of_finished_crops(nominal, rows_and_columns):
    y0, x0, y1, x1 = rows_and_columns
    assert artifact_window(FAKE[:224, :224], GENUINE[:224, :224], nominal) == (x0, y0, x1, y1)
    assert artifact_window(FAKE[:224, :224], FAKE[:224, :224], nominal) is None


def test_hull_and_cut():
    assert np.count_nonzero(HULL) == 8976
    assert mask_box(HULL) == (102, 57, 189, 196)
    assert len(cv2.convexHull(LANDMARKS.astype(np.int32))) == 26
    assert (Y1 - Y0, X1 - X0) == (165, 103)
    assert (X0, Y0) == (94, 44)
    assert corner_of(LANDMARKS) == (102, 57)


@pytest.mark.parametrize(
    ("nominal", "rows_and_columns"),
    list(zip(WINDOWS, ([99, 20, 128, 56], [66, 40, 124, 95], [33, 20, 121, 93], [0, 0, 165, 103]), strict=True)),
)
def test_windows_of_the_cut(nominal, rows_and_columns):
    y0, x0, y1, x1 = rows_and_columns
    assert search_window(FAKE[CUT], GENUINE[CUT], HULL[CUT], nominal) == (x0, y0, x1, y1)


@pytest.mark.parametrize(
    ("mode", "rows", "columns"), [("released", (123, 180), (142, 196)), ("corrected", (110, 167), (134, 188))]
)
def test_place_of_a_partial_swap(mode, rows, columns):
    corner = corner_of(LANDMARKS) if mode == "released" else (X0, Y0)
    window = search_window(FAKE[CUT], GENUINE[CUT], HULL[CUT], (80, 120))
    assert window is not None
    x, y = corner
    mask = window_mask((window[0] + x, window[1] + y, window[2] + x, window[3] + y), HEIGHT, WIDTH)
    box = columns[0], rows[0], columns[1] + 1, rows[1] + 1
    assert mask_box(mask) == box
    made = swap_window(FAKE, GENUINE, LANDMARKS, (80, 120), False, SwapSettings(mode=mode))
    assert mask_box((made.mask > 0.55).view(np.uint8)) == box, "half of the soft edge is inside"


def test_elastic_mask():
    noise = np.random.RandomState(0).uniform(-1, 1, size=(2, HEIGHT, WIDTH))  # the figures are of this one
    levels = np.rint(elastic(HULL, noise, amplitude=400, sigma=19.2))
    assert levels.sum() == pytest.approx(2_368_327, abs=20)
    assert np.count_nonzero(levels > 127) == pytest.approx(9282, abs=1)


def test_alpha_blending():
    out = blend_alpha(FAKE, GENUINE, soften(HULL))
    assert out[100, 128].tolist() == FAKE[100, 128].tolist() == [147, 175, 181]
    assert GENUINE[100, 128].tolist() == [170, 208, 224]
    assert int(out.sum()) == pytest.approx(23_664_395, abs=100)


def changed_box(picture):
    return mask_box(np.abs(picture.astype(int) - GENUINE).max(axis=2).astype(np.uint8))


def test_poisson_blending():
    ours, theirs = blend_poisson(FAKE, GENUINE, HULL), blend_poisson_at(FAKE, GENUINE, HULL, (145, 126))
    assert ours is not None
    assert theirs is not None
    assert changed_box(ours) == changed_box(theirs) == (103, 58, 188, 195)
    assert np.abs(ours.astype(int) - theirs).max() <= 1
    assert np.mean(ours != theirs) < 0.005
    released = blend_poisson_at(FAKE, GENUINE, HULL, (126, 145))
    assert released is not None
    assert changed_box(released) == (84, 77, 169, 214)


def test_released_poisson_lands_beside_the_face():
    """Rows and columns exchanged; and a distorted outline is never blended so."""
    settings = SwapSettings(mode="released", poisson=1, genuine_on_fake=0, fake_on_genuine=1, partial=0, elastic=0)
    made = swap(FAKE, GENUINE, LANDMARKS, np.random.default_rng(0), settings)
    assert made.poisson
    assert changed_box(made.image) == (84, 77, 169, 214)
    assert not swap(FAKE, GENUINE, LANDMARKS, np.random.default_rng(0), settings.replace(elastic=1)).poisson
    corrected = settings.replace(mode="corrected")
    made = swap(FAKE, GENUINE, LANDMARKS, np.random.default_rng(0), corrected)
    assert changed_box(made.image) == (103, 58, 188, 195)
    assert swap(FAKE, GENUINE, LANDMARKS, np.random.default_rng(0), corrected.replace(elastic=1)).poisson


@pytest.mark.parametrize(
    ("nominal", "rows_and_columns", "total"),
    list(
        zip(
            WINDOWS,
            ([176, 88, 216, 168], [132, 88, 212, 208], [88, 44, 208, 204], [0, 0, 224, 224]),
            (17_688_535, 17_530_377, 17_223_997, 16_829_990),
            strict=True,
        )
    ),
)
def test_released_partial_swaps_from_end_to_end(nominal, rows_and_columns, total):
    made = swap_window(FAKE, GENUINE, LANDMARKS, nominal, True, RELEASED)
    assert not made.poisson
    matrix = alignment_matrix(FIVE)
    crop = align(made.image, matrix)
    y0, x0, y1, x1 = rows_and_columns
    assert artifact_window(crop, align(made.background, matrix), nominal) == (x0, y0, x1, y1)
    assert crop.mean() == pytest.approx(total / crop.size, abs=0.05)


def test_released_global_swap_from_end_to_end():
    settings = RELEASED.replace(poisson=0, genuine_on_fake=0, fake_on_genuine=1, partial=0, elastic=0)
    made = swap(FAKE, GENUINE, LANDMARKS, np.random.default_rng(0), settings)
    assert (made.kind, made.window) == (SwapKind.GLOBAL_FAKE_ON_GENUINE, None)
    crop = align(made.image, alignment_matrix(FIVE))
    assert crop.mean() == pytest.approx(17_052_828 / crop.size, abs=0.05)


def test_branch_frequencies():
    small = [cv2.resize(picture, (64, 60)) for picture in (FAKE, GENUINE)]
    rng, count = np.random.default_rng(0), 1500
    made = [swap(*small, LANDMARKS / 4, rng) for _ in range(count)]
    kinds = np.bincount([swapped.kind for swapped in made], minlength=6) / count
    windows = [np.mean([swapped.window == window for swapped in made]) for window in WINDOWS[1:]]

    def near(share, expected):
        return abs(share - expected) <= 3 * np.sqrt(expected * (1 - expected) / count)

    assert near(kinds[SwapKind.GLOBAL_GENUINE_ON_FAKE], 0.4)
    assert near(kinds[SwapKind.GLOBAL_FAKE_ON_GENUINE], 0.2)
    assert near(kinds[SwapKind.PLAIN], 0.2)
    assert near(kinds[SwapKind.PARTIAL] + kinds[SwapKind.FAILED], 0.2)
    assert all(near(share, 0.05) for share in windows)
    assert near(np.mean([swapped.poisson for swapped in made]), 0.4)


def test_gamma_and_tone():
    levels = np.array([0, 64, 128, 200, 255, 1], np.uint8)[:, None, None] * np.ones(3, np.uint8)
    np.testing.assert_allclose(change_gamma(levels, 0.8)[:, 0, 0], (0, 45, 107, 188, 255, 0), atol=1)
    np.testing.assert_allclose(change_gamma(levels, 1.3)[:, 0, 0], (0, 88, 150, 211, 254, 3), atol=1)
    pixel = np.array([[[10, 100, 200]]], np.uint8)
    assert mix_tone(pixel, (60, 100, 255), 0.25).ravel().tolist() == [22, 100, 213]


@pytest.mark.parametrize(
    ("angle", "length", "side", "count"),
    [(0, 1, 2, 1), (45, 1, 1, 1), (0, 10, 20, 10), (90, 5, 10, 5), (200, 7, 13, 7)],
)
def test_motion_kernels(angle, length, side, count):
    kernel = motion_kernel(angle, length)
    assert kernel.shape == (side, side)
    assert np.count_nonzero(kernel) == count
    assert kernel.sum() == pytest.approx(1)
