"""Perturbations of known strength: what each does, and what is refused."""

import pickle

import cv2
import numpy as np
import pytest

from dfworkbench.core.errors import InputError, ParameterError, UnknownNameError
from dfworkbench.datasets.perturb.frank_perturbations import FRANK_2020, PerturbFrank
from dfworkbench.datasets.perturb.perturbations import LEVELS, PERTURBATIONS, Perturb, links, strengths_at

ALL = sorted(PERTURBATIONS)


def rng(seed=0):
    return np.random.default_rng(seed)


@pytest.fixture(scope="module")
def picture():
    """Colours at several scales, 64 x 48."""
    noise = [cv2.resize(rng(i).uniform(-60, 60, (2**i, 2**i, 3)), (48, 64)) for i in range(1, 6)]
    return np.clip(128 + sum(noise) / 2, 0, 255).astype(np.uint8)


@pytest.mark.parametrize("name", ALL)
def test_pictures_keep_their_shape_and_more_strength_does_more(name, picture):
    item, before = PERTURBATIONS[name], picture.copy()
    changed = [item.apply(picture, strength, rng()) for strength in item.strengths]
    assert {(image.shape, image.dtype.name) for image in changed} == {(picture.shape, "uint8")}
    assert np.array_equal(picture, before)
    damage = [np.abs(image.astype(float) - picture).mean() for image in changed]
    assert damage[0] > 0
    assert np.all(np.diff(damage) > 0)
    assert np.array_equal(changed[2], item.apply(picture, item.strengths[2], rng()))


@pytest.mark.parametrize("name", ["noise", "colour", "grey", "occlusion"])
def test_random_ones_follow_their_generator_and_nothing_else(name, picture):
    item = PERTURBATIONS[name]
    state = np.random.get_state()[1].copy()  # noqa: NPY002
    assert not np.array_equal(*(item.apply(picture, item.strengths[3], rng(seed)) for seed in (1, 2)))
    assert np.array_equal(np.random.get_state()[1], state)  # noqa: NPY002


@pytest.mark.parametrize("name", ["blur", "jpeg", "h264", "crop", "resize"])
def test_fixed_ones_draw_nothing(name, picture):
    generator = rng()
    PERTURBATIONS[name].apply(picture, PERTURBATIONS[name].strengths[0], generator)
    assert generator.random() == rng().random()


@pytest.mark.parametrize("shape", [(47, 63), (64, 48), (33, 34)])
def test_h264_takes_odd_sides_and_halves_the_resolution_of_colours(shape):
    edge = np.zeros((*shape, 3), np.uint8)
    edge[:, 21:] = (200, 40, 40)  # between two pixels that share their colour
    made = PERTURBATIONS["h264"].apply(edge, 0, rng())
    assert made.shape == edge.shape
    far = np.abs(made[:, [5, 30]].astype(int) - edge[:, [5, 30]])
    assert far.max() <= 6  # flat areas come back but for rounding
    redness = made[..., 0].astype(int) - made[..., 1]
    assert redness[10, 20] > 20  # the dark pixel beside the edge takes on its neighbour's colour
    assert np.array_equal(edge[:, 20], np.zeros((shape[0], 3)))


def test_h264_takes_a_clip_as_one_video(picture):
    item, moving = PERTURBATIONS["h264"], np.stack([np.roll(picture, 2 * i, axis=1) for i in range(6)])
    together = item.apply_to_clip(moving, 28, rng())
    alone = np.stack([item.apply(image, 28, rng()) for image in moving])
    assert together.shape == moving.shape
    np.testing.assert_array_equal(alone[0], item.apply_to_clip(moving[:1], 28, rng())[0])
    assert not np.array_equal(together[3], alone[3])  # predicted from its neighbours, not by itself
    assert np.array_equal(Perturb("h264", 28)(Cut(moving), rng())["images"], together)


class Cut:
    """A sample that is cut already."""

    def __init__(self, images):
        self.images = images

    def cut(self):
        return self.images


def test_noise_has_its_standard_deviation():
    grey = np.full((200, 200, 3), 128, np.uint8)
    for sigma in PERTURBATIONS["noise"].strengths:
        noise = PERTURBATIONS["noise"].apply(grey, sigma, rng()) - 128.0
        assert noise.std() == pytest.approx(np.hypot(sigma, np.sqrt(1 / 12)), rel=0.01)  # rounding adds its own
        assert abs(np.corrcoef(noise[..., 0].ravel(), noise[..., 1].ravel())[0, 1]) < 0.02


def test_blur_spreads_a_point_as_stated():
    point = np.zeros((41, 41, 3), np.uint8)
    point[20, 20] = 255
    spread = PERTURBATIONS["blur"].apply(point, 5, rng())[..., 0].astype(float).sum(axis=0)
    kernel = cv2.getGaussianKernel(5, 0.3 * ((5 - 1) / 2 - 1) + 0.8)[:, 0]
    assert spread[18:23] / spread.sum() == pytest.approx(kernel, abs=0.02)
    assert spread[:18].sum() == spread[23:].sum() == 0


def test_jpeg_uses_its_quality_and_keeps_the_order_of_channels():
    red = np.zeros((32, 32, 3), np.uint8)
    red[..., 0] = 200
    assert np.abs(PERTURBATIONS["jpeg"].apply(red, 95, rng()).astype(int) - red).max() <= 3
    image = pytest.importorskip("PIL.Image")
    import io

    smooth = cv2.resize(rng().integers(0, 256, (8, 8, 3), dtype=np.uint8), (64, 64))
    for quality in (90, 30):
        file = io.BytesIO()
        image.fromarray(smooth).save(file, "JPEG", quality=quality, subsampling="4:2:0")
        theirs = np.asarray(image.open(file), dtype=float)
        ours = PERTURBATIONS["jpeg"].apply(smooth, quality, rng())
        assert np.abs(ours - theirs).mean() < 0.1 * np.abs(smooth - theirs).mean()


def test_h264_is_that_of_an_encoder_of_its_own(tmp_path, picture):
    """Against a file that PyAV writes without our code, lossless in size and colour format."""
    av = pytest.importorskip("av")
    with av.open(str(tmp_path / "clip.mp4"), "w") as file:
        stream = file.add_stream(
            "libx264", rate=25, options={"crf": "34", "preset": "veryfast", "x264-params": "mbtree=0"}
        )
        stream.height, stream.width, stream.pix_fmt, stream.thread_count = *picture.shape[:2], "yuv420p", 1
        for packet in (*stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")), *stream.encode()):
            file.mux(packet)
    with av.open(str(tmp_path / "clip.mp4")) as file:
        theirs = [frame.to_ndarray(format="rgb24") for frame in file.decode(video=0)]
    assert len(theirs) == 1
    assert np.abs(PERTURBATIONS["h264"].apply(picture, 34, rng()).astype(int) - theirs[0]).max() <= 1


def test_h264_in_a_chain_takes_the_clip_as_the_links_before_left_it(picture):
    clip = np.stack([np.roll(picture, shift, axis=1) for shift in range(0, 12, 2)])
    chain = Perturb("noise>h264", 8.0, 34)(Cut(clip), rng())["images"]
    generator = rng()
    noisy = np.stack([PERTURBATIONS["noise"].apply(image, 8.0, generator) for image in clip])
    assert np.array_equal(chain, PERTURBATIONS["h264"].apply_to_clip(noisy, 34, rng()))


def test_h264_gives_the_same_whatever_lies_in_memory(picture):
    """With x264's macroblock tree, 69 of 400 such runs differed."""
    clip = np.stack([np.roll(picture, shift, axis=1) for shift in range(0, 12, 2)])
    clip = PERTURBATIONS["noise"].apply_to_clip(clip, 8.0, rng())
    first = PERTURBATIONS["h264"].apply_to_clip(clip, 34, rng())
    for seed in range(40):
        left = [rng(seed).integers(0, 255, size, dtype=np.uint8) for size in rng(seed).integers(1000, 90000, 3)]
        del left
        assert np.array_equal(PERTURBATIONS["h264"].apply_to_clip(clip, 34, rng()), first)


def test_crop_keeps_the_middle_and_its_scale():
    ramp = np.broadcast_to(np.arange(200, dtype=np.uint8)[None, :, None], (40, 200, 3)).copy()
    ramp[:] += np.arange(40, dtype=np.uint8)[:, None, None]
    out = PERTURBATIONS["crop"].apply(ramp, 0.5, rng()).astype(float)
    # rows 10 to 30 and columns 50 to 150 now fill the picture; the centre of pixel i lies at i + 0.5
    rows, columns = np.arange(4, 36), np.arange(4, 196)
    expected = (50 + (columns + 0.5) / 2 - 0.5) + (10 + (rows[:, None] + 0.5) / 2 - 0.5)
    assert np.abs(out[4:36, 4:196, 0] - expected).max() <= 0.51


def test_resize_by_one_changes_nothing_and_by_a_quarter_keeps_coarse_steps(picture):
    assert np.array_equal(PERTURBATIONS["resize"].apply(picture, 1, rng()), picture)
    fine = np.zeros((64, 64, 3), np.uint8)
    fine[:, ::2] = 200
    assert np.ptp(PERTURBATIONS["resize"].apply(fine, 0.25, rng()).astype(int)) <= 1
    halves = np.zeros((64, 64, 3), np.uint8)
    halves[:, 32:] = 200
    out = PERTURBATIONS["resize"].apply(halves, 0.25, rng())
    assert np.array_equal(out[:, [4, 60]], halves[:, [4, 60]])


def test_grey_pixels_are_as_many_as_stated_and_have_the_mean_of_their_channels():
    colours = np.tile(np.array([30, 60, 240], np.uint8), (100, 100, 1))
    out = PERTURBATIONS["grey"].apply(colours, 0.25, rng())
    grey = (out == 110).all(axis=2)
    assert grey.mean() == pytest.approx(0.25, abs=0.015)
    assert np.array_equal(out[~grey], colours[~grey])
    assert (PERTURBATIONS["grey"].apply(colours, 1, rng()) == 110).all()


def test_occlusion_hides_the_stated_area_everywhere_alike():
    white, generator = np.full((50, 40, 3), 255, np.uint8), rng()
    places = np.zeros((50, 40))
    for _ in range(2000):
        hidden = (PERTURBATIONS["occlusion"].apply(white, 0.1, generator) == 128).all(axis=2)
        assert hidden.mean() == pytest.approx(0.1, abs=0.01)
        places += hidden
    assert (places > 0).mean() > 0.99
    assert places[:25].sum() == pytest.approx(places[25:].sum(), rel=0.1)
    assert places[:, :20].sum() == pytest.approx(places[:, 20:].sum(), rel=0.1)


def test_what_cannot_be_applied_is_refused(picture):
    for name, strength in (
        ("jpeg", 0),
        ("jpeg", 50.5),
        ("blur", 4),
        ("h264", 52),
        ("h264", 23.5),
        ("noise", -1),
        ("crop", 1.0),
        ("grey", float("nan")),
    ):
        with pytest.raises(ParameterError, match=f"perturbing pictures by '{name}': strength .* Stated strengths"):
            PERTURBATIONS[name].apply(picture, strength, rng())
    with pytest.raises(InputError, match=r"got float64 \(64, 48, 3\), expected uint8 RGB"):
        PERTURBATIONS["blur"].apply(picture / 255, 3, rng())
    with pytest.raises(InputError, match="one at a time"):
        PERTURBATIONS["blur"].apply(picture[None], 3, rng())
    with pytest.raises(UnknownNameError, match=r"no perturbation is called 'jpg'\. Did you mean 'jpeg'"):
        links("blur>jpg")
    with pytest.raises(ParameterError, match=r"2 strength\(s\) for 1 link"):
        Perturb("jpeg", 40, 5)
    with pytest.raises(ParameterError, match="strength 900"):
        Perturb("jpeg>noise", 40, 900)
    with pytest.raises(ParameterError, match="level 6, expected one of 1, 2"):
        strengths_at("jpeg", 6)


def test_chains_apply_their_links_in_order(picture):
    chain = Perturb("jpeg>noise", *strengths_at("jpeg>noise", 3)).picture(picture, rng())
    by_hand = PERTURBATIONS["noise"].apply(PERTURBATIONS["jpeg"].apply(picture, 60, rng()), 8, rng())
    assert np.array_equal(chain, by_hand)
    assert not np.array_equal(chain, Perturb("noise>jpeg", 8, 60).picture(picture, rng()))
    assert np.array_equal(Perturb("").picture(picture, rng()), picture)


def test_stated_strengths_can_be_applied():
    for name in ALL:
        for level in LEVELS:
            assert Perturb(name, *strengths_at(name, level)).strengths == (PERTURBATIONS[name].strengths[level - 1],)


@pytest.mark.parametrize("condition", sorted(FRANK_2020))
def test_frank_leaves_as_many_pictures_alone_as_stated(condition, picture):
    change = PerturbFrank(condition)
    kept = np.mean([np.array_equal(change.picture(picture, rng(seed)), picture) for seed in range(400)])
    assert kept == pytest.approx(0.5**4 if condition == "all" else 0.5, abs=0.075)
    always = PerturbFrank(condition, share=1.0)
    first, again, other = (always.picture(picture, rng(seed)) for seed in (1, 1, 2))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other) or condition == "blur"
    assert np.array_equal(PerturbFrank(condition, share=0.0).picture(picture, rng()), picture)


def test_frank_draws_strengths_by_its_laws():
    grey = np.full((48, 48, 3), 128, np.uint8)
    sigmas = np.array([(PerturbFrank("noise", 1.0).picture(grey, rng(seed)) - 128.0).std() for seed in range(200)])
    assert sigmas.min() > 4.7
    assert sigmas.max() < 21
    assert sigmas.mean() == pytest.approx(12.5, abs=0.9)
    point = np.zeros((21, 21, 3), np.uint8)
    point[10, 10] = 255
    widths = [(PerturbFrank("blur", 1.0).picture(point, rng(s))[10, :, 0] > 0).sum() for s in range(60)]
    assert set(widths) == {3, 5, 7, 9}
    with pytest.raises(UnknownNameError, match="condition of Frank"):
        PerturbFrank("jpg")
    with pytest.raises(ParameterError, match="share 2"):
        PerturbFrank("jpeg", share=2)


def test_perturbations_can_be_sent_to_the_workers_of_a_loader():
    for name, perturbation in PERTURBATIONS.items():
        assert pickle.loads(pickle.dumps(Perturb(name, perturbation.strengths[0]))).steps == [perturbation]
