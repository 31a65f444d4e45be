"""Reconstruction loss: distance of a re-synthesised picture from the original, in pixels and in VGG-19 features.

He, Yu, Keuper, Fritz: Beyond the Spectrum: Detecting Deepfakes via Re-Synthesis. IJCAI 2021, arXiv:2105.14376. As in the
released code, features are compared by mean squares in pre-training and by mean absolute values in fine-tuning, with the same
weights for the stages. Difference: it does not require a GPU.
"""

from typing import Any, Literal

import torch
from torch import Tensor
from torch.nn import functional as F

#: Weights of VGG's five stages, from relu1_1 to relu5_1.
STAGE_WEIGHTS = (1 / 32, 1 / 16, 1 / 8, 1 / 4, 1.0)


def reconstruction_loss(
    made: Tensor, target: Tensor, vgg: Any | None = None, kind: Literal["l1", "mse"] = "l1"
) -> dict[str, Tensor]:
    """Parts of the loss, means over all values of the batch.

    Args:
        made: The re-synthesis, `(B, 3, H, W)`, in 0..1.
        target: The original pictures.
        vgg: `models.vgg.VggTaps` with all five stages, or None to compare pixels alone.
        kind: How features are compared: "l1" or "mse".

    Returns:
        "l1", and with `vgg` also "perceptual", the weighted sum over the stages; scalars, at least float32.
    """
    parts = {"l1": _absolute(made, target)}
    if vgg is not None:
        with torch.no_grad():
            wanted = vgg(target)
        distance = _absolute if kind == "l1" else _squared
        stages = zip(STAGE_WEIGHTS, vgg(made), wanted, strict=True)
        parts["perceptual"] = torch.stack([weight * distance(a, b) for weight, a, b in stages]).sum()
    return parts


def _absolute(made: Tensor, target: Tensor) -> Tensor:
    return F.l1_loss(_wide(made), _wide(target))


def _squared(made: Tensor, target: Tensor) -> Tensor:
    return F.mse_loss(_wide(made), _wide(target))


def _wide(values: Tensor) -> Tensor:
    """Convert to at least float32: bfloat16 would lose half a grey level."""
    return values.to(torch.promote_types(values.dtype, torch.float32))
