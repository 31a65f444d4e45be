"""FST-Matching's networks, loss and alignment against the figures of the specification (acceptance checks A1, A3, A11 to A13)."""

import math

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn
from torchvision import models

from dfworkbench.datasets.layouts import read_layout
from dfworkbench.datasets.people import identity_classes, known_people
from dfworkbench.evaluation.metrics.evaluate import metric_of
from dfworkbench.faces.alignment import align, alignment_matrix, canvas_points
from dfworkbench.methods.fst_matching.encoder_training import identity_loss
from dfworkbench.methods.fst_matching.training import interaction, interaction_loss
from dfworkbench.models import build_detector
from dfworkbench.training.registry import build_method
from dfworkbench.training.step import decay_groups

POINTS = [(100, 120), (160, 118), (131, 150), (105, 185), (158, 183)]


def count(module):
    return sum(p.numel() for p in module.parameters())


def shell(name, **options):
    """Shapes without numbers."""
    with torch.device("meta"):
        return build_detector(name, **options)


def batch_of(detector, labels, carriers, donors, seed=0):
    images = np.random.default_rng(seed).integers(0, 256, (len(labels), 3, 64, 64), np.uint8)
    names = {"label": labels, "carrier": carriers, "donor": donors, "row": range(len(labels))}
    return {"images": torch.from_numpy(images), **{name: torch.tensor(list(values)) for name, values in names.items()}}


@pytest.fixture
def small():
    torch.manual_seed(0)
    return build_detector("fst_matching", classes=5, size_px=64)


# -- A1: sizes ---------------------------------------------------------------------------------------------------------


def test_a1_parameters_and_statistics_of_batch_norms():
    encoder, detector = shell("identity_resnet18"), shell("resnet18", two_logits=True)
    both = shell("fst_matching")
    assert (count(encoder), count(detector), count(both)) == (11_689_512, 11_177_538, 23_446_610)
    assert (count(both.carrier.gate), count(both.donor.gate), count(both.head)) == (32_768, 32_768, 2_050)
    for net, expected in ((encoder, 9_600), (detector, 9_600), (both, 19_200)):
        statistics = (value for key, value in net.state_dict().items() if "running" in key)
        assert sum(value.numel() for value in statistics) == expected


def test_a1_shapes(small):
    found = small.eval()(torch.zeros(3, 3, 64, 64))
    shapes = {name: tuple(value.shape) for name, value in found.aux.items()}
    rest = {"carrier_rest": (3, 512), "donor_rest": (3, 512)}
    assert shapes == {"class_logits": (3, 2), "carrier_logits": (3, 5), "donor_logits": (3, 5), **rest}
    assert torch.equal(found.logit, found.aux["class_logits"][:, 1] - found.aux["class_logits"][:, 0])
    assert small.features(torch.zeros(3, 3, 64, 64)).shape == (3, 1024)


def test_a1_multiply_adds_of_an_encoder():
    net, total = build_detector("identity_resnet18"), 0

    def add(layer, _, out):
        nonlocal total
        total += layer.weight.numel() * (out.shape[-1] * out.shape[-2] if out.ndim == 4 else 1)

    for layer in net.modules():
        if isinstance(layer, nn.Conv2d | nn.Linear):
            layer.register_forward_hook(add)
    net.eval()(torch.zeros(1, 3, 224, 224))
    assert total == 1_814_073_344


def test_the_encoders_are_torchvisions_resnet18(small):
    """Trunk, gate and heads by hand, from the names of the layers alone."""
    small.eval()
    images = torch.rand(2, 3, 64, 64)
    plain = models.resnet18().eval()
    plain.fc = nn.Identity()
    rests = {}
    found = small(images)
    for role in ("carrier", "donor"):
        encoder = getattr(small, role)
        plain.load_state_dict(encoder.trunk.net.state_dict())
        f = plain(images)
        gate = torch.sigmoid(torch.relu(f @ encoder.gate[0].weight.T) @ encoder.gate[2].weight.T)
        rests[role] = f * (1 - gate)
        named = (f * gate) @ encoder.head.weight.T + encoder.head.bias
        assert torch.allclose(found.aux[f"{role}_logits"], named, atol=1e-5)
    joint = torch.cat([rests["donor"], rests["carrier"]], dim=1)
    assert torch.allclose(found.aux["class_logits"], joint @ small.head.weight.T + small.head.bias, atol=1e-5)


# -- A3: the interaction -----------------------------------------------------------------------------------------------


def test_a3_the_published_interaction_is_nothing(small):
    prediction = small.train()(torch.rand(3, 3, 64, 64))
    found = interaction(small, prediction.aux["carrier_rest"], prediction.aux["donor_rest"])
    assert found.abs().max() < 1e-5 * prediction.aux["class_logits"].abs().max().clamp(min=1)
    interaction_loss(found, torch.tensor([0, 1, 1])).backward()
    assert all(p.grad is None or p.grad.abs().max() < 1e-6 for p in small.parameters())


def test_our_interaction_is_something_and_can_be_trained():
    torch.manual_seed(0)
    detector = build_detector("fst_matching", classes=5, size_px=64, nonlinear=True)
    prediction = detector.train()(torch.rand(3, 3, 64, 64))
    found = interaction(detector, prediction.aux["carrier_rest"], prediction.aux["donor_rest"])
    assert found.abs().max() > 1e-3
    interaction_loss(found, torch.tensor([0, 1, 1])).backward()
    assert detector.carrier.trunk.net.conv1.weight.grad.abs().max() > 0


def test_a3_each_sample_is_asked_for_its_own_class():
    found, label = torch.tensor([[0.2, 0.5], [0.1, -0.3], [0.4, 0.0]]), torch.tensor([0, 1, 1])
    margins = [0.2 - 0.5, -0.3 - 0.1, 0.0 - 0.4]
    expected = sum(math.log1p(math.exp(-margin)) for margin in margins) / 3
    assert interaction_loss(found, label).item() == pytest.approx(expected, rel=1e-6)


def test_a3_loss_of_uniform_logits():
    small = build_detector("fst_matching", classes=1000, size_px=64)
    for layer in (small.head, small.carrier.head, small.donor.head):
        nn.init.zeros_(layer.weight)
        nn.init.zeros_(layer.bias)
    step = build_method("fst_matching", small)(batch_of(small, [0, 1, 1], [0, 35, 999], [0, 36, 7]))
    assert step.loss.item() == pytest.approx(11.05478, abs=1e-4)
    assert set(step.parts) == {"bce", "carrier", "donor"}


def test_people_who_are_not_known_cost_nothing():
    logits, people = torch.randn(4, 6), torch.tensor([2, -1, 0, -1])
    assert torch.allclose(identity_loss(logits, people), identity_loss(logits[[0, 2]], people[[0, 2]]))
    assert identity_loss(logits, torch.full((4,), -1)) == 0


# -- A11: labels -------------------------------------------------------------------------------------------------------


def test_a11_whom_a_file_shows(tmp_path):
    for path in ("original_sequences/youtube/c23/videos/035.mp4", "original_sequences/youtube/c23/videos/036.mp4",
                 "manipulated_sequences/Deepfakes/c23/videos/035_036.mp4"):  # fmt: skip
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).touch()
    videos = read_layout("faceforensics", tmp_path, "ff").sort_values("video_id")
    names = known_people(videos)
    assert names == ["ff/035", "ff/036"]
    classes = identity_classes(videos, names).set_axis(videos["path"].str[-11:])
    assert [tuple(row) for row in classes.to_numpy()] == [(0, 1), (0, 0), (1, 1)]
    assert videos["label"].tolist() == [1, 0, 0]


# -- A12: alignment ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("scale", "first", "last"),
    [(1.0, (71.717448, 92.561983), (145.164984, 201.368654)), (0.9, (75.745703, 92.561983), (141.848486, 185.420018))],
)
def test_a12_canvas(scale, first, last):
    points = canvas_points(scale=scale)
    assert np.allclose([points[0], points[4]], [first, last], atol=1e-5)


@pytest.mark.parametrize(
    ("scale", "expected"),
    [
        (1.0, [[1.514021, -0.037264, -80.651279], [0.037264, 1.514021, -85.418304]]),
        (0.9, [[1.318184, -0.032660, -55.706787], [0.032660, 1.318184, -63.386588]]),
    ],
)
def test_a12_similarity(scale, expected):
    assert np.allclose(alignment_matrix(POINTS, scale=scale)[:2], expected, atol=1e-5)


def test_a12_full_warp():
    found = alignment_matrix(
        POINTS, scale=1.0, rotation_deg=10, translation_px=(5, -7), eye_stretch=1.02, side_stretch=0.98
    )
    expected = [[1.378495, 0.274421, -100.905315], [-0.346031, 1.543094, -47.740391], [-0.000904, 0.000414, 1.043958]]
    assert np.allclose(found, expected, atol=1e-3)


def test_a12_warped_picture():
    y, x = np.mgrid[:300, :300]
    image = np.stack([x, y, x + y], axis=-1).astype(np.uint8)
    warped = align(image, alignment_matrix(POINTS, scale=1.0))
    assert np.allclose(warped.mean(axis=(0, 1)), [130.052, 126.878, 126.551], atol=0.05)
    assert warped[112, 112].tolist() == [130, 127, 2]


# -- A13: optimiser and AUC --------------------------------------------------------------------------------------------


def test_a13_one_step_of_adamw():
    """Through our groups: a matrix is decayed, a vector is spared."""
    net = nn.Linear(1, 1).double()
    for p in net.parameters():
        nn.init.constant_(p, 2.0)
        p.grad = torch.full_like(p, 3.0)
    torch.optim.AdamW(decay_groups(net, 1e-3, 4e-3)).step()
    assert net.weight.item() == pytest.approx(1.998992, abs=1e-6)
    assert net.bias.item() == pytest.approx(1.999, abs=1e-6)


def test_a13_auc_counts_ties_half():
    scores, labels = np.array([0.1, 0.4, 0.35, 0.8, 0.4]), np.array([0, 0, 1, 1, 1])
    assert metric_of("auc", labels, scores) == pytest.approx(0.75)
    assert metric_of("auc", labels, np.zeros(5)) == 0.5


def test_a_fake_without_donor_is_refused():
    from dfworkbench.core.errors import TableError

    videos = pd.DataFrame({"video_id": ["a", "b"], "label": [0, 1], "carrier": ["p", "p"], "donor": ["", ""]})
    with pytest.raises(TableError, match="the carrier or donor of 1 of 2 videos is not known"):
        known_people(videos)
