"""Outputs of all heads of a detector with local blocks on a data set, and the contribution of one block as a value to explain.

Ba et al.: Exposing the Deception: Uncovering More Forgery Clues for Deepfake Detection. AAAI 2024, arXiv:2403.01786. The detectors
are those of `network`; `information` measures with what is computed here. The paper shows no maps of single blocks:
`BlockShare` is ours.
"""

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor, nn
from tqdm.auto import tqdm

from dfworkbench.core.errors import InputError
from dfworkbench.datasets.face_dataset import FaceDataset, collate
from dfworkbench.methods.mi_net.information import HeadLogits
from dfworkbench.models.inputs import prepare
from dfworkbench.models.memory import reuse_memory
from dfworkbench.models.modes import device_of, evaluating
from dfworkbench.models.prediction import Prediction
from dfworkbench.runs.checkpoints import LoadedDetector

#: Entries of `Prediction.aux` with the logits of real and fake, in the order of `HeadLogits`.
HEADS = ("class_logits", "joint_logits", "left_out_logits")


class HeadOutputs(NamedTuple):
    """Outputs of every head for the samples of a data set.

    Attributes:
        rows: The samples, `FaceDataset.rows`.
        logits: Logits of real and fake of the same samples, float64.
    """

    rows: pd.DataFrame
    logits: HeadLogits

    def where(self, chosen: ArrayLike) -> "HeadOutputs":
        """A subset of the samples; `chosen` is `(N,)` bool."""
        keep, all_ = np.asarray(chosen, dtype=bool), self.logits
        some = HeadLogits(all_.decision[keep], all_.joint[keep], all_.left_out[keep])
        return HeadOutputs(self.rows[keep].reset_index(drop=True), some)


@dataclass(frozen=True)
class BlockShare:
    """Contribution of one block to the log-odds of fake from all blocks, as a value for `explain`.

    The head of all blocks is linear, so its log-odds are a sum over blocks plus a bias. No other block or head contributes to this
    value.

    Attributes:
        index: Index of the block, 0..n-1.
    """

    index: int

    def __call__(self, prediction: Prediction) -> Tensor:
        """`(B,)`."""
        shares = prediction.aux.get("block_shares")
        if shares is None or not 0 <= self.index < shares.shape[1]:
            blocks = "no blocks" if shares is None else f"{shares.shape[1]} blocks"
            raise InputError(
                f"explaining block {self.index}: the prediction has {blocks}; expected block_shares with more than {self.index} "
                f"blocks, counted from 0. There: {', '.join(sorted(prediction.aux)) or 'nothing'}. Choose a detector such as "
                "mi_net_mobilenet, and one of its blocks."
            )
        return shares[:, self.index].float()


def head_outputs(
    detector: LoadedDetector | nn.Module, dataset: FaceDataset, *, batch_size: int = 64, progress: bool = True
) -> HeadOutputs:
    """Outputs of all heads for every sample of a data set, in eval mode and without gradients.

    Args:
        detector: A loaded detector, such as `load_detector(run)` for the best epoch or `load_detector(run, epoch=2)`, or a module
            with `input_spec`. Its device and mode are not changed.
        dataset: Data set whose `spec` is that of the detector.
        batch_size: Samples per forward pass.
        progress: Whether to show a progress bar.

    Returns:
        Outputs in the order of `dataset.rows`.

    Raises:
        InputError: The data set was cut for another InputSpec or has no samples, or the detector has no such heads.
    """
    network: Any = detector.detector if isinstance(detector, LoadedDetector) else detector
    name = detector.name if isinstance(detector, LoadedDetector) else type(network).__name__
    network.input_spec.require_same(dataset.spec, f"asking all heads of {name}")
    if not len(dataset):
        raise InputError(
            f"asking all heads of {name}: the data set has no samples, at least one was expected. "
            "Look at its face table, and at frames_per_video and tracks."
        )
    parts: list[list[NDArray[np.float64]]] = []
    starts = range(0, len(dataset), batch_size)
    with evaluating(network):
        for start in tqdm(starts, desc="heads", unit="batch", disable=not progress, leave=False):
            batch = collate([dataset[row] for row in range(start, min(start + batch_size, len(dataset)))])
            parts.append(_forward(network, name, dataset, batch["images"]))
    return HeadOutputs(dataset.rows, HeadLogits(*(np.concatenate(values) for values in zip(*parts, strict=True))))


def _forward(network: Any, name: str, dataset: FaceDataset, images: Tensor) -> list[NDArray[np.float64]]:
    device = device_of(network)
    if device.type == "cpu":
        reuse_memory()
    with torch.inference_mode():
        aux = network(prepare(images.to(device), dataset.spec, name)).aux
    missing = [head for head in HEADS if head not in aux]
    if missing:
        raise InputError(
            f"asking all heads of {name}: its prediction has no {', '.join(missing)}; expected {', '.join(HEADS)} in aux. Choose "
            "a detector with local blocks, such as mi_net_mobilenet."
        )
    return [aux[head].double().cpu().numpy() for head in HEADS]
