"""A published detector as a detector of ours: trained further, explained, and loaded again."""

import pytest
import torch
from authors_files import dfb_meso4, prefixed
from seeded_weights import seeded_file

from dfworkbench.core.errors import ParameterError
from dfworkbench.datasets.tables import read_table, write_table
from dfworkbench.explain.last_map import find_map
from dfworkbench.models import build_detector
from dfworkbench.runs.checkpoints import load_detector
from dfworkbench.training.settings import TrainSettings
from dfworkbench.training.start import train
from dfworkbench.zoo.card import get_card
from dfworkbench.zoo.importing import import_card


@pytest.fixture
def imported(toy, tmp_path):
    torch.save(seeded_file(prefixed(dfb_meso4(), "backbone.")), tmp_path / "meso4_best.pth")
    import_card("dfb_meso4", tmp_path / "meso4_best.pth", workspace=toy)
    videos = read_table("video", toy.labels / "toy/videos.csv")
    write_table(
        "video", videos.assign(width_px=400, height_px=300), toy.labels / "toy/videos.csv"
    )  # its crop is black outside
    return toy


def test_is_trained_further_from_its_run(imported):
    settings = TrainSettings(
        dataset="toy", detector="published", start_from="dfb_meso4", name="finer", epochs=1, batch_size=8, workers=0
    )
    epochs = list(train(settings, imported, progress=False))
    assert len(epochs) == 1
    before, after = (load_detector(name, workspace=imported) for name in ("dfb_meso4", "finer"))
    assert after.name == "published"
    assert after.input_spec == before.input_spec == get_card("dfb_meso4").input
    assert after.metadata["options"] == before.metadata["options"]
    assert not torch.equal(after.detector.head.weight, before.detector.head.weight)


def test_cannot_be_trained_from_nothing(imported):
    with pytest.raises(ParameterError, match="start_from"):
        train(TrainSettings(dataset="toy", detector="published", epochs=1), imported, progress=False)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"trunk": "b0", "library": "efficientnet", "pooling": "mean", "size_px": 64}, "last_map"),
        ({"trunk": "meso4", "library": "meso", "size_px": 256}, "trunk.conv4"),
        ({"trunk": "tf_efficientnet_b0", "pooling": "mean", "size_px": 64, "logits": 1}, "last_map"),
    ],
)
def test_grad_cam_finds_the_last_map(options, expected):
    network = build_detector("published", **options).eval()
    images = torch.rand(1, 3, options["size_px"], options["size_px"]).requires_grad_()
    assert find_map(network, lambda images: network(images).logit, images) == expected
