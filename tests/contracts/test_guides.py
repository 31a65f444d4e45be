"""The guides say what is true: their code is executed as it stands."""

import re
from pathlib import Path

import numpy as np
import pytest
import torch

from dfworkbench.core.errors import CheckpointError, DataNotFoundError
from dfworkbench.datasets.layouts import LAYOUTS, read_layout
from dfworkbench.datasets.perturb.perturbations import PERTURBATIONS, Perturb
from dfworkbench.models.registry import DETECTORS
from dfworkbench.runs.checkpoints import load_detector
from dfworkbench.training import TrainSettings, train
from dfworkbench.training.registry import METHODS

GUIDES = Path(__file__).parents[2] / "docs" / "guides"


@pytest.fixture(autouse=True)
def _same_names_afterwards():
    before = [(known, dict(known)) for known in (DETECTORS, METHODS, LAYOUTS, PERTURBATIONS)]
    yield
    for known, names in before:
        known.clear()
        known.update(names)


def blocks(name):
    return re.findall(r"```python\n(.*?)```", (GUIDES / name).read_text(), re.DOTALL)


def execute(code, names=None):
    names = {"__name__": "__main__"} | (names or {})
    exec(compile(code, "guide", "exec"), names)
    return names


def test_the_template_of_a_detector_is_trained_saved_and_scores(toy):
    template, usage = blocks("add_a_detector.md")
    assert len(template.strip().splitlines()) <= 30
    names = execute(template)
    picture = next(toy.extracted.rglob("*.png"))
    usage = usage.replace('"demo"', '"toy"').replace('"picture.png"', repr(str(picture)))
    found = execute(usage, names)["scored"]
    assert len(found) == 1
    assert found.detector == "tiny_demo"
    assert 0 < found.files[0].fake_probability < 1
    loaded = load_detector("tiny_demo")
    assert loaded.metadata["options"] == {"width": 4, "crop_scale": 1.0}
    assert loaded.metadata["registered_from"] == "__main__:Tiny"
    del DETECTORS["tiny"]
    with pytest.raises(
        CheckpointError, match=r"no detector is called 'tiny'.*run the cell that calls register_detector\('tiny'"
    ):
        load_detector("tiny_demo")


def test_the_guide_to_networks_of_timm_trains_one(toy):
    (code,) = blocks("networks_of_timm.md")
    found = execute(code.replace('"demo"', '"toy"'))
    assert found["epoch"].number == 1
    (run,) = toy.checkpoints.iterdir()
    assert run.name.startswith("timm-resnet10t_toy_")


def test_the_template_of_a_method_trains(toy):
    (template,) = blocks("add_a_method.md")
    focal = execute(template)["Focal"]
    settings = TrainSettings(
        dataset="toy",
        detector="mesonet4",
        size_px=32,
        method="focal",
        method_options={"gamma": 1},
        epochs=1,
        name="focal",
    )
    (epoch,) = train(settings, toy, progress=False)
    assert epoch.train["focal"] == pytest.approx(epoch.train["loss"])
    method = focal(load_detector("focal").detector, gamma=0.0).eval()
    batch = {"images": torch.randint(0, 256, (4, 3, 32, 32), dtype=torch.uint8), "label": torch.tensor([0, 1, 1, 0])}
    logit = method.predict(batch).logit
    assert torch.allclose(
        method(batch).loss, method.cross_entropy(logit, batch["label"]), atol=1e-6
    )  # gamma 0 is cross-entropy


def test_the_template_of_a_layout_reads_its_tree(tmp_path):
    (template,) = blocks("add_a_dataset_layout.md")
    execute(template)
    for name in ("anna_real", "bert_real", "cara_real", "anna_by_bert_swap"):
        (tmp_path / f"{name}.mp4").touch()
    videos = read_layout("lab_set", tmp_path, "lab").set_index("path")
    assert videos["label"].to_dict() == {
        "anna_real.mp4": 0,
        "bert_real.mp4": 0,
        "cara_real.mp4": 0,
        "anna_by_bert_swap.mp4": 1,
    }
    assert videos.loc["anna_by_bert_swap.mp4", ["carrier", "donor", "forgery"]].tolist() == [
        "lab/anna",
        "lab/bert",
        "swap",
    ]
    assert videos["group"].nunique() == 2
    with pytest.raises(DataNotFoundError, match="Give the folder that holds files such as anna_real"):
        read_layout("lab_set", tmp_path / "none", "lab")


def test_the_template_of_a_perturbation_darkens():
    (template,) = blocks("add_a_perturbation.md")
    execute(template)
    picture = np.full((8, 8, 3), 128, np.uint8)
    out = Perturb("gamma>noise", 2.0, 0.0).picture(picture, np.random.default_rng(0))
    assert np.unique(out).tolist() == [64]
