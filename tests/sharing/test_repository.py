"""Runs in a repository, against a server on the loopback address: one commit up, one revision down, resumed and checked."""

import warnings

import pytest
from hub_server import hub

from dfworkbench.core.errors import CheckpointError, DownloadError, OutputError, ParameterError, WorkbenchError
from dfworkbench.runs.run import Run
from dfworkbench.sharing.fetching import fetch
from dfworkbench.sharing.packing import Packing
from dfworkbench.sharing.targets import share
from dfworkbench.zoo.transfer import Patience

WHOLE = Packing(base=None)
HASTY = Patience(silence_s=5, waits_s=(0,), sleep=lambda _: None)
NAME = "ann/base"


@pytest.fixture
def server(monkeypatch):
    for name in ("DFWORKBENCH_OFFLINE", "HF_HUB_OFFLINE", "DFWORKBENCH_MIRROR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_DISABLE_XET", True)  # its protocol is that of another server
    monkeypatch.setenv("HF_TOKEN", "secret")
    with hub() as state:
        monkeypatch.setenv("HF_ENDPOINT", state.url)
        yield state


def weights(space, name="base"):
    return Run.open(name, space).weights()


def bring(space, source=f"hf:{NAME}", **options):
    return fetch(source, workspace=space, progress=False, patience=HASTY, **options)


def test_there_and_back(server, space, elsewhere):
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        shared = share("base", f"hf:{NAME}", WHOLE, workspace=space)
    assert server.private == {NAME: True}
    assert set(server.tokens) == {"Bearer secret"}
    assert len(server.repositories[NAME]) == 1, "one commit"
    server.serve(NAME)
    folder = bring(elsewhere, sha256=shared.sha256)
    assert weights(elsewhere).read_bytes() == weights(space).read_bytes()
    assert Run(folder).fetched["source"] == f"hf:{NAME}"
    assert [path.name for path in elsewhere.checkpoints.iterdir()] == ["base"], "the download is removed"
    (commit,) = server.repositories[NAME]
    revisions = {path.split("/resolve/")[1].partition("/")[0] for path, _ in server.asked if "/resolve/" in path}
    assert revisions == {"main", commit}, "all files of the revision that the list was of"


def test_a_later_share_replaces_all_files(server, space):
    share("base", f"hf:{NAME}", workspace=space)
    before = next(iter(server.repositories[NAME].values()))
    shared = share("base", f"hf:{NAME}", Packing(scores=False), public=True, workspace=space)
    after = list(server.repositories[NAME].values())[-1]
    assert set(after) == {*shared.manifest.files, "share.json"} < set(before)
    assert server.private == {NAME: True}, "one that is there stays as it is"


def test_what_goes_wrong_with_an_upload(server, space, monkeypatch):
    server.fails = True
    with pytest.raises(
        OutputError, match=r"sharing the run 'base' as hf:ann/base: .*403.*HF_TOKEN.*No file was changed"
    ):
        share("base", f"hf:{NAME}", workspace=space)
    assert server.repositories[NAME] == {}
    with pytest.raises(ParameterError, match="'hf:ann' is not a repository"):
        share("base", "hf:ann", workspace=space)
    with pytest.raises(ParameterError, match="names the revision 'x'"):
        share("base", f"hf:{NAME}@x", workspace=space)
    monkeypatch.setenv("DFWORKBENCH_OFFLINE", "1")
    with pytest.raises(OutputError, match="DFWORKBENCH_OFFLINE=1 forbids connections"):
        share("base", f"hf:{NAME}", workspace=space)
    monkeypatch.delenv("DFWORKBENCH_OFFLINE")
    monkeypatch.setenv("HF_ENDPOINT", "http://example.org")
    with pytest.raises(DownloadError, match="expected https"):
        share("base", f"hf:{NAME}", workspace=space)


def test_a_broken_download_continues(server, space, elsewhere):
    share("base", f"hf:{NAME}", WHOLE, workspace=space)
    server.serve(NAME)
    (path,) = (path for path in server.files if path.endswith(".safetensors") and "/main/" not in path)
    half = len(server.files[path]) // 2
    server.cut_after[path] = [half, 0, 0, 0]
    with pytest.raises(DownloadError, match="are kept, and the next try continues there"):
        bring(elsewhere)
    assert Run.names(elsewhere) == []
    server.cut_after.clear()
    before = len(server.asked)
    bring(elsewhere)
    asked = {path: headers.get("range", "") for path, headers in server.asked[before:]}
    assert asked.pop(path) == f"bytes={half}-"
    assert not any("README.md" in other for other in asked), "what came whole is not asked for again"
    assert weights(elsewhere).read_bytes() == weights(space).read_bytes()


def test_what_cannot_be_used_is_not_downloaded(server, space, elsewhere):
    share("tuned", f"hf:{NAME}", workspace=space)
    server.serve(NAME)
    for there, message in ((elsewhere, "fetch it first"), (space, "exists already")):
        before = len(server.asked)
        with pytest.raises(WorkbenchError, match=message):
            bring(there)
        assert [path.rpartition("/")[2] for path, _ in server.asked[before:]] == ["share.json"]
        assert not list(there.checkpoints.glob(".fetch-*"))


def test_another_file_than_the_list_says(server, space, elsewhere):
    share("base", f"hf:{NAME}", WHOLE, workspace=space)
    server.serve(NAME)
    (path,) = (path for path in server.files if path.endswith(".safetensors") and "/main/" not in path)
    server.files[path] = bytes(len(server.files[path]))
    with pytest.raises(DownloadError, match="SHA-256 of what was received is"):
        bring(elsewhere)
    with pytest.raises(DownloadError, match="404"):
        bring(elsewhere, "hf:ann/none")
    assert [path for path in elsewhere.checkpoints.rglob("*") if path.is_file() and "safetensors" in path.name] == []


def test_an_archive_at_an_address(server, space, elsewhere, tmp_path):
    share("base", tmp_path / "base.zip", WHOLE, workspace=space)
    server.files["/runs/base.zip"] = (tmp_path / "base.zip").read_bytes()
    bring(elsewhere, f"{server.url}/runs/base.zip")
    assert weights(elsewhere).read_bytes() == weights(space).read_bytes()
    server.files["/runs/bad.zip"] = b"PK no archive"
    with pytest.raises(CheckpointError, match="damaged"):
        bring(elsewhere, f"{server.url}/runs/bad.zip", name="bad")
    assert [path.name for path in elsewhere.checkpoints.iterdir()] == ["base"]
    with pytest.raises(DownloadError, match="expected https"):
        bring(elsewhere, "http://example.org/base.zip")
