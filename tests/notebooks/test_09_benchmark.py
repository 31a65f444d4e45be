"""Notebook 09: a grid is run, the report is written, and what is done is not done again."""

import pandas as pd
import pytest
from cells import pictures

from dfworkbench.notebook.benchmark import BenchmarkSettings
from dfworkbench.notebook.runner import run_notebook
from dfworkbench.notebook.sweep import run_sweep

pytestmark = pytest.mark.notebook


def test_a_grid_is_run_and_the_report_written(space):
    values = {"epochs": 1, "batch_size": 8, "frames_per_video": 1, "device": "cpu", "name": "tiny", "seeds": 2}
    done = run_notebook("09_benchmark", values, space.root / "09.ipynb", workspace=space)
    assert pictures(done) >= 1  # the matrix
    folder = space.root / "report" / "sweeps" / "tiny"
    status = pd.read_csv(folder / "status.csv")
    assert status["status"].tolist() == ["done", "done"]
    assert all((space.root / run).is_dir() for run in status["runs"])
    page = (folder / "index.html").read_text(encoding="utf-8")
    for word in ("mesonet4, seed 1", "dfworkbench run 09_benchmark", "protocol", "data:image/svg+xml"):
        assert word in page
    for notebook in status["notebook"]:
        assert f'href="cells/{notebook.rpartition("/")[2].removesuffix(".ipynb")}.html"' in page
    before = sorted((path, path.stat().st_mtime_ns) for path in folder.glob("cells/*"))
    # what the notebook asks for when it is run again
    again = run_sweep("tiny", BenchmarkSettings(**values).grid(), "02_train", workspace=space, progress=False)
    assert again["status"].tolist() == ["done", "done"]
    assert sorted((path, path.stat().st_mtime_ns) for path in folder.glob("cells/*")) == before  # nothing is run twice
