"""Boxes of forged areas from the anchors of a CADDM detector."""

from typing import NamedTuple

import torch
from torch import Tensor
from torchvision.ops import nms

from dfworkbench.core.errors import InputError, ParameterError
from dfworkbench.methods.caddm.anchors import decode
from dfworkbench.models.prediction import Prediction


class ArtifactBoxes(NamedTuple):
    """Boxes found in one image, the highest score first.

    Attributes:
        boxes: `(n, 4)` float32, x0, y0, x1, y1 in 0..1 of the crop.
        scores: `(n,)` float32, probability of *forged* from the anchor of each box, 0..1.
    """

    boxes: Tensor
    scores: Tensor


@torch.no_grad()
def artifact_boxes(
    prediction: Prediction,
    priors: Tensor,
    *,
    min_score: float = 0.5,
    max_iou: float = 0.45,
    keep: int = 10,
    whole: bool = True,
) -> list[ArtifactBoxes]:
    """Boxes of forged areas, after non-maximum suppression.

    Args:
        prediction: Prediction of a CADDM detector, with aux "box_offsets" `(B, 168, 4)` and "anchor_logits" `(B, 168, 2)`.
        priors: `(168, 4)`, see `anchors.prior_boxes`.
        min_score: Minimum score of a box, 0..1.
        max_iou: Of two boxes that overlap more, only the one with the higher score is kept, 0..1.
        keep: Maximum number of boxes per image.
        whole: Whether to include anchors of the whole picture. A detector trained as by its authors gives every fake such a box;
            without them, the boxes show where in the face it looks.

    Returns:
        One entry per image, on the device of the prediction; boxes without area inside the picture are dropped.

    Raises:
        InputError: The prediction is from another detector.
        ParameterError: A threshold is out of range.
    """
    _check(prediction, min_score, max_iou, keep)
    offsets, logits = prediction.aux["box_offsets"].float(), prediction.aux["anchor_logits"].float()
    boxes = decode(offsets, priors.to(offsets)).clamp(0, 1)
    scores = logits.softmax(dim=-1)[..., 1]
    if not whole:
        scores = scores.masked_fill((priors[:, 2:] >= 1).all(dim=1).to(scores.device), -1.0)
    visible = (boxes[..., 2:] > boxes[..., :2]).all(dim=-1) & (scores >= min_score)
    found: list[ArtifactBoxes] = []
    for image_boxes, image_scores, candidates in zip(boxes, scores, visible, strict=True):
        image_boxes, image_scores = image_boxes[candidates], image_scores[candidates]
        best = nms(image_boxes, image_scores, max_iou)[:keep]
        found.append(ArtifactBoxes(image_boxes[best], image_scores[best]))
    return found


def _check(prediction: Prediction, min_score: float, max_iou: float, keep: int) -> None:
    missing = {"box_offsets", "anchor_logits"} - set(prediction.aux)
    if missing:
        there = ", ".join(sorted(prediction.aux)) or "a logit"
        raise InputError(
            f"finding artifact boxes: the prediction has no {', '.join(sorted(missing))}, only {there}. Expected the prediction "
            "of a detector whose name begins with caddm_."
        )
    if not (0 <= min_score <= 1 and 0 <= max_iou <= 1 and keep >= 1):
        raise ParameterError(
            f"finding artifact boxes: min_score = {min_score}, max_iou = {max_iou}, keep = {keep}; expected both thresholds in "
            "0..1 and at least one box to keep."
        )
