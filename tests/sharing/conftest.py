"""Two runs in a workspace: "base" is trained from nothing, "tuned" from its weights with the classifier alone."""

import shutil

import pytest
from toy import make_workspace

from dfworkbench.core.workspace import HOME_VARIABLE, Workspace
from dfworkbench.evaluation.scoring.heldout import score_split
from dfworkbench.runs.run import Run
from dfworkbench.training import TrainSettings, train

SMALL = {
    "dataset": "toy",
    "detector": "mesonet4",
    "size_px": 32,
    "epochs": 2,
    "batch_size": 16,
    "device": "cpu",
    "threads": 1,
}


@pytest.fixture(scope="session")
def trained_here(tmp_path_factory):
    space = make_workspace(tmp_path_factory.mktemp("two runs"), frames=2)
    list(train(TrainSettings(**SMALL, name="base"), space, progress=False))
    # a path where a name would do: it must not leave this machine
    start = str(space.checkpoints / "base")
    list(train(TrainSettings(**SMALL, name="tuned", start_from=start, trainable="head"), space, progress=False))
    score_split(Run.open("tuned", space).detector(), "toy", "test", workspace=space, progress=False)
    return space


@pytest.fixture
def space(trained_here, tmp_path, monkeypatch):
    """A workspace of its own with both runs."""
    root = tmp_path / "ann" / "workspace"
    shutil.copytree(trained_here.checkpoints, root / "checkpoints")
    (root / "labels").mkdir()
    monkeypatch.setenv(HOME_VARIABLE, str(root))
    return Workspace(root)


@pytest.fixture
def elsewhere(tmp_path):
    """The workspace of somebody else, without runs."""
    there = Workspace(tmp_path / "bob")
    there.make()
    return there
