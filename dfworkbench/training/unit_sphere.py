"""Alignment and uniformity losses of features on the unit sphere, added to the cross-entropy.

Wang, Isola: Understanding Contrastive Representation Learning through Alignment and Uniformity on the Hypersphere. ICML 2020,
arXiv:2005.10242. Over pairs of unit vectors f, g: alignment is the mean of |f - g|² over pairs that belong together (alpha = 2),
uniformity the logarithm of the mean of exp(-t |f - g|²) over all pairs, t = 2.

As in Yermakov, Cech, Matas, Fritz (WACV 2026, arXiv:2508.06248), pictures of one class belong together. Pairs consist of different
samples of the batch, over all processes; no picture is paired with another crop of itself.
"""

import contextlib
from collections.abc import Iterator
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor
from torch.nn import functional as F

_T = 2.0


def alignment_and_uniformity(features: Tensor, label: Tensor) -> dict[str, Tensor]:
    """Both losses of a batch; 0 if it has no such pair.

    Args:
        features: `(B, F)`, of any length; they are normalised here.
        label: `(B,)`, equal for samples that belong together.

    Returns:
        "alignment", 0..4, and "uniformity", -8..0; scalars, float32.
    """
    with torch.autocast(features.device.type, enabled=False):
        unit = _of_all_processes(F.normalize(features.float()))
        label = _of_all_processes(label)
        first, second = torch.triu_indices(len(unit), len(unit), 1, device=unit.device)
        squared = (2 - 2 * unit @ unit.T)[first, second]
        alike = squared[label[first] == label[second]]
        nothing = 0 * unit.sum()
        alignment = alike.mean() if len(alike) else nothing
        uniformity = (-_T * squared).exp().mean().log() if len(squared) else nothing
    return {"alignment": _shared(alignment), "uniformity": _shared(uniformity)}


@contextlib.contextmanager
def kept_features(detector: Any) -> Iterator[list[Tensor]]:
    """Context manager that records the results of `detector.features`, so that they need not be computed twice."""
    kept: list[Tensor] = []
    compute = detector.features

    def features(images: Tensor) -> Tensor:
        kept.append(compute(images))
        return kept[-1]

    vars(detector)["features"] = features  # shadows the method, or a module of this name
    try:
        yield kept
    finally:
        del vars(detector)["features"]


def _of_all_processes(value: Tensor) -> Tensor:
    """The rows of all processes, `(B x processes, …)`; those of other processes are constants for the gradient."""
    if not (dist.is_available() and dist.is_initialized()):
        return value
    parts = [torch.empty_like(value) for _ in range(dist.get_world_size())]
    dist.all_gather(parts, value.detach().contiguous())
    parts[dist.get_rank()] = value
    return torch.cat(parts)


def _shared(loss: Tensor) -> Tensor:
    """The same value with the right gradient after averaging over processes, where each process sees only its own rows."""
    world = dist.get_world_size() if dist.is_available() and dist.is_initialized() else 1
    return world * loss - (world - 1) * loss.detach()
