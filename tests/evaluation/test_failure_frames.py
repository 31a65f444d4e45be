"""Cases of a failure atlas are opened, and clustered by the detector's own features."""

import numpy as np
import pandas as pd
import pytest
import torch

from dfworkbench.core.errors import InputError, TableError
from dfworkbench.datasets.dataset import DataSet
from dfworkbench.evaluation.judging.failure_frames import case_features, case_pictures, failure_atlas, open_case
from dfworkbench.evaluation.scoring.score import score_rows
from dfworkbench.media.pictures.images import read_image
from dfworkbench.models import build_detector
from dfworkbench.runs.checkpoints import load_detector, save_detector


@pytest.fixture
def scored(toy, tmp_path):
    """An untrained detector, which is often wrong, and its scores of the toy set."""
    torch.manual_seed(0)
    options = {"size_px": 32, "crop_scale": 1.0}
    path = save_detector(tmp_path / "a.safetensors", build_detector("mesonet4", **options), "mesonet4", options)
    data, detector = DataSet.open("toy", toy), load_detector(path)
    scores = score_rows(detector, data.samples(detector.input_spec, data.videos, None), progress=False)
    middle = scores["logit"].median()  # its scores lie close together
    scores["fake_probability"] = 1 / (1 + np.exp(-200 * (scores["logit"] - middle)))
    return data, detector, scores


def test_an_atlas_by_features(scored):
    data, detector, scores = scored
    atlas = failure_atlas(scores, data, detector, clusters=2, progress=False)
    assert atlas.grouped_by == "features of mesonet4"
    assert set(atlas.clusters["outcome"]) == {"miss", "false alarm"}
    assert len(atlas.clusters) == 4
    plain = failure_atlas(scores, clusters=2)
    assert set(plain.cases["row_id"]) == set(atlas.cases["row_id"])
    pd.testing.assert_frame_equal(plain.controls, atlas.controls)


def test_features_are_those_of_the_very_faces(scored):
    data, detector, scores = scored
    cases = scores.sample(9, random_state=0)
    found = case_features(cases, data, detector, progress=False)
    samples = data.samples(detector.input_spec, data.videos, None)
    place = {row: n for n, row in enumerate(samples.rows["row_id"])}
    from dfworkbench.models.inputs import prepare

    images = torch.stack([samples[place[row]]["images"] for row in cases["row_id"]])
    with torch.inference_mode():
        expected = detector.detector.features(prepare(images, detector.input_spec))
    np.testing.assert_allclose(found, expected.numpy(), atol=1e-5)


def test_a_case_opens_its_frames(scored):
    data, _, scores = scored
    row = scores.iloc[4]
    opened = open_case(row["row_id"], scores, data)
    assert opened.rows["frame"].tolist() == [0, 1, 2]
    assert row["row_id"] in opened.rows["face_id"].tolist()
    at = opened.rows["face_id"].tolist().index(row["row_id"])
    assert opened.rows["fake_probability"][at] == row["fake_probability"]
    assert np.array_equal(opened.images[at], read_image(data.workspace.extracted / opened.rows["crop_path"][at]))
    pictures = case_pictures(scores.iloc[[4]], data)
    assert np.array_equal(pictures[row["row_id"]], opened.images[at])
    some = scores.drop(index=[i for i in scores.index if i not in (4,) and scores["video_id"][i] == row["video_id"]])
    assert open_case(row["row_id"], some, data).rows["fake_probability"].isna().sum() == 2


def test_clips_are_opened_as_clips(toy, tmp_path):
    options = {"size_px": 32, "clip_length": 2, "crop_scale": 1.0}
    path = save_detector(
        tmp_path / "a.safetensors", build_detector("mesonet4_lstm", **options), "mesonet4_lstm", options
    )
    data, detector = DataSet.open("toy", toy), load_detector(path)
    scores = score_rows(detector, data.samples(detector.input_spec, data.videos, None), progress=False)
    assert case_features(scores.iloc[:5], data, detector, progress=False).shape[0] == 5
    assert len(open_case(scores["row_id"][0], scores, data).images) == 3


def test_scores_of_another_set_are_refused(scored):
    data, detector, scores = scored
    other = scores.assign(row_id="x" + scores["row_id"])
    with pytest.raises(TableError, match=r"computing features with mesonet4: .* of .* rows are not there"):
        failure_atlas(other, data, detector, progress=False)
    with pytest.raises(TableError, match="reading pictures of cases"):
        case_pictures(other, data)
    with pytest.raises(TableError, match="opening a case"):
        open_case("none", scores, data)
    with pytest.raises(TableError, match="opening a case"):
        open_case(other["row_id"][0], other, data)
    with pytest.raises(InputError, match="no data was given"):
        failure_atlas(scores, detector=detector)
