"""Numbers of facenet-pytorch on real photographs (specification of DeepfakeForensics-v1, checks 5 to 7 and 9)."""

import os
from pathlib import Path

import numpy as np
import pytest
import torch

from dfworkbench.core.geometry import iou_matrix
from dfworkbench.faces import FaceFinder, FaceSettings
from dfworkbench.faces.networks import load_networks
from dfworkbench.media import read_image

TRIALS = os.environ.get("DFWORKBENCH_TRIALS")
needs_photos = pytest.mark.skipif(
    not TRIALS or not (Path(TRIALS) / "media" / "photos").is_dir(),
    reason="DFWORKBENCH_TRIALS does not name a folder with media/photos",
)
PLAIN = FaceSettings(min_face_px=20, min_probability=0.7, detect_long_side_px=100_000)
EXACT = PLAIN.replace(exact=True)

# box, probability, landmarks (left eye, right eye, nose, mouth left, mouth right)
SIX = [
    ((859.19, 436.56, 953.56, 558.58), 0.999813, (877.5, 486.2, 919.0, 484.6, 895.7, 516.8, 884.4, 533.6, 920.2, 530.2)),
    ((554.09, 45.48, 632.84, 158.14), 0.999980, (580.2, 90.0, 616.5, 93.1, 599.1, 120.3, 576.3, 127.2, 610.8, 129.4)),
    ((420.14, 133.00, 502.68, 240.20), 0.999980, (452.3, 175.2, 489.4, 178.6, 474.8, 202.5, 451.8, 216.0, 482.7, 217.4)),
    ((225.80, 249.07, 304.81, 356.84), 0.999783, (246.2, 294.4, 282.6, 287.3, 269.9, 316.1, 253.6, 329.5, 292.1, 322.0)),
    ((722.15, 464.39, 797.57, 573.20), 0.998434, (740.3, 510.6, 778.6, 507.4, 762.7, 537.5, 745.3, 546.9, 781.4, 542.4)),
    ((622.18, 197.51, 694.83, 296.77), 0.999511, (640.5, 237.3, 676.9, 238.5, 657.0, 260.7, 639.5, 268.9, 676.0, 270.3)),
]  # fmt: skip
PORTRAITS = {
    "person_a": ((585.03, 246.96, 1198.68, 1124.88), 0.999983),
    "person_b": ((537.60, 100.75, 762.72, 414.09), 0.999733),
    "person_c": ((284.22, 295.23, 1308.51, 1817.30), 0.999876),
    "person_d": ((828.00, 349.83, 1265.06, 924.82), 0.999992),
}


def photo(name: str) -> np.ndarray:
    return read_image(Path(TRIALS or "") / "media" / "photos" / f"{name}.jpg")


def test_networks_have_the_published_sizes_and_outputs():
    nets = load_networks()
    assert [sum(p.numel() for p in net.parameters()) for net in nets] == [6_632, 100_178, 389_040]
    with torch.inference_mode():
        shapes = [
            [tuple(o.shape[1:]) for o in net(torch.zeros(1, 3, s, s))]
            for net, s in zip(nets, (12, 24, 48), strict=True)
        ]
    assert shapes == [[(4, 1, 1), (2, 1, 1)], [(4,), (2,)], [(4,), (10,), (2,)]]


@needs_photos
@pytest.mark.trials
def test_six_people_exactly():
    picture = photo("six_people")
    finder = FaceFinder(EXACT)
    faces = finder.find(picture)
    assert len(faces.boxes) == 6
    for found, probability, landmarks, (box, p, points) in zip(*faces, SIX, strict=True):
        np.testing.assert_allclose(found, box, atol=0.1)
        assert probability == pytest.approx(p, abs=1e-4)
        np.testing.assert_allclose(landmarks.ravel(), points, atol=0.2)
    blank = np.full_like(picture, 128)
    none = finder.find(blank)
    assert none.boxes.shape == (0, 4)
    assert none.landmarks.shape == (0, 5, 2)


@needs_photos
@pytest.mark.trials
def test_six_people_fast_with_default_settings():
    faces = FaceFinder().find(photo("six_people"))
    assert len(faces.boxes) == 6
    overlap = iou_matrix([box for box, _, _ in SIX], faces.boxes)
    assert overlap.max(axis=1).min() >= 0.85
    for row, (box, p, points) in enumerate(SIX):
        same = overlap[row].argmax()
        assert faces.probabilities[same] == pytest.approx(p, abs=0.02)
        shift = np.abs(faces.landmarks[same].ravel() - points).max()
        assert shift <= 0.05 * (box[2] - box[0])


@needs_photos
@pytest.mark.trials
@pytest.mark.parametrize("name", PORTRAITS)
def test_portraits(name):
    picture, (box, p) = photo(name), PORTRAITS[name]
    exact = FaceFinder(EXACT).find(picture)
    np.testing.assert_allclose(exact.boxes[0], box, atol=0.1)
    assert exact.probabilities[0] == pytest.approx(p, abs=1e-5)
    false_boxes = [0.845, 0.802] if name == "person_a" else []
    assert exact.probabilities[1:].tolist() == pytest.approx(false_boxes, abs=1e-3)
    fast = FaceFinder().find(picture)  # p >= 0.9 removes the false boxes
    assert len(fast.boxes) == 1
    assert iou_matrix([box], fast.boxes)[0, 0] >= 0.8
