import contextlib
import json
import logging
import os
import sys

import nbformat
import pytest

from dfworkbench.core.errors import DataNotFoundError, NotebookError, OutputError, ParameterError
from dfworkbench.core.outputs import PAGE, SCORE_TABLE, mark_page, require_replaceable
from dfworkbench.core.workspace import Workspace
from dfworkbench.notebook.freeze import STATE, VIEW, freeze_widgets
from dfworkbench.notebook.parameters import check_parameters, find_notebook, place_paths, read_parameters
from dfworkbench.notebook.runner import run_notebook

PARAMETERS = """\
epochs: int = 3  # passes
rate: float = 0.1  # step
name: str = "a"  # what it is called
fast: bool = True  # skip the slow part
kinds: list[str] = ["x"]  # which"""
BODY = """\
from pathlib import Path
from dfworkbench.core.workspace import find_workspace
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


@pytest.mark.parametrize(
    ("state", "shown"),
    [
        ({"description": "Misses up to", "value": 0.05}, "Misses up to: 0.05"),
        (
            {"description": "your odds", "value": -2.0, "readout": False},
            "your odds: (a slider, which needs a running kernel)",
        ),
    ],
)
def test_a_slider_becomes_where_it_stood(state, shown):
    notebook = bar("success")
    notebook.metadata["widgets"][STATE]["state"]["bar"]["state"] = state | {"_model_name": "FloatSliderModel"}
    assert freeze_widgets(notebook).cells[0].outputs[0]["data"] == {"text/plain": shown}


def test_bars_that_were_taken_away_stay_away():
    assert freeze_widgets(bar("")).cells[0].outputs == []


@pytest.mark.parametrize("where", ["JUPYTER_PATH", "JUPYTER_DATA_DIR"])
def test_a_kernel_of_another_environment_is_not_taken(space, tmp_path, monkeypatch, where):
    """Conda, hubs and removed environments leave a kernel of the same name."""
    spec = {"argv": ["/gone/bin/python", "-f", "{connection_file}"], "display_name": "Python 3", "language": "python"}
    kernel = tmp_path / "foreign" / "kernels" / "python3" / "kernel.json"
    kernel.parent.mkdir(parents=True)
    kernel.write_text(json.dumps(spec))
    monkeypatch.setenv(where, str(tmp_path / "foreign"))
    write(tmp_path / "notebooks" / "79_python.ipynb", f"import sys\nprint(sys.executable == {sys.executable!r})")
    executed = nbformat.read(run_notebook("79_python", workspace=space), as_version=4)
    assert executed.cells[-1].outputs[0].text.strip() == "True"
    assert os.environ[where] == str(tmp_path / "foreign")


def test_a_kernel_that_dies_is_an_error_with_words(space):
    write(space.root / "notebooks" / "80_dead.ipynb", "import os\nos._exit(1)")
    with pytest.raises(NotebookError, match="its kernel died"):
        run_notebook("80_dead", workspace=space)


# -- paths as typed ---------------------------------------------------------------------------------------------------

PATHS = """\
clip: "Path" = ""  # one
clips: list["Path"] = []  # several
model: "str | Path" = ""  # a run, or a file
run: str = ""  # a name
folder: Path = ""  # without quotation marks"""


@pytest.fixture
def places(tmp_path):
    """A folder where something is typed, and a workspace; the same name lies in both."""
    typed, root = tmp_path / "typed", tmp_path / "space"
    for folder in (typed, root):
        (folder / "sub").mkdir(parents=True)
        (folder / "both.mp4").touch()
        (folder / "m").mkdir()
    (typed / "here.mp4").touch()
    (typed / "w.pth").touch()
    (root / "there.mp4").touch()
    return typed, root


def placed(places, **values):
    cell = nbformat.v4.new_code_cell(PATHS, metadata={"tags": ["parameters"]})
    known = read_parameters(nbformat.v4.new_notebook(cells=[cell]))
    return place_paths(check_parameters(values, known, "toy"), known, *places)


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("clip", "here.mp4", "typed/here.mp4"),
        ("clip", "both.mp4", "typed/both.mp4"),
        ("clip", "there.mp4", "space/there.mp4"),
        ("clip", "nowhere.mp4", "typed/nowhere.mp4"),
        ("clip", ".", "typed"),
        ("clip", "sub/../both.mp4", "typed/sub/../both.mp4"),
        ("clip", "*.mp4", "typed/*.mp4"),
        ("clip", "th*.mp4", "space/th*.mp4"),
        ("clip", "/abs/x.mp4", "/abs/x.mp4"),
        ("clip", "x" * 300, "typed/" + "x" * 300),
        ("folder", "sub", "typed/sub"),
        ("model", "w.pth", "typed/w.pth"),
        ("model", "sub/w.pth", "typed/sub/w.pth"),
    ],
)
def test_relative_paths_count_from_where_they_were_typed(places, name, value, expected):
    root = places[0].parent
    assert placed(places, **{name: value}) == {name: str(root / expected)}


@pytest.mark.parametrize(
    ("name", "value"), [("run", "both.mp4"), ("model", "m"), ("model", "run.v2"), ("model", ""), ("clip", "")]
)
def test_names_and_empty_values_stay_as_they_are(places, name, value):
    assert placed(places, **{name: value}) == {name: value}


def test_lists_of_paths_and_the_home_folder(places, monkeypatch, caplog):
    monkeypatch.setenv("HOME", "/somebody")
    found = placed(places, clips="here.mp4,there.mp4,~/x.mp4")["clips"]
    assert found == [str(places[0] / "here.mp4"), str(places[1] / "there.mp4"), "/somebody/x.mp4"]
    assert "clips 'there.mp4' is not in" in caplog.text


def test_a_run_sees_the_typed_file(space, tmp_path, monkeypatch):
    typed = tmp_path / "typed"
    typed.mkdir()
    monkeypatch.chdir(typed)
    cell = nbformat.v4.new_code_cell('clip: "Path" = ""  # one', metadata={"tags": ["parameters"]})
    body = nbformat.v4.new_code_cell("open('out.txt', 'w').write(clip)")
    nbformat.write(nbformat.v4.new_notebook(cells=[cell, body]), typed / "mine.ipynb")
    run_notebook("mine.ipynb", {"clip": "a.mp4"}, workspace=space)
    assert (space.root / "out.txt").read_text() == str(typed / "a.mp4")


@pytest.mark.parametrize(
    ("cell", "message"),
    [
        ("n: int = 1 +", "the parameters cell is not Python"),
        ("n: int = m + 1", "is computed; expected a literal"),
        ("n: dict = {}", 'allowed are str, int, float, bool, list, "Path"'),
    ],
)
def test_a_cell_that_cannot_be_read_is_an_error_with_words(cell, message):
    node = nbformat.v4.new_code_cell(cell, metadata={"tags": ["parameters"]})
    with pytest.raises(ParameterError, match=message):
        read_parameters(nbformat.v4.new_notebook(cells=[node]))


ODD = """\
# parameters of a toy
query: str = "a=b"  # has an equals sign
colour: str = "#fff"  # has a hash
kinds: list = [
    "x=1",  # first
    "y",
]  # over lines
rate: float = 0.1"""


def test_defaults_that_papermill_cannot_read_give_no_warning(tmp_path, caplog):
    cell = nbformat.v4.new_code_cell(ODD, metadata={"tags": ["parameters"]})
    out = nbformat.v4.new_code_cell("open('out.txt', 'w').write(f'{query} {colour} {kinds} {rate}')")
    path = tmp_path / "{odd}.ipynb"  # papermill takes names for format strings
    nbformat.write(nbformat.v4.new_notebook(cells=[cell, out]), path)
    known = read_parameters(nbformat.read(path, as_version=4))
    assert [known[name].comment for name in ("query", "colour", "kinds")] == [
        "has an equals sign",
        "has a hash",
        "over lines",
    ]
    values = {"query": "c=d", "colour": "", "kinds": "p,q", "rate": "-1e-3"}
    executed = run_notebook(path, values, tmp_path / "{out}.ipynb", workspace=Workspace(tmp_path))
    assert (tmp_path / "out.txt").read_text() == "c=d  ['p', 'q'] -0.001"
    assert [record for record in caplog.records if record.name.startswith("papermill")] == []
    assert nbformat.read(executed, as_version=4).metadata["papermill"]["input_path"] == path.name


def test_warnings_of_papermill_itself_are_kept(space, caplog):
    write(space.root / "notebooks" / "81_kernel.ipynb", "import logging")
    run_notebook("81_kernel", workspace=space)
    assert logging.getLogger("papermill").isEnabledFor(logging.WARNING)
    assert logging.getLogger("papermill").filters == []


# -- outputs ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("thesis.docx", "thesis", "ends in '.docx'"),
        ("thesis", None, "ends in 'no suffix'"),
        ("notes.ipynb", "no JSON", "did not write as an executed notebook"),
        ("notes.ipynb", '{"cells": [], "metadata": {}}', "did not write as an executed notebook"),
        ("notes.html", "<html>my page</html>", "did not write as a page"),
        ("folder.ipynb/x", "", "that is a folder"),
    ],
)
def test_an_output_replaces_nothing_of_others(space, tmp_path, name, content, message):
    there = tmp_path / "out" / name
    if content is not None:
        there.parent.mkdir(parents=True)
        there.write_text(content)
    target = tmp_path / "out" / name.partition("/")[0].replace(".html", ".ipynb")
    with pytest.raises(OutputError, match=message):
        run_notebook("77_toy", output=target, workspace=space)
    assert not (space.root / "out.txt").exists()
    assert content is None or there.read_text() == content


def test_links_are_judged_by_what_they_lead_to_and_never_followed(space, tmp_path):
    letter = tmp_path / "letter.ipynb"
    letter.write_text("dear reader")
    (tmp_path / "link.ipynb").symlink_to(letter)
    with pytest.raises(OutputError, match="did not write"):
        run_notebook("77_toy", output=tmp_path / "link.ipynb", workspace=space)
    source = space.root / "notebooks" / "77_toy.ipynb"
    (tmp_path / "same.ipynb").hardlink_to(source)
    for output in (source, tmp_path / "same.ipynb"):
        with pytest.raises(OutputError, match="that is the file being read"):
            run_notebook("77_toy", output=output, workspace=space)
    other = tmp_path / "elsewhere.html"
    other.write_text(mark_page("<head></head>"))
    (tmp_path / "new.html").symlink_to(other)
    run_notebook("77_toy", output=tmp_path / "new.ipynb", workspace=space)
    assert other.read_text() == mark_page("<head></head>")


def test_a_notebook_in_the_folder_of_executed_ones_does_not_overwrite_itself(space):
    executed = run_notebook("77_toy", workspace=space)
    before = executed.read_bytes()
    with pytest.raises(OutputError, match="that is the file being read"):
        run_notebook(executed, workspace=space)
    assert executed.read_bytes() == before


def test_what_a_run_wrote_may_be_written_again(space, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for _ in range(2):
        executed = run_notebook("77_toy", output="mine.ipynb", workspace=space)
    assert executed == tmp_path / "mine.ipynb"
    require_replaceable(executed.with_suffix(".html"), PAGE)


@pytest.mark.parametrize(
    ("name", "content", "fine"),
    [
        ("a.csv", "path,label,score\n", True),
        ("a.csv", "row_id,video_id,label,fake_probability\n", True),
        ("a.csv", "", True),
        ("a.csv", "name,marks\nme,1\n", False),
        ("a.csv", "\x00\xff", False),
        ("a.parquet", "PAR1", False),
        ("a.txt", None, False),
    ],
)
def test_score_tables_replace_score_tables(tmp_path, name, content, fine):
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content.encode("latin-1"))
    with contextlib.nullcontext() if fine else pytest.raises(OutputError):
        require_replaceable(path, SCORE_TABLE)
