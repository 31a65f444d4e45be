"""Fixtures shared by all tests."""

import gc
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from toy import make_workspace

from dfworkbench.core.workspace import HOME_VARIABLE, Workspace

#: Longest first: each file goes to one process, and what is started last must be short.
LONGEST = (
    "browser/test_lab.py", "notebooks/test_run.py", "contracts/test_methods.py", "contracts/test_detectors.py",
    "browser/test_app.py", "golden/test_zoo.py", "notebooks/test_labs.py",
    "notebooks/test_09_benchmark.py", "notebooks/test_07_leakage.py", "notebooks/test_05_hypotheses.py",
    "extraction/test_extraction_kill.py", "notebooks/test_06_reconstruction.py", "notebooks/test_08_clues.py",
    "training/test_training.py", "packaging/test_wheel.py", "notebook/test_sweep.py", "fuzz/test_fuzz.py",
    "evidence/test_examine.py", "docs/test_site.py",
)  # fmt: skip


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the longest files first."""
    here = Path(__file__).parent
    place = {here / name: number for number, name in enumerate(LONGEST)}
    items.sort(key=lambda item: place.get(item.path, len(place)))


def pytest_collection_finish() -> None:
    """Collect garbage less often, and leave out the 7,000 tests and all modules, which stay: it took a twentieth of the time."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)


@pytest.fixture(scope="session")
def _toy_source(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("toy_source")
    make_workspace(root)
    return root


@pytest.fixture
def toy(_toy_source, tmp_path, monkeypatch) -> Workspace:
    """A workspace of its own with the extracted data set "toy"; the pictures are shared and must not be changed."""
    root = tmp_path / "workspace"
    (root / "checkpoints").mkdir(parents=True)
    shutil.copytree(_toy_source / "labels", root / "labels")
    (root / "extracted").symlink_to(_toy_source / "extracted")
    monkeypatch.setenv(HOME_VARIABLE, str(root))
    return Workspace(root)


@pytest.fixture(scope="session")
def demo_source(tmp_path_factory) -> Path:
    """Folder of a generated and extracted demo set, see `demo_set`; shared by all processes, so it must be copied."""
    from demo_set import make_source

    return make_source(tmp_path_factory)


@pytest.fixture
def no_workers(monkeypatch) -> None:
    """Extraction in this process."""
    from demo_set import extract_here

    extract_here(monkeypatch)


@pytest.fixture
def forked_workers() -> Iterator[None]:
    """Worker processes are forked from one that has imported everything: else each takes four seconds to import torch.

    For tests that start many. Other tests start them as the package does, anew: the kill tests of extraction, notebooks 01 and 09,
    `test_dask_sockets.py`.
    """
    import multiprocessing

    from dask import config
    from distributed.utils import get_mp_context

    with config.set({"distributed.worker.multiprocessing-method": "forkserver"}):
        get_mp_context()  # names what Dask wants imported; that list is replaced by a longer one
        everything = ["distributed", "dfworkbench.extraction.workers", "dfworkbench.evaluation.scoring.workers"]
        multiprocessing.set_forkserver_preload(everything)
        yield
