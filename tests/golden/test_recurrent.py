"""LSTM detectors against the specification: counts (without the classifiers that the original carries unused) and a value."""

import pytest
import torch
from torch import nn

from dfworkbench.models import build_detector

COUNTS = {  # as instantiated from the original, minus its unused head
    "mesonet4_lstm": 1_022_522 - 12_577,
    "efficientnet_b0_lstm": 22_720_446 - 20_513,
    "efficientnet_b3_lstm": 21_017_322 - 24_609,
}


@pytest.mark.parametrize("name", sorted(COUNTS))
def test_parameter_counts(name):
    assert sum(p.numel() for p in build_detector(name).parameters()) == COUNTS[name]


def test_seeded_value():
    """Spec check 4: weights drawn in the original's order after seed 0, zero state, one frame repeated five times."""
    torch.manual_seed(0)
    image_detector = build_detector("mesonet4").eval()
    lstm, first, last = nn.LSTM(784, 128, 5, batch_first=True), nn.Linear(128, 16), nn.Linear(16, 1)
    detector = build_detector("mesonet4_lstm").eval()
    detector.trunk.load_state_dict(image_detector.trunk.state_dict())
    detector.lstm.load_state_dict(lstm.state_dict())
    detector.head[1].load_state_dict(first.state_dict())
    detector.head[4].load_state_dict(last.state_dict())
    frame = torch.linspace(-2, 2, 3 * 224 * 224).reshape(1, 1, 3, 224, 224)
    with torch.inference_mode():
        logit = detector(frame.expand(1, 5, 3, 224, 224)).logit
        assert abs(float(logit) - -0.0352229) < 1e-5
        assert torch.equal(logit, detector(frame.expand(1, 5, 3, 224, 224)).logit)  # the original's scores were random


def test_clip_length_is_free():
    detector = build_detector("mesonet4_lstm", size_px=32, clip_length=8, layers=1).eval()
    with torch.inference_mode():
        assert detector(torch.zeros(2, 8, 3, 32, 32)).logit.shape == (2,)
