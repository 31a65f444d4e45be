"""Boxes that a CADDM detector predicts, beside the ground-truth masks of a data set."""

from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from dfworkbench.core.errors import InputError
from dfworkbench.core.names import FAKE
from dfworkbench.datasets.dataset import DataSet
from dfworkbench.datasets.face_dataset import collate
from dfworkbench.evaluation.metrics.measures import Measure
from dfworkbench.methods.caddm.artifact_boxes import compare_boxes, mean_mask_box
from dfworkbench.models.inputs import prepare
from dfworkbench.runs.checkpoints import LoadedDetector


class FoundBoxes(NamedTuple):
    """Predicted boxes and true masks of N faces, all in the detector's crops.

    Attributes:
        images: `(N, S, S, 3)` uint8 RGB.
        boxes: One array `(n, 4)` per face, x0, y0, x1, y1 in 0..1, the highest score first.
        scores: One array `(n,)` per face.
        masks: `(N, S, S)` bool; all empty if the data set has no masks.
        rows: One row per face: row_id, video_id, method and so on.
    """

    images: NDArray[np.uint8]
    boxes: list[NDArray[np.float64]]
    scores: list[NDArray[np.float64]]
    masks: NDArray[np.bool_]
    rows: pd.DataFrame

    @property
    def has_masks(self) -> bool:
        """Whether there are true masks."""
        return bool(self.masks.any())

    def measures(self, prior: NDArray[np.float64]) -> dict[str, list[Measure]]:
        """How well the boxes match the masks, beside baselines; see `compare_boxes`."""
        return compare_boxes(self.boxes, self.scores, [*self.masks], self.rows["video_id"].tolist(), prior=prior)


def find_boxes(
    detector: LoadedDetector,
    data: DataSet,
    videos: pd.DataFrame,
    *,
    frames: int = 1,
    keep: int = 3,
    batch_size: int = 32,
) -> FoundBoxes:
    """The detector's best boxes in fakes, except those of the whole crop, which every fake gets.

    Args:
        detector: A CADDM detector (with `artifact_boxes`).
        data: Data set with ground-truth masks, or without any.
        videos: Videos whose fakes are used: those with masks, if there are any.
        frames: Frames per video.
        keep: Number of best boxes per face, whatever their scores.
        batch_size: Faces per forward pass.

    Raises:
        InputError: The detector has no anchors, or there is no fake.
    """
    network: Any = detector.detector
    if not hasattr(network, "artifact_boxes"):
        raise InputError(
            f"finding artifact boxes with {detector.name}: it has no anchors. Choose a detector whose name begins with caddm_."
        )
    samples = data.samples(detector.input_spec, videos[videos["label"] == FAKE], frames)
    if not len(samples):
        raise InputError(
            f"finding artifact boxes: none of the {len(videos)} videos is a fake with faces. Choose others."
        )
    masks, known = data.masks(detector.input_spec, samples.rows)
    chosen = np.flatnonzero(known) if known.any() else np.arange(len(samples))
    images, boxes, scores = [], [], []
    device = next(network.parameters()).device
    for start in range(0, len(chosen), batch_size):
        batch = collate([samples[int(row)] for row in chosen[start : start + batch_size]])
        with torch.inference_mode():
            found = network.artifact_boxes(
                prepare(batch["images"].to(device), detector.input_spec, detector.name),
                min_score=0.0,
                keep=keep,
                whole=False,
            )
        images.append(batch["images"].movedim(1, -1).numpy())
        boxes += [entry.boxes.cpu().double().numpy() for entry in found]
        scores += [entry.scores.cpu().double().numpy() for entry in found]
    rows = samples.rows.iloc[chosen].reset_index(drop=True)
    return FoundBoxes(np.concatenate(images), boxes, scores, masks[chosen], rows)


def centre_prior(detector: LoadedDetector, data: DataSet, videos: pd.DataFrame, frames: int = 1) -> NDArray[np.float64]:
    """The mean box around the masks of fakes, such as those of the training split: a guess without looking at the picture."""
    rows = data.samples(detector.input_spec, videos[videos["label"] == FAKE], frames).rows
    masks, known = data.masks(detector.input_spec, rows)
    return mean_mask_box([*masks[known]])
