"""The rules of the design for stored notebooks. A notebook is software: it is checked like software."""

import ast
import importlib
from pathlib import Path

import nbformat
import pytest

from dfworkbench.notebook.fields import read_fields
from dfworkbench.notebook.labs import LABS as lab_names
from dfworkbench.notebook.parameters import read_parameters
from dfworkbench.notebook.tidy import tidy_text

FOLDER = Path(__file__).parents[2] / "notebooks"
LABS = sorted(FOLDER.glob("labs/*.ipynb"))
NOTEBOOKS = [*sorted(FOLDER.glob("*.ipynb")), *LABS]
MOST_LINES, MOST_PARAMETERS, MOST_CELLS, MOST_FUNCTION_LINES = 15, 20, 25, 5


@pytest.fixture(params=NOTEBOOKS, ids=lambda path: path.stem)
def path(request):
    return request.param


@pytest.fixture
def notebook(path):
    return nbformat.read(path, as_version=4)


def code_cells(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def tree(cell):
    return ast.parse(cell.source)


def test_the_first_five_notebooks_are_there():
    names = [path.stem for path in NOTEBOOKS]
    assert names[:5] == ["00_start_here", "01_data_extraction", "02_train", "03_inference", "04_evaluation"]


def test_every_lab_is_there():
    assert [path.stem for path in LABS] == sorted(lab_names)


def test_stored_tidy(path, notebook):
    """No outputs, no execution counts, stable ids, fixed metadata."""
    message = "run: python -m dfworkbench.notebook.tidy notebooks/*.ipynb notebooks/labs/*.ipynb"
    assert path.read_text(encoding="utf-8") == tidy_text(notebook), message
    identifiers = [cell.id for cell in notebook.cells]
    assert len(set(identifiers)) == len(identifiers)


def test_one_typed_parameters_cell_with_comments(path, notebook):
    tagged = [cell for cell in notebook.cells if "parameters" in cell.metadata.get("tags", [])]
    assert len(tagged) == 1
    parameters = read_parameters(notebook, path.name)  # refuses what is not `name: type = literal`
    assert parameters
    assert all(parameter.comment for parameter in parameters.values())
    for parameter in parameters.values():
        assert type(parameter.default) is parameter.type or (parameter.optional and parameter.default is None)
    assert len(tagged[0].source.splitlines()) == len(parameters), "one per line and nothing else"


def settings_of(path, notebook):
    """The settings classes that a notebook names."""
    homes = notebook.metadata.get("dfworkbench", {}).get("settings")
    assert homes, (
        f'{path.name}: its metadata must name the settings: {{"dfworkbench": {{"settings": ["module:Class"]}}}}'
    )
    parts = [home.partition(":") for home in homes]
    return [getattr(importlib.import_module(module), name) for module, _, name in parts]


def test_parameters_are_fields_of_the_settings(path, notebook):
    """A click and a parameter are the same thing; so are their types and bounds."""
    classes = settings_of(path, notebook)
    fields = {key.rpartition(".")[2]: field for cls in classes for key, field in read_fields(cls).items()}
    kinds = {
        "str": ("text", "path", "choice"),
        "int": ("int",),
        "float": ("float",),
        "bool": ("bool",),
        "list": ("list",),
    }
    for name, parameter in read_parameters(notebook, path.name).items():
        assert name in fields, f"{path.name}: {name!r} is no field of {classes}"
        assert fields[name].kind in kinds[parameter.type.__name__]


def test_presets_are_settings_that_can_be_had(path, notebook):
    """Each value of a preset is within its bounds, and a parameter that presets govern leaves it to them."""
    parameters = read_parameters(notebook, path.name)
    for cls in settings_of(path, notebook):
        for preset in cls.presets:
            assert cls(preset=preset).by_hand() == {}
        if cls.presets:
            assert next(iter(parameters)) == "preset"
            assert parameters["preset"].default == cls().preset
            governed = [parameters[name] for name in cls.preset_values(cls().preset) if name in parameters]
            assert all(parameter.optional and parameter.default is None for parameter in governed), governed


def test_a_panel_shows_the_parameters(notebook):
    assert any("SettingsPanel(" in cell.source for cell in code_cells(notebook))


def test_every_parameter_reaches_the_panel(path, notebook):
    """A parameter that nothing reads would be a lie."""
    others = [cell for cell in code_cells(notebook) if "parameters" not in cell.metadata.get("tags", [])]
    names = {node.id for cell in others for node in ast.walk(tree(cell)) if isinstance(node, ast.Name)}
    assert set(read_parameters(notebook, path.name)) <= names


def test_cells_are_short_and_few(notebook):
    cells = code_cells(notebook)
    assert len(cells) <= MOST_CELLS
    for cell in cells:
        most = MOST_PARAMETERS if "parameters" in cell.metadata.get("tags", []) else MOST_LINES
        assert len(cell.source.splitlines()) <= most, cell.source


def test_no_logic(notebook):
    for cell in code_cells(notebook):
        for node in ast.walk(tree(cell)):
            assert not isinstance(node, ast.ClassDef), cell.source
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
                assert node.end_lineno - node.lineno + 1 <= MOST_FUNCTION_LINES, cell.source


def test_nothing_waits_or_goes_behind(notebook):
    """No magics, no shell, no input(): the same under JupyterLab and papermill."""
    for cell in code_cells(notebook):
        assert not cell.source.lstrip().startswith(("%", "!"))
        names = {node.id for node in ast.walk(tree(cell)) if isinstance(node, ast.Name)}
        assert not names & {"input", "exec", "eval", "get_ipython"}


def test_words_above_every_code_cell(notebook):
    for before, cell in zip([None, *notebook.cells], notebook.cells, strict=False):
        if cell.cell_type == "code":
            assert before is not None
            assert before.cell_type == "markdown", f"no Markdown cell above: {cell.source}"


def test_title_and_card_at_the_top_references_at_the_end(notebook):
    first, last = notebook.cells[0], notebook.cells[-1]
    assert first.cell_type == "markdown"
    assert first.source.startswith("# ")
    for word in ("**Purpose**", "**Inputs**", "**Outputs**", "**Time**"):
        assert word in first.source
    assert "CPU" in first.source
    assert last.cell_type == "markdown"
    assert last.source.startswith("## References")
