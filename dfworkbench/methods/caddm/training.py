"""CADDM training: learn to find where a face was forged, from faces that are partly swapped back.

Dong et al.: Implicit Identity Leakage: The Stumbling Block to Improving Deepfake Detection Generalization. CVPR 2023,
arXiv:2210.14457. A plain detector also learns who is in the pictures, because that separates real from fake in training; it fails
on other people. CADDM makes it look at small areas: each fake is mixed again with the genuine frame it was made from
(`datasets.facial_swap`), and anchors must localise the mixed area (`multibox`). The loss is cross-entropy + 0.1 (boxes + anchors).

Differences from the released code:
- Anchors that overlap a box by exactly one half are positive; in the original this depends on float32 rounding.
- Hard negatives are mined by each anchor's own cross-entropy; the original subtracts a maximum over the batch, which underflows.
- Defects of the released transform are corrected, see `datasets.facial_swap`.
- `genuine_negatives` (off, as published) lets anchors learn from genuine faces too.
- With several processes, the losses are divided by the positive anchors of the whole batch, as in a single process.
- Classes can be balanced, by weights of the cross-entropy or by sampling; the original does neither.
"""

import torch
from pydantic import Field
from torch import Tensor

from dfworkbench.core.names import FAKE
from dfworkbench.datasets.facial_swap import FacialSwap, SwapKind, SwapSettings
from dfworkbench.datasets.sample import Transform
from dfworkbench.methods.caddm.multibox import match, multibox_loss
from dfworkbench.training.binary import Binary, ClassifierSettings
from dfworkbench.training.shares import share_of_processes
from dfworkbench.training.step import Step


class CaddmSettings(ClassifierSettings):
    """Options of the method CADDM; defaults are as published."""

    detection_weight: float = Field(default=0.1, ge=0, le=100, description="Factor of both anchor losses.")
    negatives: float = Field(default=2.0, ge=0, le=100, description="Hard negative anchors per positive one.")
    genuine_negatives: int = Field(default=0, ge=0, le=168, description="Negative anchors of each genuine picture.")
    min_overlap: float = Field(
        default=0.5, ge=0.01, le=1, description="Intersection over union from which on an anchor is positive."
    )
    swap: SwapSettings = Field(default=SwapSettings(), description="Settings of the facial swap.")


class Caddm(Binary):
    """Cross-entropy of the picture plus the MultiBox loss of its anchors. Options: `CaddmSettings`.

    `batch["window"]`, `(B, 4)`, comes from the facial swap. Without it (validation) only the cross-entropy is computed.
    """

    Settings = CaddmSettings
    settings: CaddmSettings
    own_detectors = True
    decay_vectors = True  # as the authors do
    # raw BGR into an ImageNet backbone; the rate falls after the 4th and the 10th epoch
    published = {
        "method": "caddm", "detector": "caddm_resnet34",
        "detector_options": {"weights": "imagenet", "authors_input": True}, "epochs": 200, "batch_size": 128,
        "learning_rate": 3.6e-4, "schedule": "steps", "rate_steps": ["5=1e-4", "11=5e-5"], "weight_decay": 4e-3,
        "value_clip": 2.0, "balance": "none", "frames_per_video": 32,
    }  # fmt: skip

    def forward(self, batch: dict[str, Tensor]) -> Step:
        """Loss of a batch; see `training.step`. Parts: bce, box, anchor. Shares: swaps that failed, samples with a window."""
        prediction = self.predict(batch)
        cross_entropy = self.cross_entropy(prediction.logit, batch["label"])
        parts = {"bce": cross_entropy}
        if "window" in batch:
            fake = batch["label"] == FAKE
            targets = match(batch["window"], fake, self.detector.priors, self.settings.min_overlap)
            found = multibox_loss(
                prediction.aux["box_offsets"],
                prediction.aux["anchor_logits"],
                targets,
                negatives=self.settings.negatives,
                genuine_negatives=self.settings.genuine_negatives,
                genuine=~fake,
                divisor=share_of_processes(targets.positive.sum()),
            )
            parts |= {"box": found.box, "anchor": found.anchor}
        detection = sum((parts[name] for name in ("box", "anchor") if name in parts), torch.zeros_like(cross_entropy))
        return Step(cross_entropy + self.settings.detection_weight * detection, parts, prediction.logit, _shares(batch))

    def train_transform(self) -> Transform:
        """The multi-scale facial swap."""
        return FacialSwap(self.settings.swap)


def _shares(batch: dict[str, Tensor]) -> dict[str, Tensor]:
    if "swap" not in batch:
        return {}
    windows = batch["window"].isfinite().all(dim=1)
    return {"swap_failed": (batch["swap"] == SwapKind.FAILED).double().mean(), "swap_window": windows.double().mean()}
