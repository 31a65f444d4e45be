"""`Run`: what it reads of a run's folder, how it shows itself, and that nobody else spells the file names."""

import ast
import json
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
import torch

import dfworkbench
from dfworkbench.core.errors import CheckpointError, DataNotFoundError
from dfworkbench.datasets.tables import read_table
from dfworkbench.evaluation.scoring.heldout import score_split
from dfworkbench.models import build_detector
from dfworkbench.runs.checkpoints import save_detector
from dfworkbench.runs.layout import epoch_file
from dfworkbench.runs.released import save_released
from dfworkbench.runs.run import Run
from dfworkbench.training import TrainSettings, train

SETTINGS = TrainSettings(dataset="toy", size_px=64, epochs=2, batch_size=8, threads=1, name="run", device="cpu")


@pytest.fixture
def trained(toy):
    list(train(SETTINGS, toy, progress=False))
    return Run.open("run", toy)


@pytest.fixture
def imported(toy):
    path = toy.root / "<b>39.pth.tar"
    torch.save({"model": build_detector("mesonet4").state_dict()}, path)
    return Run(save_released("dfforensics", path, "paper", workspace=toy))


def test_everything_that_training_wrote_is_read(toy, trained):
    assert (trained.name, trained.folder, trained.is_trained) == ("run", toy.checkpoints / "run", True)
    assert TrainSettings(**trained.settings) == SETTINGS
    assert (trained.detector_name, trained.trained_on) == ("mesonet4", "toy")
    assert trained.provenance["settings"] == trained.settings
    assert trained.history["epoch"].tolist() == trained.epochs == [1, 2]
    assert trained.best in (1, 2)
    assert trained.weights() == epoch_file(trained.folder, trained.best)
    assert trained.detector().metadata["epoch"] == trained.best
    assert trained.detector(2).path == trained.weights(2)
    assert trained.caveats == []


def test_scores_are_those_of_training_and_of_score_split(toy, trained):
    stored = read_table("score", trained.folder / "scores" / f"val_epoch_{trained.best:03d}.parquet")
    pd.testing.assert_frame_equal(trained.scores("val"), stored)
    with pytest.raises(DataNotFoundError, match=r"no test_toy_epoch_001\.parquet.*score_split"):
        trained.scores("test", 1)
    made = score_split(trained.detector(1), "toy", "test", toy, progress=False)
    pd.testing.assert_frame_equal(trained.scores("test", 1), made, check_dtype=False)
    pd.testing.assert_frame_equal(trained.scores("test", 1, "toy"), trained.scores("test", 1))


def test_an_imported_run_says_so(imported):
    assert (imported.is_trained, imported.epochs, imported.best) == (False, [0], 0)
    assert imported.settings == {}
    assert (imported.detector_name, imported.trained_on) == ("mesonet4", "")
    assert imported.history.empty
    assert "unknown training data" in imported.caveats[0]
    assert imported.detector().name == "mesonet4"


def test_opening_by_name_or_folder(toy, monkeypatch):
    folder = toy.checkpoints / "mine"
    folder.mkdir()
    monkeypatch.chdir(folder)
    assert Run.open("mine", toy) == Run.open(folder) == Run(folder)
    assert Run.open(".", toy).name == "mine"
    (folder / "mine").mkdir()
    assert Run.open("mine", toy).folder == folder, "a name is that of a run, whatever lies here"
    with pytest.raises(DataNotFoundError, match="Did you mean 'mine'"):
        Run.open("mime", toy)
    with pytest.raises(DataNotFoundError, match="Runs there: mine"):
        Run.open("", toy)


def test_names_and_the_newest_run(toy):
    with pytest.raises(DataNotFoundError, match="02_train"):
        Run.newest(toy)
    for name, content in {"a": '{"dataset": "x"}', "b": "{}", "rdn": '{"detector": "rdn"}', "broken": "{"}.items():
        epoch_file(toy.checkpoints / name, 1).parent.mkdir()
        epoch_file(toy.checkpoints / name, 1).write_bytes(b"")
        (toy.checkpoints / name / "settings.json").write_text(content)
    (toy.checkpoints / "imported").mkdir()  # it has weights, but was not trained here
    epoch_file(toy.checkpoints / "imported", 0).write_bytes(b"")
    (toy.checkpoints / "empty").mkdir()
    assert sorted(Run.names(toy)) == ["a", "b", "broken", "imported"]
    assert Run.newest(toy).name in ("a", "b", "broken")
    assert Run.newest(toy, "x").name == "a"
    with pytest.raises(DataNotFoundError, match=r"'other' \(runs there: .*02_train"):
        Run.newest(toy, "other")


def test_damaged_files_are_named(toy):
    folder = toy.checkpoints / "run"
    folder.mkdir()
    run = Run(folder)
    for content in ("{", "[1]", '"text"'):
        (folder / "settings.json").write_text(content)
        with pytest.raises(CheckpointError, match=r"settings\.json is damaged.*expected"):
            _ = run.settings
        assert run.trained_on == run.detector_name == ""
    for content in ("{", "{}", '{"epoch": -1}', '{"epoch": 1e400}', '{"epoch": null}'):
        (folder / "best.json").write_text(content)
        with pytest.raises(CheckpointError, match=r"best\.json is damaged"):
            _ = run.best


def test_a_run_shows_itself(trained, imported):
    page = trained._repr_html_()
    assert "Run run" in page
    assert "mesonet4" in page
    assert "2 of 2" in page
    assert page.count("★ best") == 1
    assert f"{trained.history['val_loss'].iloc[0]:.4f}" in page
    page = imported._repr_html_()
    assert "unknown training data" in page
    assert "&lt;b&gt;39.pth.tar (dfforensics)" in page
    assert "<b>39" not in page


def test_a_run_shows_itself_while_it_trains(toy):
    epochs = train(SETTINGS, toy, progress=False)
    next(epochs)
    run = Run.open("run", toy)
    assert "1 of 2" in run._repr_html_()
    for name in ("best.json", "history.csv", "provenance.json"):
        (run.folder / name).unlink()
        assert "Run run" in run._repr_html_()


def test_runs_of_earlier_versions_open(toy):
    """Before there were audits, domains and sources, and with fewer settings."""
    folder = toy.checkpoints / "old"
    save_detector(epoch_file(folder, 3), build_detector("mesonet4"), "mesonet4", {}, {"epoch": 3})
    (folder / "settings.json").write_text(json.dumps({"dataset": "toy", "detector": "mesonet4", "epochs": 3}))
    (folder / "provenance.json").write_text(json.dumps({"git_commit": None, "settings": {}}))
    (folder / "best.json").write_text(json.dumps({"epoch": 3}))
    (folder / "history.csv").write_text("epoch,train_loss,val_loss\n3,0.5,0.6\n")
    run = Run.open("old", toy)
    assert (run.best, run.trained_on, run.caveats) == (3, "toy", [])
    assert run.detector().run == "old"
    assert "1 of 3" in run._repr_html_()


def test_the_package_offers_its_main_names_without_torch():
    code = (
        "import sys, dfworkbench as d\n"
        "for name in ('Run', 'InputSpec', 'list_detectors'): getattr(d, name)\n"
        "print('torch' in sys.modules)\n"
        "for name in ('extract', 'train', 'score', 'evaluate', 'load_detector'): assert callable(getattr(d, name)), name\n"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert out.stdout.strip() == "False", out.stderr
    assert out.returncode == 0, out.stderr


def test_only_this_room_spells_the_files_of_a_run():
    package = Path(dfworkbench.__file__).parent
    names = ("settings.json", "provenance.json", "best.json", "history.csv", "resume.pt")
    found = []
    for path in sorted(package.rglob("*.py")):
        tree = ast.parse(path.read_text())
        prose = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}  # docstrings
        for node in ast.walk(tree):
            text = node.value if isinstance(node, ast.Constant) and id(node) not in prose else None
            if not isinstance(text, str) or " " in text:  # a message may name a file
                continue
            if text.startswith("epoch_") or any(name in text for name in names):
                found.append((path.relative_to(package).parts[0], text))
    assert {room for room, _ in found} == {"runs"}, f"ask dfworkbench.Run instead of spelling file names: {found}"
