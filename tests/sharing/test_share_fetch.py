"""A run that was shared comes back bit for bit, or not at all."""

import hashlib
import json
import shutil
import zipfile
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from toy import make_workspace

from dfworkbench import __main__ as cli
from dfworkbench.core.errors import CheckpointError, DataNotFoundError, OutputError, ParameterError
from dfworkbench.core.locks import held
from dfworkbench.datasets.tables import read_table, write_table
from dfworkbench.runs.checkpoints import load_detector, read_record, save_detector
from dfworkbench.runs.run import Run
from dfworkbench.sharing import fetching
from dfworkbench.sharing.fetching import fetch
from dfworkbench.sharing.packing import Packing
from dfworkbench.sharing.targets import share
from dfworkbench.training import TrainSettings, train

WHOLE = Packing(base=None)


def files_of(folder):
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def weights_of(name, space):
    return Run.open(name, space).weights()


def assert_same_bits(a, b):
    ours, theirs = load_file(a), load_file(b)
    assert ours.keys() == theirs.keys()
    for name, value in ours.items():
        assert value.dtype == theirs[name].dtype
        assert torch.equal(value.reshape(-1).view(torch.uint8), theirs[name].reshape(-1).view(torch.uint8)), name


@pytest.mark.parametrize("target", ["shared", "shared.zip"])
def test_whole_run_comes_back(space, elsewhere, tmp_path, target):
    shared = share("base", tmp_path / target, workspace=space)
    folder = fetch(tmp_path / target, sha256=shared.sha256, workspace=elsewhere)
    run = Run.open("base", elsewhere)
    assert folder == run.folder
    assert weights_of("base", space).read_bytes() == run.weights().read_bytes()
    assert run.epochs == [run.best] == [Run.open("base", space).best]
    assert run.history.equals(Run.open("base", space).history)
    assert run.scores("val").equals(Run.open("base", space).scores("val"))
    assert {path.name for path in elsewhere.checkpoints.iterdir()} == {"base"}, "nothing half-made stays"
    images = torch.randn(2, 3, 32, 32)
    with torch.inference_mode():
        assert torch.equal(
            run.detector().detector(images).logit, load_detector("base", workspace=space).detector(images).logit
        )


def test_equal_runs_give_equal_archives(space, tmp_path):
    for name in ("a.zip", "b.zip"):
        share("base", tmp_path / name, workspace=space)
    assert (tmp_path / "a.zip").read_bytes() == (tmp_path / "b.zip").read_bytes()


def test_fine_tuned_run_carries_what_differs(space, elsewhere, tmp_path):
    shared = share("tuned", tmp_path / "tuned.zip", workspace=space)
    delta = next(name for name in shared.manifest.files if "delta" in name)
    with zipfile.ZipFile(tmp_path / "tuned.zip") as archive:
        archive.extract(f"tuned/{delta}", tmp_path)
    own = load_file(weights_of("tuned", space))
    base = load_file(weights_of("base", space))
    assert (
        set(load_file(tmp_path / "tuned" / delta)) == {n for n in own if not torch.equal(own[n], base[n])} != set(own)
    )
    share("base", tmp_path / "base", WHOLE, workspace=space)
    fetch(tmp_path / "base", "renamed", workspace=elsewhere)
    fetch(tmp_path / "tuned.zip", workspace=elsewhere)  # the base is found by its content, whatever it is called
    assert_same_bits(weights_of("tuned", space), weights_of("tuned", elsewhere))
    assert files_of(elsewhere.checkpoints / "tuned") == {
        "README.md", "best.json", "fetched.json", "history.csv", "provenance.json", "settings.json",
        weights_of("tuned", space).name, *(f"scores/{file.name}" for file in (space.checkpoints / "tuned" / "scores").iterdir()
                                           if weights_of("tuned", space).stem in file.name),
    }  # fmt: skip


def test_a_base_of_other_machines_has_another_record_and_the_same_weights(space, elsewhere, tmp_path):
    """An import writes the versions of packages beside the weights, so its file differs from machine to machine."""
    share("tuned", tmp_path / "tuned", workspace=space)
    source, copy = weights_of("base", space), elsewhere.checkpoints / "base" / weights_of("base", space).name
    loaded = load_detector(source)
    save_detector(copy, loaded.detector, loaded.name, loaded.metadata["options"], {"epoch": 1, "packages": "others"})
    shutil.copy(source.parent / "best.json", copy.parent)
    assert copy.read_bytes() != source.read_bytes()
    fetch(tmp_path / "tuned", workspace=elsewhere)
    assert_same_bits(weights_of("tuned", space), weights_of("tuned", elsewhere))


def test_bits_and_not_values_are_compared(space, tmp_path):
    """-0.0 equals 0.0 and is another bit pattern: such a tensor must travel."""
    other = space.checkpoints / "twin"
    shutil.copytree(space.checkpoints / "base", other)
    loaded = load_detector("base", workspace=space)
    name = next(n for n, v in loaded.detector.state_dict().items() if v.is_floating_point() and v.ndim > 1)
    for run, zero in (("base", 0.0), ("twin", -0.0)):
        loaded.detector.state_dict()[name].view(-1)[0] = zero
        save_detector(weights_of(run, space), loaded.detector, loaded.name, loaded.metadata["options"])
    shared = share("twin", tmp_path / "twin", Packing(base="base"), workspace=space)
    (delta,) = shared.manifest.deltas
    assert set(load_file(tmp_path / "twin" / delta)) == {name}


def test_another_base_is_refused(space, elsewhere, tmp_path):
    share("tuned", tmp_path / "tuned", workspace=space)
    with pytest.raises(
        DataNotFoundError, match=r"'tuned'.*its base base/epoch_.*runs there: none.*fetch it first.*--base"
    ):
        fetch(tmp_path / "tuned", workspace=elsewhere)
    share("tuned", tmp_path / "other", WHOLE, workspace=space)
    fetch(tmp_path / "other", "base", workspace=elsewhere)  # the right name, and other weights
    with pytest.raises(DataNotFoundError, match="runs there: base"):
        fetch(tmp_path / "tuned", workspace=elsewhere)
    with pytest.raises(
        CheckpointError, match=r"rebuilding .*content hash [0-9a-f]{16}…; expected those of base/epoch.*--base"
    ):
        fetch(tmp_path / "tuned", base="base", workspace=elsewhere)
    assert Run.names(elsewhere) == ["base"]


def test_no_path_of_the_machine_is_shared(space, tmp_path, trained_here):
    run = Run.open("tuned", space)
    assert str(trained_here.root) in json.dumps(run.settings), "the test is about a run that holds one"
    scores = next((run.folder / "scores").glob(f"test_*{run.weights().stem}.parquet"))
    table = read_table("score", scores)
    table.loc[0, "reason"] = f"cannot read {space.root}/data/x.mp4 (see /mnt/secret/log.txt)"
    write_table("score", table, scores)
    share(run, tmp_path / "shared", WHOLE, workspace=space)
    found = {file: (tmp_path / "shared" / file).read_bytes() for file in files_of(tmp_path / "shared")}
    for word in (str(space.root), str(trained_here.root), str(Path.home()), "ann/", "secret", "hostname"):
        assert not [file for file, content in found.items() if word.encode() in content], word
    shared = read_table("score", tmp_path / "shared" / "scores" / scores.name)
    assert shared.loc[0, "reason"] == "cannot read data/x.mp4 (see log.txt)"
    assert shared.drop(columns="reason").equals(table.drop(columns="reason"))
    record = read_record(tmp_path / "shared" / run.weights().name)
    assert record["provenance"]["settings"]["start_from"] == "base"
    assert_same_bits(tmp_path / "shared" / run.weights().name, run.weights())


def test_what_stays_here(space, tmp_path):
    run = space.checkpoints / "base"
    (run / "notebook.ipynb").write_text("{}")
    (run / "evidence").mkdir()
    (run / "evidence" / "test_toy_epoch_001.parquet").write_bytes(b"x")
    shared = share("base", tmp_path / "shared", Packing(scores=False), workspace=space)
    assert files_of(tmp_path / "shared") == {*shared.manifest.files, "share.json"}
    assert set(shared.manifest.files) == {
        "README.md", "settings.json", "provenance.json", "history.csv", "best.json", weights_of("base", space).name
    }  # fmt: skip


def test_a_base_outside_the_workspace_is_named_without_its_folder(space, tmp_path):
    file = tmp_path / "private" / "published.safetensors"
    file.parent.mkdir()
    shutil.copy(weights_of("base", space), file)
    base = share("tuned", tmp_path / "shared", Packing(base=str(file)), workspace=space).manifest.base
    assert base is not None
    assert (base.run, base.file) == ("published", "published.safetensors")


def test_a_target_is_replaced_only_if_a_share_wrote_it(space, tmp_path):
    target = tmp_path / "shared"
    share("base", target, workspace=space)
    share("tuned", target, WHOLE, workspace=space)
    assert json.loads((target / "share.json").read_text())["run"] == "tuned"
    (target / "notes.txt").write_text("mine")
    with pytest.raises(OutputError, match=r"it holds notes.txt, which no share wrote.*left as it was"):
        share("base", target, workspace=space)
    with pytest.raises(OutputError, match=r"'\.gz' are not written"):
        share("base", tmp_path / "shared.tar.gz", workspace=space)
    (tmp_path / "photos.zip").write_bytes(b"PK mine")
    with pytest.raises(OutputError, match="did not write"):
        share("base", tmp_path / "photos.zip", workspace=space)
    assert (tmp_path / "photos.zip").read_bytes() == b"PK mine"


@pytest.mark.parametrize("target", ["shared", "shared.zip"])
def test_an_interrupted_share_leaves_the_earlier_one(space, tmp_path, monkeypatch, target):
    share("base", tmp_path / target, workspace=space)
    before = hashlib.sha256(b"".join(_contents(tmp_path / target))).hexdigest()
    monkeypatch.setattr("dfworkbench.sharing.packing.list_files", _interrupt)
    with pytest.raises(KeyboardInterrupt):
        share("tuned", tmp_path / target, workspace=space)
    assert hashlib.sha256(b"".join(_contents(tmp_path / target))).hexdigest() == before
    assert {path.name for path in tmp_path.iterdir()} == {target, "ann"}


def _contents(path):
    return [file.read_bytes() for file in sorted(path.rglob("*") if path.is_dir() else [path]) if file.is_file()]


def _interrupt(*given, **named):
    raise KeyboardInterrupt


def test_an_interrupted_fetch_leaves_no_half_run(space, elsewhere, tmp_path, monkeypatch):
    share("base", tmp_path / "shared", workspace=space)
    with monkeypatch.context() as patch:
        patch.setattr(fetching, "read_header", _interrupt)  # everything is copied, nothing is checked
        with pytest.raises(KeyboardInterrupt):
            fetch(tmp_path / "shared", workspace=elsewhere)
    assert list(elsewhere.checkpoints.iterdir()) == []
    left = elsewhere.checkpoints / ".import-base" / "base"  # a killed process cannot clean up
    left.mkdir(parents=True)
    (left / weights_of("base", space).name).write_bytes(b"half")
    assert Run.names(elsewhere) == []
    fetch(tmp_path / "shared", workspace=elsewhere)
    assert weights_of("base", elsewhere).read_bytes() == weights_of("base", space).read_bytes()
    assert [path.name for path in elsewhere.checkpoints.iterdir()] == ["base"]


def test_a_run_that_is_there_stays(space, elsewhere, tmp_path):
    share("base", tmp_path / "shared", workspace=space)
    with pytest.raises(ParameterError, match=r"fetching 'base' as the run 'base'.*not overwritten.*--name"):
        fetch(tmp_path / "shared", workspace=space)
    with pytest.raises(ParameterError, match="expected a folder name"):
        fetch(tmp_path / "shared", "../up", workspace=elsewhere)
    with held(elsewhere.checkpoints / ".import-base", "test"), pytest.raises(OutputError, match="is writing"):
        fetch(tmp_path / "shared", workspace=elsewhere)


def test_a_fetched_run_is_not_trained_over(space, elsewhere, tmp_path, monkeypatch):
    share("base", tmp_path / "shared", workspace=space)
    folder = fetch(tmp_path / "shared", workspace=elsewhere)
    run = Run(folder)
    assert not run.is_trained
    with pytest.raises(DataNotFoundError, match="no weights"):
        Run.newest(elsewhere)
    assert "fetched from" in run._repr_html_()
    make_workspace(elsewhere.root, frames=1)
    with pytest.raises(ParameterError, match="a run that was fetched, which is not overwritten"):
        list(train(TrainSettings.read(folder / "settings.json", device="cpu"), elsewhere, progress=False))


def test_the_command_line(space, elsewhere, tmp_path, monkeypatch, capsys):
    assert cli.main(["share", "tuned", str(tmp_path / "tuned.zip"), "--licence", "apache-2.0"]) == 0
    out = capsys.readouterr().out
    assert "base/epoch_" in out
    assert "--no-scores leaves them out" in out
    sha256 = out.rpartition("--sha256 ")[2].strip()
    assert cli.main(["share", "base", str(tmp_path / "base"), "--whole", "--no-scores"]) == 0
    assert cli.main(["share", "base", "--whole", "--base", "tuned"]) == 2
    monkeypatch.setenv("DFWORKBENCH_HOME", str(elsewhere.root))
    assert cli.main(["fetch", str(tmp_path / "base")]) == 0
    assert cli.main(["fetch", str(tmp_path / "tuned.zip"), "--sha256", "0" * 64]) == 2
    assert "the SHA-256 of its share.json is" in capsys.readouterr().err
    assert cli.main(["fetch", str(tmp_path / "tuned.zip"), "--sha256", sha256]) == 0
    assert "score:   dfworkbench score PATH --checkpoint tuned" in capsys.readouterr().out
    assert str(tmp_path) not in "".join(file.read_text() for file in (elsewhere.checkpoints / "tuned").glob("*.json"))
    assert "license: apache-2.0" in (elsewhere.checkpoints / "tuned" / "README.md").read_text()


def test_the_licence_of_published_weights_is_named_before_they_are_shared(space, tmp_path, capsys):
    file = space.checkpoints / "base" / "provenance.json"
    source = {"kind": "zoo", "file": "theirs.pth", "card": {"title": "T", "licence_weights": "CC BY-NC 4.0"}}
    file.write_text(json.dumps(json.loads(file.read_text()) | {"source": source}))
    for words, named in ((["base"], True), (["tuned", "--whole"], True), (["tuned"], False)):
        name, *options = words
        assert cli.main(["share", name, str(tmp_path / "a folder"), *options]) == 0
        out = capsys.readouterr().out
        assert ("those of theirs.pth, licence: CC BY-NC 4.0." in out) == named
        assert "a folder' --sha256" in out
