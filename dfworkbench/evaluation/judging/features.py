"""Frozen features: the input of a trained detector's classifier, for every sample of a data set."""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from tqdm.auto import tqdm

from dfworkbench.core.errors import InputError
from dfworkbench.core.input_spec import InputSpec
from dfworkbench.datasets.face_dataset import FaceDataset, collate
from dfworkbench.models.inputs import prepare
from dfworkbench.models.memory import reuse_memory
from dfworkbench.models.modes import device_of, evaluating
from dfworkbench.runs.checkpoints import LoadedDetector


def frozen_features(
    detector: LoadedDetector | nn.Module, dataset: FaceDataset, *, batch_size: int = 64, progress: bool = True
) -> NDArray[np.float32]:
    """`detector.features` of every sample of a data set, in eval mode and without gradients.

    Args:
        detector: A loaded detector, or a module with `input_spec` and `features`. Its device and train/eval mode are left
            unchanged.
        dataset: Its `spec` must be the detector's. The identity measures need `tracks="main"`.
        batch_size: Samples per forward pass.
        progress: Whether to show a progress bar.

    Returns:
        `(N, F)` float32 in the order of `dataset.rows`.

    Raises:
        InputError: The data set was cut for another InputSpec, has no samples, or the features are not `(B, F)`.
    """
    network: Any = detector.detector if isinstance(detector, LoadedDetector) else detector
    name = detector.name if isinstance(detector, LoadedDetector) else type(network).__name__
    network.input_spec.require_same(dataset.spec, f"computing features of a data set with {name}")
    if not len(dataset):
        raise InputError(
            f"computing features with {name}: the data set has no samples, at least one was expected. "
            "Look at its face table, and at frames_per_video and tracks."
        )
    with evaluating(network):
        return _all_batches(network, name, dataset, batch_size, progress)


def _all_batches(network: Any, name: str, dataset: FaceDataset, batch_size: int, progress: bool) -> NDArray[np.float32]:
    out: list[NDArray[np.float32]] = []
    starts = range(0, len(dataset), batch_size)
    for start in tqdm(starts, desc="features", unit="batch", disable=not progress, leave=False):
        batch = collate([dataset[row] for row in range(start, min(start + batch_size, len(dataset)))])
        out.append(forward_features(network, dataset.spec, name, batch["images"]))
    return np.concatenate(out)


def forward_features(network: Any, spec: InputSpec, name: str, images: Tensor) -> NDArray[np.float32]:
    """Features of crops, `(B, F)`, on the detector's device.

    Raises:
        InputError: The features are not `(B, F)`.
    """
    device = device_of(network)
    if device.type == "cpu":
        reuse_memory()
    with torch.inference_mode():
        features = network.features(prepare(images.to(device), spec, name))
    if features.ndim != 2 or len(features) != len(images):
        raise InputError(
            f"computing features with {name}: its features() gave {tuple(features.shape)} for {len(images)} samples; "
            f"expected ({len(images)}, F). Flatten or average them in the detector."
        )
    return features.float().cpu().numpy()
