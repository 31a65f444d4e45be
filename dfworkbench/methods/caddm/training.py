"""CADDM: learn to find where a face was forged, on faces that are swapped back in part.

Dong et al.: Implicit Identity Leakage: The Stumbling Block to Improving Deepfake Detection Generalization. CVPR 2023,
arXiv:2210.14457. A plain detector also learns who is on the pictures, because that tells real from fake in training; it fails
on other people. CADDM makes it look at small areas: each fake is mixed anew with the genuine frame it was made from
(`datasets.facial_swap`), and anchors must say where (`multibox`). The loss is cross-entropy + 0.1 (places + anchors).

Differences from the released code:
- Anchors that overlap a box by exactly one half are positive; in the original the rounding of 32-bit numbers decides.
- Hard negatives are mined by each anchor's own cross-entropy; the original subtracts a maximum over the batch, which underflows.
- The released transform's defects are corrected, see `datasets.facial_swap`.
- `genuine_negatives` (off, as published) lets anchors learn from genuine faces too.
- With several processes the losses are divided by the positive anchors of the whole batch, as one process would.
- Classes can be balanced, by weights of the cross-entropy or by sampling; the original does neither.
"""

from typing import Any, ClassVar

import torch
from torch import Tensor

from dfworkbench.core.errors import ParameterError
from dfworkbench.core.names import FAKE
from dfworkbench.datasets.facial_swap import FacialSwap, SwapKind
from dfworkbench.datasets.sample import Transform
from dfworkbench.methods.caddm.multibox import match, multibox_loss
from dfworkbench.training.binary import Binary, swap_settings
from dfworkbench.training.shares import share_of_processes
from dfworkbench.training.step import Step


class Caddm(Binary):
    """Cross-entropy of the picture plus the MultiBox loss of its anchors.

    `batch["window"]`, `(B, 4)`, comes from the facial swap. Without it (validation) only the cross-entropy is there.

    Args:
        detector: One with anchors: caddm_resnet34, caddm_efficientnet_b3, caddm_efficientnet_b4.
        class_weights: Factors of the cross-entropy of real and fake samples, or None for 1 and 1.
        label_smoothing: 0.1 turns the targets 0 and 1 into 0.05 and 0.95.
        detection_weight: Factor of both anchor losses; published: 0.1.
        negatives: Hard negative anchors per positive one; published: 2.
        genuine_negatives: Negative anchors of each genuine picture; published: 0.
        min_overlap: Intersection over union from which on an anchor is positive; published: 0.5.
        swap: Settings of the facial swap, as a dict.
    """

    own_detectors = True
    #: Settings of training as published: raw BGR into an ImageNet backbone; the rate falls after the 4th and the 10th epoch.
    published: ClassVar[dict[str, Any]] = {
        "method": "caddm", "detector": "caddm_resnet34",
        "detector_options": ["weights=imagenet", "authors_input=true"], "epochs": 200, "batch_size": 128, "learning_rate": 3.6e-4,
        "schedule": "steps", "rate_steps": ["5=1e-4", "11=5e-5"], "weight_decay": 4e-3, "value_clip": 2.0, "balance": "none",
        "frames_per_video": 32,
    }  # fmt: skip

    def __init__(
        self,
        detector: Any,
        *,
        class_weights: tuple[float, float] | None = None,
        label_smoothing: float = 0.0,
        detection_weight: float = 0.1,
        negatives: float = 2.0,
        genuine_negatives: int = 0,
        min_overlap: float = 0.5,
        swap: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(detector, class_weights=class_weights, label_smoothing=label_smoothing)
        for name, value, low, high in (
            ("detection_weight", detection_weight, 0.0, 100.0), ("negatives", negatives, 0.0, 100.0),
            ("genuine_negatives", genuine_negatives, 0, 168), ("min_overlap", min_overlap, 0.01, 1.0),
        ):  # fmt: skip
            if not low <= value <= high:
                raise ParameterError(f"the method caddm: {name} = {value}; expected {low} to {high}.")
        self.detection_weight, self.min_overlap = detection_weight, min_overlap
        self.negatives, self.genuine_negatives = negatives, genuine_negatives
        self.swap_settings = swap_settings(swap or {})

    def forward(self, batch: dict[str, Tensor]) -> Step:
        """Loss of a batch; see `training.step`. Parts: bce, box, anchor. Shares: swaps that failed, samples with a window."""
        prediction = self.predict(batch)
        cross_entropy = self.cross_entropy(prediction.logit, batch["label"])
        parts = {"bce": cross_entropy}
        if "window" in batch:
            fake = batch["label"] == FAKE
            targets = match(batch["window"], fake, self.detector.priors, self.min_overlap)
            found = multibox_loss(
                prediction.aux["box_offsets"],
                prediction.aux["anchor_logits"],
                targets,
                negatives=self.negatives,
                genuine_negatives=self.genuine_negatives,
                genuine=~fake,
                divisor=share_of_processes(targets.positive.sum()),
            )
            parts |= {"box": found.box, "anchor": found.anchor}
        detection = sum((parts[name] for name in ("box", "anchor") if name in parts), torch.zeros_like(cross_entropy))
        return Step(cross_entropy + self.detection_weight * detection, parts, prediction.logit, _shares(batch))

    def parameter_groups(self, learning_rate: float, weight_decay: float) -> list[dict[str, Any]]:
        """One group: the authors' weight decay pulls biases and norms too."""
        trainable = [p for p in self.parameters() if p.requires_grad]
        return [{"params": trainable, "lr": learning_rate, "weight_decay": weight_decay}]

    def train_transform(self) -> Transform:
        """The multi-scale facial swap."""
        return FacialSwap(self.swap_settings)


def _shares(batch: dict[str, Tensor]) -> dict[str, Tensor]:
    if "swap" not in batch:
        return {}
    windows = batch["window"].isfinite().all(dim=1)
    return {"swap_failed": (batch["swap"] == SwapKind.FAILED).double().mean(), "swap_window": windows.double().mean()}
