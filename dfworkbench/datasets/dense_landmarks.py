"""Read dense facial landmarks that ship with a data set or were found by dlib or MediaPipe.

* `.npz` with `landmarks`, or `.npy`: `(frames, n, 2)`, for several faces `(frames, faces, n, 2)`, for a picture also `(n, 2)`
* a folder with one `.npy` per frame, `(n, 2)` or `(faces, n, 2)`; named like the frames of a frame folder, or by the number of the
  frame in a video, counted from 0
* `ldm.json`, as the extraction scripts of CADDM and FST-Matching write it

n is 81 (0 to 67 are iBUG's, 68 to 80 run along the forehead), dlib's 68, or MediaPipe's 468 or 478, see `faces.landmark_schemes`.
Coordinates are pixels of the frame. Of several faces, the one that overlaps the face box is used.
"""

import logging
from collections.abc import Iterable
from functools import cache
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from dfworkbench.core.errors import MediaError
from dfworkbench.core.geometry import iou_matrix
from dfworkbench.datasets.tables import BOX_COLUMNS
from dfworkbench.faces.landmark_schemes import POINTS, to_dense
from dfworkbench.media import list_frames
from dfworkbench.media.foreign import bounded_memory, read_json

_log = logging.getLogger(__name__)
_SAME_FACE = 0.3  # minimum IoU of the landmarks' bounding box with the face box


class _Video(NamedTuple):
    """A video or frame folder, the width and height of its frames if known, and the requested frames."""

    path: Path
    frame_px: tuple[int, int] | None
    frames: Iterable[int]


def read_dense(root: Path | str, videos: pd.DataFrame, faces: pd.DataFrame) -> NDArray[np.float64]:
    """Dense landmarks of each face, `(len(faces), 81, 2)` in pixels of the frame; NaN if missing.

    Args:
        root: Folder of the data set, which `landmarks_path` of the video table is relative to.
        videos: Video table.
        faces: Rows of the face table.

    An unreadable file gives a warning and no landmarks.
    """
    out = np.full((len(faces), POINTS, 2), np.nan)
    columns = ["path", "landmarks_path", "width_px", "height_px"]
    known = videos.set_index("video_id").reindex(columns=columns)
    boxes = faces[list(BOX_COLUMNS)].to_numpy(np.float64)
    ldm = cache(_Ldm)  # one file covers all videos
    for video, rows in faces.reset_index(drop=True).groupby("video_id", sort=False).indices.items():
        path, landmarks, width, height = known.loc[str(video)]
        if not landmarks:
            continue
        file, at = Path(root) / landmarks, faces["frame"].to_numpy()[rows]
        of = _Video(Path(root) / path, (int(width), int(height)) if min(width, height) > 0 else None, at.tolist())
        try:
            found = ldm(file).of_video(of.path) if file.suffix == ".json" else _read(file, of)
        except Exception as error:  # NumPy's and JSON's readers raise many exception types
            _log.warning("dense landmarks of %s are left out: %s cannot be read (%s)", video, file, error)
            continue
        for row, frame in zip(rows, at, strict=True):
            if frame in found:
                out[row] = _of_face(found[frame], boxes[row])
    return out


def _read(file: Path, of: _Video) -> dict[int, NDArray[np.float64]]:
    """Frame -> points of its faces, `(faces, 81, 2)`, or `(81, 2)` for one."""
    if file.is_dir():
        files = {f.stem: f for f in file.glob("*.npy")}
        if of.path.is_dir():
            names = dict(enumerate(frame.stem for frame in list_frames(of.path)))
        else:
            names = {int(name): name for name in files if name.isdecimal()}
        there = {frame: files[names[frame]] for frame in of.frames if names.get(frame) in files}
        return {frame: to_dense(_load(one), of.frame_px) for frame, one in there.items()}
    points = _load(file)
    return dict(enumerate(to_dense(points[None] if points.ndim == 2 else points, of.frame_px)))


def _load(file: Path) -> NDArray[np.float64]:
    with bounded_memory(file, "reading dense landmarks", MediaError):
        stored = np.load(file)
        if isinstance(stored, np.ndarray):
            return np.asarray(stored, np.float64)
        with stored:
            return np.asarray(stored["landmarks"], np.float64)


class _Ldm:
    """Points of an ldm.json by frame folder."""

    def __init__(self, file: Path) -> None:
        self._root = file.parent
        self._folders: dict[str, dict[tuple[str, ...], dict[str, Any]]] = {}  # folder name -> its parts -> frames
        for key, entry in read_json(file).items():
            frame = PurePosixPath(key.replace("\\", "/"))
            if isinstance(entry, dict) and "landmark" in entry:
                same_name = self._folders.setdefault(frame.parent.name, {})
                same_name.setdefault(frame.parent.parts, {})[frame.name] = entry["landmark"]

    def of_video(self, folder: Path) -> dict[int, NDArray[np.float64]]:
        """Index of a frame in its folder -> points."""
        parts = folder.relative_to(self._root).parts
        listed = self._folders.get(folder.name, {})
        # keys begin with folders of the machine that wrote them
        frames = next((f for p, f in listed.items() if p[-len(parts) :] == parts), {})
        points = {name: np.asarray(values, np.float64) for name, values in frames.items()}
        points = {name: value for name, value in points.items() if value.shape == (POINTS, 2)}
        if len(points) > 1 and len({value.tobytes() for value in points.values()}) == 1:
            # the released script shares one record between the frames of a video: all hold the points of the last frame
            _log.warning("dense landmarks of %s are left out: all its frames have the same points", folder)
            return {}
        names = [file.stem for file in list_frames(folder)]
        return {place: points[name] for place, name in enumerate(names) if name in points}


def _of_face(points: NDArray[np.float64], box: NDArray[np.float64]) -> NDArray[np.float64]:
    """Of faces `(81, 2)` or `(faces, 81, 2)`, the one that overlaps a box most; NaN if none does."""
    best, chosen = _SAME_FACE, np.full((POINTS, 2), np.nan)
    for face in points.reshape(-1, POINTS, 2):
        if not np.isfinite(face).all():
            continue
        bounds = np.concatenate([face.min(axis=0), face.max(axis=0)])
        overlap = float(iou_matrix(bounds, box)[0, 0])
        if overlap >= best:
            best, chosen = overlap, face
    return chosen
