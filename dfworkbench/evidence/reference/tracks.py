"""Scored tracks: scores of each face throughout a file, and the quantities by which faces are compared.

Evidence and reference both go through `measure`, so they cannot be processed differently.
"""

import logging
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from PIL import Image
from scipy.special import expit

from dfworkbench.core.errors import MediaError
from dfworkbench.core.names import FAKE
from dfworkbench.datasets.face_dataset import FaceDataset, collate
from dfworkbench.datasets.tables import SCORES
from dfworkbench.evaluation.judging.baselines import block_features, colour_features
from dfworkbench.evaluation.judging.features import forward_features
from dfworkbench.evaluation.scoring.file_scorer import ERROR, NO_NUMBER, forward
from dfworkbench.evaluation.scoring.rules import FACE_PX
from dfworkbench.media import media_kind
from dfworkbench.media.video.containers import open_video
from dfworkbench.models.modes import evaluating
from dfworkbench.runs.checkpoints import LoadedDetector

_log = logging.getLogger(__name__)
MOST_LOGIT = math.log((1 - 1e-6) / 1e-6)  # 13.8155: fake probabilities from 1e-6 to 1 - 1e-6
NUMBERS = (
    "face side (px)", "enlargement", "ln bits per pixel and frame", "face detector's probability", "frames per second",
    "scored frames",
)  # fmt: skip
VECTORS = ("blocks and sharpness", "colours", "detector features")
CATEGORIES = ("still or video", "codec", "pixel format")
_LEAST_PX = 32  # side of crops, for block statistics
_BATCH = 64


@dataclass(frozen=True)
class Tracks:
    """Scored tracks.

    Attributes:
        frames: Score table, one row per scored face or clip.
        table: One row per track: video_id, track, group, label, kind, source, frames, bad_frames, score; and the columns
            `NUMBERS`, `CATEGORIES`, and `VECTORS` (a list in each cell). `score` is the mean log-odds, clipped; NaN without a
            score.
    """

    frames: pd.DataFrame
    table: pd.DataFrame

    def vectors(self, name: str) -> NDArray[np.float64]:
        """A vector quantity, `(tracks, F)`."""
        return np.array(self.table[name].tolist(), dtype=np.float64)

    def log_odds(self, row: int) -> NDArray[np.float64]:
        """Clipped log-odds of a track's frames, without frames that have no score."""
        of = self.table.iloc[row]
        own = self.frames[(self.frames["video_id"] == of["video_id"]) & (self.frames["track"] == of["track"])]
        return clipped(own["logit"].to_numpy(np.float64))


def clipped(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    """Finite log-odds, clipped to -13.8155 to 13.8155; infinite ones are detector errors and dropped, like NaN."""
    return np.clip(logits[np.isfinite(logits)], -MOST_LOGIT, MOST_LOGIT)


def measure(
    loaded: LoadedDetector,
    dataset: FaceDataset,
    videos: pd.DataFrame,
    root: Path | None,
    told: Callable[[int, int], None] | None = None,
) -> Tracks:
    """Score every track of some files and measure its quantities, reading crops once.

    Args:
        loaded: The detector.
        dataset: Extracted faces of these files, cut for the detector.
        videos: Video table of the files.
        root: Folder that `path` of the table is relative to; None if the files are missing, so that quantities read from them
            are NaN or "".
        told: Called with the number of finished and of all tracks.
    """
    files = {row.video_id: row for row in videos.itertuples()}
    places = [index for _, index in sorted(dataset.rows.groupby(["video_id", "track"], sort=False).indices.items())]
    places.sort(key=lambda index: int(index[0]))
    frames, rows = [], []
    of_file: dict[str, dict[str, Any]] = {}
    with evaluating(loaded.detector):
        for done, index in enumerate(places):
            scored, features, crops = _read(loaded, dataset, index)
            video = files[scored["video_id"].iloc[0]]
            if video.video_id not in of_file:
                of_file[str(video.video_id)] = _file_quantities(video, None if root is None else root / str(video.path))
            frames.append(scored)
            rows.append(
                _track_row(scored, video) | of_file[str(video.video_id)] | _face_quantities(dataset, index, crops)
            )
            rows[-1]["detector features"] = features.mean(axis=0).tolist()
            if told:
                told(done + 1, len(places))
    table = SCORES.complete(pd.concat(frames, ignore_index=True)) if frames else SCORES.empty()
    return Tracks(table.assign(run=loaded.run), pd.DataFrame(rows))


def _read(
    loaded: LoadedDetector, dataset: FaceDataset, index: NDArray[np.int64]
) -> tuple[pd.DataFrame, NDArray[np.float32], NDArray[np.uint8]]:
    """Rows of the score table, features and crops of one track."""
    logits, features, crops = [], [], []
    for batch in _batches(dataset, index):
        images = batch["images"]
        logits.append(forward(loaded.detector, dataset.spec, loaded.name, images))
        features.append(forward_features(loaded.detector, dataset.spec, loaded.name, images))
        first = images if images.ndim == 4 else images[:, 0]  # first face of a clip
        crops.append(first.movedim(-3, -1).numpy())
    logit = np.concatenate(logits)
    rows = dataset.rows.iloc[index].assign(logit=logit, fake_probability=expit(logit))
    rows[FACE_PX] = dataset.face_px[index]
    bad = ~np.isfinite(logit)
    rows = rows.assign(status="ok", reason="")
    rows.loc[bad, list(NO_NUMBER)] = list(NO_NUMBER.values())
    rows.loc[bad, ["logit", "fake_probability"]] = np.nan
    return rows, np.concatenate(features), np.concatenate(crops)


def _batches(dataset: FaceDataset, index: NDArray[np.int64]) -> Iterator[dict[str, Any]]:
    for start in range(0, len(index), _BATCH):
        yield collate([dataset[int(row)] for row in index[start : start + _BATCH]])


def _track_row(scored: pd.DataFrame, video: Any) -> dict[str, Any]:
    first, bad = scored.iloc[0], int((scored["status"] == ERROR).sum())
    good = clipped(scored["logit"].to_numpy(np.float64))
    label = int(first["label"])
    return {
        "video_id": first["video_id"], "track": int(first["track"]), "group": first["group"] or first["video_id"], "label": label,
        "kind": (first["forgery"] or "manipulated") if label == FAKE else "", "source": str(video.path).rpartition("/")[0],
        "frames": len(good), "bad_frames": bad, "score": float(good.mean()) if len(good) else math.nan,
        "scored frames": float(len(good)),
    }  # fmt: skip


def _face_quantities(dataset: FaceDataset, index: NDArray[np.int64], crops: NDArray[np.uint8]) -> dict[str, Any]:
    side = float(np.median(dataset.face_px[index]))
    shows = min(crops.shape[1:3]) >= _LEAST_PX
    return {
        "face side (px)": side,
        "enlargement": dataset.spec.size_px / max(side * (dataset.spec.crop_scale or 1.0), 1e-9),
        "face detector's probability": float(dataset.face_probability[index].mean()),
        "blocks and sharpness": block_features(crops).tolist() if shows else [],
        "colours": colour_features(crops).tolist() if shows else [],
    }


def _file_quantities(video: Any, file: Path | None) -> dict[str, Any]:
    """Quantities read from a file; unknown if it is missing."""
    kind = "video" if video.frames > 1 or video.fps > 0 else "still"
    found: dict[str, Any] = {
        "frames per second": float(video.fps) if kind == "video" else 0.0,
        "ln bits per pixel and frame": math.nan, "still or video": kind, "codec": "", "pixel format": "",
    }  # fmt: skip
    if file is None or not file.is_file():
        return found
    pixels = max(int(video.frames), 1) * int(video.width_px) * int(video.height_px)
    size = file.stat().st_size
    if pixels > 0 and size:
        found["ln bits per pixel and frame"] = math.log(8 * size / pixels)
    return found | dict(zip(("codec", "pixel format"), _stored_as(file), strict=True))


def _stored_as(file: Path) -> tuple[str, str]:
    """Codec and pixel format of a video, format and mode of a picture; "" if unknown."""
    try:
        if media_kind(file) == "image":
            with Image.open(file) as picture:
                return str(picture.format), picture.mode
        with open_video(file) as container:
            context = container.streams.video[0].codec_context
            return context.name, str(context.pix_fmt or "")
    except (MediaError, OSError, ValueError) as error:
        _log.warning("%s: codec and pixel format could not be read (%s)", file.name, error)
        return "", ""


def intraclass_correlation(tracks: Tracks) -> float:
    """Intraclass correlation: share of the within-class variance of frame scores between tracks (one-way random effects), 0 to 1.

    NaN if no two tracks of a class have two frames.
    """
    between, within, size = 0.0, 0.0, []
    free_between, free_within = 0, 0
    for label in (0, 1):
        rows = np.flatnonzero((tracks.table["label"] == label).to_numpy())
        values = [scores for row in rows if len(scores := tracks.log_odds(int(row))) > 1]
        if len(values) < 2:
            continue
        mean = np.concatenate(values).mean()
        between += sum(len(v) * (v.mean() - mean) ** 2 for v in values)
        within += sum(((v - v.mean()) ** 2).sum() for v in values)
        counts = np.array([len(v) for v in values])
        free_between, free_within = free_between + len(values) - 1, free_within + int((counts - 1).sum())
        size.append((counts.sum() - (counts**2).sum() / counts.sum()) / (len(values) - 1))
    if not size:
        return math.nan
    above, below = between / free_between, within / free_within
    k = float(np.mean(size))
    whole = above + (k - 1) * below
    return float(np.clip((above - below) / whole, 0, 1)) if whole > 0 else math.nan


def effective_frames(frames: int, correlation: float) -> float:
    """Effective number of independent frames of a track: n / (1 + (n - 1) ICC)."""
    return frames / (1 + (frames - 1) * correlation) if frames else 0.0
