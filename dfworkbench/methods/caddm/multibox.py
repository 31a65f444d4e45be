"""MultiBox loss of CADDM: matching of boxes to anchors, and the loss of the anchors' outputs.

Dong et al., CVPR 2023 (see `network`), after Liu et al., SSD, ECCV 2016, arXiv:1512.02325, sections 2.2 and 2.3: anchors that
overlap a true box are positive, only the hardest of the others count, and both losses are divided by the number of positives.
"""

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F
from torchvision.ops import box_iou

from dfworkbench.methods.caddm.anchors import corners, encode

#: The whole crop: every fake has this box.
FULL = (0.0, 0.0, 1.0, 1.0)
# many boxes overlap an anchor by exactly one half; rounding must not decide about them
_TOLERANCE = 1e-6
_FORCED = 2.0  # larger than any overlap


class Targets(NamedTuple):
    """Target outputs of the anchors of a batch.

    Attributes:
        offsets: `(B, A, 4)`, see `anchors.encode`; 0 for genuine images.
        positive: `(B, A)` bool, whether an anchor is assigned a box.
    """

    offsets: Tensor
    positive: Tensor


class MultiBoxLoss(NamedTuple):
    """Both losses, scalars: of the box positions, and of the anchors' classes."""

    box: Tensor
    anchor: Tensor


def match(windows: Tensor, fake: Tensor, priors: Tensor, min_overlap: float = 0.5) -> Targets:
    """Assign true boxes to anchors.

    A fake has the box of the whole crop, and its artifact window if it has one. An anchor is assigned the box that it overlaps
    most, if the overlap is at least `min_overlap` (less one in a million, because exact halves are frequent); and every box gets at
    least the anchor that overlaps it most, the first of several.

    Args:
        windows: `(B, 4)` x0, y0, x1, y1 in 0..1; NaN if there is none.
        fake: `(B,)` bool.
        priors: `(A, 4)`, see `anchors.prior_boxes`.
        min_overlap: Intersection over union, 0..1.
    """
    full = torch.tensor(FULL, device=priors.device, dtype=priors.dtype).expand(len(windows), 4)
    boxes = torch.stack([full, windows.to(priors.dtype)], dim=1)  # (B, 2, 4)
    there = torch.stack([fake, fake & windows.isfinite().all(dim=1)], dim=1)  # (B, 2)
    boxes = torch.where(there[..., None], boxes, full[:, None])
    overlaps = box_iou(boxes.flatten(0, 1), corners(priors)).view(*there.shape, -1)
    overlaps = overlaps.masked_fill(~there[..., None], -1.0)
    # argmax may pick any of several equal ones, and rounding makes equal ones unequal
    near_best = overlaps >= overlaps.amax(dim=2, keepdim=True) - _TOLERANCE
    first = near_best.to(torch.uint8).argmax(dim=2, keepdim=True)
    forced = torch.full_like(first, _FORCED, dtype=overlaps.dtype) + torch.arange(2, device=first.device).view(1, 2, 1)
    overlaps = overlaps.scatter(2, first, torch.where(there[..., None], forced, -1.0))
    best, box = overlaps.max(dim=1)  # (B, A)
    chosen = boxes.gather(1, box[..., None].expand(-1, -1, 4))
    offsets = torch.where(fake[:, None, None], encode(chosen, priors), 0.0)
    return Targets(offsets, best >= min_overlap - _TOLERANCE)


def multibox_loss(
    offsets: Tensor,
    anchor_logits: Tensor,
    targets: Targets,
    *,
    negatives: float = 2.0,
    genuine_negatives: int = 0,
    genuine: Tensor | None = None,
    divisor: Tensor | None = None,
) -> MultiBoxLoss:
    """Smooth L1 of the positive anchors' offsets, and cross-entropy of positive and hard negative anchors.

    Both are sums over the batch divided by its number of positive anchors (by 1 if there is none), SSD eq. 1. In each image,
    `negatives` times as many anchors count as negative as are positive, those with the highest cross-entropy.

    Args:
        offsets: `(B, A, 4)`.
        anchor_logits: `(B, A, 2)`, genuine and forged.
        targets: Result of `match`.
        negatives: Negative anchors per positive anchor of an image; the paper's code has 2.
        genuine_negatives: Anchors of each genuine image that count as negative. The released code has none, so anchors
            never learn from genuine faces.
        genuine: `(B,)` bool, needed if `genuine_negatives` is not 0.
        divisor: Replaces the number of positive anchors if the batch is part of a larger one.
    """
    positive = targets.positive
    costs = F.cross_entropy(anchor_logits.flatten(0, 1).float(), positive.flatten().long(), reduction="none")
    costs = costs.view_as(positive)
    places = F.smooth_l1_loss(offsets.float(), targets.offsets.float(), reduction="none").sum(dim=2)
    wanted = (negatives * positive.sum(dim=1)).clamp(max=positive.shape[1] - 1).long()
    if genuine_negatives and genuine is not None:
        wanted = torch.where(genuine, genuine_negatives, wanted)
    hardest = costs.detach().masked_fill(positive, 0.0).argsort(dim=1, descending=True, stable=True)
    rank = hardest.argsort(dim=1)
    counted = positive | (rank < wanted[:, None])
    total = positive.sum().clamp(min=1) if divisor is None else divisor
    return MultiBoxLoss((places * positive).sum() / total, (costs * counted).sum() / total)
