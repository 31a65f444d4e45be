"""Notebook 06: three stages are trained and errors are measured."""

import pytest
from cells import pictures, run_cells

from dfworkbench.core.workspace import Workspace
from dfworkbench.extraction import ExtractSettings, extract
from dfworkbench.notebook.runner import run_notebook
from dfworkbench.synthetic import PictureDemoSettings, make_demo_pictures

pytestmark = pytest.mark.notebook


def test_three_stages_are_trained_and_errors_measured(tmp_path, no_workers):
    space = Workspace(tmp_path)
    few = PictureDemoSettings(people=6, val_people=2, test_people=2, pictures=2, size_px=64, workers=1)
    make_demo_pictures(space.data / "demo_pictures", few, progress=False)
    # worker processes of the notebook would import for seconds; it makes the tables anew, of what was extracted here
    extract(ExtractSettings(name="demo_pictures", layout="generated_images", whole=True), space, progress=False)
    table = space.labels / "demo_pictures/videos.csv"
    table.unlink()
    values = {
        "size_px": 32, "first_epochs": 1, "epochs": 1, "joint_epochs": 1, "trial": True, "batch_size": 4, "device": "cpu",
        "perturbations": ["jpeg", "noise>blur"], "levels": [3], "random_perturbations": True,
    }  # fmt: skip
    done = run_notebook("06_reconstruction_error", values, space.root / "06.ipynb", workspace=space)
    assert table.is_file()
    assert pictures(done) >= 10  # five runs' curves, errors, two distributions, spectra, robustness, explorer
    text = done.read_text()
    for word in (
        "transposed (trained on)",
        "other generators",
        "pixel, joint",
        "stage 3",
        "preset quick, except ",
        "fused",
        "area under AUC",
        "one_of_all",
        "as it is and under jpeg",  # the explorer's picture, which must outlive its widgets
    ):
        assert word in text
    assert len(list(space.checkpoints.glob("resynthesis_pixel_demo_pictures_*/epoch_001.safetensors"))) == 2

    # as quick has it: no classifier of pixel errors, and so no fused detector; the runs are used again. The runner knows the former
    # name of a parameter, `trial`; the cells do not
    values |= {
        "allow_undertrained": values.pop("trial"),
        "joint_epochs": 0,
        "perturbations": ["jpeg"],
        "random_perturbations": False,
    }
    quick, _ = run_cells("06_reconstruction_error", values, space, tmp_path / "ipython")
    assert ">stage 3</th>" in quick
    assert ">fused</th>" not in quick
    assert "as it is and under jpeg" in quick
