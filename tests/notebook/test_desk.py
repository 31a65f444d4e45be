"""A desk examines the file that is dropped on it; its ends are notes on the page, which name no place on the machine."""

from pathlib import Path

import pytest
from IPython.display import HTML

from dfworkbench.core.errors import InputError
from dfworkbench.core.workspace import HOME_VARIABLE
from dfworkbench.notebook import desk as desk_module
from dfworkbench.notebook.desk import file_desk
from dfworkbench.notebook.visit import MOST_VARIABLE, UPLOADS_VARIABLE, kernel_of, visit

KERNEL = "0f1e2d3c-1111-2222-3333-444455556666"


@pytest.fixture
def visitor(tmp_path, monkeypatch):
    """A kernel of the application."""
    monkeypatch.setenv(HOME_VARIABLE, str(tmp_path))
    monkeypatch.setenv(UPLOADS_VARIABLE, str(tmp_path / "uploads"))
    monkeypatch.setenv(MOST_VARIABLE, "5000000")
    monkeypatch.setattr("ipykernel.connect.get_connection_file", lambda: f"/run/kernel-{KERNEL}.json")
    return tmp_path / "uploads" / KERNEL


def examine(desk, folder: Path, name: str = "clip.mp4") -> str:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(b"clip")
    desk.drop.name, desk.drop.path = name, folder / name
    desk.wait(20)
    return desk.result.value


def test_a_visitor_is_known_by_the_kernel(visitor):
    found = visit()
    assert found is not None
    assert found == (visitor, 5_000_000)
    assert kernel_of(f"/x/kernel-{KERNEL}.json") == KERNEL


def test_outside_of_the_application_there_is_no_visitor():
    assert visit() is None


def test_without_the_extra_a_note_says_how_to_get_it(monkeypatch):
    monkeypatch.setattr(desk_module.importlib.util, "find_spec", lambda name: None)
    shown = file_desk("Evidence", "", "Again", lambda path, tell: "")
    assert isinstance(shown, HTML)
    assert "dfworkbench[app]" in str(shown.data)


class TestWithTheExtra:
    @pytest.fixture(autouse=True)
    def _extra(self):
        pytest.importorskip("anywidget", reason="anywidget, of the extra [app], is not installed")

    def test_what_was_found_is_shown_and_outlives_the_kernel(self, visitor):
        seen = []
        desk = file_desk("Evidence", "hint", "Again", lambda path, tell: seen.append(path) or f"<b>{path}</b>")
        assert "No file was dropped" in desk._repr_html_()
        assert examine(desk, visitor) == "<b>clip.mp4</b>"
        assert seen == [visitor / "clip.mp4"]
        assert "<b>clip.mp4</b>" in desk._repr_html_()
        assert desk._repr_mimebundle_()["text/html"] == desk._repr_html_()
        assert "5 MB" in desk.box.children[0].value

    def test_an_error_is_a_note_without_places_of_the_machine(self, visitor, tmp_path):
        def work(path, tell):
            raise InputError(f"reading {path}: it is odd, see {tmp_path}/labels. Expected a clip. Choose another.")

        shown = examine(file_desk("Evidence", "", "Again", work), visitor)
        assert "dfw-note bad" in shown
        assert "reading clip.mp4: it is odd, see labels. Expected a clip." in shown
        assert str(tmp_path) not in shown

    def test_a_mistake_of_ours_is_a_note_without_details(self, visitor, caplog):
        def work(path, tell):
            raise ZeroDivisionError("secret")

        shown = examine(file_desk("Evidence", "", "Again", work), visitor)
        assert "unexpected ZeroDivisionError" in shown
        assert "secret" not in shown
        assert "secret" in caplog.text

    def test_the_file_can_be_examined_again_and_removed(self, visitor):
        runs = iter(("first", "second"))
        desk = file_desk("Evidence", "", "Again", lambda path, tell: next(runs))
        assert desk.again.layout.display == desk.remove.layout.display == "none"
        assert examine(desk, visitor) == "first"
        desk.again.click()
        desk.wait(20)
        assert desk.result.value == "second"
        desk.remove.click()
        assert list(visitor.iterdir()) == []
        assert desk.result.value == ""
        desk.again.click()  # nothing is there
        assert desk.result.value == ""
