"""What a person does in JupyterLab: trains in 02 with the widgets and sees the curves, asks 03 about a video with two people,
gets a published detector there, moves the slider of 04.

Needs Chromium, its driver and selenium (Debian: `apt-get install chromium chromium-driver`; `pip install selenium`); skipped
with a reason where they are missing. Pictures of the pages are kept in the folder named by DFWORKBENCH_SCREENSHOTS.
"""

import importlib.util
import io
import json
import shutil
from pathlib import Path
from typing import NamedTuple

import pytest
import torch
from authors_files import dfb_meso4, prefixed
from demo_set import copy_source
from lab import CHROMIUM, DRIVER, Lab, Server
from seeded_weights import seeded_file
from weight_server import serving

from dfworkbench.notebook.evaluation import Evaluation, EvaluationSettings
from dfworkbench.notebook.runner import run_notebook
from dfworkbench.zoo.card import get_card

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
#: A detector that needs to be chosen: mesonet4 is the default. One of clips is trained in notebooks/test_run.py.
CHOSEN = "mesoinception4"
NOTEBOOKS = Path(__file__).parents[2] / "notebooks"


@pytest.fixture(scope="module")
def space(demo_source, tmp_path_factory):
    """A workspace with a tiny extracted demo set."""
    return copy_source(demo_source, tmp_path_factory.mktemp("lab"))


@pytest.fixture(scope="module")
def mirror():
    """A server of this machine that has made-up weights of a published detector, and no other."""
    buffer = io.BytesIO()
    torch.save(seeded_file(prefixed(dfb_meso4(), "backbone.")), buffer)
    with serving() as state, pytest.MonkeyPatch.context() as patch:
        patch.setenv("DFWORKBENCH_MIRROR", state.url)
        state.files["/" + get_card("dfb_meso4").files[0].url.partition("://")[2]] = buffer.getvalue()
        yield state


@pytest.fixture(scope="module")
def server(space, mirror, tmp_path_factory):
    with Server(space.root, tmp_path_factory.mktemp("server")) as server:
        yield server


@pytest.fixture(scope="module")
def browser(server, tmp_path_factory):
    """One browser for all tests: to start it and to load JupyterLab into an empty one takes several seconds."""
    with Lab(server, tmp_path_factory.mktemp("browser")) as browser:
        yield browser


def put_notebooks(space):
    """Notebooks that nobody has opened."""
    shutil.rmtree(space.root / "notebooks", ignore_errors=True)
    shutil.copytree(NOTEBOOKS, space.root / "notebooks", ignore=shutil.ignore_patterns(".*"))


@pytest.fixture
def lab(browser, space):
    """The browser, without a page and a kernel, and fresh notebooks."""
    browser.leave()
    put_notebooks(space)
    return browser


@pytest.fixture(scope="module")
def lab_with_03(browser, space):
    """The browser with 03, whose panel is there; for two tests, since a kernel imports for seconds."""
    browser.leave()
    put_notebooks(space)
    browser.open("notebooks/03_inference.ipynb")
    browser.run_panel()
    return browser


@pytest.fixture(scope="module")
def trained(space):
    """The first run that was trained in the browser; where these tests run alone, one that is trained here."""
    found = sorted(space.checkpoints.glob(f"{CHOSEN}_*"))
    if not found:
        small = {"detector": CHOSEN, "epochs": 2, "batch_size": 8, "frames_per_video": 1}
        run_notebook("02_train", small, workspace=space)
        found = sorted(space.checkpoints.glob(f"{CHOSEN}_*"))
    return found[0].name


def test_widgets_decide_what_is_trained(lab, space):
    lab.open("notebooks/02_train.ipynb")
    lab.shot("02_top")
    lab.run_panel()
    lab.show(lab.wait(".dfw-card"))
    lab.shot("02_panel")

    lab.choose("Detector", "mesonet4_lstm")
    lab.wait(".dfw-command code", text="dfworkbench run 02_train -p detector mesonet4_lstm")
    lab.choose("Detector", CHOSEN)
    lab.type_into("Epochs", "2")
    lab.type_into("Batch size", "8")
    lab.type_into("Frames per video", "1")
    words = f"dfworkbench run 02_train -p detector {CHOSEN} -p epochs 2 -p batch_size 8 -p frames_per_video 1"
    lab.wait(".dfw-command code", text=words)
    lab.show(lab.wait(".dfw-card"))
    lab.shot("02_panel_changed")

    lab.run_below("data = prepare(settings).train", 500)
    live = lab.wait(".dfw-title", text="epoch 2 of 2, finished")
    lab.wait(".jp-OutputArea-output td", text="video")  # the table of the test split
    assert lab.all("img[alt='training curves']")
    lab.show(live)
    lab.shot("02_curves")
    folder = max(space.checkpoints.iterdir(), key=lambda path: path.stat().st_mtime)
    settings = json.loads((folder / "settings.json").read_text())
    assert (settings["detector"], settings["epochs"], settings["batch_size"]) == (CHOSEN, 2, 8)
    assert lab.troubles() == []


def test_each_of_two_people_gets_a_timeline(lab_with_03, space, trained):
    lab = lab_with_03
    lab.choose("Checkpoint", trained)
    lab.type_into("Path", "data/demo/extras/two_people_one_forged.mp4")
    lab.wait(".dfw-card .dfw-hint", text="video, ")  # what lies there
    lab.type_into("Frames", "8")
    video = space.root / "data/demo/extras/two_people_one_forged.mp4"  # absolute: a terminal may be in another folder
    words = f"-p checkpoint {trained} -p path {video} -p frames 8"
    lab.wait(".dfw-command code", text=words)
    lab.show(lab.wait(".dfw-card"))
    lab.shot("03_panel_changed")

    lab.run_below("PublishedDetectors(panel)", 200)
    assert lab.troubles() == []
    lab.show(lab.wait(".jp-CodeCell", text="results = [score("))
    lab.shot("03_timelines")
    for track in (0, 1):
        assert lab.all(f"img[alt='faces of track {track}']")
    assert len(lab.all("img[alt^='timeline of track'][alt*=': 8 faces, fake probability']")) == 2
    verdict = lab.wait(".jp-OutputArea-output span", text=" fake").text
    assert 0 <= float(verdict.removesuffix(" fake")) <= 1
    lab.wait(".jp-OutputArea-output td", text="video")  # how good it is on the test split
    lab.show(lab.wait(".jp-CodeCell", text="plot_tracks(file)"))
    lab.shot("03_figure")

    if importlib.util.find_spec("anywidget"):  # the extra [app]
        lab.show(lab.wait(".jp-CodeCell", text="scoring_desk(panel)"))
        lab.wait(".dfw-drop input").send_keys(str(video))
        assert lab.wait(".dfw-card .dfw-card.plain .dfw-chip", 120, text=" fake").text == verdict
        lab.shot("03_desk")
        assert lab.troubles() == []


def test_a_published_detector_is_got_with_clicks_and_stands_beside_a_run(lab_with_03, trained, mirror):
    lab = lab_with_03
    lab.type_into("Compare", trained)
    lab.type_into("Path", "data/demo/extras/two_people_one_forged.mp4")
    lab.type_into("Frames", "4")
    lab.run_cell("PublishedDetectors(panel)")
    lab.wait(".dfw-published td", text="gend_clip")
    lab.show(lab.wait(".dfw-published"))
    lab.shot("03_published_list")

    lab.choose_in(".dfw-published", "dfb_meso4:")
    lab.wait(".dfw-published .dfw-title", text="DeepfakeBench, Meso4")
    lab.show(lab.wait(".dfw-published"))
    lab.shot("03_published_card")
    get = lab.wait(".dfw-published button", text="Get")
    assert not get.is_enabled()
    lab.wait(".dfw-published input[type='checkbox']").click()
    lab.until(get.is_enabled, 20, "the button that gets the file")
    assert not mirror.asked
    get.click()
    lab.wait(".dfw-published .dfw-good", 120, text="is the checkpoint of the panel now")
    assert len(mirror.asked) == 1
    lab.wait(".dfw-command code", text=f"-p checkpoint dfb_meso4 -p compare {trained}")
    lab.show(lab.wait(".dfw-published"))
    lab.shot("03_published_got")

    for words in ("runs = settings.runs()", "results = [score(", "side_by_side(results)"):
        lab.run_cell(words)
    heads = lab.wait(".dfw-side thead", 120).text
    assert "dfb_meso4" in heads
    assert trained in heads
    assert lab.troubles() == []
    lab.show(lab.wait(".jp-CodeCell", text="side_by_side(results)"))
    lab.shot("03_side_by_side")


def test_the_slider_moves_the_verdicts_and_runs_no_cell(lab, space, trained, monkeypatch):
    lab.open("notebooks/04_evaluation.ipynb")
    lab.run_panel()
    lab.type_into("Runs", trained)
    lab.type_into("Perturbations", "jpeg")
    lab.type_into("Levels", "3")
    lab.wait(".dfw-command code", text=f"-p runs {trained} -p perturbations jpeg -p levels 3")
    for words in ("study = Evaluation(settings)", "study.explorer()"):  # the other cells run in notebooks/test_run.py
        lab.run_cell(words)
    assert lab.troubles() == []

    before, prompts = verdicts(lab), lab.prompts()
    lab.show(lab.wait(".jp-CodeCell", text="study.explorer()"))
    lab.shot("04_slider")
    lab.press("False alarms up to", "END")
    lab.until(lambda: verdicts(lab).words != before.words, 30, "other verdicts")
    lab.shot("04_slider_moved")
    after = verdicts(lab)
    assert "never fake (at most 20.0% of reals)" in before.words  # two genuine files cannot vouch for it
    assert "fake above" in after.words
    assert "(at most 50.0% of reals)" in after.words
    assert before.picture != after.picture
    assert lab.prompts() == prompts  # no cell has run
    lab.press("False alarms up to", "ARROW_LEFT", "ARROW_LEFT")
    lab.until(lambda: "(at most 48.0% of reals)" in verdicts(lab).words, 30, "a step of one per cent")

    monkeypatch.setenv("DFWORKBENCH_HOME", str(space.root))
    own = Evaluation(EvaluationSettings(runs=[trained]), progress=False).explorer()
    assert before.table == rows(own)
    own.false_alarms.value = 0.5
    assert after.table == rows(own)


class Verdicts(NamedTuple):
    """What the page shows below the sliders."""

    words: str
    picture: str
    table: list[list[str]]


def verdicts(lab):
    picture = lab.wait("img[alt^='verdicts']")
    table = lab.after(picture, "table")
    return Verdicts(
        picture.get_attribute("alt"),
        picture.get_attribute("src"),
        [[cell.text for cell in lab.inside(row, "th, td")] for row in lab.inside(table, "tr")[1:]],
    )


def rows(explorer):
    """The same table without a browser."""
    return [[str(value) for value in row] for row in explorer.table().itertuples()]


def test_a_wrong_value_is_refused_while_it_is_typed(lab):
    lab.open("notebooks/01_data_extraction.ipynb")
    lab.run_panel()
    lab.type_into("Root", "data/demoo")
    lab.wait(".dfw-bad", text="does not exist")
    lab.type_into("Name", "")
    lab.wait(".dfw-bad", text="ExtractSettings.name")
    lab.show(lab.wait(".dfw-card"))
    lab.shot("01_panel_refuses")
    lab.type_into("Name", "demo")
    lab.wait(".dfw-good", text="valid")
