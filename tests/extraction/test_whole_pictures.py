"""Whole pictures from the file to the network: pixel for pixel, without face search and without resampling."""

import math
import shutil

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn
from torch.nn import functional as F

from dfworkbench.core.errors import InputError, MediaError, ParameterError
from dfworkbench.core.input_spec import InputSpec
from dfworkbench.core.workspace import Workspace
from dfworkbench.datasets import read_layout
from dfworkbench.datasets.face_dataset import FaceDataset, collate
from dfworkbench.datasets.perturb.augment import AugmentSettings, FaceAugment
from dfworkbench.datasets.perturb.picture_augment import PictureAugment
from dfworkbench.datasets.recut import cut_again
from dfworkbench.datasets.sample import FaceSample
from dfworkbench.datasets.tables import FACES, SCORES, read_table
from dfworkbench.evaluation.scoring import files as scoring_files
from dfworkbench.evaluation.scoring import workers as scoring_workers
from dfworkbench.evaluation.scoring.score import score, score_rows
from dfworkbench.evaluation.scoring.settings import ScoreSettings
from dfworkbench.extraction import ExtractSettings, extract, extract_table
from dfworkbench.extraction import part as part_module
from dfworkbench.extraction.part import Job, extract_video, read_part
from dfworkbench.faces import (
    FaceSettings,
    FaceTile,
    cut_for,
    cut_tile,
    cut_whole,
    faces_in_file,
    files,
    window_in,
)
from dfworkbench.media import VideoSource, VideoWriter, read_image, write_png
from dfworkbench.models import build_detector
from dfworkbench.models.prediction import Prediction
from dfworkbench.runs.checkpoints import LoadedDetector, load_detector
from dfworkbench.show.annotate import annotate
from dfworkbench.training import TrainSettings, train

WHOLE = FaceSettings(whole=True)


def noise(height, width, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def whole_spec(size_px=32, **values):
    return InputSpec(size_px=size_px, crop_scale=1.0, alignment="whole", **values)


def extract_here(videos, root, workspace):
    """Extract without worker processes, which take seconds to start and in which a FaceFinder would not be noticed."""
    name = videos["dataset"][0]
    jobs = [Job(v.video_id, v.path, root / v.path, workspace.extracted, name, WHOLE) for v in videos.itertuples()]
    return [extract_video(job, threads=1) for job in jobs]


@pytest.fixture(autouse=True)
def no_face_finder(monkeypatch):
    """Nothing here may build the networks that look for faces."""

    def refuse(settings):
        raise AssertionError("a FaceFinder was built for whole pictures")

    for module in (files, part_module, scoring_files, scoring_workers):
        monkeypatch.setattr(module, "FaceFinder", refuse)


@pytest.fixture(scope="module")
def extracted(tmp_path_factory):
    """Five real and five fake pictures of 40 x 48 px in their layout, and what extraction makes of them."""
    root, workspace = tmp_path_factory.mktemp("pics"), Workspace(tmp_path_factory.mktemp("home"))
    for i in range(5):
        write_png(root / "real" / f"{i}.png", noise(40, 48, i))
        write_png(root / "fake" / "gan" / f"{i}.png", noise(40, 48, 5 + i))
    videos = read_layout("generated_images", root, "pics")
    parts = extract_here(videos, root, workspace)
    faces = FACES.complete([face for part in parts for face in part.faces])
    return root, videos, faces, workspace.extracted


def test_a_window_is_never_scaled():
    with pytest.raises(ParameterError, match=r"crop_scale must be 1 for alignment 'whole', not 1\.3"):
        InputSpec(alignment="whole")
    assert InputSpec.from_dict(whole_spec(96).to_dict()) == whole_spec(96)


@pytest.mark.parametrize(
    ("size", "square"),
    [
        ((66, 64), (0, 0, 64, 64)),
        ((64, 66), (0, 0, 64, 64)),
        ((47, 101), (28, 0, 72, 44)),
        ((600, 700), (92, 44, 604, 556)),
    ],
)
def test_the_middle_square_is_kept_pixel_for_pixel(tmp_path, size, square):
    """66 x 64 gives 64 x 64; place and side are multiples of 4, the side at most context_max_px."""
    rgb = noise(*size)
    write_png(tmp_path / "a.png", rgb)
    found = faces_in_file(tmp_path / "a.png", WHOLE)
    assert (found.kind, found.frames, found.width_px, found.height_px) == ("image", 1, size[1], size[0])
    (face,) = found.detections
    x0, y0, x1, y1 = square
    assert (face.track, face.frame, face.time_s, face.probability) == (0, 0, 0.0, 1.0)
    assert tuple(face.box) == square == tuple(face.tile.square)
    assert np.isnan(face.landmarks).all()
    np.testing.assert_array_equal(face.tile.image, rgb[y0:y1, x0:x1])
    assert (y1 - y0) % 4 == 0


def test_context_max_px_cuts_and_does_not_scale(tmp_path):
    rgb = noise(100, 100)
    write_png(tmp_path / "a.png", rgb)
    (face,) = faces_in_file(tmp_path / "a.png", FaceSettings(whole=True, context_max_px=50)).detections
    np.testing.assert_array_equal(face.tile.image, rgb[24:72, 24:72])


@pytest.mark.parametrize("mode", ["L", "RGBA", "P", "I;16"])
def test_grey_transparent_palette_and_deep_pictures_become_rgb(tmp_path, mode):
    rgb = np.repeat(noise(40, 40)[:, :, :1], 3, axis=2) // 64 * 64
    grey, alpha = rgb[:, :, 0], noise(40, 40, 1)[:, :, :1]
    picture = {
        "L": lambda: Image.fromarray(grey),
        "RGBA": lambda: Image.fromarray(np.dstack([rgb, alpha])),
        "P": lambda: Image.fromarray(rgb).quantize(8),
        "I;16": lambda: Image.fromarray(grey.astype(np.uint16) * 257),
    }[mode]()
    assert picture.mode == mode
    picture.save(tmp_path / "a.png")
    (face,) = faces_in_file(tmp_path / "a.png", WHOLE).detections
    shown = 255 - (255.0 - rgb) * alpha / 255 if mode == "RGBA" else rgb  # over white
    np.testing.assert_allclose(face.tile.image, shown, rtol=0, atol=1 if mode == "RGBA" else 0)


def test_tiny_and_missing_pictures_say_so(tmp_path):
    write_png(tmp_path / "a.png", noise(31, 200))
    with pytest.raises(MediaError, match=r"it is 200 x 31 px\. Expected at least 32 px on both sides") as caught:
        faces_in_file(tmp_path / "a.png", WHOLE)
    assert caught.value.status == "unreadable"
    with pytest.raises(MediaError, match="there is no such file") as caught:
        faces_in_file(tmp_path / "b.png", WHOLE)
    assert caught.value.status == "missing"


def make_video(path, frames=12, size=64):
    with VideoWriter(path, 25, size, size, 18) as writer:
        for at in range(frames):
            writer.write(np.kron(noise(size // 8, size // 8, at), np.ones((8, 8, 1), np.uint8)))
    return path


def test_a_video_is_one_track_of_whole_frames(tmp_path):
    path = make_video(tmp_path / "a.mp4")
    found = faces_in_file(path, FaceSettings(whole=True, frames=4), threads=1)
    assert (found.kind, found.frames, found.fps) == ("video", 12, 25)
    assert [(face.track, face.frame) for face in found.detections] == [(0, 0), (0, 3), (0, 6), (0, 9)]
    assert found.detections[1].time_s == pytest.approx(3 / 25)
    for face, frame in zip(found.detections, VideoSource(path).iterate([0, 3, 6, 9]), strict=True):
        np.testing.assert_array_equal(face.tile.image, frame.rgb)


def test_a_folder_of_frames_leaves_out_the_tiny_ones(tmp_path):
    for at, size in enumerate((40, 20, 48)):
        write_png(tmp_path / "clip" / f"{at}.png", noise(size, size, at))
    found = faces_in_file(tmp_path / "clip", WHOLE, threads=1)
    assert [(face.frame, face.tile.image.shape[0]) for face in found.detections] == [(0, 40), (2, 48)]


def test_windows_are_copies_of_pixels():
    rgb = noise(40, 40)
    tile = cut_whole(rgb, 512)
    for size, at in ((32, 4), (40, 0), (33, 4), (20, 12)):
        crop = cut_for(whole_spec(size), tile, tile.square)
        np.testing.assert_array_equal(crop, rgb[at : at + size, at : at + size])
        assert not np.shares_memory(crop, tile.image)
    for share, (left, top) in (
        ((0.0, 0.0), (0, 0)),
        ((0.999, 0.0), (8, 0)),
        ((0.4, 0.0), (4, 0)),
        ((0.3, 0.5), (0, 4)),
    ):
        box = window_in(whole_spec(), tile, tile.square, share)
        np.testing.assert_array_equal(cut_for(whole_spec(), tile, box), rgb[top : top + 32, left : left + 32])


def test_faces_and_small_pictures_are_refused():
    tile = cut_whole(noise(60, 60), 512)
    with pytest.raises(InputError, match=r"only 60 x 60 px are kept of it.* smaller size_px.* context_max_px=64"):
        cut_for(whole_spec(64), tile, tile.square)
    with pytest.raises(InputError, match="reaches beyond the 60 px"):
        cut_for(whole_spec(), tile, [40, 0, 72, 32])
    face = [20.5, 20, 41, 45]
    with pytest.raises(InputError, match=r'whole=true, or build the detector with alignment="box"'):
        cut_for(whole_spec(), cut_tile(noise(90, 90), face, FaceSettings()), face)
    scaled = FaceTile(tile.image, 0, 0, 120)  # a face tile that was made smaller has lost the finest pixels
    with pytest.raises(InputError, match="is a face of a picture"):
        cut_for(whole_spec(), scaled, scaled.square)


def test_whole_pictures_have_no_landmarks_and_nothing_around_them():
    tile = cut_whole(noise(60, 60), 512)
    with pytest.raises(InputError, match="whole pictures have none: extract faces"):
        cut_for(InputSpec(alignment="five_points"), tile, tile.square, np.full((5, 2), np.nan))
    with pytest.raises(InputError, match=r"whole pictures have no more: build the detector with crop_scale=1\.0"):
        cut_for(InputSpec(), tile, tile.square)
    assert cut_for(InputSpec(size_px=24, crop_scale=1.0), tile, tile.square).shape == (24, 24, 3)


def test_ten_pictures_give_ten_items(extracted):
    root, videos, faces, crops = extracted
    assert len(faces) == 10
    assert (faces["probability"] == 1).all()
    assert faces["nose_x"].isna().all()
    dataset = FaceDataset(faces, videos, whole_spec(), crops)
    assert len(dataset) == 10
    assert dataset.rows["label"].tolist() == [0 if "/real/" in name else 1 for name in dataset.rows["video_id"]]
    assert dataset.rows["label"].sum() == 5
    item = dataset[3]
    assert (item["images"].shape, item["images"].dtype) == ((3, 32, 32), torch.uint8)
    rgb = read_image(root / dataset.rows["video_id"][3].removeprefix("pics/"))
    np.testing.assert_array_equal(item["images"].numpy(), rgb[4:36, 8:40].transpose(2, 0, 1))
    np.testing.assert_array_equal(cut_again(rgb, faces.set_index("video_id").loc[dataset.rows["video_id"][3]], whole_spec()),
                                  rgb[4:36, 8:40])  # fmt: skip


def test_faces_are_refused_as_data(toy):
    videos = read_table("video", toy.labels / "toy" / "videos.csv")
    faces = read_table("face", toy.labels / "toy" / "faces.parquet")
    for transform in (None, PictureAugment(), FaceAugment()):
        dataset = FaceDataset(faces, videos, whole_spec(48), toy.extracted, transform=transform)
        with pytest.raises(InputError, match="this row of the face table is a face"):
            dataset[0]


def sample_of(rgb, spec, frames=1):
    tiles = [cut_whole(rgb, 512)] * frames
    nothing = np.full((frames, 5, 2), np.nan)
    boxes = np.stack([tile.square for tile in tiles])
    return FaceSample(spec, 0, tiles, boxes, nothing, [None] * frames, np.full((frames, 81, 2), np.nan))


def places(rgb):
    """Place of every window of 8 px that begins at multiples of 4, by its bytes."""
    return {rgb[4 * y : 4 * y + 8, 4 * x : 4 * x + 8].tobytes(): (y, x) for y in range(5) for x in range(5)}


@pytest.mark.parametrize(
    "transform", [PictureAugment(0, 0, 0), FaceAugment(AugmentSettings(flip=0, colour_jitter=0, degrade=0))]
)
def test_windows_are_drawn_evenly_over_the_picture_without_losing_its_phase(transform):
    rgb = noise(24, 24)
    sample, rng, known = sample_of(rgb, whole_spec(8)), np.random.default_rng(0), places(rgb)
    found = [known[transform(sample, rng)["images"][0].tobytes()] for _ in range(2500)]
    counts = np.zeros((5, 5))
    np.add.at(counts, tuple(np.array(found).T), 1)
    assert ((counts - 100) ** 2 / 100).sum() < 60  # chi-square with 24 degrees of freedom: p = 7e-5


def test_half_of_the_pictures_are_mirrored():
    rgb = noise(8, 8)
    sample, rng = sample_of(rgb, whole_spec(8)), np.random.default_rng(0)
    mirrored = 0
    for _ in range(1000):
        image = PictureAugment()(sample, rng)["images"][0]
        mirrored += np.array_equal(image, rgb[:, ::-1])
        assert np.array_equal(image, rgb[:, ::-1]) or np.array_equal(image, rgb)
    assert abs(mirrored - 500) < 64  # four standard deviations


def test_all_eight_ways_a_picture_can_lie_are_equally_likely():
    rgb = noise(8, 8)
    ways = [np.rot90(side, turns).tobytes() for side in (rgb, rgb[:, ::-1]) for turns in range(4)]
    sample, rng, transform = sample_of(rgb, whole_spec(8)), np.random.default_rng(0), PictureAugment(0.5, 0.5, 0.5)
    counts = np.bincount([ways.index(transform(sample, rng)["images"][0].tobytes()) for _ in range(1600)], minlength=8)
    assert abs(counts - 200).max() < 53  # four standard deviations


def test_frames_of_a_clip_are_cut_and_turned_alike():
    rgb = noise(40, 40)
    sample = sample_of(rgb, whole_spec(32, clip_length=3), frames=3)
    for seed in range(8):
        images = PictureAugment(0.5, 0.5, 0.5)(sample, np.random.default_rng(seed))["images"]
        assert images.shape == (3, 32, 32, 3)
        assert (images == images[0]).all()


def test_low_and_high_resolution_stay_aligned_under_all_changes(extracted):
    """Check A11: the block mean of the window equals its low-resolution picture, and the window holds the picture's own pixels."""
    root, videos, faces, crops = extracted
    dataset = FaceDataset(faces, videos, whole_spec(), crops, transform=PictureAugment(0.5, 0.5, 0.5), seed=3)
    for epoch in range(3):
        dataset.set_epoch(epoch)
        high = collate([dataset[row] for row in range(10)])["images"].double() / 255
        low = F.avg_pool2d(high, 4)
        blocks = high.reshape(10, 3, 8, 4, 8, 4).mean(dim=(3, 5))
        assert low.shape == (10, 3, 8, 8)
        assert (blocks - low).abs().max() < 1e-6
        for row, image in enumerate(high.mul(255).round().byte()):
            picture = read_image(root / dataset.rows["video_id"][row].removeprefix("pics/"))
            assert is_window(image.permute(1, 2, 0).numpy(), picture)


def is_window(image, picture):
    windows = np.lib.stride_tricks.sliding_window_view(picture, (32, 32, 3)).reshape(-1, 32, 32, 3)
    ways = [np.rot90(side, turns) for side in (image, image[:, ::-1]) for turns in range(4)]
    return any((windows == way).all(axis=(1, 2, 3)).any() for way in ways)


def test_shares_are_checked():
    with pytest.raises(ParameterError, match=r"got \{'vflip': 1\.5\}"):
        PictureAugment(vflip=1.5)


def test_faces_of_a_box_detector_are_not_windowed(toy):
    videos = read_table("video", toy.labels / "toy" / "videos.csv")
    faces = read_table("face", toy.labels / "toy" / "faces.parquet")
    plain, changed = (
        FaceDataset(faces, videos, InputSpec(size_px=32), toy.extracted, transform=transform)[0]["images"]
        for transform in (None, PictureAugment(hflip=1.0))
    )
    torch.testing.assert_close(changed, plain.flip(-1), rtol=0, atol=0)


def test_extraction_goes_through_tables_and_is_not_done_twice(extracted, tmp_path):
    root, videos, faces, _ = extracted
    write_png(tmp_path / "pics" / "real" / "tiny.png", noise(20, 20))
    shutil.copy(root / videos["path"][0], tmp_path / "pics" / "real" / "good.png")
    own = read_layout("generated_images", tmp_path / "pics", "own")
    workspace = Workspace(tmp_path)
    extract_here(own, tmp_path / "pics", workspace)
    found = extract_table(own, tmp_path / "pics", "own", workspace, WHOLE, progress=False)
    by_path = found.videos.set_index("path")
    assert by_path["status"].to_dict() == {"real/good.png": "ok", "real/tiny.png": "unreadable"}
    assert "20 x 20 px" in by_path.loc["real/tiny.png", "reason"]
    assert (by_path.loc["real/good.png", "tracks"], by_path.loc["real/good.png", "faces"]) == (1, 1)
    assert found.faces["crop_size_px"].tolist() == [40]


def test_faces_that_were_extracted_before_there_were_whole_pictures_still_hold(tmp_path):
    later = ("whole", "whole_part", "crops", "exact", "sampling")
    old = FaceSettings().content_hash(without=later)  # all that was hashed then
    assert FaceSettings().crops_hash() == old == "f8fa4551"
    assert FaceSettings(frames=7).crops_hash() != old
    assert FaceSettings(exact=True).crops_hash() != old
    assert FaceSettings(whole_part="all").crops_hash() == old, "it is of whole pictures"
    assert FaceSettings(whole=True, whole_part="all").crops_hash() != WHOLE.crops_hash()
    assert FaceSettings(sampling="both_ends").crops_hash() != old
    assert FaceSettings(sampling="both_ends", whole=True).crops_hash() != WHOLE.crops_hash()
    assert FaceSettings(exact=True, whole=True).crops_hash() == WHOLE.crops_hash()
    assert WHOLE.crops_hash() not in (old, FaceSettings(whole=True, frames=7).crops_hash())
    assert WHOLE.crops_hash() == FaceSettings(whole=True, min_face_px=80, identity_weights="off").crops_hash()
    write_png(tmp_path / "a.png", noise(40, 40))
    job = Job("x/a.png", "a.png", tmp_path / "a.png", tmp_path / "extracted", "x", WHOLE)
    extract_video(job, threads=1)
    assert read_part(job) is not None
    assert read_part(Job(**{**vars(job), "settings": FaceSettings()})) is None
    assert ExtractSettings(whole=True).faces.whole


def test_from_a_folder_to_a_trained_and_scored_detector(tmp_path):
    """Fakes bear a checkerboard of single pixels, which any resizing of 44 to 32 px would smear."""
    data, workspace = tmp_path / "data" / "pics", Workspace(tmp_path)
    board = np.indices((44, 44)).sum(axis=0)[:, :, None] % 2 * 60
    for split, count in (("train", 24), ("val", 8)):
        for i in range(count):
            plain = noise(44, 44, i + 100 * len(split)) // 4 + 60
            write_png(data / split / "real" / f"{i}.png", plain)
            write_png(data / split / "fake" / "gan" / f"{i}.png", (plain + board).astype(np.uint8))
    settings = ExtractSettings(name="pics", layout="generated_images", whole=True)
    extract_here(read_layout("generated_images", data, "pics"), data, workspace)
    found = extract(settings, workspace, progress=False)
    assert (found.videos["status"] == "ok").all()
    training = TrainSettings(
        dataset="pics", detector="resnet18", size_px=32, detector_options={"alignment": "whole", "crop_scale": 1.0},
        epochs=2, batch_size=8, learning_rate=1e-3, threads=1, name="run", device="cpu",
    )  # fmt: skip
    epochs = list(train(training, workspace, progress=False))
    assert epochs[-1].val["auc_video"] > 0.9
    scored = score(data / "val", load_detector(workspace.checkpoints / "run"), progress=False)
    assert scored.summary["status"].eq("ok").all()


class Corner(nn.Module):
    """The logit is the red of the first pixel, so that one pixel more or less would be seen."""

    def __init__(self, spec):
        super().__init__()
        self.input_spec = spec

    def forward(self, images):
        images = images if images.ndim == 4 else images[:, 0]
        return Prediction(images[:, 0, 0, 0])


def loaded(spec):
    return LoadedDetector(Corner(spec).eval(), "corner", spec, {}, files.Path("none"))


def test_scoring_takes_pictures_whole(tmp_path):
    rgb = noise(66, 64)
    write_png(tmp_path / "a.png", rgb)
    write_png(tmp_path / "b.png", noise(40, 40))
    write_png(tmp_path / "c.png", noise(20, 40))
    result = score(tmp_path, loaded(whole_spec(48, mean=(0.5, 0.5, 0.5))), progress=False)
    good, small, tiny = result
    (track,) = good.tracks
    logit = rgb[8, 8, 0] / 255 - 0.5
    assert result.table["logit"][0] == pytest.approx(logit, abs=1e-6)
    assert good.fake_probability == pytest.approx(1 / (1 + math.exp(-logit)))
    assert track.boxes.tolist() == [[0, 0, 64, 64]]
    assert track.thumbnails.shape == (1, 112, 112, 3)
    assert "image 64 x 66, whole" in repr(good)
    assert "1 picture" in good._repr_html_()
    assert (small.status, tiny.status) == ("error", "unreadable")
    assert "only 40 x 40 px are kept" in small.reason
    SCORES.check(result.table)
    assert "a.png" in result._repr_html_()
    drawn = read_image(annotate(good, tmp_path / "out.png", progress=False))
    assert (drawn[1:30, 5:40] != rgb[1:30, 5:40]).any()


def test_scoring_keeps_windows_that_are_larger_than_crops_are_stored(tmp_path):
    rgb = noise(600, 600)
    write_png(tmp_path / "a.png", rgb)
    table = score(tmp_path / "a.png", loaded(whole_spec(578)), progress=False).table
    assert table["logit"][0] == pytest.approx(rgb[8, 8, 0] / 255, abs=1e-6)


def test_scoring_of_a_file_equals_scoring_of_the_extracted_data(extracted):
    root, videos, faces, crops = extracted
    detector = loaded(whole_spec())
    rows = score_rows(detector, FaceDataset(faces, videos, whole_spec(), crops), progress=False)
    files_ = score(root, detector, progress=False)
    assert len(files_) == len(rows) == 10
    by_name = {file.video_id.partition("/")[2]: file.fake_probability for file in files_}
    for row in rows.itertuples():
        assert by_name[str(row.video_id).partition("/")[2]] == row.fake_probability


def test_videos_are_scored_whole(tmp_path):
    path = make_video(tmp_path / "a.mp4")
    file = score(path, loaded(whole_spec(clip_length=2)), ScoreSettings(frames=4), progress=False)[0]
    (track,) = file.tracks
    assert track.frames.tolist() == [0, 3, 6, 9]
    assert track.boxes.tolist() == [[0, 0, 64, 64]] * 4
    assert np.isfinite(track.probabilities).all()
    assert "4 pictures" in repr(file)
    assert annotate(file, tmp_path / "out.mp4", progress=False).stat().st_size > 0


def test_a_plain_detector_can_be_told_to_take_pictures_whole_or_scaled(tmp_path):
    write_png(tmp_path / "a.png", noise(80, 80))
    resnet = build_detector("resnet18", size_px=64, alignment="whole", crop_scale=1.0).eval()
    file = score(
        tmp_path / "a.png", LoadedDetector(resnet, "r", resnet.input_spec, {}, files.Path("none")), progress=False
    )[0]
    assert file.ok
    assert 0 < file.fake_probability < 1
    scaled = loaded(InputSpec(size_px=32, crop_scale=1.0))
    assert score(tmp_path / "a.png", scaled, ScoreSettings(whole=True), progress=False)[0].ok
    refused = score(tmp_path / "a.png", loaded(InputSpec(size_px=32)), ScoreSettings(whole=True), progress=False)[0]
    assert "build the detector with crop_scale=1.0" in refused.reason
