"""Failure atlas with pictures: crops of failure cases, all frames of a case, and clusters by the detector's features."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from torch.utils.data import Subset

from dfworkbench.core.errors import InputError, TableError
from dfworkbench.datasets.dataset import DataSet
from dfworkbench.datasets.face_dataset import FaceDataset
from dfworkbench.evaluation.judging.failures import Atlas, cluster_errors, worst_errors
from dfworkbench.evaluation.judging.features import frozen_features
from dfworkbench.media import read_image
from dfworkbench.runs.checkpoints import LoadedDetector


class CaseFrames(NamedTuple):
    """All faces of one case.

    Attributes:
        rows: One row per extracted face of the person in the file, ordered by time: face_id, frame, time_s, fake_probability
            (NaN if the face has no row in the score table), crop_path (below extracted/).
        images: The face tiles, `(S, S, 3)` uint8 RGB, of different sizes.
    """

    rows: pd.DataFrame
    images: list[NDArray[np.uint8]]


def failure_atlas(
    scores: pd.DataFrame,
    data: DataSet | None = None,
    detector: LoadedDetector | None = None,
    *,
    worst: int = 40,
    clusters: int = 3,
    controls: int = 8,
    threshold: float = 0.5,
    seed: int = 0,
    progress: bool = True,
) -> Atlas:
    """Cluster the worst errors of a score table, with correct answers as controls.

    Args:
        scores: A score table.
        data: The extracted data set of the table; required with a detector.
        detector: Detector whose features are clustered; None: cluster by forgery kind, person and log-odds.
        worst: Maximum number of misses, and of false alarms.
        clusters: Number of clusters of each.
        controls: Number of correctly classified fakes, and reals.
        threshold: A row above it is called fake.
        seed: Seed of the draw of controls and of k-means.
        progress: Whether to show a progress bar.

    Raises:
        InputError: A detector was given without data, or no labelled row has a score.
        TableError: The table belongs to another data set.
        ParameterError: A number is out of range.
    """
    errors = worst_errors(scores, worst=worst, controls=controls, threshold=threshold, seed=seed)
    if detector is None or errors.cases.empty:
        return cluster_errors(errors, clusters=clusters, seed=seed)
    if data is None:
        raise InputError(
            f"making an atlas of failures with features of {detector.name}: no data was given. Expected the extracted set that was "
            "scored: data=DataSet.open(name), or leave out the detector."
        )
    features = case_features(errors.cases, data, detector, progress=progress)
    return cluster_errors(errors, features, clusters=clusters, seed=seed, words=f"features of {detector.name}")


def case_features(
    cases: pd.DataFrame, data: DataSet, detector: LoadedDetector, *, batch_size: int = 64, progress: bool = True
) -> NDArray[np.float32]:
    """`detector.features` of the faces or clips of cases, `(N, F)` in case order.

    Raises:
        TableError: A case is not a sample of this detector in this data set.
    """
    videos = data.videos[data.videos["video_id"].isin(cases["video_id"])]
    samples = data.samples(detector.input_spec, videos, tracks="all")
    place = pd.Series(range(len(samples)), index=samples.rows["row_id"])
    _require_known(cases["row_id"], place.index, f"computing features with {detector.name}")
    chosen: Any = _Chosen(samples, [int(place[row]) for row in cases["row_id"]])
    return frozen_features(detector, chosen, batch_size=batch_size, progress=progress)


def case_pictures(cases: pd.DataFrame, data: DataSet) -> dict[str, NDArray[np.uint8]]:
    """row_id -> the face tile of its (first) face, for `plots.plot_failures`.

    Raises:
        TableError: A case is not a face of this data set.
    """
    paths = data.faces.set_index("face_id")["crop_path"]
    _require_known(cases["row_id"], paths.index, "reading pictures of cases")
    return {row: read_image(data.crops_root / paths[row]) for row in cases["row_id"]}


def open_case(row_id: str, scores: pd.DataFrame, data: DataSet) -> CaseFrames:
    """All extracted faces of a case's person in its file, with their scores.

    Args:
        row_id: Row of the score table.
        scores: The score table.
        data: The extracted data set of the table.

    Raises:
        TableError: There is no such row, or the data set lacks its faces.
    """
    known = scores.set_index("row_id")
    _require_known([row_id], known.index, "opening a case")
    case = known.loc[row_id]
    faces = data.faces[(data.faces["video_id"] == case["video_id"]) & (data.faces["track"] == case["track"])]
    _require_known([row_id], faces["face_id"], "opening a case")
    faces = faces.sort_values("frame", kind="stable").reset_index(drop=True)
    rows = faces[["face_id", "frame", "time_s", "crop_path"]]
    probability = known["fake_probability"].reindex(faces["face_id"]).to_numpy()
    return CaseFrames(
        rows.assign(fake_probability=probability),
        [read_image(data.crops_root / p) for p in faces["crop_path"]],
    )


class _Chosen(Subset):
    """A subset of a data set that keeps its InputSpec."""

    def __init__(self, samples: FaceDataset, places: Sequence[int]) -> None:
        super().__init__(samples, places)
        self.spec = samples.spec


def _require_known(wanted: Sequence[str] | pd.Series, known: pd.Index | pd.Series, doing: str) -> None:
    lost = sorted(set(wanted) - set(known))
    if lost:
        raise TableError(
            f"{doing}: {len(lost)} of {len(set(wanted))} rows are not there (first: {lost[0]!r}). Expected rows of a score table "
            "of this very data set: give the data set that was scored."
        )
