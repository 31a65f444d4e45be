"""Notebook 05: each hypothesis is tested, and what was found is kept."""

import json

import numpy as np
import pandas as pd
import pytest
from cells import pictures, run_cells

from dfworkbench.notebook.runner import run_notebook

pytestmark = pytest.mark.notebook


@pytest.mark.parametrize("hypothesis", [1, 2, 3])
def test_a_hypothesis_is_tested_and_what_was_found_is_kept(space, hypothesis, tmp_path):
    values = {
        "hypothesis": hypothesis, "size_px": 32, "encoder_epochs": 1, "epochs": 1, "pairings": 1, "images": 1, "grid": 2,
        "evaluations": 100, "keep_wrong": True, "device": "cpu",
    }  # fmt: skip
    if hypothesis == 1:
        shown = pictures(run_notebook("05_hypotheses", values, tmp_path / "05.ipynb", workspace=space))
    else:
        _, shown = run_cells("05_hypotheses", values, space, tmp_path)
    assert shown >= 4  # curves of the runs, faces, cells, the test
    folder = next(space.checkpoints.glob(f"resnet18_demo_*/hypotheses/{hypothesis}_*"))
    record = json.loads((folder / "results.json").read_text())
    assert record["settings"]["hypothesis"] == hypothesis
    models = {1: {"carrier", "donor", "detector"}, 2: {"carrier", "donor", "paired 1", "unpaired 1"}}
    assert set(record["runs"]) == models.get(hypothesis, models[1])
    rows = pd.read_csv(folder / "pictures.csv")
    with np.load(folder / "maps.npz") as maps:
        assert maps["carrier"].shape == (len(rows), 2, 2)
    assert {"measures.csv", "named.csv", "test.png", "faces.png"} <= {path.name for path in folder.iterdir()}
    assert pd.read_csv(folder / "measures.csv")["value"].notna().any()
