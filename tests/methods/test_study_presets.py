"""Presets of notebooks 05, 07, 08 and 09, former names of their parameters, and the smaller networks that *quick* trains."""

import pytest
import torch

from dfworkbench.core.errors import ParameterError
from dfworkbench.methods.caddm.settings import LeakageSettings
from dfworkbench.methods.fst_matching.settings import HypothesisSettings
from dfworkbench.methods.mi_net.settings import ClueStudySettings
from dfworkbench.models import build_detector
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
    leakage = LeakageSettings(preset="thorough", seeds=1, precision="32-true").trainings()
    assert [made.model_name for _, made in leakage] == ["resnet34_demo_914af06e", "caddm_resnet34_demo_5e80e522"]
    clues = ClueStudySettings(preset="thorough", variants=["both", "none"]).trainings()
    assert [made.model_name for made in clues.values()] == [
        "mi_net_mobilenet_demo_94be93a0", "mi_net_mobilenet_demo_7d03a9e3"
    ]  # fmt: skip
    hypotheses = HypothesisSettings(precision="32-true").trainings()
    assert [made.model_name for made in hypotheses.values()] == [
        "identity_resnet18_demo_ff13e0a3", "identity_resnet18_demo_64bdbf68", "resnet18_demo_6d495b7f"
    ]  # fmt: skip


def test_what_is_given_by_hand_wins_over_the_preset():
    assert LeakageSettings(preset="thorough", plain="resnet18", epochs=None).by_hand() == {"plain": "resnet18"}
    assert BenchmarkSettings(preset="thorough", seeds=1).grid()["seed"] == [0]
    assert BenchmarkSettings(preset="thorough").grid()["detector"] == ["mesonet4", "mesoinception4", "resnet18"]


def test_both_detectors_of_quick_see_the_same_crops_with_the_same_backbone():
    settings = LeakageSettings()
    made = [training for _, training in settings.trainings()]
    specs = [build_detector(each.detector, **each.build_options()).input_spec for each in made]
    assert [spec.size_px for spec in specs] == [112, 112]
    assert specs[0] == specs[1]
    assert made[0].detector_options["stages"] == made[1].detector_options["stages"] == 3


def test_detectors_without_stages_are_kept_whole():
    """An old command line that names other detectors, but no preset."""
    made = LeakageSettings(plain="efficientnet_b3", caddm="caddm_efficientnet_b3").trainings()
    assert all("stages" not in each.detector_options and each.size_px is None for _, each in made)
    assert "stages" not in ClueStudySettings(detector="mi_net_mobilenet").training("both").detector_options


def test_three_stages_of_caddm_have_the_same_anchors():
    detector = build_detector("caddm_resnet18", stages=3).eval()
    whole = build_detector("caddm_resnet18")
    assert (detector.input_spec.size_px, whole.input_spec.size_px) == (112, 224)
    assert torch.equal(detector.priors, whole.priors)
    with torch.inference_mode():
        found = detector(torch.zeros(1, 3, 112, 112))
        assert detector.features(torch.zeros(1, 3, 112, 112)).shape == (1, 256)
    assert found.aux["box_offsets"].shape == (1, 168, 4)


@pytest.mark.parametrize("name", ["caddm_efficientnet_b3", "mi_net_mobilenet"])
def test_only_resnets_have_stages_to_leave_out(name):
    with pytest.raises(ParameterError, match=r"stages = 3.*expected 4.*resnet18"):
        build_detector(name, stages=3)
