"""A network of timm through training, continuing, fine-tuning and scoring, like any other detector."""

import pytest

from dfworkbench.core.errors import ParameterError
from dfworkbench.datasets.dataset import DataSet
from dfworkbench.evaluation.scoring.score import score_rows
from dfworkbench.runs.checkpoints import load_detector
from dfworkbench.training import TrainSettings, train

SETTINGS = TrainSettings(
    dataset="toy", detector="timm:resnet10t", size_px=64, epochs=1, batch_size=8, frames_per_video=1, threads=1, device="cpu"
)  # fmt: skip


def test_trained_loaded_scored_and_fine_tuned(toy):
    list(train(SETTINGS, toy, progress=False))
    (folder,) = toy.checkpoints.iterdir()
    assert folder.name == SETTINGS.model_name
    assert folder.name.startswith("timm-resnet10t_toy_")
    assert TrainSettings.read(folder / "settings.json").detector == "timm:resnet10t"
    loaded = load_detector(folder.name, workspace=toy)
    data = DataSet.open("toy", toy)
    scores = score_rows(loaded, data.samples(loaded.input_spec, data.videos[data.videos["split"] == "test"], 1))
    assert scores["fake_probability"].between(0, 1).all()
    tuned = SETTINGS.replace(start_from=folder.name, size_px=None, name="tuned", learning_rate=1e-6)
    (epoch,) = train(tuned, toy, progress=False)
    assert epoch.number == 1
    assert load_detector("tuned", workspace=toy).input_spec == loaded.input_spec
    with pytest.raises(ParameterError, match="they are of the detector 'timm:resnet10t'"):
        train(tuned.replace(detector="timm:resnet14t", name="other"), toy, progress=False)
