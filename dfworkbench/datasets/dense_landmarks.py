"""Reads the 81 dense landmarks that some data sets bring along.

Files are `.npz` with `landmarks (frames, 81, 2)` in pixels of the frame, as our generators write them, or `ldm.json` as the
extraction scripts of CADDM and FST-Matching do. Points 0 to 67 are iBUG's, 68 to 80 run along the forehead.
"""

import logging
from functools import cache
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from dfworkbench.core.errors import MediaError
from dfworkbench.core.geometry import iou_matrix
from dfworkbench.datasets.tables import BOX_COLUMNS
from dfworkbench.media import list_frames
from dfworkbench.media.foreign import bounded_memory, read_json

_log = logging.getLogger(__name__)
POINTS = 81
_SAME_FACE = 0.3  # least IoU of the landmarks' bounding box with the face box


def read_dense(root: Path | str, videos: pd.DataFrame, faces: pd.DataFrame) -> NDArray[np.float64]:
    """Dense landmarks of each face, `(len(faces), 81, 2)` in pixels of the frame; NaN where there are none.

    Args:
        root: Folder of the data set, which `landmarks_path` of the video table is below.
        videos: Video table.
        faces: Rows of the face table.

    A file that cannot be read costs its landmarks only, with a warning.
    """
    out = np.full((len(faces), POINTS, 2), np.nan)
    known = videos.set_index("video_id")[["path", "landmarks_path"]]
    boxes = faces[list(BOX_COLUMNS)].to_numpy(np.float64)
    ldm = cache(_Ldm)  # one file speaks of all videos
    for video, rows in faces.reset_index(drop=True).groupby("video_id", sort=False).indices.items():
        path, landmarks = known.loc[str(video)]
        if not landmarks:
            continue
        file = Path(root) / landmarks
        try:
            frames = ldm(file).of_video(Path(root) / path) if file.suffix == ".json" else _read_npz(file)
        except Exception as error:  # NumPy's and JSON's readers raise many kinds
            _log.warning("dense landmarks of %s are left out: %s cannot be read (%s)", video, file, error)
            continue
        for row, frame in zip(rows, faces["frame"].to_numpy()[rows], strict=True):
            if frame in frames and _same_face(frames[frame], boxes[row]):
                out[row] = frames[frame]
    return out


def _read_npz(file: Path) -> dict[int, NDArray[np.float64]]:
    with bounded_memory(file, "reading dense landmarks", MediaError), np.load(file) as stored:
        points = np.asarray(stored["landmarks"], np.float64)
    if points.ndim != 3 or points.shape[1:] != (POINTS, 2):
        raise ValueError(f"landmarks have shape {points.shape}, expected (frames, {POINTS}, 2)")
    return dict(enumerate(points))


class _Ldm:
    """An ldm.json: its points by folder of frames."""

    def __init__(self, file: Path) -> None:
        self._root = file.parent
        self._folders: dict[str, dict[tuple[str, ...], dict[str, Any]]] = {}  # name of a folder -> its parts -> frames
        for key, entry in read_json(file).items():
            frame = PurePosixPath(key.replace("\\", "/"))
            if isinstance(entry, dict) and "landmark" in entry:
                same_name = self._folders.setdefault(frame.parent.name, {})
                same_name.setdefault(frame.parent.parts, {})[frame.name] = entry["landmark"]

    def of_video(self, folder: Path) -> dict[int, NDArray[np.float64]]:
        """Place of a frame in its folder -> points."""
        parts = folder.relative_to(self._root).parts
        listed = self._folders.get(folder.name, {})
        # keys begin with the folders of the machine that wrote them
        frames = next((f for p, f in listed.items() if p[-len(parts) :] == parts), {})
        points = {name: np.asarray(values, np.float64) for name, values in frames.items()}
        points = {name: value for name, value in points.items() if value.shape == (POINTS, 2)}
        if len(points) > 1 and len({value.tobytes() for value in points.values()}) == 1:
            # the released script shares one record among the frames of a video: all hold the points of the last one
            _log.warning("dense landmarks of %s are left out: all its frames bear the same points", folder)
            return {}
        names = [file.stem for file in list_frames(folder)]
        return {place: points[name] for place, name in enumerate(names) if name in points}


def _same_face(points: NDArray[np.float64], box: NDArray[np.float64]) -> bool:
    bounds = np.concatenate([points.min(axis=0), points.max(axis=0)])
    return bool(np.isfinite(points).all() and iou_matrix(bounds, box)[0, 0] >= _SAME_FACE)
