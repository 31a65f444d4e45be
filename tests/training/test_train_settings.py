"""Settings of a training run."""

import pytest

from dfworkbench.core.errors import ParameterError
from dfworkbench.core.settings import parse_options
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
        ({"detector_options": ["dropout"]}, "no name=value pair"),
        ({"rate_steps": ["0=0.1"]}, "no epoch=rate pair"),
        ({"rate_steps": ["five=0.1"]}, "no epoch=rate pair"),
    ],
)
def test_mistakes_are_refused(values, message):
    with pytest.raises(ParameterError, match=message):
        TrainSettings(**values)


def test_every_field_says_what_it_is():
    assert all(field.description for field in TrainSettings.model_fields.values())


def test_options_are_parsed_by_value():
    assert parse_options(["dropout=0.3", "layers=2", "deep=true", "kind=b", "path=a=b"]) == {
        "dropout": 0.3,
        "layers": 2,
        "deep": True,
        "kind": "b",
        "path": "a=b",
    }
    with pytest.raises(ParameterError, match="'deep' is no name=value pair"):
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
