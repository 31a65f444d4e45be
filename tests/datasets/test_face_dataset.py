"""Samples cut from the tables."""

import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
import torch

from dfworkbench.core.errors import InputError, TableError
from dfworkbench.core.input_spec import InputSpec
from dfworkbench.datasets.face_dataset import FaceDataset, collate
from dfworkbench.datasets.people import known_people
from dfworkbench.datasets.perturb.augment import FaceAugment
from dfworkbench.datasets.rows import choose_samples, main_tracks
from dfworkbench.datasets.tables import LANDMARK_COLUMNS, read_table
from dfworkbench.media.pictures.images import read_image
from dfworkbench.training.batches import make_loader

SPEC = InputSpec(size_px=32, crop_scale=1.0)


@pytest.fixture
def tables(toy):
    return read_table("face", toy.labels / "toy/faces.parquet"), read_table("video", toy.labels / "toy/videos.csv")


def dataset(toy, tables, spec=SPEC, **options):
    return FaceDataset(*tables, spec, toy.extracted, **options)


def test_item_is_the_crop_of_the_stored_picture(toy, tables):
    data = dataset(toy, tables)
    item = data[5]
    row = data.rows.iloc[5]
    face = tables[0].set_index("face_id").loc[row["row_id"]]
    # the face box is the middle half of the face tile, and crop_scale is 1
    expected = read_image(toy.extracted / face["crop_path"])[16:48, 16:48]
    assert np.array_equal(item["images"].permute(1, 2, 0).numpy(), expected)
    assert item["label"] == row["label"]
    assert item["row"] == 5


def test_rows_follow_the_video_table_and_leave_out_other_videos(toy, tables):
    faces, videos = tables
    some = videos.iloc[[4, 1, 2]]
    data = FaceDataset(faces.sample(frac=1, random_state=0), some, SPEC, toy.extracted)
    assert data.rows["video_id"].drop_duplicates().tolist() == some["video_id"].tolist()
    assert data.rows["frame"].tolist() == [0, 1, 2] * 3
    assert data.rows["label"].tolist() == some["label"].repeat(3).tolist()


def test_a_detector_that_needs_exact_boxes_refuses_faces_that_were_found_otherwise(toy, tables, caplog):
    faces, videos = tables
    spec = InputSpec(size_px=32, crop_scale=1.0, region="sides", border="clip", exact=True)
    for others in (faces, faces.drop(columns="exact", errors="ignore"), faces.assign(exact=faces.index > 2)):
        with pytest.raises(InputError, match=r"from our fast search .*again with exact=true"):
            FaceDataset(others, videos, spec, toy.extracted)
    with pytest.raises(InputError, match="the frame's size is not known"):
        FaceDataset(faces.assign(exact=True), videos.assign(width_px=-1), spec, toy.extracted)[0]
    videos = videos.assign(width_px=400, height_px=300)
    data = FaceDataset(faces.assign(exact=True), videos, spec, toy.extracted)
    assert data[0]["images"].shape == (3, 32, 32)
    assert not caplog.records
    FaceDataset(faces.assign(exact=True, crop_side=900.0), videos, spec, toy.extracted)
    assert "stored scaled down" in caplog.text
    FaceDataset(faces.assign(exact=True), videos, SPEC, toy.extracted)  # others do not mind


def test_aligned_faces_that_reach_beyond_their_tiles_are_counted_in_a_warning(toy, tables, caplog):
    faces, videos = tables
    videos = videos.assign(width_px=4000, height_px=3000)
    spec = InputSpec(size_px=32, crop_scale=1.0, alignment="five_points", border="black",
                     template=((0.377, 0.469), (0.623, 0.469), (0.5, 0.608), (0.4, 0.746), (0.6, 0.746)))  # fmt: skip
    centre = faces[["box_x0", "box_y0"]].to_numpy() / 2 + faces[["box_x1", "box_y1"]].to_numpy() / 2
    side = (faces["box_x1"] - faces["box_x0"]).to_numpy()[:, None, None]
    points = centre[:, None] + side * np.array([(-0.2, -0.15), (0.2, -0.15), (0, 0.1), (-0.15, 0.3), (0.15, 0.3)])
    upright = faces.assign(**dict(zip(LANDMARK_COLUMNS, points.reshape(-1, 10).T, strict=True)))
    FaceDataset(upright, videos, spec, toy.extracted)
    assert not caplog.records
    points[3] = centre[3] + 4 * (points[3] - centre[3])
    far = faces.assign(**dict(zip(LANDMARK_COLUMNS, points.reshape(-1, 10).T, strict=True)))
    data = FaceDataset(far, videos, spec, toy.extracted)
    assert f"1 of {len(data)} faces reach beyond" in caplog.text
    assert "extract the data set again with context_scale=3" in caplog.text
    assert data[3]["images"].shape == (3, 32, 32)


def test_a_data_set_is_cut_for_a_card_from_its_stored_tiles(toy, tables):
    faces, videos = tables
    spec = InputSpec(40, 1.0, region="sides", margins=(1 / 3,) * 4, margin_rounding="floor", border="clip", fit="letterbox",
                     interpolation="area_down_cubic_up")  # fmt: skip
    data = FaceDataset(faces, videos.assign(width_px=400, height_px=300), spec, toy.extracted, transform=FaceAugment())
    assert data[0]["images"].shape == (3, 40, 40)
    near = faces.assign(crop_x0=faces["box_x0"], crop_y0=faces["box_y0"], crop_side=faces["box_x1"] - faces["box_x0"])
    tight = FaceDataset(near, videos.assign(width_px=400, height_px=300), spec, toy.extracted)
    with pytest.raises(InputError, match=r"margins .* Extract again with context_scale=1\.9"):
        tight[0]


def test_frames_are_chosen_evenly():
    faces = pd.DataFrame({"video_id": ["v"] * 10, "track": 0, "frame": range(10)})
    assert choose_samples(faces, SPEC, 4)[:, 0].tolist() == [0, 2, 5, 7]
    assert len(choose_samples(faces, SPEC, None)) == 10
    assert len(choose_samples(faces, SPEC, 99)) == 10


def test_clips_stay_in_their_track_and_short_tracks_are_left_out():
    faces = pd.DataFrame({"video_id": ["a"] * 7 + ["b"] * 4, "track": [0] * 5 + [1] * 2 + [0] * 4, "frame": range(11)})
    spec = InputSpec(clip_length=3, clip_stride=2)
    assert choose_samples(faces, spec, None).tolist() == [[0, 2, 4]]
    spec = InputSpec(clip_length=3)
    assert choose_samples(faces, spec, None).tolist() == [[0, 1, 2], [1, 2, 3], [2, 3, 4], [7, 8, 9], [8, 9, 10]]


def test_clip_item(toy, tables):
    data = dataset(toy, tables, InputSpec(size_px=32, crop_scale=1.0, clip_length=2))
    image = dataset(toy, tables)
    assert data[0]["images"].shape == (2, 3, 32, 32)
    assert torch.equal(data[0]["images"][1], image[1]["images"])
    batch = collate([data[0], data[1]])
    assert batch["images"].shape == (2, 2, 3, 32, 32)


def test_main_track_has_the_most_face_area():
    box = {"box_x0": 0.0, "box_y0": 0.0, "forged_share": float("nan")}
    sizes = [("v", 0, 10.0), ("v", 0, 10.0), ("v", 1, 13.0), ("w", 3, 5.0), ("w", 4, 5.0), ("w", 4, 5.0)]
    faces = pd.DataFrame([{"video_id": v, "track": t, "box_x1": s, "box_y1": s, **box} for v, t, s in sizes])
    kept = main_tracks(faces)
    assert list(zip(kept["video_id"], kept["track"], strict=True)) == [("v", 0), ("v", 0), ("w", 4), ("w", 4)]


def test_a_clip_never_spans_a_time_without_its_face():
    faces = pd.DataFrame({"video_id": "v", "track": 0, "frame": [0, 2, 4, 6, 60, 62, 64]})
    chosen = choose_samples(faces, InputSpec(clip_length=3), None)
    assert faces["frame"].to_numpy()[chosen].tolist() == [[0, 2, 4], [2, 4, 6], [60, 62, 64]]


def test_random_changes_depend_on_seed_epoch_and_row_only(toy, tables):
    def epoch(number, workers=0, seed=0, order=range(8)):
        data = dataset(toy, tables, transform=FaceAugment(), seed=seed)
        data.set_epoch(number)
        items = [batch for batch in make_loader(data, [[i] for i in order], workers=workers, pin=False)]
        return {int(item["row"]): item["images"] for item in items}

    first = epoch(1)
    for same in (epoch(1), epoch(1, workers=2), epoch(1, order=range(7, -1, -1))):
        assert all(torch.equal(first[row], same[row]) for row in first)
    for other in (epoch(2), epoch(1, seed=1)):
        assert all(not torch.equal(first[row], other[row]) for row in first)


def test_reading_leaves_global_random_state_alone(toy, tables):
    data = dataset(toy, tables, transform=FaceAugment())
    before = torch.get_rng_state()
    next(iter(make_loader(data, [[0, 1]], workers=0, pin=False)))
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("transform", [None, FaceAugment()])
@pytest.mark.parametrize("cache_mb", [0, 1, 100])
def test_cache_changes_no_pixel(toy, tables, cache_mb, transform):
    plain, cached, loaded = (dataset(toy, tables, transform=transform, cache_mb=mb) for mb in (0, cache_mb, cache_mb))
    loaded.preload()
    for _ in range(2):
        for row in range(len(plain)):
            expected = plain[row]["images"]
            assert torch.equal(expected, cached[row]["images"])
            assert torch.equal(expected, loaded[row]["images"])
    size = 64 * 64 * 3 if transform else 32 * 32 * 3
    assert len(cached._cache) == len(loaded._cache) == min(len(tables[0]), cache_mb * 2**20 // size)


def test_moved_boxes_never_leave_the_stored_crop(toy, tables):
    # twice the box is all that is stored, so a moved box must be given up for the original one
    spec = InputSpec(size_px=32, crop_scale=2.0)
    moved, plain = dataset(toy, tables, spec, transform=OnlyMove()), dataset(toy, tables, spec)
    assert torch.equal(moved[0]["images"], plain[0]["images"])
    moved, plain = dataset(toy, tables, transform=OnlyMove()), dataset(toy, tables)
    assert not torch.equal(moved[0]["images"], plain[0]["images"])


class OnlyMove:
    needs_genuine = False

    def __call__(self, sample, rng):
        return {"images": sample.cut(sample.boxes + 3)}


def test_batches_lie_channels_last(toy, tables):
    data = dataset(toy, tables)
    images = collate([data[0], data[1]])["images"]
    assert images.shape == (2, 3, 32, 32)
    assert images.is_contiguous(memory_format=torch.channels_last)


def test_missing_crops_are_counted(toy, tables):
    faces, videos = tables
    faces = faces.assign(crop_path=["gone/a.png", "gone/b.png", *faces["crop_path"][2:]])
    with pytest.raises(TableError, match=r"2 of 108 crop files are missing.*first: gone/a.png.*01_data_extraction"):
        FaceDataset(faces, videos, SPEC, toy.extracted)


def test_people_are_places_in_a_list_of_names(toy, tables):
    faces, videos = tables
    names = known_people(videos)
    data = FaceDataset(faces, videos, SPEC, toy.extracted, identities=names[1:])
    known = videos.set_index("video_id")
    for row in range(len(data)):
        item, video = data[row], known.loc[data.rows["video_id"].iloc[row]]
        donor = video["donor"] or video["carrier"]
        for role, name in (("carrier", video["carrier"]), ("donor", donor)):
            assert item[role] == (names.index(name) - 1 if name != names[0] else -1)
    assert "carrier" not in dataset(toy, tables)[0]


def test_workers_start_though_opencv_has_used_its_threads(toy):
    """A forked worker has none of the threads, and must not wait for them; in a process of its own, because it would hang."""
    script = f"""
import cv2, numpy as np
from dfworkbench.datasets.face_dataset import FaceDataset
from dfworkbench.core.input_spec import InputSpec
from dfworkbench.datasets.tables import read_table
from dfworkbench.training.batches import make_loader
cv2.setNumThreads(2)
for _ in range(3):
    cv2.GaussianBlur(np.zeros((2000, 2000, 3), np.uint8), (0, 0), 5)
faces = read_table("face", {str(toy.labels / "toy/faces.parquet")!r})
videos = read_table("video", {str(toy.labels / "toy/videos.csv")!r})
data = FaceDataset(faces, videos, InputSpec(size_px=32, crop_scale=1.0), {str(toy.extracted)!r})
assert len(list(make_loader(data, [[0], [1]], workers=1, pin=False))) == 2
assert cv2.getNumThreads() == 2
"""
    subprocess.run([sys.executable, "-c", script], check=True, timeout=120)
