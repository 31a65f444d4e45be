"""What a person does: opens 02_train in JupyterLab, changes detector and epochs with the widgets, runs on, sees the curves.

Needs Chromium, its driver and selenium (Debian: `apt-get install chromium chromium-driver`; `pip install selenium`); skipped
with a reason where they are missing. Pictures of the pages are kept in the folder named by DFWORKBENCH_SCREENSHOTS.
"""

import importlib.util
import json
import shutil
from pathlib import Path

import pytest
from lab import CHROMIUM, DRIVER, Lab

from dfworkbench.notebook.runner import run_notebook
from dfworkbench.workspace import Workspace

_MISSING = [
    name
    for name, found in (
        ("chromium", CHROMIUM),
        ("chromedriver", DRIVER),
        ("selenium", importlib.util.find_spec("selenium")),
    )
    if not found
]
pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(bool(_MISSING), reason=f"not installed: {', '.join(_MISSING)}"),
]
#: A detector of pictures and one of clips; mesonet4, the default, needs no choice.
CHOSEN = ("mesoinception4", "mesonet4_lstm")
NOTEBOOKS = Path(__file__).parents[2] / "notebooks"


@pytest.fixture(scope="module")
def space(tmp_path_factory):
    """A workspace with a tiny extracted demo set and its own copies of the notebooks."""
    space = Workspace(tmp_path_factory.mktemp("lab"))
    shutil.copytree(NOTEBOOKS, space.root / "notebooks", ignore=shutil.ignore_patterns(".*"))
    tiny = {"pairs": 4, "val_pairs": 1, "test_pairs": 1, "frames": 8, "size_px": 160, "identities": 2}
    run_notebook("00_start_here", tiny, workspace=space)
    run_notebook("01_data_extraction", {"frames": 6, "workers": 2}, workspace=space)
    return space


@pytest.fixture
def lab(space, tmp_path):
    with Lab(space.root, tmp_path) as lab:
        yield lab


@pytest.mark.parametrize("detector", CHOSEN)
def test_widgets_decide_what_is_trained(lab, space, detector):
    lab.open("notebooks/02_train.ipynb")
    lab.shot("02_top")
    lab.select_cell("panel = SettingsPanel")
    lab.menu("Run", "Run All Above Selected Cell")
    lab.menu("Run", "Run Selected Cell")
    lab.wait(".dfw-card .dfw-command", 120)
    lab.show(lab.wait(".dfw-card"))
    lab.shot("02_panel")

    lab.choose("Detector", detector)
    lab.type_into("Epochs", "2")
    lab.type_into("Batch size", "8")
    lab.type_into("Frames per video", "1")
    words = f"dfworkbench run 02_train -p detector {detector} -p epochs 2 -p batch_size 8 -p frames_per_video 1"
    lab.wait(".dfw-command code", text=words)
    lab.show(lab.wait(".dfw-card"))
    lab.shot("02_panel_changed")

    lab.select_cell("data = prepare(settings).train")
    lab.menu("Run", "Run Selected Cell and All Below")
    live = lab.wait(".dfw-title", 400, text="epoch 2 of 2, finished")
    lab.wait(".jp-OutputArea-output td b", 120, text="video")  # the table of the test split
    assert lab.all("img[alt='training curves']")
    lab.show(live)
    lab.shot("02_curves")
    folder = max(space.checkpoints.iterdir(), key=lambda path: path.stat().st_mtime)
    settings = json.loads((folder / "settings.json").read_text())
    assert (settings["detector"], settings["epochs"], settings["batch_size"]) == (detector, 2, 8)
    assert not lab.all(".jp-RenderedText[data-mime-type='application/vnd.jupyter.stderr']")


def test_a_wrong_value_is_refused_while_it_is_typed(lab):
    lab.open("notebooks/01_data_extraction.ipynb")
    lab.select_cell("panel = SettingsPanel")
    lab.menu("Run", "Run All Above Selected Cell")
    lab.menu("Run", "Run Selected Cell")
    lab.wait(".dfw-card .dfw-command", 120)
    lab.type_into("Root", "data/demoo")
    lab.wait(".dfw-bad", text="does not exist")
    lab.type_into("Name", "")
    lab.wait(".dfw-bad", text="ExtractSettings.name")
    lab.show(lab.wait(".dfw-card"))
    lab.shot("01_panel_refuses")
    lab.type_into("Name", "demo")
    lab.wait(".dfw-good", text="valid")
