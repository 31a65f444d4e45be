"""Notebook 08: variants are trained and their blocks explained."""

import pytest
from cells import pictures

from dfworkbench.notebook.runner import run_notebook

pytestmark = pytest.mark.notebook


def test_variants_are_trained_and_blocks_explained(space):
    values = {
        "size_px": 48, "blocks": 2, "epochs": 1, "batch_size": 8, "frames": 2, "pictures": 2, "grid": 4, "device": "cpu"
    }  # fmt: skip
    done = run_notebook("08_forgery_clues", values, space.root / "08.ipynb", workspace=space)
    assert pictures(done) >= 8  # two runs' curves, AUC, information, accuracy, weights, maps, overlap
    text = done.read_text()
    for word in ("both minus none", "information only block 1 has", "accuracy without block 2"):
        assert word in text
