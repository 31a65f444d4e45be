import html
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import pytest
from pydantic import Field

from dfworkbench.core.errors import ParameterError, UnknownNameError
from dfworkbench.core.settings import Settings
from dfworkbench.core.workspace import Workspace
from dfworkbench.notebook.benchmark import BenchmarkSettings
from dfworkbench.notebook.inference import InferenceSettings
from dfworkbench.notebook.panel import SettingsPanel
from dfworkbench.notebook.pickers import Choice, describe_path
from dfworkbench.training.settings import TrainSettings


class Inner(Settings):
    min_side_px: int = Field(40, ge=8, le=4000, description="Smaller faces are left out.")


class Toy(Settings):
    """Every kind of field."""

    epochs: int = Field(3, ge=1, le=100, description="Passes.")
    learning_rate: float = Field(1e-3, gt=0, le=1, description="Step size.")
    dropout: float = Field(0.5, ge=0, le=1, description="Share of zeroed features.")
    device: Literal["auto", "cpu", "cuda"] = Field("auto", description="Where.")
    augment: bool = Field(True, description="Vary the crops.")
    detector: str = Field("mesonet4", description="Network.")
    root: Path = Field(Path("data/demo"), description="Folder.")
    limit: int | None = Field(None, ge=1, description="At most so many files.")
    kinds: tuple[Literal["a", "b", "c"], ...] = Field(("a", "b"), description="Which.")
    tags: tuple[str, ...] = Field((), description="Free words.")
    options: dict[str, Any] = Field({}, description="Further options.")
    inner: Inner = Inner()


NAMES = {"detector": Choice("detector", lambda: ["mesonet4", "xception"])}


@pytest.fixture
def panel():
    return SettingsPanel(Toy(), choices=NAMES)


def test_untouched_panel_gives_the_settings_back(panel):
    assert panel.settings == Toy()
    assert panel.message == ""


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("epochs", 7, 7),
        ("learning_rate", 0.005, 0.005),
        ("dropout", 0.3, 0.3),
        ("device", "cpu", "cpu"),
        ("augment", False, False),
        ("detector", "xception", "xception"),
        ("root", "elsewhere", Path("elsewhere")),
        ("limit", "12", 12),
        ("limit", "", None),
        ("kinds", ("c",), ("c",)),
        ("tags", "x, y", ("x", "y")),
        ("options", 'swap={"a": 1, "b": 2}, deep=true', {"swap": {"a": 1, "b": 2}, "deep": True}),
    ],
)
def test_a_widget_changes_its_setting_only(panel, name, value, expected):
    panel[name].value = value
    assert getattr(panel.settings, name) == expected
    assert panel.settings == Toy().replace(**{name: expected})


def test_options_that_are_no_pairs_are_shown_as_a_mistake(panel):
    panel["options"].value = "deep"
    assert "'deep' is not a name=value pair" in panel.message
    panel["options"].value = "name=a,b=2"
    assert panel.settings.options == {"name": "a", "b": 2}
    assert panel.message == ""


def test_nested_settings_have_dotted_widgets(panel):
    panel["inner.min_side_px"].value = 64
    assert panel.settings.inner.min_side_px == 64


def test_widgets_suit_their_fields(panel):
    kinds = {name: type(panel[name]).__name__ for name in ("epochs", "learning_rate", "dropout", "device", "augment")}
    assert kinds == {
        "epochs": "IntSlider",
        "learning_rate": "SelectionSlider",  # logarithmic steps
        "dropout": "FloatSlider",
        "device": "Dropdown",
        "augment": "Checkbox",
    }
    assert type(panel["detector"]).__name__ == "Dropdown"
    assert type(panel["inner.min_side_px"]).__name__ == "BoundedIntText"
    assert (panel["epochs"].min, panel["epochs"].max) == (1, 100)


def test_a_value_off_the_slider_steps_is_kept_exactly():
    panel = SettingsPanel(Toy(learning_rate=0.00012345), choices=NAMES)
    assert panel.settings.learning_rate == 0.00012345
    steps = [value for _, value in panel["learning_rate"].options]
    assert steps == sorted(steps)
    assert 0.00012345 in steps
    assert 0 not in steps  # the field says gt=0


def test_a_refused_value_is_shown_and_stops_the_notebook(panel):
    panel["limit"].value = "0"
    assert "Toy.limit = '0'" in panel.message
    assert html.escape("Toy.limit = '0'") in panel._message.value
    assert panel.command == ""
    with pytest.raises(ParameterError, match=r"Toy\.limit"):
        _ = panel.settings
    panel["limit"].value = "4"
    assert panel.settings.limit == 4


def test_an_unknown_detector_names_the_closest():
    with pytest.raises(UnknownNameError, match="mesonet4"):
        SettingsPanel(Toy(detector="mesonet"), choices=NAMES)


def test_an_unknown_setting_of_the_panel_names_the_closest(panel):
    with pytest.raises(UnknownNameError, match="epochs"):
        panel["epoch"]


def test_open_choices_keep_a_name_that_is_not_there_yet():
    panel = SettingsPanel(Toy(detector="new"), choices={"detector": Choice("data set", lambda: ["old"], closed=False)})
    assert panel.settings.detector == "new"
    assert [value for _, value in panel["detector"].options] == ["new", "old"]


def test_a_network_of_timm_is_chosen_or_typed():
    panel = SettingsPanel(TrainSettings(), "02_train")
    box = panel["detector"]
    assert box.value == "mesonet4"
    assert box.text.layout.display == "none"
    assert panel["dataset"].layout.display != "none"  # it hides alone
    assert "tooltip" not in box.keys  # the browser's boxes fail on one
    assert "list_detectors" in box.dropdown.tooltip
    box.dropdown.value = "timm:convnext_tiny"
    assert panel.settings.detector == "timm:convnext_tiny"
    box.dropdown.value = box.other
    assert box.text.layout.display == ""
    assert panel.command == ""  # nothing is typed yet
    box.text.value = "resnet10tt"
    assert "no network 'resnet10tt'" in panel.message
    assert "resnet10t" in panel.message
    with pytest.raises(UnknownNameError, match="resnet10tt"):
        _ = panel.settings
    box.text.value = "resnet10t"
    assert panel.message == ""
    assert panel.settings.detector == "timm:resnet10t"
    assert "-p detector timm:resnet10t" in panel.command
    box.dropdown.value = "resnet18"
    assert (panel.settings.detector, box.text.layout.display) == ("resnet18", "none")


def test_a_network_of_timm_as_the_notebook_s_parameter():
    box = SettingsPanel(TrainSettings(detector="timm:resnet10t"), "02_train")["detector"]
    assert (box.dropdown.value, box.text.layout.display) == ("timm:resnet10t", "none")
    box.value = "timm:test_vit"  # by a program; the dropdown does not have it
    assert (box.dropdown.value, box.text.value, box.text.layout.display) == (box.other, "timm:test_vit", "")
    box.value = "mesonet4"
    assert (box.dropdown.value, box.text.layout.display) == ("mesonet4", "none")
    with pytest.raises(UnknownNameError, match="'convnext_tiny'"):
        SettingsPanel(TrainSettings(detector="timm:convnext_tinny"), "02_train")


def test_a_benchmark_takes_networks_of_timm():
    assert BenchmarkSettings(detectors=["mesonet4", "timm:resnet10t"]).grid()["detector"][1] == "timm:resnet10t"
    for wrong in ("timm:resnet10tt", "mesonet", "rdn"):
        with pytest.raises(UnknownNameError, match=wrong):
            BenchmarkSettings(detectors=[wrong])


def test_display_without_a_browser(panel):
    bundle = panel._repr_mimebundle_()
    assert "epochs" in bundle["text/plain"]
    assert "<table>" in bundle["text/html"]
    assert "application/vnd.jupyter.widget-view+json" in bundle


def test_hidden_fields_keep_their_value():
    panel = SettingsPanel(Toy(epochs=9), choices=NAMES, hide=["epochs"])
    assert panel.settings.epochs == 9
    assert "epochs" not in repr(panel)


def test_path_is_described_while_it_is_typed(panel, tmp_path, monkeypatch):
    monkeypatch.setenv("DFWORKBENCH_HOME", str(tmp_path))
    (tmp_path / "clips" / "real").mkdir(parents=True)
    panel["root"].value = "clips"
    assert "1 sub-folders" in panel._notes["root"].value
    panel["root"].value = "clip"
    assert "does not exist" in panel._notes["root"].value


def test_describe_path_tells_media_from_other_files(tmp_path):
    (tmp_path / "a.mp4").write_bytes(b"x" * 2_000_000)
    (tmp_path / "a.txt").write_text("x")
    space = Workspace(tmp_path)
    assert describe_path("a.mp4", space) == (True, "video, 2.0 MB")
    (tmp_path / "small.mp4").write_bytes(b"x" * 34_567)
    assert describe_path("small.mp4", space) == (True, "video, 35 kB")
    assert describe_path("a.txt", space)[0] is False
    assert describe_path("", space) == (True, "")


def test_batch_command_names_only_what_changed(tmp_path, monkeypatch):
    monkeypatch.setattr("dfworkbench.notebook.commands.SUBCOMMANDS", {"toy": "somewhere:Toy"})
    panel = SettingsPanel(Toy(), choices=NAMES)
    assert panel.command == "dfworkbench toy"
    panel["epochs"].value = 5
    panel["augment"].value = False
    panel["inner.min_side_px"].value = 50
    assert panel.command == "dfworkbench toy --epochs 5 --no-augment --inner-min-side-px 50"


def test_batch_command_compares_with_the_notebook(tmp_path, monkeypatch):
    import nbformat

    cell = nbformat.v4.new_code_cell(
        'epochs: int = 12  # passes\nlearning_rate: float = 1e-3  # step\ndevice: str = "cpu"  # where',
        metadata={"tags": ["parameters"]},
    )
    (tmp_path / "notebooks").mkdir()
    nbformat.write(nbformat.v4.new_notebook(cells=[cell]), tmp_path / "notebooks" / "77_toy.ipynb")
    monkeypatch.setenv("DFWORKBENCH_HOME", str(tmp_path))
    monkeypatch.setattr("dfworkbench.notebook.commands.SUBCOMMANDS", {"toy": "somewhere:Toy"})
    panel = SettingsPanel(Toy(epochs=12, device="cpu"), "77_toy", choices=NAMES)
    assert panel.command == "dfworkbench run 77_toy"
    panel["epochs"].value = 5
    panel["learning_rate"].value = 0.002
    assert panel.command == "dfworkbench run 77_toy -p epochs 5 -p learning_rate 0.002"
    panel["dropout"].value = 0.1  # no parameter of the notebook: only the subcommand can say it
    assert panel.command == "dfworkbench toy --epochs 5 --learning-rate 0.002 --dropout 0.1 --device cpu"


def test_an_uploaded_file_fills_in_its_path(tmp_path, monkeypatch):
    monkeypatch.setenv("DFWORKBENCH_HOME", str(tmp_path))
    panel = SettingsPanel(InferenceSettings())
    file = {"name": "C:\\clips\\a.mp4", "type": "video/mp4", "size": 3, "content": memoryview(b"abc")}
    panel._uploads["path"].value = ({**file, "last_modified": datetime.now(UTC)},)
    assert panel.settings.path == str(tmp_path / "data" / "uploads" / "a.mp4")
    assert (tmp_path / "data" / "uploads" / "a.mp4").read_bytes() == b"abc"
