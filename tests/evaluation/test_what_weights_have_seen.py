"""What is said beside numbers of weights that may have seen the files they score."""

import json

import numpy as np
import pandas as pd
import pytest
import torch
from heads import portrait
from toy import as_found_by_mtcnn

from dfworkbench.core.names import GENERATED_MARKER
from dfworkbench.datasets.audit.leak_note import leak_note, run_note, table_note, unknown_note
from dfworkbench.evaluation.metrics.evaluate import evaluate
from dfworkbench.evaluation.scoring.ensemble import mean_scores
from dfworkbench.evaluation.scoring.heldout import score_split
from dfworkbench.evaluation.scoring.score import score
from dfworkbench.evaluation.scoring.settings import ScoreSettings
from dfworkbench.media.pictures.images import write_png
from dfworkbench.models import build_detector
from dfworkbench.notebook.views import auc_sentence, checkpoint_table
from dfworkbench.runs.checkpoints import load_detector
from dfworkbench.runs.released import load_released, save_released
from dfworkbench.training import TrainSettings, train

UNKNOWN = "with unknown training data"
SETTINGS = {"dataset": "toy", "epochs": 1, "batch_size": 8, "threads": 1, "device": "cpu"}


@pytest.fixture
def published(tmp_path):
    torch.manual_seed(0)
    path = tmp_path / "somebody.pth.tar"
    torch.save({"model": build_detector("mesonet4").state_dict()}, path)
    return path


@pytest.fixture
def imported(toy, published):
    save_released("dfforensics", published, "paper")
    as_found_by_mtcnn(toy)
    return load_detector("paper", workspace=toy)


def test_weights_of_others_say_so_beside_every_number(imported, published, tmp_path):
    write_png(tmp_path / "a.png", portrait())
    (tmp_path / GENERATED_MARKER).write_text("{}")  # it does not help that the footage is generated
    for detector in (imported, load_released("dfforensics", published)):
        scored = score(tmp_path / "a.png", detector, ScoreSettings(), progress=False)
        assert f"Imported weights (somebody.pth.tar) {UNKNOWN}" in scored[0].caveat
        assert UNKNOWN in repr(scored)
        assert UNKNOWN in scored._repr_html_()
        assert UNKNOWN in table_note(scored.table)
    assert "not known" in checkpoint_table(imported).loc["trained on"].iloc[0]


def test_their_test_split_is_not_called_held_out(imported, toy):
    scores = score_split(imported, "toy", "test", toy, progress=False)
    metrics = evaluate(scores)
    assert auc_sentence(metrics).startswith("Video AUC, perhaps not held out, ")
    assert UNKNOWN in auc_sentence(metrics)
    assert set(scores["run"]) == {"paper"}


def test_a_run_of_our_own_is_held_out_until_its_splits_change(toy):
    list(train(TrainSettings(**SETTINGS, name="own", size_px=64), toy, progress=False))
    own = load_detector("own", workspace=toy)
    scores = score_split(own, "toy", "test", toy, progress=False)
    assert "note" not in scores
    assert set(scores["run"]) == {"own"}
    assert auc_sentence(evaluate(scores)).startswith("Held-out video AUC")
    path = toy.labels / "toy" / "splits.csv"
    path.write_text(path.read_text().replace(",train\n", ",other\n", 1))
    note = table_note(score_split(own, "toy", "test", toy, progress=False))
    assert "splits of toy have changed since this run was trained" in note


def test_what_starts_from_weights_of_others_says_so(imported, toy):
    list(train(TrainSettings(**SETTINGS, name="tuned", start_from="paper"), toy, progress=False))
    tuned = load_detector("tuned", workspace=toy)
    assert run_note(tuned.metadata).startswith("Made from other weights (start_from). Imported weights")
    assert "leak" not in run_note(tuned.metadata)
    assert UNKNOWN in table_note(score_split(tuned, "toy", "test", toy, progress=False))


@pytest.mark.parametrize("record", [{}, {"provenance": {}}, {"provenance": {"source": None}}, {"provenance": "text"}])
def test_nothing_is_said_of_weights_without_a_source(record):
    assert unknown_note(record) == run_note(record) == leak_note(record) == ""


def test_a_run_is_called_by_its_name(toy, imported):
    assert imported.run == "paper"
    folder = imported.path.parent
    later = folder / "epoch_007.safetensors"
    later.write_bytes(imported.path.read_bytes())
    assert load_detector(later).run == "paper/epoch_007"
    lone = toy.root / "lone.safetensors"
    lone.write_bytes(imported.path.read_bytes())
    assert load_detector(lone).run == "lone"
    (folder / "best.json").write_text(json.dumps({"epoch": 7}))
    assert load_detector("paper", workspace=toy).run == "paper"


def test_the_mean_of_two_runs_bears_both_names_and_notes(imported, toy):
    one = score_split(imported, "toy", "test", toy, progress=False)
    other = one.assign(run="second", note="Another note.")
    mean = mean_scores(one, other)
    assert set(mean["run"]) == {"paper + second"}
    assert table_note(mean) == f"{table_note(one)} Another note."
    assert np.allclose(mean["fake_probability"], one["fake_probability"])
    pd.testing.assert_series_equal(mean["row_id"], one["row_id"])
