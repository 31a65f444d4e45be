"""Find, cut and score the faces of an evidence file with the same steps as the reference set.

The file is extracted like a data set of one file, with the reference set's settings, into a temporary folder.
"""

import io
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from dfworkbench.core.errors import InputError
from dfworkbench.core.names import STATUS_OK
from dfworkbench.datasets.audit.frame_leaks import FrameHashes, hash_frames
from dfworkbench.datasets.face_dataset import FaceDataset
from dfworkbench.datasets.tables import FACES, VIDEOS
from dfworkbench.evidence.reference.tracks import Tracks, measure
from dfworkbench.extraction.part import Job, extract_video
from dfworkbench.faces.settings import FaceSettings
from dfworkbench.runs.checkpoints import LoadedDetector

_ALL = 1000  # maximum frames hashed per file
_SET = "evidence"


@dataclass(frozen=True)
class FacesOfFile:
    """Faces found in an evidence file.

    Attributes:
        status: "ok", or the status from the score table.
        reason: The same in words.
        still: Whether it is a picture.
        decoded: What was read: frames in the file, frame rate, size, tracks, faces.
        tracks: Scored tracks; None without faces.
        hashes: Pixel hashes of all its faces; None without faces.
        thumbnails: PNG of the middle face of each track, by track index.
    """

    status: str
    reason: str
    still: bool
    decoded: dict[str, float | int]
    tracks: Tracks | None = None
    hashes: FrameHashes | None = None
    thumbnails: dict[int, bytes] = field(default_factory=dict)


def require_matching_input(loaded: LoadedDetector, faces: FaceSettings, reference: str) -> None:
    """Raise `InputError` if the detector takes faces and the reference set holds whole pictures, or vice versa."""
    if loaded.input_spec.of_faces == (not faces.whole):
        return
    takes, has = ("faces", "whole pictures") if loaded.input_spec.of_faces else ("whole pictures", "faces")
    raise InputError(
        f"comparing with the reference set {reference!r}: {loaded.run} takes {takes}, and the set was extracted as {has}. Expected "
        f"the same. Choose another run, or extract the set {'without ' if loaded.input_spec.of_faces else 'with '}--whole."
    )


def measure_file(
    path: Path, video_id: str, loaded: LoadedDetector, faces: FaceSettings, temporary: Path
) -> FacesOfFile:
    """Find and score all faces of a file.

    Args:
        path: The file; opened read-only.
        video_id: Its key in tables.
        loaded: The detector.
        faces: Face settings of the reference set.
        temporary: Empty folder for face crops.
    """
    job = Job(video_id, f"{path.name.partition('.')[0][:40] or 'file'}", path.absolute(), temporary, _SET, faces)
    part = extract_video(job, threads=1)
    row = {"video_id": video_id, "dataset": _SET, "path": path.name, "label": -1, "split": _SET, **part.video}
    videos = VIDEOS.complete([{**row, "split": ""}]).assign(split=_SET)
    video = videos.iloc[0]
    still = not video["fps"] > 0
    decoded = {
        name: (float if name == "fps" else int)(video[name])
        for name in ("frames", "fps", "width_px", "height_px", "tracks", "faces")
        if video[name] == video[name] and video[name] >= 0
    }
    if video["status"] != STATUS_OK or not part.faces:
        return FacesOfFile(str(video["status"]), _reason(str(video["reason"]), path), still, decoded)
    table = FACES.complete(pd.DataFrame(part.faces).assign(exact=faces.exact and faces.finds_faces))
    dataset = FaceDataset(table, videos, loaded.input_spec, temporary)
    tracks = measure(loaded, dataset, videos, path.parent)
    hashes = hash_frames(videos, table, temporary, _ALL)
    return FacesOfFile(STATUS_OK, str(video["reason"]), still, decoded, tracks, hashes, _thumbnails(dataset))


def _reason(reason: str, path: Path) -> str:
    """A reason without the local folder and without advice on settings that a case does not have."""
    return reason.replace(str(path.absolute()), path.name).partition(" Lower min_face_px")[0]


def _thumbnails(dataset: FaceDataset) -> dict[int, bytes]:
    """The detector's crop in the middle of each track."""
    found = {}
    for track, index in dataset.rows.groupby("track", sort=True).indices.items():
        images = dataset[int(index[len(index) // 2])]["images"]
        image = images if images.ndim == 3 else images[0]
        buffer = io.BytesIO()
        Image.fromarray(np.ascontiguousarray(image.movedim(0, -1).numpy())).save(buffer, format="png")
        found[int(track)] = buffer.getvalue()  # pyright: ignore[reportArgumentType]
    return found
