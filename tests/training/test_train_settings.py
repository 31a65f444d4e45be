"""Settings of a training run."""

import json

import pytest

from dfworkbench.core.errors import ParameterError
from dfworkbench.core.settings import parse_options, write_options
from dfworkbench.training.registry import list_methods, load_method
from dfworkbench.training.settings import TrainSettings


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"epoch": 3}, "no setting 'epoch'. Did you mean 'epochs'"),
        ({"epochs": 0}, "epochs = 0: .*greater than or equal to 1"),
        ({"learning_rate": 0}, "learning_rate"),
        ({"schedule": "cosinus"}, "schedule = 'cosinus': .*'constant', 'cosine', 'steps' or 'waves'"),
        ({"balance": "Loss"}, "balance"),
        ({"name": "../elsewhere"}, "name"),
        ({"detector_options": ["dropout"]}, "not a name=value pair"),
        ({"rate_steps": ["0=0.1"]}, "not an epoch=rate pair"),
        ({"rate_steps": ["five=0.1"]}, "not an epoch=rate pair"),
    ],
)
def test_mistakes_are_refused(values, message):
    with pytest.raises(ParameterError, match=message):
        TrainSettings(**values)


def test_every_field_says_what_it_is():
    for cls in (TrainSettings, *(load_method(name).Settings for name in list_methods())):
        assert all(field.description for field in cls.model_fields.values()), cls


def test_options_are_parsed_by_value():
    assert parse_options(["dropout=0.3", "layers=2", "deep=true", "kind=b", "path=a=b"]) == {
        "dropout": 0.3,
        "layers": 2,
        "deep": True,
        "kind": "b",
        "path": "a=b",
    }
    with pytest.raises(ParameterError, match="'deep' is not a name=value pair"):
        parse_options(["deep"])
    with pytest.raises(ParameterError, match="'dropout' is given twice"):
        parse_options(["dropout=0.3", "dropout=0.4"])


def test_size_goes_to_the_detector_only_where_it_is_set():
    assert TrainSettings().build_options() == {}
    assert TrainSettings(size_px=64, detector_options={"dropout": 0}).build_options() == {"size_px": 64, "dropout": 0}


def test_empty_name_follows_the_settings_that_matter():
    first = TrainSettings()
    assert first.model_name.startswith("mesonet4_demo_")
    assert first.replace(threads=2, workers=1, device="cpu").model_name == first.model_name
    assert first.replace(learning_rate=1e-4).model_name != first.model_name
    assert first.replace(name="mine").model_name == "mine"


def test_changed_fields():
    stored = TrainSettings(name="a", threads=2, epochs=3).model_dump(mode="json")
    assert TrainSettings(name="b", epochs=3).changed_fields(stored) == {}
    assert TrainSettings(epochs=3, learning_rate=0.5).changed_fields(stored) == {"learning_rate": (1e-3, 0.5)}
    # the cosine schedule bends over the whole run, a constant rate does not know its end
    assert TrainSettings(epochs=4).changed_fields(stored) == {"epochs": (3, 4)}
    constant = TrainSettings(epochs=3, schedule="constant").model_dump(mode="json")
    assert TrainSettings(epochs=4, schedule="constant").changed_fields(constant) == {}


def test_settings_saved_before_a_field_existed_count_as_its_default():
    stored = TrainSettings().model_dump(mode="json")
    del stored["degrade"]
    assert TrainSettings().changed_fields(stored) == {}
    assert TrainSettings(degrade=0.9).changed_fields(stored) == {"degrade": (0.3, 0.9)}


@pytest.mark.parametrize(
    "pairs",
    [["dropout=0.3", "crop_scale=1.0", "deep=true", "kind=b"], ['swap={"partial": 0.3, "halve": 0}'], ['kind="3"']],
)
def test_written_options_are_read_back_alike(pairs):
    assert write_options(parse_options(pairs)) == pairs


def test_options_are_plain_values():
    with pytest.raises(ParameterError, match=r"detector_options.*JSON"):
        TrainSettings(detector_options={"size_px": object()})


def test_python_and_the_notebook_train_equally_long():
    from dfworkbench.notebook.commands import notebook_defaults

    assert notebook_defaults("02_train")["epochs"] == TrainSettings().epochs


#: Runs of the time when options were text, with the names that they had.
BEFORE = [
    ({}, "mesonet4_demo_44136fa3"),
    ({"epochs": 12, "kinds": ["FaceSwap"]}, "mesonet4_demo_20774a52"),
    (
        {
            "detector": "caddm_resnet34", "epochs": 10, "leaky": True, "detector_options": ["crop_scale=1.0"],
            "method_options": ['swap={"partial": 0.3, "halve": 0.0}', "negatives=3"],
        },
        "caddm_resnet34_demo_5137bfaa_leaky",
    ),
    (
        {
            "detector": "resynthesis_pixel", "detector_options": ["features=12", "blocks=4", "depth=18"],
            "method_options": ["resynthesiser=stage1", "trial=true"],
        },
        "resynthesis_pixel_demo_827107f2",
    ),
]  # fmt: skip


def stored_before(values):
    """settings.json as runs of that time hold it: every field, under its former name."""
    now = TrainSettings().model_dump(mode="json") | {"detector_options": [], "method_options": [], "epochs": 5}
    before = {{"forgeries": "kinds", "allow_leaks": "leaky"}.get(name, name): value for name, value in now.items()}
    return before | values


@pytest.mark.parametrize(("values", "name"), BEFORE)
def test_runs_from_before_options_were_data_keep_name_and_settings(values, name, tmp_path):
    stored = stored_before(values)
    path = tmp_path / "settings.json"
    path.write_text(json.dumps(stored))
    settings = TrainSettings.read(path)
    assert settings.model_name == name
    assert settings.changed_fields(stored) == {}
    assert TrainSettings(**settings.model_dump(mode="json")).changed_fields(stored) == {}
    assert TrainSettings.read(path, forgeries=["X"]).forgeries == ["X"]
    assert settings.replace(batch_size=7).changed_fields(stored) == {"batch_size": (32, 7)}


def test_todays_spelling_makes_the_same_run():
    values, name = BEFORE[-1]
    today = TrainSettings(
        detector="resynthesis_pixel", detector_options={"features": 12, "blocks": 4, "depth": 18}, epochs=5,
        method_options={"resynthesiser": "stage1", "allow_undertrained": True},
    )  # fmt: skip
    assert today.model_name == name
    assert today.changed_fields(stored_before(values)) == {}


def test_settings_of_a_run_name_its_folder(tmp_path):
    folder = tmp_path / "mesonet4_demo_0123abcd"
    folder.mkdir()
    (folder / "settings.json").write_text(json.dumps(stored_before({})))
    assert not TrainSettings.read(folder / "settings.json").name
    (folder / "provenance.json").write_text('{"git_commit": "x"}')
    assert TrainSettings.read(folder / "settings.json").name == folder.name
