"""The application: which cells and settings reach a visitor, whose uploads are removed when, and what is refused."""

import signal
import subprocess
import sys

import nbformat
import pytest

from dfworkbench.__main__ import main
from dfworkbench.core.errors import MissingDependencyError, ParameterError
from dfworkbench.core.workspace import HOME_VARIABLE, Workspace
from dfworkbench.evidence.settings import EvidenceSettings
from dfworkbench.notebook import evidence, inference
from dfworkbench.notebook.app import AppSettings, serve_app
from dfworkbench.notebook.app_pages import PAGES, write_pages
from dfworkbench.notebook.app_uploads import remove_ended, uploads_of_server, visitors_folder
from dfworkbench.notebook.controls import NameBox
from dfworkbench.notebook.inference import InferenceSettings
from dfworkbench.notebook.panel import SettingsPanel
from dfworkbench.notebook.pickers import CHOICES
from dfworkbench.notebook.published import checkpoints
from dfworkbench.notebook.shipped import shipped_folder

HOLD = """
import sys, time
from pathlib import Path
from dfworkbench.core.workspace import Workspace
from dfworkbench.notebook.app_uploads import uploads_of_server
with uploads_of_server(Workspace(Path(sys.argv[1]))) as folder:
    (folder / "visitor").mkdir()
    (folder / "visitor" / "clip.mp4").write_bytes(b"clip")
    print(folder, flush=True)
    time.sleep(60)
"""


@pytest.fixture
def space(tmp_path):
    return Workspace(tmp_path)


def folders(space):
    return {path.name for path in visitors_folder(space).iterdir() if path.is_dir()}


def hold(space):
    return subprocess.Popen([sys.executable, "-c", HOLD, str(space.root)], stdout=subprocess.PIPE, text=True)


# -- pages ----------------------------------------------------------------------------------------------------------------


def test_a_page_is_the_tagged_cells_of_its_notebook_and_nothing_else(space, tmp_path):
    (tmp_path / "pages").mkdir()
    pages = write_pages(tmp_path / "pages", space, {"checkpoint": "mine", "frames": "8"})
    assert [path.stem for path in pages] == ["03_inference", "10_evidence_report"]
    for path in pages:
        head, settings, *rest = nbformat.read(path, as_version=4).cells
        stored = nbformat.read(shipped_folder() / path.name, as_version=4).cells
        assert [cell.source for cell in rest] == [
            cell.source for cell in stored if "app" in cell.metadata.get("tags", [])
        ]
        assert len(rest) == 2
        compile("\n".join(cell.source for cell in (head, settings, *rest)), path.name, "exec")
        assert PAGES[1].title in head.source
    scope = {}
    exec(nbformat.read(pages[0], as_version=4).cells[1].source, scope)
    assert (scope["checkpoint"], scope["frames"], scope["path"]) == ("mine", 8, "")


def test_a_wrong_parameter_is_refused(space, tmp_path):
    with pytest.raises(ParameterError, match="framess"):
        write_pages(tmp_path, space, {"framess": "8"})


# -- what a visitor may set -----------------------------------------------------------------------------------------------


@pytest.fixture
def as_visitor(tmp_path, monkeypatch):
    monkeypatch.setenv(HOME_VARIABLE, str(tmp_path))
    for module in ("panel", "published"):
        monkeypatch.setattr(f"dfworkbench.notebook.{module}.visit", lambda: (tmp_path, 1))


@pytest.mark.parametrize(
    ("settings", "fields"),
    [
        (InferenceSettings(path="secret"), inference.VISITOR_FIELDS),
        (EvidenceSettings(evidence=["secret"]), evidence.VISITOR_FIELDS),
    ],
)
def test_no_widget_of_a_visitor_takes_a_path(as_visitor, settings, fields):
    choices = {"reference": evidence.REFERENCE_CHOICE}
    panel = SettingsPanel(settings, title="x", choices=choices, visitors=fields)
    assert set(panel._controls) == set(fields)
    assert not panel._uploads
    for name in fields:
        field, free = panel._controls[name].field, isinstance(panel[name], NameBox)
        assert not free
        assert field.kind != "path"
        assert name not in CHOICES or not hasattr(panel[name], "continuous_update")  # names are chosen, not typed
    assert settings == panel.settings
    assert panel._command not in panel.box.children
    assert "secret" not in str(panel._repr_mimebundle_())


def test_a_panel_that_names_no_fields_shows_none(as_visitor):
    assert not SettingsPanel(InferenceSettings())._controls


def test_visitors_choose_among_published_detectors_that_are_here(as_visitor):
    assert not any(name.startswith("zoo:") for name in checkpoints())


# -- uploads --------------------------------------------------------------------------------------------------------------


def test_uploads_end_with_their_visitor_and_with_the_server(space):
    with uploads_of_server(space) as folder:
        for kernel in ("here", "gone"):
            (folder / kernel).mkdir()
            (folder / kernel / "clip.mp4").write_bytes(b"clip")
        remove_ended(folder, ["here"])
        assert sorted(path.name for path in folder.iterdir() if path.is_dir()) == ["here"]
        assert folder.stat().st_mode & 0o077 == 0
    assert folders(space) == set()


def test_what_a_killed_server_left_is_removed_at_the_next_start_and_a_running_one_is_left_alone(space):
    killed, running = hold(space), hold(space)
    try:
        left, kept = (process.stdout.readline().strip() for process in (killed, running))
        killed.send_signal(signal.SIGKILL)
        killed.wait()
        assert folders(space) == {name.rpartition("/")[2] for name in (left, kept)}
        with uploads_of_server(space) as mine:
            assert folders(space) == {mine.name, kept.rpartition("/")[2]}
    finally:
        running.kill()
        running.wait()


# -- refusals -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("wrong", [{"port": 70000}, {"upload_mb": 0}, {"visitors": 0}])
def test_settings_out_of_range_are_refused(space, wrong):
    (name,) = wrong
    with pytest.raises(ParameterError, match=rf"{name} is {wrong[name]}\. Expected"):
        serve_app(AppSettings(**wrong), print, space)


def test_without_the_extra_the_command_says_how_to_get_it(space, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "voila.app", None)
    monkeypatch.delitem(sys.modules, "dfworkbench.notebook.app_server", raising=False)
    monkeypatch.setenv(HOME_VARIABLE, str(space.root))
    with pytest.raises(MissingDependencyError, match=r"dfworkbench\[app\]"):
        serve_app(AppSettings(), print, space)
    assert main(["app", "--no-browser"]) == 2
    assert "dfworkbench[app]" in capsys.readouterr().err
