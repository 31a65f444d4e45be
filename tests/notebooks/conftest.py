"""Workspaces for notebooks."""

import shutil

import pytest
from demo_set import copy_source


@pytest.fixture(scope="module")
def space(demo_source, tmp_path_factory):
    """A workspace with the extracted sets "demo" and "demo_celebdf"; the working directory is another one."""
    space = copy_source(demo_source, tmp_path_factory.mktemp("workspace"))
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("elsewhere"))
        patch.setenv("OMP_NUM_THREADS", "1")
        yield space
    shutil.rmtree(space.root)  # hundreds of megabytes of checkpoints
