"""What is said beside scores about training data that nobody generated, and about results on other data."""

import json

import numpy as np
import pytest

from dfworkbench.datasets.domain import DOMAIN_KEY, FILES_KEY, GENERATED, UNKNOWN, trained_on, training_files
from dfworkbench.datasets.tables import SCORES, write_table
from dfworkbench.evaluation.scoring.origin import origin_note
from dfworkbench.evaluation.scoring.score import score
from dfworkbench.evaluation.scoring.settings import ScoreSettings
from dfworkbench.media.pictures.images import write_png
from dfworkbench.models import build_detector
from dfworkbench.notebook.views import checkpoint_table
from dfworkbench.runs.checkpoints import load_detector, save_detector
from dfworkbench.runs.layout import PROVENANCE, epoch_file, score_file, scored_sets
from dfworkbench.runs.run import Run
from dfworkbench.training import TrainSettings, prepare

FILES = {"real": 1500, "fake": 1400, "forgeries": ["faceswap", "neural"]}
RECORD = {"settings": {"dataset": "faces"}, DOMAIN_KEY: UNKNOWN, FILES_KEY: FILES}
WORDS = "Trained on faces: 1,500 genuine and 1,400 forged files (faceswap, neural)."


@pytest.fixture
def weights(tmp_path):
    path = epoch_file(tmp_path / "run", 1)
    path.parent.mkdir()
    network = build_detector("mesonet4", size_px=32)
    (path.parent / PROVENANCE).write_text(json.dumps(RECORD))
    return save_detector(path, network, "mesonet4", {"size_px": 32}, {"epoch": 1, "provenance": RECORD})


def write_scores(weights, name, logits, labels, split="test"):
    rows = [{"row_id": f"{name}/{i}", "video_id": f"{name}/{i}", "label": label} for i, label in enumerate(labels)]
    logits = np.array(logits, float)
    table = SCORES.complete(rows).assign(logit=logits, fake_probability=1 / (1 + np.exp(-logits)))
    write_table("score", table, score_file(weights, split, name))


@pytest.mark.parametrize(
    ("record", "words"),
    [
        (RECORD, WORDS),
        (RECORD | {FILES_KEY: FILES | {"fake": 0, "forgeries": []}}, "Trained on faces: 1,500 genuine files."),
        ({name: value for name, value in RECORD.items() if name != FILES_KEY}, "Trained on faces."),
        (RECORD | {DOMAIN_KEY: GENERATED}, ""),
        ({"source": {"file": "theirs.pth"}}, ""),
        ({"settings": None, DOMAIN_KEY: UNKNOWN}, ""),
        (None, ""),
    ],
)
def test_training_data_in_words(record, words):
    assert trained_on({"provenance": record}) == words


def test_training_notes_its_files(toy):
    settings = TrainSettings(dataset="toy", size_px=32, device="cpu", name="run")
    prepared = prepare(settings, toy)
    assert prepared.run.provenance[FILES_KEY] == {"real": 8, "fake": 8, "forgeries": ["fake0"]}
    assert training_files(prepared.train.rows[:3]) == {"real": 1, "fake": 0, "forgeries": []}


def test_results_elsewhere_stand_beside_the_training_data(weights):
    assert origin_note(load_detector(weights)) == f"{WORDS} How it does on other data was not measured."
    write_scores(weights, "faces", [-1, 1, 2], [0, 0, 1])
    write_scores(weights, "other_set", [3, 1, 0, 2], [0, 0, 1, 1])
    write_scores(weights, "one_class", [3, 1], [1, 1])
    write_scores(weights, "validated", [3, 1], [1, 0], split="val")
    score_file(weights, "test", "broken").write_bytes(b"no table")
    assert list(scored_sets(weights)) == ["broken", "faces", "one_class", "other_set"]
    found = load_detector(weights)
    said = "AUC on its test split: 1.000 (3 files). On other data: other_set 0.250 (4 files)."
    assert origin_note(found) == f"{WORDS} {said}"
    rows = checkpoint_table(found)[""]
    assert rows["trained on"].startswith("faces: 1,500 genuine and 1,400 forged files (faceswap, neural); method")
    assert "1,500 genuine and 1,400 forged files" in Run(weights.parent)._repr_html_()
    assert rows["test splits"] == "faces: AUC 1.000 (3 files); other_set: AUC 0.250 (4 files)"


def test_figures_of_another_epoch_are_not_its_own(weights):
    write_scores(epoch_file(weights.parent, 2), "other", [3, 1], [0, 1])
    assert "not measured" in origin_note(load_detector(weights))


def test_a_scored_picture_bears_the_note(weights, tmp_path):
    write_png(tmp_path / "a.png", np.zeros((64, 64, 3), np.uint8))
    scored = score(tmp_path / "a.png", weights, ScoreSettings(crops=True), progress=False)
    assert scored[0].caveat == f"{WORDS} How it does on other data was not measured."
    assert WORDS in scored._repr_html_()
    assert "not a verdict" not in scored[0].caveat
