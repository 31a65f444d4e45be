"""Notebooks in a workspace: what was edited stays, what was not is updated, and what is run."""

import json
from pathlib import Path

import pytest

from dfworkbench.core.errors import DataNotFoundError, OutputError, ParameterError
from dfworkbench.core.workspace import Workspace, find_workspace
from dfworkbench.notebook import shipped
from dfworkbench.notebook.lab import make_lab, open_lab
from dfworkbench.notebook.parameters import find_notebook
from dfworkbench.notebook.shipped import RECORD, copy_notebooks, known_notebooks, shipped_folder


@pytest.fixture
def release(tmp_path, monkeypatch):
    """The folder of a release with two notebooks."""
    folder = tmp_path / "release"
    folder.mkdir()
    for name in ("00_start.ipynb", "01_next.ipynb"):
        write(folder / name, "epochs = 3")
    monkeypatch.setattr(shipped, "shipped_folder", lambda: folder)
    return folder


@pytest.fixture
def space(tmp_path):
    return Workspace(tmp_path / "workspace")


def write(path, *sources, outputs=(), **metadata):
    cells = [
        {"cell_type": "code", "source": source.splitlines(True), "metadata": {}, "outputs": list(outputs)}
        for source in sources
    ]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"cells": cells, "metadata": metadata, "nbformat": 4, "nbformat_minor": 5}))
    return path


def test_a_workspace_gets_all_notebooks_once(release, space):
    copied = copy_notebooks(space)
    assert copied.new == ("00_start.ipynb", "01_next.ipynb")
    assert (space.notebooks / "01_next.ipynb").read_bytes() == (release / "01_next.ipynb").read_bytes()
    again = copy_notebooks(space)
    assert (again.new, again.updated, again.kept, again.unchanged) == ((), (), (), 2)


def test_what_nobody_edited_follows_a_new_release(release, space):
    copy_notebooks(space)
    write(release / "00_start.ipynb", "epochs = 5")
    assert copy_notebooks(space).updated == ("00_start.ipynb",)
    assert "epochs = 5" in (space.notebooks / "00_start.ipynb").read_text()


@pytest.mark.parametrize(
    "change",
    [
        lambda path: write(path, "epochs = 4"),
        lambda path: write(path, "epochs = 3", outputs=[{"output_type": "stream", "name": "stdout", "text": "0.9"}]),
        lambda path: path.write_text("no notebook any more"),
    ],
    ids=["edited", "run", "damaged"],
)
def test_what_was_edited_or_run_stays_and_the_newer_one_is_named(release, space, change):
    copy_notebooks(space)
    mine = space.notebooks / "00_start.ipynb"
    change(mine)
    before = mine.read_bytes()
    assert copy_notebooks(space).kept == ()  # nothing newer to name
    write(release / "00_start.ipynb", "epochs = 5")
    for _ in range(2):  # it is said again, not once
        copied = copy_notebooks(space)
        assert copied.kept == ("00_start.ipynb",)
        assert mine.read_bytes() == before
    assert "00_start.ipynb" in str(copied)
    assert "rename yours" in str(copied)
    mine.rename(space.notebooks / "my_start.ipynb")  # the advice
    assert copy_notebooks(space).new == ("00_start.ipynb",)
    assert (space.notebooks / "my_start.ipynb").read_bytes() == before


def test_a_notebook_of_the_same_name_that_was_there_first_stays(release, space):
    mine = write(space.notebooks / "00_start.ipynb", "mine")
    copied = copy_notebooks(space)
    assert (copied.new, copied.kept) == (("01_next.ipynb",), ("00_start.ipynb",))
    assert "mine" in mine.read_text()


def test_without_its_record_nothing_is_overwritten(release, space):
    copy_notebooks(space)
    (space.notebooks / RECORD).write_text("[damaged")
    write(release / "00_start.ipynb", "epochs = 5")
    assert copy_notebooks(space).kept == ("00_start.ipynb",)


def test_metadata_that_jupyterlab_changes_is_no_edit(release, space):
    copy_notebooks(space)
    write(space.notebooks / "00_start.ipynb", "epochs = 3", language_info={"version": "3.11.7"})
    write(release / "00_start.ipynb", "epochs = 5")
    assert copy_notebooks(space).updated == ("00_start.ipynb",)


def test_run_takes_an_edited_copy_and_else_the_shipped_notebook(release, space):
    copy_notebooks(space)
    write(space.notebooks / "00_start.ipynb", "epochs = 4")
    write(space.notebooks / "55_own.ipynb", "x = 1")
    write(release / "01_next.ipynb", "epochs = 5")  # the copy in the workspace is older, and nobody edited it
    found = known_notebooks(space)
    assert found["00_start"] == (space.notebooks / "00_start.ipynb").resolve()
    assert found["01_next"] == (release / "01_next.ipynb").resolve()
    assert found["55_own"] == (space.notebooks / "55_own.ipynb").resolve()
    assert find_notebook("01_next", space) == found["01_next"]


def test_labs_have_a_folder_of_their_own(release, space):
    lab = write(release / "labs" / "lab_1_look.ipynb", "seed = 0")
    assert copy_notebooks(space).new == ("00_start.ipynb", "01_next.ipynb", "labs/lab_1_look.ipynb")
    mine = space.notebooks / "labs" / "lab_1_look.ipynb"
    assert find_notebook("labs/lab_1_look", space) == lab.resolve()  # nobody edited the copy
    write(mine, "seed = 7")
    assert find_notebook("labs/lab_1_look", space) == find_notebook("lab_1_look", space) == mine.resolve()
    write(lab, "seed = 1")
    assert copy_notebooks(space).kept == ("labs/lab_1_look.ipynb",)
    with pytest.raises(DataNotFoundError, match="lab_1_look"):
        find_notebook("other/lab_1_look", space)


def test_a_clone_uses_its_own_notebooks_and_gets_no_copies(tmp_path):
    clone = Workspace(shipped_folder().parent)
    assert shipped_folder() == Path(__file__).parents[2] / "notebooks"
    copied = copy_notebooks(clone)
    assert copied.unchanged == len(list(shipped_folder().rglob("*.ipynb")))
    assert not (shipped_folder() / RECORD).exists()


def test_a_lab_is_a_workspace_from_anywhere_below_it(release, tmp_path, monkeypatch):
    monkeypatch.delenv("DFWORKBENCH_HOME", raising=False)
    said = []
    space = make_lab(tmp_path / "mine", said.append)
    assert find_workspace(space.notebooks) == space
    assert {path.name for path in space.root.iterdir()} == {"notebooks", "data", "extracted", "labels", "checkpoints"}
    assert str(space.root) in said[0]
    assert "2 new" in said[0]


def test_a_lab_in_a_place_that_is_a_file_is_refused(release, tmp_path):
    (tmp_path / "taken").write_text("")
    with pytest.raises(OutputError, match="taken"):
        make_lab(tmp_path / "taken", print)


def test_a_lab_in_a_folder_that_is_read_only_is_refused(release, tmp_path, monkeypatch):

    def refuse(self, **_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "mkdir", refuse)
    with pytest.raises(OutputError, match="read-only"):
        make_lab(tmp_path / "mine", print)


@pytest.mark.parametrize("port", [-1, 65536])
def test_a_port_that_does_not_exist_is_refused_before_anything_is_made(tmp_path, port):
    with pytest.raises(ParameterError, match=f"{port}; expected 1 to 65535"):
        open_lab(tmp_path / "mine", print, port=port)
    assert not (tmp_path / "mine").exists()
