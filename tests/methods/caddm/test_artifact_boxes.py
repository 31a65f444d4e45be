"""Boxes of forged areas from the answers of CADDM's anchors."""

import pytest
import torch

from dfworkbench.core.errors import InputError, ParameterError
from dfworkbench.methods.caddm.anchors import encode, prior_boxes
from dfworkbench.methods.caddm.artifacts import artifact_boxes
from dfworkbench.models import Prediction, build_detector

PRIORS = prior_boxes()


def prediction(*images):
    """Per image {anchor: (box, probability of forged)}; all other anchors answer "genuine"."""
    logits = torch.tensor([5.0, -5.0]).repeat(len(images), 168, 1)
    offsets = torch.zeros(len(images), 168, 4)
    for i, anchors in enumerate(images):
        for anchor, (box, score) in anchors.items():
            offsets[i, anchor] = encode(torch.tensor(box), PRIORS[anchor])
            logits[i, anchor] = torch.tensor([0.0, torch.logit(torch.tensor(score)).item()])
    return Prediction(torch.zeros(len(images)), {"box_offsets": offsets, "anchor_logits": logits})


def test_by_hand():
    """Image 0: two boxes that overlap by 0.8 (one stays) and one apart; image 1: none above the threshold."""
    first = {
        20: ([0.10, 0.10, 0.50, 0.50], 0.7),
        21: ([0.10, 0.10, 0.50, 0.42], 0.9),
        90: ([0.60, 0.60, 0.90, 0.80], 0.8),
    }
    found = artifact_boxes(prediction(first, {30: ([0.1, 0.1, 0.4, 0.4], 0.45)}), PRIORS)
    torch.testing.assert_close(found[0].boxes, torch.tensor([[0.10, 0.10, 0.50, 0.42], [0.60, 0.60, 0.90, 0.80]]))
    torch.testing.assert_close(found[0].scores, torch.tensor([0.9, 0.8]))
    assert found[1].boxes.shape == (0, 4)
    assert found[1].scores.shape == (0,)


def test_thresholds():
    answer = prediction(
        {20: ([0.1, 0.1, 0.5, 0.5], 0.7), 21: ([0.1, 0.1, 0.5, 0.42], 0.9), 9: ([0.6, 0.6, 0.9, 0.9], 0.2)}
    )
    assert len(artifact_boxes(answer, PRIORS, max_iou=0.85)[0].boxes) == 2
    assert len(artifact_boxes(answer, PRIORS, min_score=0.1)[0].boxes) == 2
    assert len(artifact_boxes(answer, PRIORS, min_score=0.1, keep=1)[0].boxes) == 1
    assert len(artifact_boxes(answer, PRIORS, min_score=0.95)[0].boxes) == 0


def test_boxes_end_at_the_edge_and_the_twin_anchors_answer_once():
    whole = [-0.1, -0.2, 1.3, 1.1]
    outside = [1.1, 0.1, 1.4, 0.4]
    found = artifact_boxes(prediction({166: (whole, 0.8), 167: (whole, 0.8), 0: (outside, 0.9)}), PRIORS)[0]
    assert found.boxes.tolist() == [[0, 0, 1, 1]]
    assert found.scores.dtype == found.boxes.dtype == torch.float32


def test_images_do_not_suppress_each_other():
    box = {20: ([0.1, 0.1, 0.5, 0.5], 0.7)}
    assert [len(found.boxes) for found in artifact_boxes(prediction(box, box, {}), PRIORS)] == [1, 1, 0]


def test_answers_of_lower_precision_or_without_numbers():
    answer = prediction({20: ([0.1, 0.1, 0.5, 0.5], 0.7)})
    half = Prediction(answer.logit, {name: value.half() for name, value in answer.aux.items()})
    assert artifact_boxes(half, PRIORS)[0].boxes.dtype == torch.float32
    answer.aux["anchor_logits"][0, 20] = torch.nan
    assert len(artifact_boxes(answer, PRIORS)[0].boxes) == 0


def test_refusals():
    with pytest.raises(InputError, match=r"no anchor_logits, box_offsets, only a logit\. .*caddm_"):
        artifact_boxes(Prediction(torch.zeros(1)), PRIORS)
    for wrong in ({"min_score": 1.5}, {"max_iou": -0.1}, {"keep": 0}):
        with pytest.raises(ParameterError, match=f"{next(iter(wrong))} = "):
            artifact_boxes(prediction({}), PRIORS, **wrong)


def test_from_images_or_from_a_prediction():
    torch.manual_seed(0)
    detector = build_detector("caddm_resnet34").eval()
    images = torch.rand(2, 3, 224, 224)
    from_images = detector.artifact_boxes(images, min_score=0.0, keep=3)
    from_prediction = detector.artifact_boxes(detector(images), min_score=0.0, keep=3)
    assert [len(found.boxes) for found in from_images] == [3, 3]
    for one, other in zip(from_images, from_prediction, strict=True):
        assert torch.equal(one.boxes, other.boxes)
        assert torch.equal(one.scores, other.scores)
        assert not one.boxes.requires_grad
        assert (one.scores.diff() <= 0).all()
        assert ((one.boxes >= 0) & (one.boxes <= 1)).all()
