"""A tiny generated demo set, extracted: made once in a test run, however many processes run the tests."""

import os
import shutil
import sys
from pathlib import Path

import pytest
from filelock import FileLock

from dfworkbench.core.workspace import Workspace
from dfworkbench.extraction import ExtractSettings, extract, part
from dfworkbench.synthetic import CelebDemoSettings, DemoSettings, make_demo, make_demo_celebdf

#: Two pairs of people for training, so that they can be halved; 48 videos.
SETTINGS = DemoSettings(pairs=4, val_pairs=1, test_pairs=1, frames=8, size_px=160, workers=1)
SECOND = CelebDemoSettings(identities=2, clips=1, youtube=1, frames=6, size_px=160, workers=1)


def extract_here(patch: pytest.MonkeyPatch) -> None:
    """Let extraction run in this process: worker processes take many seconds to start."""

    def run_here(jobs, workers, scheduler):
        return enumerate(part.extract_video(job, threads=1) for job in jobs)

    patch.setattr(sys.modules["dfworkbench.extraction.extract"], "run_jobs", run_here)


def make_source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with data/, labels/ and extracted/ of the sets "demo" and "demo_celebdf"; to be copied, not changed."""
    base = tmp_path_factory.getbasetemp()
    root = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "demo_source"
    done = root / "done"
    with FileLock(f"{root}.lock"), pytest.MonkeyPatch.context() as patch:
        if not done.exists():
            extract_here(patch)
            space = Workspace(root)
            make_demo(space.data / "demo", SETTINGS, progress=False)
            make_demo_celebdf(space.data / "demo_celebdf", SECOND, progress=False)
            extract(ExtractSettings(name="demo", frames=6), space, progress=False)
            extract(ExtractSettings(name="demo_celebdf", layout="celebdf"), space, progress=False)
            done.touch()
    return root


def copy_source(source: Path, root: Path) -> Workspace:
    """A workspace in `root` with a copy of all that lies in `source`."""
    for name in ("data", "labels", "extracted"):
        shutil.copytree(source / name, root / name)
    return Workspace(root)
