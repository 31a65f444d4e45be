"""Read the ground-truth forgery masks of a data set and cut them like face crops."""

import logging
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from dfworkbench.core.errors import MediaError
from dfworkbench.core.input_spec import InputSpec
from dfworkbench.datasets.recut import cut_again
from dfworkbench.media import media_kind, open_source, read_picture

_log = logging.getLogger(__name__)
_FORGED = 32  # threshold, of 255: the masks of FaceForensics++ are black and white, but were compressed


def read_masks(file: Path, wanted: set[int]) -> dict[int, NDArray[np.bool_]]:
    """Frame number -> where it is forged, `(H, W)`; missing frames are left out.

    Args:
        file: Video or folder with the same frames as the forged file, or one picture for all frames; bright where forged.
            Transparent pixels of a picture are not forged.
        wanted: Frame numbers.

    Raises:
        MediaError: It cannot be read.
    """
    if media_kind(file) == "image":
        return dict.fromkeys(wanted, _forged(read_picture(file, under="black").rgb))
    return {frame.index: _forged(frame.rgb) for frame in open_source(file).iterate(sorted(wanted))}


def mask_crops(
    root: Path | str, videos: pd.DataFrame, faces: pd.DataFrame, spec: InputSpec
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Masks of faces, cut like the detector's crops.

    Args:
        root: Folder of the data set, which `mask_path` of the video table is relative to.
        videos: Video table.
        faces: Rows of the face table.
        spec: How faces are cut for the detector.

    Returns:
        Masks `(len(faces), S, S)`, and whether each face has one `(len(faces),)`. An unreadable mask gives a warning.
    """
    masks = np.zeros((len(faces), spec.size_px, spec.size_px), bool)
    found = np.zeros(len(faces), bool)
    known = videos.set_index("video_id")[["mask_path", "width_px", "height_px"]]
    faces = faces.reset_index(drop=True)
    for video, rows in faces.groupby("video_id", sort=False).indices.items():
        path, *size = known.loc[str(video)]
        if not path:
            continue
        try:
            frames = read_masks(Path(root) / path, {int(frame) for frame in faces["frame"].to_numpy()[rows]})
        except MediaError as error:
            _log.warning("a forgery mask is left out: %s", error)
            continue
        for row in rows:
            face = faces.iloc[row]
            if (frame := frames.get(int(face["frame"]))) is not None:
                masks[row], found[row] = _cut(frame, face, (int(size[0]), int(size[1])), spec), True
    return masks, found


def _cut(mask: NDArray[np.bool_], face: pd.Series, size: tuple[int, int], spec: InputSpec) -> NDArray[np.bool_]:
    grey = mask.astype(np.uint8) * 255
    if grey.shape[::-1] != size:  # some data sets have masks smaller than the frames
        grey = np.asarray(cv2.resize(grey, size, interpolation=cv2.INTER_NEAREST), np.uint8)
    return cut_again(np.repeat(grey[..., None], 3, axis=2), face, spec)[..., 0] > 127


def _forged(rgb: NDArray[np.uint8]) -> NDArray[np.bool_]:
    return rgb.max(axis=2) > _FORGED
