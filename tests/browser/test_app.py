"""What an analyst does in the application, who writes no code: drops a clip, waits, reads the card, closes the page.

Skipped where Chromium, its driver, selenium or the extra [app] is missing; see test_lab.py.
"""

import importlib.util
import urllib.error
import urllib.request

import pytest
import torch
from app import App, Page
from demo_set import copy_source
from lab import CHROMIUM, DRIVER

from dfworkbench.models import build_detector
from dfworkbench.runs.checkpoints import save_detector
from dfworkbench.runs.layout import BEST, epoch_file

_MISSING = [
    name
    for name, found in (
        ("chromium", CHROMIUM),
        ("chromedriver", DRIVER),
        *((name, importlib.util.find_spec(name)) for name in ("selenium", "voila", "anywidget")),
    )
    if not found
]
pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(bool(_MISSING), reason=f"not installed: {', '.join(_MISSING)}"),
]
RUN, SMALL = "seeded", {"size_px": 64}
EDGE = "return Math.max(...[...document.querySelectorAll('.dfw-card.plain, .dfw-note')].map(e => e.getBoundingClientRect().right))"
#: Asks the kernel of the page to write a file, in the words with which JupyterLab runs a cell.
EXECUTE = """
    const [kernel, path, done] = arguments;
    const socket = new WebSocket(`ws://${location.host}/api/kernels/${kernel}/channels?session_id=intruder`);
    const header = {msg_id: "1", msg_type: "execute_request", session: "intruder", username: "", version: "5.3", date: ""};
    const content = {code: `open(${JSON.stringify(path)}, "w")`, silent: false, store_history: false, user_expressions: {},
                     allow_stdin: false, stop_on_error: true};
    socket.onopen = () => {
      socket.send(JSON.stringify({channel: "shell", header, parent_header: {}, metadata: {}, content, buffers: []}));
      setTimeout(() => done("sent"), 3000);
    };
    socket.onerror = () => done("refused");"""


@pytest.fixture(scope="module")
def space(demo_source, tmp_path_factory):
    space = copy_source(demo_source, tmp_path_factory.mktemp("application"))
    torch.manual_seed(0)
    folder = space.checkpoints / RUN
    record = {"provenance": {"domain": "generated", "settings": {"dataset": "demo"}}}
    save_detector(epoch_file(folder, 1), build_detector("mesonet4", **SMALL), "mesonet4", SMALL, record)
    (folder / BEST).write_text('{"epoch": 1}')
    (folder / "settings.json").write_text('{"dataset": "demo", "detector": "mesonet4"}')
    return space


@pytest.fixture(scope="module")
def app(space, tmp_path_factory):
    with App(space.root, tmp_path_factory.mktemp("server")) as app:
        yield app


@pytest.fixture
def page(app, tmp_path):
    with Page(app, tmp_path, (1280, 1100)) as page:
        yield page


def test_a_clip_is_dropped_and_its_card_is_read(page, app, space, tmp_path):
    page.open()
    assert page.all(".jp-InputArea") == []  # no sources
    page.shot("app_empty")
    page.choose("Checkpoint", RUN)

    page.drop(space.data / "demo" / "extras" / "two_people_one_forged.mp4")
    verdict = page.wait(".dfw-card.plain .dfw-chip", 120, " fake").text
    assert 0 <= float(verdict.removesuffix(" fake")) <= 1
    for track in (0, 1):
        assert page.all(f"img[alt='faces of track {track}']")
    assert len(page.all("img[alt^='timeline of track'][alt*=': 4 faces, fake probability']")) == 2
    page.wait(".dfw-note", text="generated data only")
    page.wait(".dfw-hint", text="not proof")
    assert "two_people_one_forged.mp4" in page.wait(".dfw-card.plain b").text
    assert app.uploads() == ["two_people_one_forged.mp4"]
    for width in (1280, 375):
        page.resize(width, 1500)
        page.shot(f"app_card_{width}")
        assert page.browser.execute_script("return document.body.scrollWidth") <= width
        assert page.browser.execute_script(EDGE) <= width - 14, "nothing is cut off"
    assert str(space.root) not in page.browser.page_source

    (tmp_path / "note.mp4").write_text("no clip")
    page.drop(tmp_path / "note.mp4")
    page.wait(".dfw-card.plain", 60, "note.mp4 · no score (unreadable)")
    assert app.uploads() == ["note.mp4"]
    page.shot("app_unreadable")
    with (tmp_path / "long.mp4").open("wb") as file:
        file.truncate(1_000_001)
    page.drop(tmp_path / "long.mp4")
    page.wait(".dfw-drop-problem", 30, "Expected up to 1 MB")
    page.shot("app_too_large")

    kernel = page.browser.execute_script(
        "return JSON.parse(document.getElementById('jupyter-config-data').text).kernelId"
    )
    page.browser.set_script_timeout(30)
    assert page.browser.execute_async_script(EXECUTE, kernel, str(tmp_path / "intruder")) == "sent"
    assert not (tmp_path / "intruder").exists()  # Voilà passes no such message on
    with pytest.raises(urllib.error.HTTPError, match="503"):  # the only place is taken
        urllib.request.urlopen(app.url, timeout=60)

    page.drop(space.data / "demo" / "extras" / "two_people_one_forged.mp4")
    page.wait(".dfw-card.plain .dfw-chip", 60, " fake")
    assert app.uploads() == ["two_people_one_forged.mp4"]
    page.browser.get("about:blank")
    page.until(lambda: not app.uploads(), 30, "the uploads of a page that was closed are removed")
    assert app.process.poll() is None


def test_without_the_token_nothing_is_served(app):
    for path in ("/", "/voila/render/03_inference.ipynb", "/voila/render/10_evidence_report.ipynb"):
        with urllib.request.urlopen(app.address + path, timeout=30) as answer:
            assert "/login" in answer.url
    for path in (
        "/voila/files/03_inference.ipynb",
        "/voila/api/contents/",
        "/voila/tree",
        "/api/contents/",
        "/api/kernels",
    ):
        with pytest.raises(urllib.error.HTTPError, match=r"404|403"):
            urllib.request.urlopen(app.address + path + app.url.rpartition("/")[2], timeout=30)
