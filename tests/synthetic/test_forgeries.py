import hashlib

import numpy as np
import pytest

from dfworkbench.core.errors import UnknownNameError
from dfworkbench.core.names import FORGERY_KINDS
from dfworkbench.synthetic.clip import make_person, record
from dfworkbench.synthetic.forgeries import FORGERIES, ForgerySettings, forge
from dfworkbench.synthetic.forgeries.faceswap import poisson, triangle_map
from dfworkbench.synthetic.forgeries.neuraltextures import transposed_convolution

SIZE, FRAMES = 128, 4


@pytest.fixture(scope="module")
def clips():
    return [record(make_person(identity, SIZE), 0, SIZE, FRAMES, 25.0) for identity in (10, 13)]


@pytest.fixture(scope="module")
def forged(clips):
    return {kind: forge(kind, *clips, seed=0) for kind in FORGERY_KINDS}


def digest(frames):
    return hashlib.sha256(b"".join(frame.tobytes() for frame in frames)).hexdigest()


def test_there_is_one_mechanism_for_each_kind():
    assert sorted(FORGERIES) == sorted(FORGERY_KINDS)
    assert len(set(FORGERIES.values())) == 5


@pytest.mark.parametrize("kind", FORGERY_KINDS)
def test_the_mask_is_exact(clips, forged, kind):
    for real, fake, mask in zip(clips[0].frames, forged[kind].frames, forged[kind].masks, strict=True):
        changed = (real != fake).any(axis=2)
        assert set(np.unique(mask)) == {0, 255}
        assert not changed[mask == 0].any()
        assert changed[mask > 0].mean() > 0.6
        assert 0.005 < (mask > 0).mean() < 0.4


@pytest.mark.parametrize("kind", FORGERY_KINDS)
def test_the_same_seed_gives_the_same_bytes(clips, forged, kind):
    again = forge(kind, *clips, seed=0)
    other = forge(kind, *clips, seed=1)
    assert digest(again.frames) == digest(forged[kind].frames)
    if kind != "Face2Face":  # two draws may give it nearly the same parameters
        assert digest(other.frames) != digest(forged[kind].frames)


@pytest.mark.parametrize("kind", FORGERY_KINDS)
def test_landmarks_of_the_fake_lie_in_its_face(clips, forged, kind):
    points = np.array(forged[kind].landmarks)
    assert points.shape == (FRAMES, 81, 2)
    face = clips[0].landmarks[:, 8, 1] - clips[0].landmarks[:, 27, 1]
    distance = np.linalg.norm(points - clips[0].landmarks, axis=2).max(axis=1)
    assert (distance < 0.45 * face).all()


def test_neuraltextures_changes_only_the_mouth(clips, forged):
    for points, mask in zip(clips[0].landmarks, forged["NeuralTextures"].masks, strict=True):
        rows = np.flatnonzero((mask > 0).any(axis=1))
        assert rows[0] > points[28, 1]
        assert (mask > 0).sum() < 0.5 * min((m > 0).sum() for m in forged["Deepfakes"].masks)


def test_reenactment_keeps_the_identity_and_swaps_do_not(clips, forged):
    """Far from the mouth Face2Face keeps the carrier's picture, a swap puts another one there."""
    change = {}
    for kind in ("Face2Face", "Deepfakes", "FaceSwap", "FaceShifter"):
        brows = [tuple(np.round(p[[21, 22, 27, 28, 39, 42]]).astype(int).T) for p in clips[0].landmarks]
        change[kind] = np.mean([
            np.abs(real[y, x].astype(int) - fake[y, x]).mean()
            for real, fake, (x, y) in zip(clips[0].frames, forged[kind].frames, brows, strict=True)
        ])  # fmt: skip
    assert change["Face2Face"] < 0.8 * min(change[kind] for kind in ("Deepfakes", "FaceSwap"))


def test_faceshifter_honours_what_lies_in_front(clips):
    """Under opaque glasses and hair FaceShifter changes (almost) nothing; Deepfakes paints over them."""
    carrier = record(make_person(8, SIZE), 0, SIZE, 2, 25.0)
    assert carrier.person.head.identity.glasses
    change = {}
    for kind in ("FaceShifter", "Deepfakes"):
        fake = forge(kind, carrier, clips[1], seed=0)
        both = [
            (m > 0) & (c > 0.9)
            for m, c in zip(forge("Deepfakes", carrier, clips[1], 0).masks, carrier.cover, strict=True)
        ]
        change[kind] = np.mean([
            np.abs(real[where].astype(int) - got[where]).mean()
            for real, got, where in zip(carrier.frames, fake.frames, both, strict=True)
        ])  # fmt: skip
    assert change["FaceShifter"] < 0.4 * change["Deepfakes"]


def test_colour_errors_have_either_sign(clips):
    settings = ForgerySettings(colour_error=15.0)
    shifts = []
    for seed in range(8):
        fake = forge("Deepfakes", *clips, seed=seed, settings=settings)
        where = fake.masks[0] > 0
        shifts.append((fake.frames[0][where].astype(float) - clips[0].frames[0][where]).mean())
    assert min(shifts) < -2
    assert max(shifts) > 2


def test_poisson_cloning_a_picture_into_itself_changes_nothing(clips):
    frame = clips[0].frames[0]
    mask = np.zeros((SIZE, SIZE), bool)
    mask[40:81, 33:90] = True
    assert np.abs(poisson(frame, frame, mask).astype(int) - frame).max() <= 1


def test_triangle_map_takes_corners_to_corners():
    given = np.array([[10.0, 10], [50, 12], [30, 60], [60, 60]])
    wanted = given + np.array([[3, 1], [-2, 4], [0, -5], [1, 1]])
    map_x, map_y = triangle_map(wanted, given, np.array([[0, 1, 2], [1, 2, 3]]), (80, 80))
    for (x, y), target in zip(wanted.astype(int), given, strict=True):
        assert abs(map_x[y, x] - target[0]) < 1e-3
        assert abs(map_y[y, x] - target[1]) < 1e-3
    assert map_x[79, 5] == 5


def test_transposed_convolution_with_a_bilinear_kernel_keeps_a_flat_picture_and_an_uneven_one_does_not():
    flat = np.full((8, 8, 3), 100, np.float32)
    kernel = np.outer([0.5, 1, 0.5], [0.5, 1, 0.5]).astype(np.float32)
    np.testing.assert_allclose(transposed_convolution(flat, kernel)[2:-2, 2:-2], 100, rtol=1e-5)
    kernel[1, 1] *= 1.1
    checkered = transposed_convolution(flat, kernel)[2:-2, 2:-2]
    np.testing.assert_allclose(checkered[::2, ::2], 110, rtol=1e-5)
    np.testing.assert_allclose(checkered[1::2, 1::2], 100, rtol=1e-5)


def test_an_unknown_kind_is_named(clips):
    with pytest.raises(UnknownNameError, match="Did you mean 'FaceSwap'"):
        forge("Faceswap", *clips, seed=0)


def fine_detail(frames, masks):
    """Mean over frames of the mean square difference of neighbouring pixels where the mask is set."""
    steps = [
        np.square(np.diff(f.astype(float).mean(axis=2), axis=1))[m[:, 1:] > 0].mean()
        for f, m in zip(frames, masks, strict=True)
    ]
    return np.mean(steps)


@pytest.mark.parametrize("kind", ["Deepfakes", "Face2Face", "FaceShifter"])
def test_grain_makes_up_for_lost_detail(clips, kind):
    shares = []
    for amount in (0.0, 1.0):
        made = forge(kind, *clips, seed=0, settings=ForgerySettings(grain=(amount, amount)))
        wanted = fine_detail(clips[0].frames, made.masks)
        shares.append(fine_detail(made.frames, made.masks) / wanted)
    assert shares[0] < 0.85, "without grain the forged area is smoother than the camera's"
    assert shares[0] < shares[1] < 1.3
    assert abs(shares[1] - 1) < abs(shares[0] - 1)
