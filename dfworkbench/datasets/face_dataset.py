"""FaceDataset: a torch Dataset of face crops or clips, cut for one detector.

One extraction serves every detector: samples are cut from the stored face tiles according to the detector's `InputSpec`, and
clips are assembled on reading. A warning says how many crops extend beyond their tiles (`faces.beyond`).
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

from dfworkbench.core.errors import InputError, TableError
from dfworkbench.core.input_spec import InputSpec
from dfworkbench.datasets.dense_landmarks import POINTS, read_dense
from dfworkbench.datasets.genuine import cut_alike, genuine_rows, genuine_samples, require_genuine
from dfworkbench.datasets.people import identity_classes
from dfworkbench.datasets.rows import choose_samples, in_video_order, main_tracks, without_bystanders, without_doubtful
from dfworkbench.datasets.sample import FaceSample, Transform
from dfworkbench.datasets.tables import BOX_COLUMNS, LANDMARK_COLUMNS
from dfworkbench.faces import FaceTile, cut_for, spec_for
from dfworkbench.faces.beyond import Place, beyond_notice
from dfworkbench.media import read_image

_log = logging.getLogger(__name__)
_LOOKED_AT = 2000  # approximate number of faces checked for crops that extend beyond their tiles
_NO_LANDMARKS = np.full((POINTS, 2), np.nan)

#: Columns of `FaceDataset.rows`: the columns of a score table that are known before scoring.
ROW_COLUMNS = (
    "row_id",
    "video_id",
    "dataset",
    "split",
    "forgery",
    "group",
    "label",
    "track",
    "frame",
    "time_s",
    "doubt",
)


class FaceDataset(Dataset):
    """Face samples, or clips if the spec's `clip_length` is above 1.

    An item is `{"images": uint8 tensor (3, S, S) or (T, 3, S, S) RGB, "label": int, "row": int}` plus whatever the transform
    adds and, with `identities`, `"carrier": int, "donor": int`; `row` is an index into `rows`. All randomness comes from
    `numpy.random.default_rng((seed, epoch, row))`, so it depends neither on reading order nor on worker processes.

    Args:
        faces: Face table of the whole data set.
        videos: Video table of the files to sample from.
        spec: How faces are cut for the detector.
        crops_root: The folder that `crop_path` is relative to.
        transform: Random transform, or None.
        frames_per_video: Samples per track, evenly over its time; None for all.
        tracks: "main" keeps one track per file, see `main_tracks`; "all" keeps all but those that, according to a mask, are not
            forged although their file is. Doubtful tracks (`faces.doubt`) are dropped from files that have others.
        identities: Names of people, for methods that learn who is shown: an item's carrier and donor are indices into it, -1
            for people not listed; the donor of a real file is its carrier. See `datasets.people.identity_classes`.
        root: Folder of the data set with its dense landmarks; read only for a transform that needs genuine frames.
        seed: Random seed.
        epoch: Part of the random seed, so that every epoch differs; see `set_epoch`.
        cache_mb: Megabytes of pixels to keep in memory, at most.

    Raises:
        TableError: Crop files are missing; or the transform needs genuine frames, and a fake has none.
        InputError: The spec needs exact face boxes, and the faces were extracted otherwise.
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
        identities: Sequence[str] = (),
        root: Path | str | None = None,
        seed: int = 0,
        epoch: int = 0,
        cache_mb: int = 0,
    ) -> None:
        self.spec = spec
        self.crops_root = Path(crops_root)
        self.transform = transform
        self.seed, self.epoch = seed, epoch
        chosen = without_doubtful(in_video_order(faces, videos))
        chosen = (main_tracks(chosen) if tracks == "main" else without_bystanders(chosen)).reset_index(drop=True)
        self._samples = choose_samples(chosen, spec, frames_per_video)
        self.rows = _describe(chosen.iloc[self._samples[:, 0]], videos)
        self._labels = self.rows["label"].to_numpy()
        self._videos = videos
        self._people: dict[str, NDArray[np.int64]] = {}
        if len(identities):
            people = identity_classes(videos, identities).loc[self.rows["video_id"]]
            self._people = {name: people[name].to_numpy() for name in people}
        self._genuine = np.full(len(chosen), -1, np.int64)
        self._dense: dict[int, NDArray[np.float64]] = {}
        if transform is not None and transform.needs_genuine:
            chosen = self._add_genuine(chosen, videos, faces, root)
        self._face_ids = chosen["face_id"].tolist()
        self._paths = chosen["crop_path"].tolist()
        self._boxes = chosen[list(BOX_COLUMNS)].to_numpy(np.float64)
        self._probabilities = chosen["probability"].to_numpy(np.float64)
        self._landmarks = chosen[list(LANDMARK_COLUMNS)].to_numpy(np.float64).reshape(-1, 5, 2)
        self._specs = [spec_for(spec, shows) for shows in chosen["shows"]]
        self._places = chosen[["crop_x0", "crop_y0", "crop_side"]].to_numpy(np.float64)
        self._frame_px = _frame_sizes(chosen, videos)
        if spec.exact:
            _require_exact(chosen.iloc[np.unique(self._samples)])
        self._warn_of_beyond()
        self._cache: dict[int, NDArray[np.uint8]] = {}
        self._cache_left = cache_mb * 2**20
        self._require_crops()

    def __len__(self) -> int:
        return len(self._samples)

    def __getitem__(self, row: int) -> dict[str, Any]:
        item = self._read(row)
        images = torch.from_numpy(np.ascontiguousarray(item["images"]))
        images = images if self.spec.clip_length > 1 else images[0]
        people = {name: int(places[row]) for name, places in self._people.items()}
        return {**item, "images": images.movedim(-1, -3), "label": int(self._labels[row]), "row": int(row), **people}

    def set_epoch(self, epoch: int) -> None:
        """Change the random changes for a new epoch; call before worker processes start."""
        self.epoch = epoch

    def used_faces(self) -> list[str]:
        """`face_id` of every face used by the samples: all faces of clips, and genuine frames."""
        return [self._face_ids[face] for face in self._used()]

    def genuine_samples(self) -> NDArray[np.int64]:
        """For each forged sample its genuine sample, -1 for genuine ones; see `datasets.genuine.genuine_samples`."""
        boxes = dict(zip(BOX_COLUMNS, self._boxes[self._samples[:, 0]].T, strict=True))
        return genuine_samples(self.rows.assign(**boxes), self._videos)

    @property
    def face_px(self) -> NDArray[np.float64]:
        """Square root of the face box area in pixels, for the first face of each sample, `(N,)`."""
        x0, y0, x1, y1 = self._boxes[self._samples[:, 0]].T
        return np.sqrt(np.maximum(x1 - x0, 0) * np.maximum(y1 - y0, 0)).round(2)

    @property
    def face_probability(self) -> NDArray[np.float64]:
        """Confidence of the face detector for the first face of each sample, 0 to 1, `(N,)`."""
        return self._probabilities[self._samples[:, 0]]

    @property
    def dense_faces(self) -> int:
        """Number of faces with dense landmarks from the data set."""
        return len(self._dense)

    def preload(self) -> None:
        """Fill the cache now so that worker processes share it."""
        for face in self._used():
            if self.transform is None:
                self._cut_unchanged(int(face))
            else:
                self._tile(int(face))

    def _read(self, row: int) -> dict[str, Any]:
        faces = self._samples[row]
        if self.transform is None:
            images = [self._cut_unchanged(int(face)) for face in faces]
            return {"images": images[0][None] if len(images) == 1 else np.stack(images)}
        rng = np.random.default_rng((self.seed, self.epoch, row))
        return self.transform(self._sample(row), rng)

    def _sample(self, row: int) -> FaceSample:
        faces = self._samples[row]
        tiles = [self._tile(int(face)) for face in faces]
        genuine = [
            None if at < 0 else cut_alike(self._tile(int(at)), tile)
            for at, tile in zip(self._genuine[faces], tiles, strict=True)
        ]
        dense = np.stack([self._dense.get(int(face), _NO_LANDMARKS) for face in faces])
        return FaceSample(
            self._specs[faces[0]],
            int(self._labels[row]),
            tiles,
            self._boxes[faces],
            self._landmarks[faces],
            genuine,
            dense,
        )

    def _add_genuine(
        self, chosen: pd.DataFrame, videos: pd.DataFrame, faces: pd.DataFrame, root: Path | str | None
    ) -> pd.DataFrame:
        """The chosen faces, followed by the faces of the genuine frames that the fakes among them were made from."""
        sampled = np.unique(self._samples)
        of = chosen.iloc[sampled]
        at = genuine_rows(of, videos, faces)
        require_genuine(of, at, videos, faces)
        used, place = np.unique(at[at >= 0], return_inverse=True)
        self._genuine[sampled[at >= 0]] = len(chosen) + place
        if root is None and (videos["landmarks_path"] != "").any():
            _log.warning("the folder of the data set is not there: dense landmarks are guessed from five points")
        if root is not None:
            points = read_dense(root, videos, of)
            known = np.isfinite(points).all(axis=(1, 2))
            self._dense = {int(sampled[i]): points[i] for i in np.flatnonzero(known)}
        return pd.concat([chosen, faces.iloc[used]], ignore_index=True)

    def _cut_unchanged(self, face: int) -> NDArray[np.uint8]:
        # without random changes the finished crop can be cached, which is smaller than its tile
        image = self._cache.get(face)
        if image is None:
            image = cut_for(self._specs[face], self._read_tile(face), self._boxes[face], self._landmarks[face])
            self._keep(face, image)
        return image

    def _tile(self, face: int) -> FaceTile:
        image = self._cache.get(face)
        if image is None:
            tile = self._read_tile(face)
            self._keep(face, tile.image)
            return tile
        return FaceTile(image, *self._places[face], frame_px=self._frame_px[face])

    def _read_tile(self, face: int) -> FaceTile:
        return FaceTile(
            read_image(self.crops_root / self._paths[face]), *self._places[face], frame_px=self._frame_px[face]
        )

    def _keep(self, face: int, image: NDArray[np.uint8]) -> None:
        if image.nbytes <= self._cache_left:
            self._cache[face] = image
            self._cache_left -= image.nbytes

    def _used(self) -> NDArray[np.int64]:
        """Faces used by the samples, including genuine frames."""
        faces = np.unique(self._samples)
        genuine = self._genuine[faces]
        return np.union1d(faces, genuine[genuine >= 0])

    def _warn_of_beyond(self) -> None:
        used = np.unique(self._samples)
        known = len(used)
        used = used[:: max(known // _LOOKED_AT, 1)]  # an even subset: a tenth of a millisecond each
        squares = self._places[:, [0, 1, 0, 1]] + self._places[:, 2:] * (0, 0, 1, 1)
        places = (Place(squares[i], self._boxes[i], self._landmarks[i], self._frame_px[i]) for i in used)
        longer = (self._boxes[used, 2:] - self._boxes[used, :2]).max(axis=1)
        context_scale = float(np.median(self._places[used, 2] / longer)) if len(used) else 0.0
        notice = beyond_notice(self.spec, places, round(context_scale, 1), "extract the data set again")
        if notice:
            _log.warning("reading faces (%d of %d looked at): %s", len(used), known, notice)

    def _require_crops(self) -> None:
        used = [self._paths[face] for face in self._used()]
        missing = [path for path in used if not (self.crops_root / path).is_file()]
        if missing:
            raise TableError(
                f"reading faces: {len(missing)} of {len(used)} crop files are missing below {self.crops_root} (first: "
                f"{missing[0]}). Run 01_data_extraction again: it makes those that are not there."
            )


def collate(items: Sequence[dict[str, Any]]) -> dict[str, Tensor]:
    """Stack items into a batch in channels-last memory format, as they were read and as convolutions prefer."""
    batch = {name: torch.as_tensor(np.stack([item[name] for item in items])) for name in items[0] if name != "images"}
    images = torch.stack([item["images"].movedim(-3, -1) for item in items]).movedim(-1, -3)
    return {"images": images, **batch}


def _frame_sizes(faces: pd.DataFrame, videos: pd.DataFrame) -> list[tuple[int, int] | None]:
    """Frame width and height of each face, from the video table."""
    of = (
        videos.set_index("video_id").reindex(faces["video_id"])[["width_px", "height_px"]].fillna(-1).to_numpy(np.int64)
    )
    return [(int(width), int(height)) if min(width, height) > 0 else None for width, height in of]


def _require_exact(faces: pd.DataFrame) -> None:
    other = faces[~faces["exact"].astype(bool)] if "exact" in faces else faces
    if len(other):
        raise InputError(
            f"reading faces: the boxes of {len(other)} of {len(faces)} faces are from our fast search (first: "
            f"{other['face_id'].iloc[0]}). Expected boxes of facenet-pytorch's MTCNN, for which this detector was trained: "
            "with others its scores are not its authors' (DeepfakeForensics-v1: log-odds 1.2 too high on average). Extract "
            "the data set again with exact=true, or score the files themselves, which looks for faces in this way by itself."
        )
    scaled = int((faces["crop_size_px"] < faces["crop_side"]).sum())
    if scaled:
        _log.warning(
            "%d of %d faces are stored scaled down, so their crops differ a little from those of this detector's authors; "
            "extract with a larger context_max_px to keep all their pixels",
            scaled, len(faces),
        )  # fmt: skip


def _describe(first: pd.DataFrame, videos: pd.DataFrame) -> pd.DataFrame:
    of = videos.set_index("video_id").loc[first["video_id"]]
    rows = {name: of[name].to_numpy() for name in ("dataset", "split", "forgery", "group")}
    rows |= {name: first[name].to_numpy() for name in ("video_id", "track", "frame", "time_s", "doubt")}
    rows |= {"row_id": first["face_id"].to_numpy(), "label": of["label"].to_numpy(np.int64)}
    return pd.DataFrame(rows)[list(ROW_COLUMNS)]
