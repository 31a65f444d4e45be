"""An extracted data set, as studies read it."""

import logging
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from dfworkbench.core.workspace import Workspace, find_workspace
from dfworkbench.datasets.domain import dataset_root
from dfworkbench.datasets.face_dataset import FaceDataset
from dfworkbench.datasets.masks import mask_crops
from dfworkbench.datasets.tables import read_table

if TYPE_CHECKING:
    from dfworkbench.runs.checkpoints import LoadedDetector

_log = logging.getLogger(__name__)


class Extracted(NamedTuple):
    """An extracted data set: its tables, and the workspace that holds its crops."""

    name: str
    videos: pd.DataFrame
    faces: pd.DataFrame
    workspace: Workspace

    @classmethod
    def read(cls, name: str, workspace: Workspace | None = None) -> "Extracted":
        """Read the tables of a data set.

        Raises:
            DataNotFoundError: It was not extracted.
        """
        space = workspace or find_workspace()
        folder = space.labels / name
        videos, faces = read_table("video", folder / "videos.csv"), read_table("face", folder / "faces.parquet")
        return cls(name, videos, faces, space)

    @property
    def root(self) -> Path | None:
        """The folder that it was extracted from; None where it is gone."""
        return dataset_root(self.workspace.labels / self.name)

    def faces_of(self, rows: pd.DataFrame) -> pd.DataFrame:
        """Rows of the face table, in the order of `FaceDataset.rows`."""
        return self.faces.set_index("face_id").loc[rows["row_id"]].reset_index()

    def masks(self, detector: "LoadedDetector", rows: pd.DataFrame) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """True forgery masks `(N, S, S)` of rows in the detector's crops, and which rows have one `(N,)`; see `mask_crops`."""
        if self.root is None:
            _log.warning("%s has no true masks to be read: the folder it was extracted from is not there", self.name)
            size = detector.input_spec.size_px
            return np.zeros((len(rows), size, size), bool), np.zeros(len(rows), bool)
        return mask_crops(self.root, self.videos, self.faces_of(rows), detector.input_spec)

    def samples(self, detector: "LoadedDetector", videos: pd.DataFrame, frames: int | None) -> FaceDataset:
        """Samples of some videos' main people, without random changes."""
        return FaceDataset(
            self.faces, videos, detector.input_spec, self.workspace.extracted, frames_per_video=frames, tracks="main"
        )


def pick(rows: pd.DataFrame, count: int, seed: int = 0) -> list[int]:
    """Places of rows to show: drawn by seed, not by eye, as many of each forgery kind as possible.

    Args:
        rows: Numbered from 0, with a column method.
        count: How many, if there are so many.
        seed: Of the draw.
    """
    order = rows.iloc[np.random.default_rng(seed).permutation(len(rows))]
    place = order.groupby("method").cumcount()
    return place.sort_values(kind="stable").index[:count].sort_values().tolist()
