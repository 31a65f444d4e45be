"""Presets in notebooks: the parameters cell, the panel and the batch command."""

import shlex
from typing import Any

import nbformat
import pytest
from pydantic import Field

from dfworkbench.core.errors import ParameterError
from dfworkbench.core.settings import Settings
from dfworkbench.notebook.commands import batch_command
from dfworkbench.notebook.panel import SettingsPanel
from dfworkbench.notebook.parameters import check_parameters, read_parameters
from dfworkbench.notebook.pickers import Choice

PARAMETERS = """preset: str = "quick"  # quick or thorough
epochs: "int | None" = None  # passes; none: as the preset says
rate: "float | None" = None  # step size
detector: "str | None" = None  # network
fast: "bool | None" = None  # whether
levels: "list[int] | None" = None  # strengths
changes: "list | None" = None  # what
weights: "str | Path | None" = None  # a file
device: str = "auto"  # where"""


class Presets(Settings):
    presets = {
        "quick": {},
        "thorough": {
            "epochs": 300, "rate": 2.5e-4, "detector": "xception", "fast": False, "levels": [1, 5], "changes": ["a", "c"],
            "hidden": 2, "weights": "imagenet",
        },
    }  # fmt: skip

    preset: str = Field("quick", description="Which values.")
    epochs: int = Field(3, ge=1, le=1000, description="Passes.")
    rate: float = Field(1e-3, gt=0, le=1, description="Step size.")
    detector: str = Field("mesonet4", description="Network.")
    fast: bool = Field(True, description="Whether.")
    levels: list[int] = Field([3], description="Strengths.")
    changes: list[str] = Field(["a"], description="What.")
    hidden: int = Field(1, description="Not shown.")
    weights: str = Field("", description="A file.")
    device: str = Field("auto", description="Where.")


def settings_of(**values: Any) -> Presets:
    return Presets(**values)


def cell(source: str) -> nbformat.NotebookNode:
    return nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source, metadata={"tags": ["parameters"]})])


@pytest.fixture
def known():
    return read_parameters(cell(PARAMETERS))


@pytest.fixture
def notebook(tmp_path, monkeypatch):
    nbformat.write(cell(PARAMETERS), tmp_path / "toy.ipynb")
    monkeypatch.chdir(tmp_path)
    return str(tmp_path / "toy.ipynb")


def make_panel(notebook, **values: Any):
    choices = {"detector": Choice("detector", lambda: ["mesonet4", "xception"])}
    return SettingsPanel(Presets(**values), notebook, choices=choices, hide=["hidden"])


def test_parameters_may_be_none(known):
    assert known["epochs"].optional
    assert not known["device"].optional
    assert known["weights"].is_path
    text = {
        "epochs": "12", "rate": "1e-3", "detector": "x", "fast": "no", "levels": "1, 3", "changes": "a,b",
        "weights": "imagenet",
    }  # fmt: skip
    assert check_parameters(text, known, "toy") == {
        "epochs": 12, "rate": 1e-3, "detector": "x", "fast": False, "levels": [1, 3], "changes": ["a", "b"],
        "weights": "imagenet",
    }  # fmt: skip
    for nothing in ("none", "None", None):
        assert check_parameters(dict.fromkeys(text, nothing), known, "toy") == dict.fromkeys(text)


def test_a_parameter_that_may_be_none_is_checked_all_the_same(known):
    with pytest.raises(ParameterError) as caught:
        check_parameters({"epochs": "many"}, known, "toy")
    assert "'many'" in str(caught.value)
    assert "int or none" in str(caught.value)
    with pytest.raises(ParameterError, match="'device' is None"):
        check_parameters({"device": None}, known, "toy")


def test_a_panel_shows_the_values_of_the_preset(notebook):
    panel = make_panel(notebook, preset="thorough", epochs=None)
    assert panel["epochs"].value == 300
    assert panel["preset"].options == (("quick", "quick"), ("thorough", "thorough"))
    assert "preset thorough" in panel._repr_html_()
    assert "except" not in panel._repr_html_()


def test_another_preset_changes_what_nobody_set_by_hand(notebook):
    panel = make_panel(notebook, rate=0.5)
    panel["epochs"].value = 7
    panel["preset"].value = "thorough"
    assert panel.settings == settings_of(preset="thorough", rate=0.5, epochs=7)
    assert panel.settings.hidden == 2
    assert "preset thorough, except epochs = 7 (thorough: 300), rate = 0.5 (thorough: 0.00025)" in repr(panel)
    panel["preset"].value = "quick"
    assert panel.settings == settings_of(rate=0.5, epochs=7)


@pytest.mark.parametrize(
    "values",
    [{}, {"preset": "thorough"}, {"preset": "thorough", "epochs": 3, "levels": [], "fast": True}, {"rate": 0.5}],
)
def test_the_batch_command_names_the_preset_and_what_differs(notebook, known, values):
    command = batch_command(Presets(**values), notebook)
    words = shlex.split(command)
    assert words[:3] == ["dfworkbench", "run", notebook]
    given = dict(zip(words[4::3], words[5::3], strict=True))
    assert given.keys() == values.keys()
    assert settings_of(**check_parameters(given, known, "toy")) == Presets(**values)
    assert make_panel(notebook, **values).command == command
