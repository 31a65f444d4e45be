"""Workspaces for notebooks."""

import shutil
from pathlib import Path

import pytest

from dfworkbench.core.workspace import Workspace


@pytest.fixture(scope="module")
def space(demo_source, tmp_path_factory):
    """A workspace with the extracted sets "demo" and "demo_celebdf"; the working directory is another one."""
    root = tmp_path_factory.mktemp("workspace")
    for name in ("data", "labels", "extracted"):
        shutil.copytree(demo_source / name, root / name)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("elsewhere"))
        patch.setenv("OMP_NUM_THREADS", "1")
        yield Workspace(Path(root))
