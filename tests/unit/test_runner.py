import nbformat
import pytest

from dfworkbench.errors import DataNotFoundError, NotebookError, ParameterError
from dfworkbench.notebook.freeze import STATE, VIEW, freeze_widgets
from dfworkbench.notebook.parameters import check_parameters, find_notebook, read_parameters
from dfworkbench.notebook.runner import run_notebook
from dfworkbench.workspace import Workspace

PARAMETERS = """\
epochs: int = 3  # passes
rate: float = 0.1  # step
name: str = "a"  # what it is called
fast: bool = True  # skip the slow part
kinds: list[str] = ["x"]  # which"""
BODY = """\
from pathlib import Path
from dfworkbench.workspace import find_workspace
(find_workspace().root / "out.txt").write_text(f"{epochs + 1} {rate} {name} {fast} {kinds} {Path.cwd()}")"""


def write(path, *cells):
    nodes = [nbformat.v4.new_code_cell(PARAMETERS, metadata={"tags": ["parameters"]})]
    nodes += [nbformat.v4.new_code_cell(cell) for cell in cells]
    path.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(nbformat.v4.new_notebook(cells=nodes), path)
    return path


@pytest.fixture
def space(tmp_path, monkeypatch):
    monkeypatch.delenv("DFWORKBENCH_HOME", raising=False)
    write(tmp_path / "notebooks" / "77_toy.ipynb", BODY)
    return Workspace(tmp_path)


@pytest.fixture
def known(space):
    return read_parameters(nbformat.read(find_notebook("77_toy", space), as_version=4))


def test_parameters_are_read_with_type_default_and_comment(known):
    assert list(known) == ["epochs", "rate", "name", "fast", "kinds"]
    assert (known["rate"].type, known["rate"].default, known["rate"].comment) == (float, 0.1, "step")


def test_text_is_converted_and_numbers_widened(known):
    text = {"epochs": "5", "rate": "1e-3", "name": "b", "fast": "false", "kinds": "x, y"}
    assert check_parameters(text, known, "toy") == {
        "epochs": 5, "rate": 1e-3, "name": "b", "fast": False, "kinds": ["x", "y"],
    }  # fmt: skip
    assert check_parameters({"rate": 1}, known, "toy") == {"rate": 1.0}


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"epoch": 3}, "77_toy has no parameter 'epoch'. Did you mean 'epochs'?"),
        ({"epochs": "many"}, "parameter 'epochs' is 'many'; it must be of type int"),
        ({"epochs": 2.5}, "must be of type int"),
        ({"epochs": True}, "must be of type int"),
        ({"fast": "perhaps"}, "must be of type bool"),
        ({"name": 3}, "must be of type str"),
    ],
)
def test_wrong_parameters_are_refused_before_anything_runs(space, values, message):
    with pytest.raises(ParameterError) as caught:
        run_notebook("77_toy", values, workspace=space)
    assert message in str(caught.value)
    assert not (space.root / "out.txt").exists()
    assert not (space.root / "report").exists()


def test_unknown_notebook_names_the_closest(space):
    with pytest.raises(DataNotFoundError, match="Did you mean '77_toy'"):
        run_notebook("77_toys", workspace=space)


def test_untyped_parameter_is_refused():
    cell = nbformat.v4.new_code_cell("epochs = 3", metadata={"tags": ["parameters"]})
    with pytest.raises(ParameterError, match="name: type = value"):
        read_parameters(nbformat.v4.new_notebook(cells=[cell]))


def test_a_run_leaves_notebook_page_and_results(space, monkeypatch):
    monkeypatch.chdir("/")  # any working directory
    executed = run_notebook("77_toy", {"epochs": "5"}, workspace=space)
    assert (space.root / "out.txt").read_text() == f"6 0.1 a True ['x'] {space.root}"
    assert executed == space.root / "report" / "notebooks" / "77_toy.ipynb"
    assert "injected-parameters" in executed.read_text()
    assert "<html" in executed.with_suffix(".html").read_text()


def test_a_failing_cell_is_named_and_the_rest_is_kept(space):
    write(space.root / "notebooks" / "78_bad.ipynb", "before = 1", "1 / (before - 1)", "after = 2")
    target = space.root / "kept" / "bad.ipynb"
    with pytest.raises(NotebookError) as caught:
        run_notebook("78_bad", output=target, workspace=space)
    message = str(caught.value)
    assert "78_bad.ipynb stopped in cell 3 (In [3], 4 cells in all)" in message
    assert "1 / (before - 1)" in message
    assert "ZeroDivisionError: division by zero" in message
    assert str(target) in message
    assert "ZeroDivisionError" in target.read_text()
    assert target.with_suffix(".html").is_file()


def test_the_record_goes_into_the_run_folder(space):
    folder = space.root / "checkpoints" / "m"
    folder.mkdir(parents=True)
    body = f"from pathlib import Path\nfrom dfworkbench.notebook.runner import record_run\nrecord_run(Path({str(folder)!r}))"
    write(space.root / "notebooks" / "79_run.ipynb", body)
    executed = run_notebook("79_run", workspace=space)
    assert (folder / "notebook.ipynb").read_bytes() == executed.read_bytes()


def bar(style):
    models = {
        "bar": {"state": {"_model_name": "HBoxModel", "children": ["IPY_MODEL_l", "IPY_MODEL_p", "IPY_MODEL_r"]}},
        "l": {"state": {"_model_name": "HTMLModel", "value": "faces:&nbsp;100%"}},
        "p": {"state": {"_model_name": "FloatProgressModel", "value": 16.0, "bar_style": style}},
        "r": {"state": {"_model_name": "HTMLModel", "value": " 16/16 [00:03&lt;00:00]"}},
    }
    output = nbformat.v4.new_output("display_data", data={VIEW: {"model_id": "bar"}, "text/plain": "faces:   0%"})
    cell = nbformat.v4.new_code_cell("x", outputs=[output])
    return nbformat.v4.new_notebook(cells=[cell], metadata={"widgets": {STATE: {"state": models}}})


def test_widgets_become_what_they_showed():
    notebook = bar("success")
    frozen = freeze_widgets(notebook)
    assert frozen.cells[0].outputs[0]["data"] == {"text/plain": "faces:\xa0100% 16/16 [00:03<00:00]"}
    assert "widgets" not in frozen.metadata
    assert "widgets" in notebook.metadata


def test_a_menu_becomes_what_was_chosen_in_it():
    notebook = bar("success")
    state = {"_model_name": "DropdownModel", "description": "Open", "_options_labels": ["a", "b"], "index": 1}
    notebook.metadata["widgets"][STATE]["state"]["bar"]["state"] = state
    assert freeze_widgets(notebook).cells[0].outputs[0]["data"] == {"text/plain": "Open: b"}


def test_bars_that_were_taken_away_stay_away():
    assert freeze_widgets(bar("")).cells[0].outputs == []


def test_a_kernel_that_dies_is_an_error_with_words(space):
    write(space.root / "notebooks" / "80_dead.ipynb", "import os\nos._exit(1)")
    with pytest.raises(NotebookError, match="its kernel died"):
        run_notebook("80_dead", workspace=space)
