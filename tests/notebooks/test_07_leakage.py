"""Notebook 07, and notebook 03 with a detector that has a training method of its own."""

import pytest
from cells import pictures, run_cells

from dfworkbench.notebook.runner import run_notebook
from dfworkbench.training import TrainSettings, train

pytestmark = pytest.mark.notebook


@pytest.fixture(scope="module")
def leakage(space):
    """The executed notebook."""
    further = TrainSettings(name="tiny", epochs=1, batch_size=8, frames_per_video=1, device="cpu")
    list(train(further, space, progress=False))
    # of the second set, which the notebook extracts, only the tables lack
    (space.labels / "demo_celebdf/videos.csv").unlink()
    values = {
        "forgeries": ["FaceSwap"], "plain": "resnet18", "epochs": 1, "batch_size": 8, "frames_per_video": 1, "frames": 1,
        "runs": ["tiny"], "device": "cpu",
    }  # fmt: skip
    return run_notebook("07_identity_leakage", values, space.root / "07.ipynb", workspace=space)


def test_both_are_trained_and_leakage_is_measured(leakage, space):
    assert pictures(leakage) >= 6  # swaps, two runs' curves, comparison, measures, boxes
    runs = {path.name.split("_demo_")[0] for path in space.checkpoints.glob("*resnet*_demo_*")}
    assert runs == {"resnet18", "caddm_resnet18"}
    text = leakage.read_text()
    for word in ("CADDM minus plain", "random weights", "identity probe", "centre prior", "demo_celebdf"):
        assert word in text
    assert (space.labels / "demo_celebdf/videos.csv").is_file()


@pytest.mark.usefixtures("leakage")
def test_03_infers_with_caddm(space, tmp_path):
    name = next(space.checkpoints.glob("caddm_resnet18_demo_*")).name
    clip = space.data / "demo/extras/two_people_one_forged.mp4"
    values = {"checkpoint": name, "path": str(clip), "frames": 4, "device": "cpu"}
    text, shown = run_cells("03_inference", values, space, tmp_path)
    assert f"{name}/epoch_001" in text
    assert shown >= 3  # the tracks of the clip, and how good it is on the test split
