"""Presets of notebooks 05, 07, 08 and 09, former names of their parameters."""

import pytest

from dfworkbench.methods.caddm.settings import LeakageSettings
from dfworkbench.methods.fst_matching.settings import HypothesisSettings
from dfworkbench.methods.mi_net.settings import ClueStudySettings
from dfworkbench.notebook.benchmark import BenchmarkSettings
from dfworkbench.notebook.parameters import check_parameters, find_notebook, read_notebook, read_parameters

STUDIES = {
    "05_hypotheses": HypothesisSettings,
    "07_identity_leakage": LeakageSettings,
    "08_forgery_clues": ClueStudySettings,
}


@pytest.mark.parametrize("name", STUDIES)
def test_the_former_name_of_forgeries_still_works(name):
    known = read_parameters(read_notebook(find_notebook(name)), name)
    assert check_parameters({"kinds": "FaceSwap"}, known, name) == {"forgeries": ["FaceSwap"]}
    assert STUDIES[name](kinds=["FaceSwap"]) == STUDIES[name](forgeries=["FaceSwap"])


def test_what_was_the_default_before_presets_makes_runs_of_the_same_names():
    """Names as f6da716 gave them, so that finished runs are taken up."""
    leakage = LeakageSettings(precision="32-true").trainings()
    assert [made.model_name for _, made in leakage] == ["resnet34_demo_914af06e", "caddm_resnet34_demo_5e80e522"]
    clues = ClueStudySettings().trainings()
    assert [made.model_name for made in clues.values()] == [
        "mi_net_mobilenet_demo_94be93a0", "mi_net_mobilenet_demo_7d03a9e3"
    ]  # fmt: skip
    hypotheses = HypothesisSettings(precision="32-true").trainings()
    assert [made.model_name for made in hypotheses.values()] == [
        "identity_resnet18_demo_ff13e0a3", "identity_resnet18_demo_64bdbf68", "resnet18_demo_6d495b7f"
    ]  # fmt: skip


def test_what_is_given_by_hand_wins_over_the_preset():
    assert LeakageSettings(preset="thorough", seeds=2, epochs=None).by_hand() == {"seeds": 2}
    assert BenchmarkSettings(preset="thorough", seeds=1).grid()["seed"] == [0]
    assert BenchmarkSettings(preset="thorough").grid()["detector"] == ["mesonet4", "mesoinception4", "resnet18"]
