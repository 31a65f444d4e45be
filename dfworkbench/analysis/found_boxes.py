"""What a detector with anchors points at, beside the true forgery masks of a data set."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from dfworkbench.analysis.artifact_boxes import compare_boxes, mean_mask_box
from dfworkbench.analysis.leakage import Extracted
from dfworkbench.analysis.measures import Measure
from dfworkbench.checkpoints import LoadedDetector
from dfworkbench.datasets.face_dataset import collate
from dfworkbench.datasets.masks import mask_crops
from dfworkbench.errors import InputError
from dfworkbench.evaluation.domain import dataset_root
from dfworkbench.models.inputs import prepare
from dfworkbench.names import FAKE


class FoundBoxes(NamedTuple):
    """Predicted boxes and true masks of N faces, all in the detector's crops.

    Attributes:
        images: `(N, S, S, 3)` uint8 RGB.
        boxes: Per face `(n, 4)`, x0, y0, x1, y1 in 0..1, the highest score first.
        scores: Per face `(n,)`.
        masks: `(N, S, S)` bool.
        rows: One row per face: row_id, video_id, method and so on.
    """

    images: NDArray[np.uint8]
    boxes: list[NDArray[np.float64]]
    scores: list[NDArray[np.float64]]
    masks: NDArray[np.bool_]
    rows: pd.DataFrame

    def measures(self, prior: NDArray[np.float64]) -> dict[str, list[Measure]]:
        """How well the boxes meet the masks, beside baselines; see `compare_boxes`."""
        return compare_boxes(self.boxes, self.scores, [*self.masks], self.rows["video_id"].tolist(), prior=prior)


def find_boxes(
    detector: LoadedDetector,
    data: Extracted,
    videos: pd.DataFrame,
    *,
    frames: int = 1,
    keep: int = 3,
    batch_size: int = 32,
) -> FoundBoxes:
    """The detector's best boxes in fakes, leaving out those of the whole crop, which every fake gets.

    Args:
        detector: With `artifact_boxes`, that is one of CADDM.
        data: With true masks.
        videos: Of these, the fakes with masks are taken.
        frames: Of each.
        keep: Boxes per face, the best ones, whatever their scores.
        batch_size: Faces per forward pass.

    Raises:
        InputError: The detector has no anchors, or no fake has a mask.
    """
    network: Any = detector.detector
    if not hasattr(network, "artifact_boxes"):
        raise InputError(
            f"finding artifact boxes with {detector.name}: it has no anchors. Choose a detector whose name begins with caddm_."
        )
    samples = data.samples(detector, videos[videos["label"] == FAKE], frames)
    masks, known = true_masks(detector, data, samples.rows)
    chosen = np.flatnonzero(known)
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


def centre_prior(
    detector: LoadedDetector, data: Extracted, videos: pd.DataFrame, frames: int = 1
) -> NDArray[np.float64]:
    """The mean box around the masks of fakes, such as those of the training split: what a guess without looking would be."""
    rows = data.samples(detector, videos[videos["label"] == FAKE], frames).rows
    masks, known = true_masks(detector, data, rows)
    return mean_mask_box([*masks[known]])


def true_masks(
    detector: LoadedDetector, data: Extracted, rows: pd.DataFrame
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Masks `(N, S, S)` of rows of a data set in the detector's crops, and which rows have one `(N,)`.

    Raises:
        InputError: No row has one, or the data set's own folder is gone.
    """
    root = dataset_root(data.workspace.labels / data.name)
    if root is None:
        raise InputError(
            f"reading true masks of {data.name!r}: the folder that it was extracted from is not there. Expected it where "
            "source.json beside its tables says; extract the data set again from where it lies now."
        )
    faces = data.faces.set_index("face_id").loc[rows["row_id"]].reset_index()
    masks, known = mask_crops(root, data.videos, faces, detector.input_spec)
    if not known.any():
        raise InputError(
            f"reading true masks of {data.name!r}: none of {rows['video_id'].nunique()} fakes has one. Expected masks beside the "
            "videos, as FaceForensics++ and the demo set have them (mask_path in videos.csv)."
        )
    return masks, known


def pick(found: FoundBoxes, count: int, seed: int = 0) -> Sequence[int]:
    """Rows to show: drawn by seed, not by eye, as many of each forgery kind as possible."""
    rng = np.random.default_rng(seed)
    order = found.rows.iloc[rng.permutation(len(found.rows))]
    place = order.groupby("method").cumcount()
    return place.sort_values(kind="stable").index[:count].sort_values().tolist()
