"""The rule and the caveats of the authors of published weights, beside the number of a file."""

import dataclasses
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

from dfworkbench.core.input_spec import InputSpec
from dfworkbench.core.names import STATUS_OK
from dfworkbench.datasets.audit.leak_note import run_note, table_note, unknown_note
from dfworkbench.evaluation.scoring.authors import authors_rule
from dfworkbench.evaluation.scoring.score import score
from dfworkbench.evaluation.scoring.settings import ScoreSettings
from dfworkbench.evaluation.scoring.side_by_side import side_by_side
from dfworkbench.media import VideoWriter, write_png
from dfworkbench.models import build_detector
from dfworkbench.models.prediction import Prediction
from dfworkbench.runs.checkpoints import LoadedDetector

VIDEO = {"frames": 32, "rule": "mean", "people": "largest", "no_face": 0.0}
CARD = {"name": "gend_clip", "title": "GenD CLIP ViT-L/14", "trained_on": "FaceForensics++ c23", "video": VIDEO}


class Redness(nn.Module):
    """A stub: the redder a picture, the more fake; black ones get no number."""

    def __init__(self):
        super().__init__()
        self.input_spec = InputSpec(size_px=32, crop_scale=1.0)

    def forward(self, images):
        logit = 10 * (images.mean(dim=(-1, -2))[:, 0] - 0.5)
        return Prediction(torch.where(logit < -4.9, torch.nan, logit))


def published(**card):
    stub = Redness().eval()
    source = {"kind": "zoo", "file": "model.safetensors", "card": {**CARD, **card}}
    return LoadedDetector(stub, "published", stub.input_spec, {"provenance": {"source": source}}, Path("none"))


@pytest.fixture
def pictures(tmp_path):
    for name, red in (("a", 200), ("b", 0)):
        write_png(tmp_path / f"{name}.png", np.full((40, 40, 3), (red, 10, 10), np.uint8))
    return tmp_path


CROPS = ScoreSettings(crops=True, thumbnails=1, frames=32)


def test_both_rules_stand_beside_the_file(pictures):
    scored = score(pictures, published(), CROPS, progress=False)
    words = f"authors' rule: mean over 32 frames of the largest face: {scored[0].fake_probability:.2f}"
    assert f"(maximum over tracks of the mean over frames)\n  {words}" in repr(scored[0])
    assert words in scored[0]._repr_html_().replace("&#x27;", "'")
    assert scored.summary["authors_probability"].iloc[0] == pytest.approx(scored[0].fake_probability)
    assert (scored[1].ok, scored[1].authors.fake_probability) == (False, pytest.approx(np.nan, nan_ok=True))
    assert "authors' rule" in repr(side_by_side([scored]))


def test_runs_without_a_card_have_no_second_number(pictures):
    plain = dataclasses.replace(published(), metadata={})
    scored = score(pictures, plain, CROPS, progress=False)
    assert "authors" not in repr(scored)
    assert "authors_probability" not in scored.summary


def test_another_number_of_frames_is_said(pictures):
    text = repr(score(pictures / "a.png", published(), CROPS.replace(frames=8), progress=False))
    assert "mean over 32 frames of the largest face (8 were sampled here)" in text


def test_a_file_without_score_counts_only_in_benchmark_mode(pictures):
    usual = score(pictures, published(), CROPS, progress=False)
    assert np.isnan(usual[1].fake_probability)
    scored = score(pictures, published(), CROPS.replace(missing="as_chance"), progress=False)
    failed = scored[1]
    assert (failed.ok, failed.status, failed.fake_probability) == (False, "error", 0.5)
    assert failed.authors.fake_probability == 0.0  # as they count it
    for text in (repr(failed), failed._repr_html_()):
        assert "no score (error); counted as fake probability 0.5" in text
    assert scored.summary["fake_probability"].tolist() == [scored[0].fake_probability, 0.5]
    pd.testing.assert_frame_equal(scored.table, usual.table)  # measured scores only
    assert scored.table["status"].tolist() == [STATUS_OK, "error"]


@pytest.mark.parametrize(
    ("video", "rule", "words"),
    [
        ({"people": "frame_maximum"}, "frame_maximum", "mean over 32 frames of the maximum over faces of at least"),
        (
            {"people": "pooled", "rule": "confident"},
            "confident",
            "confident mean over all faces, at most 127, 32 frames",
        ),
        ({"people": "most_confident", "rule": "mean_logit"}, "largest_mean_logit", "stands in for the face"),
        ({"people": "maximum"}, "max_track_mean", "maximum over tracks of the mean over 32 frames"),
        ({"people": "none", "frames": 8}, "mean", "mean over 8 frames"),
        ({"people": "none", "frames": None, "no_face": None}, "mean", "mean over frames"),
    ],
)
def test_rules_of_cards(video, rule, words):
    found = authors_rule(published(video={**VIDEO, **video}).metadata)
    assert found.rule == rule
    table = pd.DataFrame(
        {
            "row_id": ["a"], "video_id": ["a"], "label": [0], "track": [0], "frame": [0], "fake_probability": [0.25],
            "status": ["ok"],
        }
    )  # fmt: skip
    beside = found.scores(table, found.frames)["a"]
    assert words in beside.words
    assert beside.fake_probability == pytest.approx(0.25)
    assert found.no_face == (0.5 if video.get("no_face", 0) is None else 0.0)


@pytest.mark.parametrize("video", [None, "text", {}, {"people": "largest"}, {**VIDEO, "rule": "median"}])
def test_a_rule_that_is_not_known_is_left_out(video):
    assert authors_rule(published(video=video).metadata) is None


def test_a_file_that_was_not_imported_has_its_rule_too():
    source = published().metadata["provenance"]["source"]
    assert authors_rule({"source": source}) == authors_rule(published().metadata)
    assert unknown_note({"source": source}) == unknown_note(published().metadata)


@pytest.mark.parametrize("metadata", [{}, {"provenance": None}, {"provenance": {"source": {"card": "x"}}}])
def test_weights_without_a_card_have_no_rule(metadata):
    assert authors_rule(metadata) is None


def test_what_authors_trained_on_and_caveats_stand_beside_every_number(pictures):
    card = published(caveats=["Their face finder is another one", "Compressed video lowers it."])
    note = (
        "Published weights 'GenD CLIP ViT-L/14', trained by their authors on FaceForensics++ c23. Their face finder is another "
        "one. Compressed video lowers it."
    )
    assert unknown_note(card.metadata) == run_note(card.metadata) == note
    scored = score(pictures, card, CROPS, progress=False)
    assert note in repr(scored[0])
    assert table_note(scored.table) == note
    assert any(note in text for text in side_by_side([scored]).notes)
    assert "not stated" in unknown_note(published(trained_on="", caveats=None).metadata)


def test_frames_can_be_sampled_as_authors_do(tmp_path):
    with VideoWriter(tmp_path / "a.mp4", 10.0, 64, 64, crf=20) as writer:
        for grey in range(20):
            writer.write(np.full((64, 64, 3), 10 * grey, np.uint8))
    settings = CROPS.replace(crops=False, whole=True, frames=4)
    frames = [
        score(tmp_path / "a.mp4", published(), settings.replace(sampling=way), progress=False).table["frame"].tolist()
        for way in ("even", "both_ends")
    ]
    assert frames == [[0, 5, 10, 15], [0, 6, 12, 19]]


def test_scores_in_bfloat16_leave_the_given_detector_as_it_is(pictures):
    torch.manual_seed(0)
    network = build_detector("mesonet4", size_px=64).eval()
    given = LoadedDetector(network, "mesonet4", network.input_spec, {}, Path("none"))
    exact, half, again = (
        score(pictures, given, CROPS.replace(precision=precision), progress=False).table["logit"]
        for precision in ("auto", "bf16-true", "32-true")
    )
    assert 0 < (exact - half).abs().max() < 0.01
    pd.testing.assert_series_equal(exact, again)
