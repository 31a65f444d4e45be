"""Histories for TensorBoard and MLflow, read back with their own readers where these are installed."""

import json
import os
import sys

import pytest

from dfworkbench import __main__ as cli
from dfworkbench.core.errors import DataNotFoundError, MissingDependencyError, OutputError, UnknownNameError
from dfworkbench.runs.run import Run
from dfworkbench.sharing.exporting import export
from dfworkbench.sharing.history import figures_per_epoch, flat_settings


@pytest.fixture
def run(space):
    return Run.open("base", space)


def test_times_are_those_of_training(run):
    """A run that was continued on another day: two sessions, whose epochs follow their own starts."""
    provenance = run.provenance
    sessions = [
        {"first_epoch": 1, "started": "2026-01-01T00:00:00+00:00"},
        {"first_epoch": 2, "started": "2026-01-02T00:00:00+00:00"},
    ]
    (run.folder / "provenance.json").write_text(json.dumps(provenance | {"sessions": sessions}))
    first, second = figures_per_epoch(run)
    seconds = run.history["seconds"].tolist()
    assert first.time_s == pytest.approx(1767225600 + seconds[0])
    assert second.time_s == pytest.approx(1767225600 + 86400 + seconds[1])
    for epoch, (_, row) in zip((first, second), run.history.iterrows(), strict=True):
        assert epoch.values["loss/train"] == row["train_loss"]
        assert epoch.values["auc_video/val"] == row["val_auc_video"]
        assert epoch.values["learning_rate"] == row["learning_rate"]
    (run.folder / "provenance.json").write_text(json.dumps(provenance | {"sessions": "damaged"}))
    assert figures_per_epoch(run)[1].time_s == pytest.approx(sum(seconds))


def test_figures_that_are_no_numbers_are_left_out(run):
    history = run.history.assign(val_auc_video=[float("nan"), 0.5])
    history.to_csv(run.folder / "history.csv", index=False)
    assert ["auc_video/val" in epoch.values for epoch in figures_per_epoch(run)] == [False, True]


def test_settings_have_flat_names(run):
    settings = run.settings | {"detector_options": {"stages": 3}, "forgeries": ["a", "b"]}
    (run.folder / "settings.json").write_text(json.dumps(settings))
    flat = flat_settings(run)
    assert flat["detector_options.stages"] == 3
    assert flat["forgeries"] == '["a", "b"]'
    assert list(flat)[:2] == ["detector", "dataset"]
    assert not {"start_from", "name", "threads"} & set(flat), "empty, or without effect"


def test_what_cannot_be_exported(run, space, capsys):
    (run.folder / "history.csv").unlink()
    with pytest.raises(DataNotFoundError, match="it has no history"):
        export(run, "tensorboard", workspace=space)
    with pytest.raises(UnknownNameError, match="'tensorbord'"):
        export(run, "tensorbord", workspace=space)
    assert cli.main(["export", "base", "--to", "tensorbord"]) == 2
    assert cli.main(["export", "none", "--to", "mlflow"]) == 2
    assert "or a run in" in capsys.readouterr().err


@pytest.mark.parametrize(("tool", "module"), [("tensorboard", "torch.utils.tensorboard"), ("mlflow", "mlflow")])
def test_clients_that_are_not_installed(run, space, monkeypatch, tool, module):
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(MissingDependencyError, match=rf"pip install\s+'dfworkbench\[{tool}\]'"):
        export(run, tool, workspace=space)
    assert not list(space.root.rglob("events*"))


def test_tensorboard_reads_it(run, space):
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    done = export(run, "tensorboard", workspace=space)
    again = export(run, "tensorboard", workspace=space)
    assert done == again
    (file,) = (space.root / "report" / "tensorboard" / "base").iterdir()
    assert [path.name for path in file.parent.parent.iterdir()] == ["base"]
    assert os.uname().nodename not in file.name
    assert str(space.root).encode() not in file.read_bytes()
    events = EventAccumulator(str(file.parent))
    events.Reload()
    for epoch in figures_per_epoch(run):
        for tag, value in epoch.values.items():
            (point,) = (point for point in events.Scalars(tag) if point.step == epoch.epoch)
            assert (point.value, point.wall_time) == (pytest.approx(value, rel=1e-6), pytest.approx(epoch.time_s))
    assert "model card/text_summary" in events.Tags()["tensors"]
    (file.parent / "mine.txt").write_text("mine")
    with pytest.raises(OutputError, match=r"holds mine.txt.*left as it was"):
        export(run, "tensorboard", workspace=space)


def test_mlflow_reads_it(run, space):
    mlflow = pytest.importorskip("mlflow")
    pytest.importorskip("alembic")
    done = export(run, "mlflow", workspace=space)
    client = mlflow.MlflowClient(f"sqlite:///{space.root / 'report' / 'mlflow' / 'mlflow.db'}")
    (logged,) = client.search_runs([client.get_experiment_by_name("dfworkbench").experiment_id])
    assert (logged.info.run_name, logged.data.params["detector"]) == ("base", "mesonet4")
    history = client.get_metric_history(logged.info.run_id, "loss/val")
    assert [(point.step, point.value) for point in history] == list(enumerate(run.history["val_loss"], 1))
    assert done.epochs == 2
    further = run.history.iloc[[1]].assign(epoch=3, val_loss=0.25)
    further.to_csv(run.folder / "history.csv", mode="a", header=False, index=False)
    assert export(run, "mlflow", workspace=space).epochs == 3
    assert len(client.search_runs([logged.info.experiment_id])) == 1
    history = client.get_metric_history(logged.info.run_id, "loss/val")
    assert [point.step for point in history] == [1, 2, 3]
    assert "README.md" in [file.path for file in client.list_artifacts(logged.info.run_id)]


def test_a_store_that_cannot_be_reached(run, space, monkeypatch):
    pytest.importorskip("mlflow")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    with pytest.raises(
        OutputError, match=r"exporting the run 'base' to MLflow at http://127.0.0.1:9.*exporting again continues"
    ):
        export(run, "mlflow", "http://127.0.0.1:9", workspace=space)
