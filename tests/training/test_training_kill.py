"""A run that is killed and started again ends exactly as one that was not."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
import torch

from dfworkbench.core.errors import OutputError
from dfworkbench.core.workspace import Workspace
from dfworkbench.training import TrainSettings, train

SETTINGS = TrainSettings(
    dataset="toy", size_px=64, epochs=2, batch_size=8, learning_rate=3e-3, threads=1, name="killed", device="cpu"
)


@pytest.fixture
def undisturbed(toy, tmp_path) -> Workspace:
    """Another workspace with the same data, so that a run of the same name can be compared byte by byte."""
    other = Workspace(tmp_path / "undisturbed")
    other.checkpoints.mkdir(parents=True)
    for name in ("labels", "extracted"):
        (other.root / name).symlink_to(toy.root / name)
    return other


def require_same_run(one: Workspace, other: Workspace) -> None:
    """Equal bytes of weights, equal tables, equal state; only seconds may differ."""
    folders = [workspace.checkpoints / SETTINGS.name for workspace in (one, other)]
    files = [sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file()) for folder in folders]
    assert files[0] == files[1], "a killed run must leave nothing behind"
    for name in files[0]:
        if name.endswith((".safetensors", "best.json", "settings.json")):
            assert (folders[0] / name).read_bytes() == (folders[1] / name).read_bytes(), name
        if name.endswith(".parquet"):
            pd.testing.assert_frame_equal(*(pd.read_parquet(folder / name) for folder in folders))
    tables = [pd.read_csv(folder / "history.csv").drop(columns="seconds") for folder in folders]
    pd.testing.assert_frame_equal(*tables, check_exact=True)
    states = [torch.load(folder / "resume.pt", weights_only=True) for folder in folders]
    for part in ("method", "optimizer"):
        assert _equal(states[0][part], states[1][part])


def _equal(a, b) -> bool:
    if isinstance(a, torch.Tensor):
        return torch.equal(a, b)
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(_equal(a[key], b[key]) for key in a)
    if isinstance(a, list):
        return len(a) == len(b) and all(_equal(x, y) for x, y in zip(a, b, strict=True))
    return a == b


def test_killed_at_ten_random_moments(toy, undisturbed):
    settings = SETTINGS.replace(epochs=24)
    script = Path(__file__).with_name("kill_training.py")
    out = subprocess.run(
        [sys.executable, str(script), str(undisturbed.root), str(toy.root), "10", "7", settings.model_dump_json()],
        capture_output=True,
        text=True,
        timeout=300,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    assert out.returncode == 0, out.stderr
    seen = json.loads(out.stdout)
    assert seen["killed"] == 10
    assert seen["resumed"] >= 3, "later starts must have continued earlier ones"
    require_same_run(toy, undisturbed)


WRITES = 12  # of two epochs: settings and provenance, then five per epoch


def test_stopped_at_every_write(toy, undisturbed, monkeypatch):
    """The run dies at each of its writes in turn and is started again."""
    replace, writes, fail_at = Path.replace, 0, 0

    def count_and_fail(self, target):
        nonlocal writes
        writes += 1
        if writes == fail_at:
            raise OSError(5, "Input/output error")
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", count_and_fail)
    list(train(SETTINGS, undisturbed, progress=False))
    assert writes == WRITES, "every write must be covered"
    for fail_at in range(1, WRITES + 1):
        writes = 0
        shutil.rmtree(toy.checkpoints / SETTINGS.name, ignore_errors=True)
        with pytest.raises(OutputError, match="start again"):
            list(train(SETTINGS, toy, progress=False))
        assert writes == fail_at
        torch.manual_seed(fail_at)  # another process would have another random state
        list(train(SETTINGS, toy, progress=False))
        require_same_run(toy, undisturbed)


def test_what_a_killed_process_left_half_written_is_removed(toy, undisturbed):
    list(train(SETTINGS, undisturbed, progress=False))
    for _ in train(SETTINGS, toy, progress=False):
        break
    folder = toy.checkpoints / SETTINGS.name
    for name in (
        ".dfworkbench-x1.pt",
        ".dfworkbench-x2.safetensors",
        "scores/.dfworkbench-x3.parquet",
    ):
        (folder / name).write_bytes(b"half")
    list(train(SETTINGS, toy, progress=False))
    require_same_run(toy, undisturbed)
