"""Presets of settings: named values for the fields that nobody sets by hand."""

from typing import Any

import pytest
from pydantic import Field

from dfworkbench.core.errors import ParameterError
from dfworkbench.core.settings import Settings


class Study(Settings):
    presets = {
        "quick": {},
        "thorough": {"epochs": 16, "levels": [1, 3, 5]},
        "published": {"epochs": 100, "size_px": 1024, "weights": "imagenet"},
    }
    renamed = {"passes": "epochs"}

    preset: str = Field("quick", description="Which values.")
    dataset: str = Field("demo", description="Not governed.")
    epochs: int = Field(4, ge=1, description="Passes.")
    size_px: int = Field(96, description="Side.")
    levels: list[int] = Field([3], description="Strengths.")
    weights: str = Field("", description="A file.")
    limit: int | None = Field(5, description="Not governed; None means no limit.")


def study_of(**values: Any) -> Study:
    return Study(**values)


def test_the_default_preset_is_the_defaults_of_the_fields():
    assert study_of() == study_of(preset="quick", epochs=4, size_px=96, levels=[3], weights="")


def test_a_preset_fills_what_is_left_out_or_none():
    wanted = study_of(preset="published", epochs=100, size_px=1024, levels=[3], weights="imagenet")
    assert study_of(preset="published") == wanted
    assert study_of(preset="published", epochs=None, size_px=None, levels=None, weights=None) == wanted


@pytest.mark.parametrize(("name", "value"), [("epochs", 4), ("epochs", 7), ("weights", ""), ("levels", [])])
def test_a_value_given_by_hand_wins_whatever_it_is(name, value):
    assert getattr(study_of(preset="published", **{name: value}), name) == value


def test_none_stays_where_no_preset_governs():
    assert study_of(limit=None).limit is None


def test_a_former_name_is_a_value_by_hand():
    assert study_of(preset="thorough", passes=7).epochs == 7
    assert study_of(preset="thorough", passes=None).epochs == 16


def test_values_by_hand_are_named():
    assert study_of(preset="thorough").by_hand() == {}
    assert study_of(preset="thorough", epochs=16).by_hand() == {}
    assert study_of(preset="thorough", epochs=4, dataset="mine").by_hand() == {"epochs": 4}


def test_another_preset_leaves_what_was_set_by_hand():
    changed = study_of(epochs=7, dataset="mine").replace(preset="published")
    assert changed == study_of(preset="published", epochs=7, dataset="mine")
    assert changed.replace(preset="quick") == study_of(epochs=7, dataset="mine")


@pytest.mark.parametrize("preset", ["thorogh", 3, ["quick"]])
def test_an_unknown_preset_is_refused(preset):
    values: dict[str, Any] = {"preset": preset}
    with pytest.raises(ParameterError) as caught:
        Study(**values)
    for part in ("preset of Study", repr(preset), "quick, thorough, published", "set preset to one of them"):
        assert part in str(caught.value)
    assert ("Did you mean 'thorough'?" in str(caught.value)) == (preset == "thorogh")


def test_a_value_of_a_preset_is_checked_like_any_other():
    class Broken(Study):
        presets = {"quick": {}, "none": {"epochs": 0}}

    values: dict[str, Any] = {"preset": "none"}
    with pytest.raises(ParameterError, match="epochs = 0"):
        Broken(**values)


@pytest.mark.parametrize("presets", [{"quick": {"epoch": 3}}, {"fast": {"epochs": 3}}, {"quick": {"preset": "quick"}}])
def test_presets_that_name_no_field_do_not_make_a_class(presets):
    with pytest.raises(TypeError, match="its presets"):
        type("Wrong", (Study,), {"presets": presets})


def test_settings_without_presets_are_as_before():
    class Plain(Settings):
        limit: int | None = Field(5, description="None means no limit.")

    assert Plain(limit=None).limit is None
    assert Plain(limit=5).by_hand() == {}
