"""Shared runs that are damaged or made to do harm: each is refused, and nothing of it stays."""

import json
import shutil
import zipfile

import pytest
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from dfworkbench import __main__ as cli
from dfworkbench.core.errors import CheckpointError, DataNotFoundError, ParameterError
from dfworkbench.runs.layout import CARD, MANIFEST
from dfworkbench.runs.run import Run
from dfworkbench.sharing.fetching import fetch
from dfworkbench.sharing.manifest import Manifest, list_files, read_manifest
from dfworkbench.sharing.packing import Packing
from dfworkbench.sharing.targets import share


@pytest.fixture
def shared(space, tmp_path):
    share("base", tmp_path / "shared", Packing(base=None), workspace=space)
    return tmp_path / "shared"


@pytest.fixture
def manifest(shared):
    return json.loads((shared / MANIFEST).read_text())


def refused(source, space, message, error=CheckpointError, **options):
    before = {path for path in space.root.parent.rglob("*")}
    with pytest.raises(error, match=message):
        fetch(source, workspace=space, progress=False, **options)
    assert list(space.checkpoints.iterdir()) == []
    assert {path for path in space.root.parent.rglob("*")} == before


def rewrite(shared, manifest, **changes):
    (shared / MANIFEST).write_text(json.dumps({**manifest, **changes}))


ENTRY = {"bytes": 1, "sha256": "0" * 64}


@pytest.mark.parametrize(
    "name",
    [
        "../evil.json", "/etc/passwd", "C:\\x.json", "scores/../../x.parquet", "scores/a/b.parquet", "resume.pt", "notebook.ipynb",
        "epoch_001.pt", "epoch_1.safetensors", "epoch_0001.safetensors", "scores/x.pkl", "", "scores/\x1b[2J.parquet",
        "fetched.json", "share.json",
    ],
)  # fmt: skip
def test_names_that_no_run_has(shared, manifest, elsewhere, name):
    rewrite(shared, manifest, files={**manifest["files"], name: ENTRY})
    refused(shared, elsewhere, "is not a file of a shared run")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"format": "dfworkbench-share-2"}, "format: .*dfworkbench-share-1.*update dfworkbench"),
        ({"files": {}}, "files: "),
        ({"files": {CARD: ENTRY}}, "names no weights"),
        ({"files": {CARD: {"bytes": 10**13, "sha256": "0" * 64}}}, "less than or equal to"),
        ({"more": 1}, "more: "),
        ({"run": "../../up"}, "expected a folder name"),
        ({"run": ".hidden"}, "expected a folder name"),
    ],
)
def test_lists_that_are_none(shared, manifest, elsewhere, changes, message):
    rewrite(shared, manifest, **changes)
    refused(shared, elsewhere, message, (CheckpointError, ParameterError))


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[" * 100_000, b"\xff\xfe", b" " * 4_000_001, b"null", b'{"files": [1]}']
)
def test_lists_that_are_no_list(content):
    with pytest.raises(CheckpointError, match=r"reading share.json of x: .*Nothing was taken"):
        read_manifest(content, "x")


def test_the_weights_of_an_epoch_stand_in_one_file(shared, manifest, elsewhere):
    (weights,) = (name for name in manifest["files"] if name.endswith(".safetensors"))
    rewrite(shared, manifest, files={**manifest["files"], weights.replace(".safe", ".delta.safe"): ENTRY})
    refused(shared, elsewhere, "the weights of an epoch twice")


def test_files_that_were_changed(shared, manifest, elsewhere):
    original = (shared / "history.csv").read_bytes()
    for content, message in (
        (original[:-1], f"has {len(original) - 1:,} bytes, expected {len(original):,}"),
        (original + b" ", f"has more than {len(original):,} bytes"),
        (bytes(len(original)), "its SHA-256 is"),
    ):
        (shared / "history.csv").write_bytes(content)
        refused(shared, elsewhere, message)
    (shared / "history.csv").unlink()
    refused(shared, elsewhere, "it is not there, although share.json names it")


def test_weights_that_are_none(shared, elsewhere):
    (weights,) = shared.glob("epoch_*.safetensors")
    for content in (b"\x80\x04N.", b"", b"\xff" * 64):  # the first is a pickle
        weights.write_bytes(content)
        (shared / MANIFEST).write_bytes(list_files(shared, "base", None).to_bytes())
        refused(shared, elsewhere, "damaged or not a safetensors file")


def test_best_epoch_that_is_not_there(shared, elsewhere):
    (shared / "best.json").write_text('{"epoch": 77}')
    (shared / MANIFEST).write_bytes(list_files(shared, "base", None).to_bytes())
    refused(shared, elsewhere, "best.json names epoch 77")


def archive(path, entries, **options):
    with zipfile.ZipFile(path, "w", **options) as made:
        for name, content in entries.items():
            made.writestr(name, content)
    return path


def test_archives_are_read_by_name(shared, manifest, elsewhere, tmp_path):
    entries = {f"run/{name}": (shared / name).read_bytes() for name in (MANIFEST, *manifest["files"])}
    link = zipfile.ZipInfo("run/link")
    link.external_attr = 0o120777 << 16
    path = archive(
        tmp_path / "a.zip", {**entries, "../evil": "x", "/evil": "x", "run/evil.sh": "x", link: "/etc/passwd"}
    )
    fetch(path, workspace=elsewhere)
    assert not list(tmp_path.rglob("*evil*"))
    assert not list(elsewhere.root.rglob("link"))


def test_archives_that_grow(shared, manifest, elsewhere, tmp_path):
    entries = {name: (shared / name).read_bytes() for name in (MANIFEST, *manifest["files"])}
    bomb = archive(tmp_path / "a.zip", {**entries, "history.csv": bytes(50_000_000)}, compression=zipfile.ZIP_DEFLATED)
    assert bomb.stat().st_size < 1_000_000
    refused(bomb, elsewhere, "has more than")
    bomb = archive(tmp_path / "b.zip", {MANIFEST: bytes(50_000_000)}, compression=zipfile.ZIP_DEFLATED)
    refused(bomb, elsewhere, "bytes or more")


def test_archives_that_are_damaged(shared, manifest, elsewhere, tmp_path):
    path = archive(tmp_path / "a.zip", {name: (shared / name).read_bytes() for name in (MANIFEST, *manifest["files"])})
    whole = path.read_bytes()
    path.write_bytes(whole[:-30])
    refused(path, elsewhere, "damaged or cannot be read")
    place = whole.index((shared / "settings.json").read_bytes()[:40])
    path.write_bytes(whole[:place] + b"\0" + whole[place + 1 :])
    refused(path, elsewhere, "(?s)settings.json of .*CRC")
    refused(archive(tmp_path / "b.zip", {"photo.png": "x"}), elsewhere, "holds 0 files share.json", DataNotFoundError)
    twice = archive(tmp_path / "c.zip", {"a/share.json": "{}", "b/share.json": "{}"})
    refused(twice, elsewhere, "holds 2 files share.json", DataNotFoundError)


@pytest.mark.parametrize(("source", "message"), [("none.zip", "no file or folder"), ("", "no share.json")])
def test_sources_that_are_none(elsewhere, tmp_path, source, message):
    (tmp_path / "empty").mkdir()
    refused(tmp_path / (source or "empty"), elsewhere, message, DataNotFoundError)


def test_a_delta_that_was_changed(space, elsewhere, tmp_path):
    share("base", tmp_path / "base", Packing(base=None), workspace=space)
    shared = share("tuned", tmp_path / "tuned", workspace=space)
    (name,) = shared.manifest.deltas
    base = shared.manifest.base
    path = tmp_path / "tuned" / name
    with safe_open(path, "pt") as file:
        head = json.loads(file.metadata()["dfworkbench"])
    tensors = load_file(path)
    changes = {
        "has the content hash": ({"from_base": head["from_base"][1:]}, tensors),
        "the record of this delta lacks": ({"base": None}, tensors),
        "its record says format 'x'": ({"format": "x"}, tensors),
        "the result has the content hash": ({}, {name: value * 2 for name, value in tensors.items()}),
        "damaged": ({"from_base": ["no such tensor"]}, tensors),
    }
    fetch(tmp_path / "base", workspace=elsewhere)
    for message, (change, values) in changes.items():
        save_file(values, path, metadata={"dfworkbench": json.dumps({**head, **change})})
        (tmp_path / "tuned" / MANIFEST).write_bytes(list_files(tmp_path / "tuned", "tuned", base).to_bytes())
        with pytest.raises(CheckpointError, match=message):
            fetch(tmp_path / "tuned", workspace=elsewhere)
        assert Run.names(elsewhere) == ["base"]
    rebuilt = Manifest.model_validate({**json.loads((tmp_path / "tuned" / MANIFEST).read_text()), "base": None})
    (tmp_path / "tuned" / MANIFEST).write_bytes(rebuilt.to_bytes())
    with pytest.raises(CheckpointError, match="names no base"):
        fetch(tmp_path / "tuned", workspace=elsewhere)


def test_nothing_is_written_on_a_full_disk(shared, elsewhere, monkeypatch, capsys):
    monkeypatch.setenv("DFWORKBENCH_HOME", str(elsewhere.root))
    usage = shutil.disk_usage(elsewhere.root)._replace(free=1000)
    monkeypatch.setattr("dfworkbench.sharing.fetching.shutil.disk_usage", lambda path: usage)
    assert cli.main(["fetch", str(shared)]) == 2
    assert "1 kB are free" in capsys.readouterr().err
    assert list(elsewhere.checkpoints.iterdir()) == []


def test_what_a_stranger_writes_cannot_steer_the_terminal(shared, manifest, elsewhere, monkeypatch, capsys):
    monkeypatch.setenv("DFWORKBENCH_HOME", str(elsewhere.root))
    rewrite(shared, manifest, run="\x1b[2Jevil")
    assert cli.main(["fetch", str(shared)]) == 2
    assert "\x1b" not in capsys.readouterr().err
