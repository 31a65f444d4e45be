"""What notebook 06 says that it shows."""

from typing import Any

import pandas as pd
import pytest

from dfworkbench.core.errors import DataNotFoundError
from dfworkbench.methods.resynthesis.settings import JOINT, PIXEL, PLAIN, SUPER_RESOLUTION, ReconstructionSettings
from dfworkbench.methods.resynthesis.study import Study
from dfworkbench.models import build_detector
from dfworkbench.notebook.parameters import check_parameters, find_notebook, read_notebook, read_parameters
from dfworkbench.runs.checkpoints import save_detector


def settings_of(**values: Any) -> ReconstructionSettings:
    return ReconstructionSettings(**values)


@pytest.mark.parametrize(
    ("fakes", "title", "shown"),
    [
        (["nearest"], "nearest (trained on)", {"", "nearest"}),
        (["nearest", "bilinear", "other"], "other generators", {"", "bilinear", "other"}),
        (["bilinear"], "other generators", {"", "bilinear"}),
    ],
)
def test_titles_name_the_generators_that_are_shown(fakes, title, shown):
    study = Study.__new__(Study)  # nothing is trained
    values: dict[str, Any] = {"generator": "nearest"}
    study.settings = ReconstructionSettings(**values)
    study.test = pd.DataFrame({"forgery": ["", *fakes], "label": [0, *(1 for _ in fakes)]})
    assert study.tested == title
    assert set(study._perturbed["forgery"]) == shown


def test_runs_of_former_settings_keep_their_names():
    """As the notebook named them before there were presets: whoever trained them does not train them again."""
    former = settings_of(preset="thorough", stage=5, stage_features="random").trainings()
    assert {title: training.model_name for title, training in former.items()} == {
        SUPER_RESOLUTION: "rdn_demo_pictures_9249507a",
        PLAIN: "resnet18_demo_pictures_194a8a21",
        PIXEL: "resynthesis_pixel_demo_pictures_62ad0023",
        "stage 5": "resynthesis_stage5_demo_pictures_ad8dcbd2",
        JOINT: "resynthesis_pixel_demo_pictures_271934df",
    }
    former = settings_of(preset="thorough", stage=5, trial=True, vgg_weights="imagenet").trainings()
    assert former["stage 5"].model_name == "resynthesis_stage5_demo_pictures_08eec0cc"


def test_former_parameters_still_work():
    known = read_parameters(read_notebook(find_notebook("06_reconstruction_error")))
    typed = {"trial": "true", "vgg_weights": "imagenet", "size_px": "224", "levels": "1,3", "depth": "34"}
    values = check_parameters(typed, known, "06_reconstruction_error")
    settings = ReconstructionSettings(**values)
    assert settings == settings_of(
        allow_undertrained=True, stage_features="imagenet", size_px=224, levels=[1, 3], depth=34
    )


def test_stages_are_those_of_the_plain_detector():
    made = settings_of(stage=2).trainings()
    assert list(made)[:2] == [SUPER_RESOLUTION, PLAIN]  # trained before it is needed
    training = made["stage 2"]
    assert training.detector == "resynthesis_stage2"
    assert training.method_options["features_from"] == made[PLAIN].model_name
    assert training.detector_options["feature_network"] == "resnet18"
    assert training.detector_options["feature_options"] == made[PLAIN].build_options()


def test_stages_may_be_those_of_a_run(tmp_path):
    options = {"size_px": 64, "dropout": 0.25}
    file = str(
        save_detector(tmp_path / "epoch_001.safetensors", build_detector("mesonet4", **options), "mesonet4", options)
    )
    training = settings_of(stage=2, stage_features=file).trainings()["stage 2"]
    assert training.method_options["features_from"] == file
    assert training.detector_options["feature_network"] == "mesonet4"
    assert training.detector_options["feature_options"] == options
    with pytest.raises(DataNotFoundError, match="no_such_run"):
        settings_of(stage_features="no_such_run").trainings()


def test_the_published_preset_trains_as_the_paper_does():
    made = settings_of(preset="published").trainings()
    first, pixel = made[SUPER_RESOLUTION], made[PIXEL]
    assert (first.size_px, first.batch_size, first.learning_rate, first.method_options["vgg_weights"]) == (
        96,
        12,
        1e-4,
        "imagenet",
    )
    assert (pixel.size_px, pixel.epochs, pixel.optimizer, pixel.learning_rate) == (1024, 100, "sgd", 2e-4)
    assert made["stage 5"].detector_options["vgg_weights"] == "imagenet"
