"""Faces for a network: which rows of the tables make a sample, and its pixels.

One extraction serves every detector: a sample is cut from the stored context crops by the detector's `InputSpec`, and clips
are assembled when they are read.
"""

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset

from dfworkbench.datasets.augment import Transform
from dfworkbench.errors import TableError
from dfworkbench.faces.crops import ContextCrop, cut_for
from dfworkbench.geometry import square_around
from dfworkbench.input_spec import InputSpec
from dfworkbench.media.images import read_image
from dfworkbench.tables import BOX_COLUMNS
from dfworkbench.timeline import stretches

_log = logging.getLogger(__name__)

_BYSTANDER_SHARE = 0.01  # of the box; the mask of a neighbour may reach into it

#: Columns of `FaceDataset.rows`: those of a score table that are known before scoring.
ROW_COLUMNS = ("row_id", "video_id", "dataset", "split", "method", "group", "label", "track", "frame", "time_s")


class FaceDataset(Dataset):
    """Samples of faces, or of clips where the spec's `clip_length` is above 1.

    An item is `{"images": uint8 tensor (3, S, S) or (T, 3, S, S) RGB, "label": int, "row": int}`; `row` points into `rows`.
    Randomness comes from `numpy.random.default_rng((seed, epoch, row))` alone, so it depends neither on the order of reading
    nor on worker processes.

    Args:
        faces: Face table.
        videos: Video table; files that are not in it, or have no faces, give no samples.
        spec: Of the detector.
        crops_root: The folder that `crop_path` is relative to.
        transform: Random changes, or None.
        frames_per_video: Samples per track, evenly over its time; None for all.
        tracks: "main" keeps one track per file, see `main_tracks`; "all" keeps all but those of which a mask says that they
            are not forged although their file is.
        label_column: Column of the video table that is the label.
        seed: Of the random changes.
        epoch: Likewise; see `set_epoch`.
        cache_mb: Up to how many megabytes of pixels are kept in memory.

    Raises:
        TableError: Crop files are missing.
    """

    def __init__(
        self,
        faces: pd.DataFrame,
        videos: pd.DataFrame,
        spec: InputSpec,
        crops_root: Path | str,
        *,
        transform: Transform | None = None,
        frames_per_video: int | None = None,
        tracks: Literal["main", "all"] = "all",
        label_column: str = "label",
        seed: int = 0,
        epoch: int = 0,
        cache_mb: int = 0,
    ) -> None:
        self.spec = spec
        self.crops_root = Path(crops_root)
        self.transform = transform
        self.seed, self.epoch = seed, epoch
        faces = _in_video_order(faces, videos)
        faces = main_tracks(faces) if tracks == "main" else without_bystanders(faces)
        self._samples = choose_samples(faces, spec, frames_per_video)
        self.rows = _describe(faces.iloc[self._samples[:, 0]], videos, label_column)
        self._labels = self.rows["label"].to_numpy()
        self._paths = faces["crop_path"].tolist()
        self._boxes = faces[list(BOX_COLUMNS)].to_numpy(np.float64)
        self._places = faces[["crop_x0", "crop_y0", "crop_side"]].to_numpy(np.float64)
        self._cache: dict[int, NDArray[np.uint8]] = {}
        self._cache_left = cache_mb * 2**20
        self._require_crops()

    def __len__(self) -> int:
        return len(self._samples)

    def __getitem__(self, row: int) -> dict[str, Any]:
        images = torch.from_numpy(self.read(row))
        images = images if self.spec.clip_length > 1 else images[0]
        return {"images": images.movedim(-1, -3), "label": int(self._labels[row]), "row": int(row)}

    def read(self, row: int) -> NDArray[np.uint8]:
        """The pixels of one sample, `(T, S, S, 3)` uint8 RGB."""
        faces = self._samples[row]
        boxes = self._boxes[faces]
        if self.transform is None:
            return self._cut(faces, boxes)
        rng = np.random.default_rng((self.seed, self.epoch, row))
        images = self._cut(faces, self._inside(faces, self.transform.move_boxes(boxes, rng)))
        return np.ascontiguousarray(self.transform.change_pixels(images, rng))

    def set_epoch(self, epoch: int) -> None:
        """Other random changes from now on; call it before worker processes start."""
        self.epoch = epoch

    def preload(self) -> None:
        """Fill the cache now, so that worker processes share it."""
        for face in np.unique(self._samples):
            if self.transform is None:
                self._cut_unchanged(int(face))
            else:
                self._context(int(face))

    def _cut(self, faces: NDArray[np.int64], boxes: NDArray[np.float64]) -> NDArray[np.uint8]:
        if self.transform is None:
            images = [self._cut_unchanged(int(face)) for face in faces]
        else:
            images = [cut_for(self.spec, self._context(int(face)), box) for face, box in zip(faces, boxes, strict=True)]
        return images[0][None] if len(images) == 1 else np.stack(images)

    def _cut_unchanged(self, face: int) -> NDArray[np.uint8]:
        # without random changes the finished crop can be kept, which is smaller than what it is cut from
        image = self._cache.get(face)
        if image is None:
            image = cut_for(self.spec, self._read_context(face), self._boxes[face])
            self._keep(face, image)
        return image

    def _context(self, face: int) -> ContextCrop:
        image = self._cache.get(face)
        if image is None:
            context = self._read_context(face)
            self._keep(face, context.image)
            return context
        return ContextCrop(image, *self._places[face])

    def _read_context(self, face: int) -> ContextCrop:
        return ContextCrop(read_image(self.crops_root / self._paths[face]), *self._places[face])

    def _keep(self, face: int, image: NDArray[np.uint8]) -> None:
        if image.nbytes <= self._cache_left:
            self._cache[face] = image
            self._cache_left -= image.nbytes

    def _inside(self, faces: NDArray[np.int64], boxes: NDArray[np.float64]) -> NDArray[np.float64]:
        """Moved boxes, except where their crop would reach beyond what was stored."""
        out = boxes.copy()
        for i, face in enumerate(faces):
            x0, y0, side = square_around(boxes[i], self.spec.crop_scale)
            cx0, cy0, cside = self._places[face]
            if x0 < cx0 or y0 < cy0 or x0 + side > cx0 + cside or y0 + side > cy0 + cside:
                out[i] = self._boxes[face]
        return out

    def _require_crops(self) -> None:
        used = [self._paths[face] for face in np.unique(self._samples)]
        missing = [path for path in used if not (self.crops_root / path).is_file()]
        if missing:
            raise TableError(
                f"reading faces: {len(missing)} of {len(used)} crop files are missing below {self.crops_root} (first: "
                f"{missing[0]}). Run 01_data_extraction again: it makes those that are not there."
            )


def collate(items: Sequence[dict[str, Any]]) -> dict[str, Tensor]:
    """Stack items to a batch whose pixels lie channels last in memory, as they were read and as convolutions like it."""
    images = torch.stack([item["images"].movedim(-3, -1) for item in items]).movedim(-1, -3)
    return {
        "images": images,
        "label": torch.tensor([item["label"] for item in items]),
        "row": torch.tensor([item["row"] for item in items]),
    }


def main_tracks(faces: pd.DataFrame) -> pd.DataFrame:
    """Of every file, the track with the largest sum of box areas; where masks say what is forged, of forged areas."""
    area = _area(faces)
    forged = (area * faces["forged_share"]).fillna(0.0)
    masked = forged.groupby(faces["video_id"]).transform("sum") > 0
    sums = area.where(~masked, forged).groupby([faces["video_id"], faces["track"]], sort=False).sum()
    best = {video: track for video, track in sums.groupby(level=0, sort=False).idxmax()}
    return faces[faces["track"].to_numpy() == faces["video_id"].map(best).to_numpy()]


def without_bystanders(faces: pd.DataFrame) -> pd.DataFrame:
    """Without the tracks of people who are not forged in a file that is: its label would be wrong for them."""
    share = faces["forged_share"]  # NaN without a mask
    mean = share.groupby([faces["video_id"], faces["track"]]).transform("mean")
    forged_file = share.groupby(faces["video_id"]).transform("max") > 0
    return faces[~(forged_file & (mean < _BYSTANDER_SHARE))]


def mask_report(faces: pd.DataFrame) -> tuple[int, int]:
    """How often masks are needed to tell which of several faces is forged.

    Returns:
        Frames that show several faces and have a mask; of these, those whose forged face is not the largest one.
    """
    area = _area(faces)
    frames = pd.DataFrame(
        {"video": faces["video_id"], "frame": faces["frame"], "plain": area, "forged": area * faces["forged_share"]}
    ).reset_index(drop=True)
    group = frames.groupby(["video", "frame"], sort=False)
    several = frames[(group["plain"].transform("size") > 1) & (group["forged"].transform("sum") > 0)]
    best = several.groupby(["video", "frame"], sort=False)[["plain", "forged"]].idxmax()
    return len(best), int((best["plain"] != best["forged"]).sum())


def _area(faces: pd.DataFrame) -> pd.Series:
    return (faces["box_x1"] - faces["box_x0"]) * (faces["box_y1"] - faces["box_y0"])


def choose_samples(faces: pd.DataFrame, spec: InputSpec, per_track: int | None) -> NDArray[np.int64]:
    """Rows of the face table that make each sample, `(N, T)`; a clip never leaves its track, nor spans a time without its face."""
    steps = np.arange(spec.clip_length) * spec.clip_stride
    frames = faces["frame"].to_numpy()
    chosen: list[NDArray[np.int64]] = []
    short = 0
    for positions in faces.groupby(["video_id", "track"], sort=False).indices.values():
        starts = _clip_starts(frames[positions], int(steps[-1]))
        if not len(starts):
            short += 1
            continue
        count = len(starts) if per_track is None else min(per_track, len(starts))
        first = starts[np.arange(count) * len(starts) // count]
        chosen.append(positions[first[:, None] + steps])
    if short:
        _log.warning("%d tracks are shorter than the %d faces of a clip and give no sample", short, steps[-1] + 1)
    return np.concatenate(chosen).astype(np.int64) if chosen else np.empty((0, spec.clip_length), np.int64)


def _clip_starts(frames: NDArray[np.int64], reach: int) -> NDArray[np.int64]:
    """Where a clip can begin that reaches `reach` faces further and crosses no gap."""
    if reach == 0:
        return np.arange(len(frames))
    return np.concatenate([np.arange(run.start, run.stop - reach) for run in stretches(frames)])


def _in_video_order(faces: pd.DataFrame, videos: pd.DataFrame) -> pd.DataFrame:
    order = pd.Series(np.arange(len(videos)), index=videos["video_id"])
    faces = faces[faces["video_id"].isin(order.index)]
    place = faces["video_id"].map(order).to_numpy()
    return faces.iloc[np.lexsort((faces["frame"], faces["track"], place))].reset_index(drop=True)


def _describe(first: pd.DataFrame, videos: pd.DataFrame, label_column: str) -> pd.DataFrame:
    known = videos.set_index("video_id")
    if label_column not in known:
        raise TableError(
            f"reading labels: the video table has no column {label_column!r}; it has {', '.join(videos)}. "
            "Choose one of these, or a method that needs no other label."
        )
    of = known.loc[first["video_id"]]
    rows = {name: of[name].to_numpy() for name in ("dataset", "split", "method", "group")}
    rows |= {name: first[name].to_numpy() for name in ("video_id", "track", "frame", "time_s")}
    rows |= {"row_id": first["face_id"].to_numpy(), "label": of[label_column].to_numpy(np.int64)}
    return pd.DataFrame(rows)[list(ROW_COLUMNS)]
