"""The identity-leakage study on tiny data: what is measured on which rows, and boxes against masks."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from toy import make_workspace

from dfworkbench.core.errors import InputError
from dfworkbench.core.input_spec import InputSpec
from dfworkbench.datasets.dataset import DataSet
from dfworkbench.datasets.masks import mask_crops
from dfworkbench.datasets.rows import pick
from dfworkbench.datasets.tables import read_table, write_table
from dfworkbench.evaluation.scoring.score import score_rows
from dfworkbench.media.pictures.images import write_png
from dfworkbench.methods.caddm.found_boxes import centre_prior, find_boxes
from dfworkbench.methods.caddm.leakage import gap_measures, people_measures
from dfworkbench.models import build_detector
from dfworkbench.runs.checkpoints import LoadedDetector

MASK = (116, 66, 132, 98)  # the left half of the face box, in pixels of the frame


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    space = make_workspace(tmp_path_factory.mktemp("leakage"), frames=6)
    root = space.root / "videos"
    mask = np.zeros((200, 300, 3), np.uint8)
    mask[MASK[1] : MASK[3], MASK[0] : MASK[2]] = 255
    write_png(root / "mask.png", mask)
    folder = space.labels / "toy"
    videos = read_table("video", folder / "videos.csv")
    paths = videos["label"].map({0: "", 1: "mask.png"})
    write_table("video", videos.assign(mask_path=paths, width_px=300, height_px=200), folder / "videos.csv")
    (folder / "source.json").write_text(json.dumps({"root": str(root)}))
    return DataSet.open("toy", space)


def loaded(name, **options):
    torch.manual_seed(0)
    network = build_detector(name, **options).eval()
    return LoadedDetector(network, name, network.input_spec, {}, Path(name))


@pytest.fixture(scope="module")
def small():
    return loaded("mesonet4", size_px=64)


def test_people_measures_name_probe_and_retrieval(data, small):
    measures = {m.name: m for m in people_measures(small, data, None, frames=2, progress=False)}
    assert len(measures) == 6
    probe = measures["identity probe, same video, later: top-1"]
    assert probe.chance == pytest.approx(1 / 18)  # 8 + 6 + 4 people
    assert probe.n == 18 * 2  # of six frames, the last two
    assert 0 <= probe.low <= probe.value <= probe.high <= 1
    assert measures["carrier retrieved: top-1"].n == 18
    assert measures["donor retrieved: top-1"].n == 18
    nameless = data.with_tables(videos=data.videos.assign(donor=""))
    found = {m.name: m for m in people_measures(small, nameless, None, frames=2, progress=False)}
    assert found["donor retrieved: top-1"].reason
    other = people_measures(small, data, data, frames=2, progress=False)
    assert any("other video" in m.name and m.reason == "no identity has two genuine videos" for m in other)


def test_a_clip_detector_is_probed_without_shared_frames(data):
    measures = people_measures(loaded("mesonet4_lstm", size_px=64, clip_length=2), data, None, frames=2, progress=False)
    assert not np.isnan(measures[0].value)


def test_gap_leaves_trained_frames_out(data, small):
    faces = data.faces.merge(data.videos[["video_id", "split"]])
    trained = set(faces.loc[(faces["split"] == "train") & (faces["frame"] < 3), "face_id"])
    videos = data.videos[(data.videos["split"] == "test") & data.videos["forgery"].isin(["", "fake0"])]
    new = score_rows(small, data.samples(small.input_spec, videos, 6), progress=False)
    measures = gap_measures(small, data, new, kinds=["fake0"], trained_on=trained, frames=6, progress=False)
    by_name = {m.name: m for m in measures}
    assert by_name["AUC, seen people"].n == 16
    assert by_name["AUC, unseen people"].n == 8
    gap = by_name["identity gap (AUC)"]
    assert gap.value == pytest.approx(by_name["AUC, seen people"].value - by_name["AUC, unseen people"].value)


@pytest.mark.parametrize(("size", "scale"), [(64, 1.0), (32, 2.0)])
def test_masks_are_cut_like_the_faces(data, size, scale):
    faces = data.faces[data.faces["video_id"].str.contains("fake0")].head(3)
    masks, known = mask_crops(
        data.workspace.root / "videos", data.videos, faces, InputSpec(size_px=size, crop_scale=scale)
    )
    assert known.all()
    rows, columns = np.nonzero(masks[0])
    centre, reach = size / 2, size / scale / 2  # the face box lies in the middle
    assert columns.min() == pytest.approx(centre - reach, abs=1)
    assert columns.max() + 1 == pytest.approx(centre, abs=1)
    assert (rows.min(), rows.max() + 1) == (pytest.approx(centre - reach, abs=1), pytest.approx(centre + reach, abs=1))


def test_real_faces_have_no_mask(data):
    faces = data.faces[data.faces["video_id"].str.contains("real")].head(2)
    assert not mask_crops(data.workspace.root, data.videos, faces, InputSpec(size_px=16))[1].any()


def test_boxes_and_masks_of_fakes(data):
    caddm = loaded("caddm_resnet34")
    test, train = (data.videos[data.videos["split"] == split] for split in ("test", "train"))
    found = find_boxes(caddm, data, test, frames=2, keep=2)
    assert len(found.images) == len(found.boxes) == len(found.masks) == len(found.rows) == 8
    assert found.images.shape == (8, 224, 224, 3)
    assert set(found.rows["label"]) == {1}
    assert all(len(boxes) == 2 for boxes in found.boxes)
    assert all((boxes[:, 2:] - boxes[:, :2]).prod(axis=1).max() < 1 for boxes in found.boxes)  # none of the whole crop
    assert found.masks.any(axis=(1, 2)).all()
    prior = centre_prior(caddm, data, train)
    measures = found.measures(prior)
    best = {name: next(m for m in row if "best" in m.name) for name, row in measures.items()}
    # every toy face lies alike, so the prior knows the mask, but for its turned edge
    assert best["centre prior"].value > 0.9
    assert best["centre prior"].value > best["predicted"].value
    assert len(pick(found.rows, 3)) == 3


def test_what_is_missing_is_named(data, small, tmp_path):
    with pytest.raises(InputError, match="mesonet4: it has no anchors"):
        find_boxes(small, data, data.videos)
    with pytest.raises(InputError, match="none of the 4 videos is a fake"):
        find_boxes(loaded("caddm_resnet34"), data, data.videos[data.videos["label"] == 0].head(4))
    with pytest.raises(InputError, match="none of them marks a forged pixel"):
        centre_prior(small, data.with_tables(videos=data.videos.assign(mask_path="")), data.videos)


def test_boxes_are_found_without_masks_and_without_the_data(data, tmp_path, caplog):
    caddm = loaded("caddm_resnet34")
    test = data.videos[data.videos["split"] == "test"]
    found = find_boxes(caddm, data.with_tables(videos=data.videos.assign(mask_path="")), test)
    assert len(found.boxes) == 4
    assert not found.has_masks
    source = data.workspace.labels / "toy" / "source.json"
    kept = source.read_text()
    source.write_text(json.dumps({"root": str(tmp_path / "gone")}))
    try:
        assert not find_boxes(caddm, data, test).has_masks
        assert "the folder it was extracted from is not there" in caplog.text
    finally:
        source.write_text(kept)
