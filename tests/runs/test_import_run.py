"""Published weights as runs: `dfworkbench import`, scored and trained on like any other."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from heads import portrait
from toy import as_found_by_mtcnn

from dfworkbench import __main__ as cli
from dfworkbench import score
from dfworkbench.core.errors import CheckpointError, OutputError, ParameterError
from dfworkbench.core.provenance import file_hash
from dfworkbench.evaluation.scoring.settings import ScoreSettings
from dfworkbench.media.pictures.images import write_png
from dfworkbench.models import build_detector
from dfworkbench.notebook.views import checkpoint_table
from dfworkbench.runs.checkpoints import load_detector
from dfworkbench.runs.released import _NAME, load_released, save_released
from dfworkbench.runs.run import Run
from dfworkbench.training import TrainSettings, train

TRIALS = os.environ.get("DFWORKBENCH_TRIALS", "")
needs_weights = pytest.mark.skipif(
    not (Path(TRIALS) / "weights" / "mesonet").is_dir() or not TRIALS,
    reason="DFWORKBENCH_TRIALS does not name a folder with weights/mesonet",
)


@pytest.fixture
def released(tmp_path):
    """A file of kind dfforensics; its names are those of our detector, which the importer does not look at."""
    torch.manual_seed(0)
    path = tmp_path / "published" / "checkpoint-39.pth.tar"
    path.parent.mkdir()
    torch.save({"model": build_detector("mesonet4").state_dict(), "optimizer": {}}, path)
    return path


@pytest.fixture
def picture(tmp_path):
    write_png(tmp_path / "portrait.png", portrait())
    return tmp_path / "portrait.png"


def fake_probabilities(path, checkpoint):
    scored = score(path, checkpoint, ScoreSettings(device="cpu"), progress=False)
    assert len(scored.table) == 1
    return scored.table["fake_probability"].to_numpy()


def test_imported_run_scores_as_the_imported_detector(toy, released, picture, capsys):
    assert cli.main(["import", "dfforensics", str(released), "--name", "paper"]) == 0
    folder = toy.checkpoints / "paper"
    assert f"imported: {folder} (mesonet4)" in capsys.readouterr().out
    assert sorted(file.name for file in folder.iterdir()) == ["best.json", "epoch_000.safetensors", "provenance.json"]
    direct = load_released("dfforensics", released)
    assert load_detector("paper").input_spec == direct.input_spec
    np.testing.assert_array_equal(fake_probabilities(picture, "paper"), fake_probabilities(picture, direct))


@needs_weights
@pytest.mark.parametrize("name", ["Meso4_DF", "Meso4_F2F", "MesoInception_DF", "MesoInception_F2F"])
def test_real_mesonet_files(toy, picture, name):
    path = Path(TRIALS) / "weights" / "mesonet" / f"{name}.h5"
    assert cli.main(["import", "mesonet", str(path)]) == 0
    direct = load_released("mesonet", path)
    run = f"mesonet_{name}"
    assert load_detector(run).input_spec == direct.input_spec
    np.testing.assert_array_equal(fake_probabilities(picture, run), fake_probabilities(picture, direct))


def test_pickers_and_passport_of_notebook_03_know_it(toy, released):
    folder = save_released("dfforensics", released, workspace=toy)
    assert Run.names(toy) == [folder.name] == ["dfforensics_checkpoint-39"]
    assert "mesonet4, 24,089 parameters" in str(checkpoint_table(load_detector(folder)))
    assert [path.name for path in toy.checkpoints.iterdir()] == [folder.name], "nothing half-written stays"


def test_provenance_names_the_source(toy, released):
    folder = save_released("dfforensics", released, "a", workspace=toy, detector="mesonet4")
    record = json.loads((folder / "provenance.json").read_text())
    assert record["source"] == {
        "kind": "dfforensics", "file": "checkpoint-39.pth.tar", "sha256": file_hash(released),
        "options": {"detector": "mesonet4"},
    }  # fmt: skip
    assert {"torch", "safetensors", "h5py"} <= set(record["packages"])
    assert load_detector(folder).metadata["provenance"] == record
    assert str(released.parent) not in json.dumps(record)


def test_runs_are_not_overwritten(toy, released, capsys):
    folder = save_released("dfforensics", released, "a", workspace=toy)
    before = (folder / "epoch_000.safetensors").read_bytes()
    released.write_bytes(b"")
    assert cli.main(["import", "dfforensics", str(released), "--name", "a"]) == 2
    assert "exists already, and runs are not overwritten" in capsys.readouterr().err
    assert (folder / "epoch_000.safetensors").read_bytes() == before


def test_a_failed_import_leaves_nothing(toy, released, monkeypatch):
    def late(kind, path):
        (toy.checkpoints / "late").mkdir()
        (toy.checkpoints / "late" / "file").touch()  # training began meanwhile
        return load_released(kind, path)

    monkeypatch.setattr("dfworkbench.runs.released.load_released", late)
    with pytest.raises(OutputError, match="imported weights"):
        save_released("dfforensics", released, "late", workspace=toy)
    monkeypatch.undo()
    released.write_bytes(b"hello")
    with pytest.raises(CheckpointError, match="damaged"):
        save_released("dfforensics", released, "other", workspace=toy)
    assert [path.name for path in toy.checkpoints.iterdir()] == ["late"]


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_values_that_are_no_numbers_are_refused(toy, released, value):
    content = torch.load(released)
    name = next(name for name in content["model"] if name.endswith("weight"))
    content["model"][name].view(-1)[0] = value
    torch.save(content, released)
    with pytest.raises(CheckpointError, match="not numbers"):
        save_released("dfforensics", released, "diverged")
    assert not (toy.checkpoints / "diverged").exists()


def test_two_processes_do_not_import_one_run(toy, released):
    """The second is told who is at it; what a killed import left behind is in nobody's way."""
    staging = toy.checkpoints / ".import-paper"
    hold = (
        "import pathlib, sys\n"
        "from dfworkbench.core.locks import held\n"
        "with held(pathlib.Path(sys.argv[1]), 'importing'):\n"
        "    print('held', flush=True)\n"
        "    sys.stdin.read()\n"
    )
    other = subprocess.Popen(
        [sys.executable, "-c", hold, str(staging)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        assert other.stdout is not None
        assert other.stdout.readline().strip() == "held"
        with pytest.raises(OutputError, match=rf"'paper': process {other.pid} on .* \(since .*wait") as refused:
            save_released("dfforensics", released, "paper", workspace=toy)
        assert "another name" in str(refused.value)
        assert not (toy.checkpoints / "paper").exists()
    finally:
        other.kill()
        other.wait()
    (staging / "paper").mkdir()
    (staging / "paper" / "epoch_000.safetensors").write_bytes(b"half")
    assert Run.names(toy) == []
    assert load_detector(save_released("dfforensics", released, "paper", workspace=toy)).run == "paper"
    assert [path.name for path in toy.checkpoints.iterdir()] == ["paper"]


@pytest.mark.parametrize("name", ["../elsewhere", ".hidden", "a b"])
def test_names_are_folder_names(toy, released, name):
    with pytest.raises(ParameterError, match="expected a folder name"):
        save_released("dfforensics", released, name, workspace=toy)


def test_names_are_those_of_training():
    assert TrainSettings.model_fields["name"].metadata[0].pattern == f"^({_NAME})?$"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("import mesonett a.h5", "no importer is called 'mesonett'. Did you mean 'mesonet'"),
        ("import dfforensics none.tar", "none.tar does not exist"),
        ("import mesonet none.h5 -p detector mesonet4", "no option of the importer 'mesonet' is called 'detector'"),
        ("import mesonet", "the following arguments are required: FILE"),
    ],
)
def test_mistakes_on_the_command_line(toy, capsys, words, message):
    assert cli.main(words.split()) == 2
    assert message in capsys.readouterr().err


# -- training from given weights ---------------------------------------------------------------------------------------

SETTINGS = TrainSettings(dataset="toy", size_px=64, epochs=3, batch_size=8, threads=1, name="first", device="cpu")
#: Steps too small to move weights. Batch norm still measures the training pictures anew.
STANDING = {"epochs": 1, "learning_rate": 1e-9, "schedule": "constant", "weight_decay": 0.0}


def run(toy, **changes):
    return list(train(SETTINGS.replace(**changes), toy, progress=False))


def test_first_epoch_starts_at_the_validation_score_of_its_start(toy):
    before = run(toy, learning_rate=3e-3, schedule="constant", epochs=6)
    best = next(epoch for epoch in reversed(before) if epoch.best)
    after = run(toy, name="second", start_from="first", **STANDING)[0]
    fresh = run(toy, name="third", **STANDING)[0]
    assert abs(after.val["loss"] - best.val["loss"]) < 0.2 * abs(fresh.val["loss"] - best.val["loss"])
    assert after.val["auc_video"] == pytest.approx(best.val["auc_video"], abs=0.1)
    record = json.loads((toy.checkpoints / "second/provenance.json").read_text())
    file = toy.checkpoints / "first" / f"epoch_{best.number:03d}.safetensors"
    assert record["start_from"] == {"file": f"first/{file.name}", "sha256": file_hash(file)}
    assert "start_from" not in json.loads((toy.checkpoints / "third/provenance.json").read_text())


def test_first_weights_are_those_of_the_checkpoint(toy):
    from dfworkbench.training import prepare

    run(toy, epochs=1)
    source = load_detector("first", workspace=toy)
    # a weight file does as well as a run; what the settings leave open is that of the checkpoint
    started = prepare(SETTINGS.replace(name="second", start_from=str(source.path), size_px=None), toy)
    for key, value in source.detector.state_dict().items():
        assert torch.equal(started.method.detector.state_dict()[key], value)
    assert started.run.options == {"size_px": 64}


def test_a_run_from_given_weights_can_be_continued(toy):
    run(toy, epochs=1)
    more = {"start_from": "first", "schedule": "constant"}
    run(toy, name="straight", epochs=2, **more)
    run(toy, name="halved", epochs=1, **more)
    run(toy, name="halved", epochs=2, **more)
    ends = [load_detector(name, epoch=2, workspace=toy).detector.state_dict() for name in ("straight", "halved")]
    assert all(torch.equal(ends[0][key], ends[1][key]) for key in ends[0])


def test_imported_weights_are_trained_on_in_another_folder(toy, released):
    save_released("dfforensics", released, "paper", workspace=toy)
    as_found_by_mtcnn(toy)
    ours = {"size_px": None, "epochs": 1, "start_from": "paper", "frames_per_video": 1}
    with pytest.raises(ParameterError, match="'paper': its folder holds imported weights"):
        run(toy, name="paper", **ours)
    assert len(run(toy, name="tuned", **ours)) == 1
    spec = load_detector("paper", workspace=toy).input_spec
    assert load_detector("tuned", workspace=toy).input_spec == spec


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"detector": "mesoinception4"}, r"of the detector 'mesonet4' with .*ask for 'mesoinception4' with"),
        ({"size_px": 32}, r"'size_px': 64.*ask for 'mesonet4' with \{'size_px': 32\}"),
        ({"detector_options": {"dropout": 0.1}}, "'dropout': 0.5.*'dropout': 0.1"),
    ],
)
def test_another_detector_than_that_of_the_checkpoint_is_refused(toy, changes, message):
    run(toy, epochs=1)
    with pytest.raises(ParameterError, match=message):
        run(toy, name="second", start_from="first", **changes)
    assert not (toy.checkpoints / "second").exists()
