"""Results of face detection: faces of a picture, a face of a track, and all faces of a file."""

from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from dfworkbench.core.errors import MediaError
from dfworkbench.faces.face_tile import FaceTile


class Faces(NamedTuple):
    """Faces of one picture, largest first.

    Attributes:
        boxes: `(n, 4)` float64, x0, y0, x1, y1 in pixels; may extend beyond the picture.
        probabilities: `(n,)` float64, 0..1.
        landmarks: `(n, 5, 2)` float64, x and y in pixels: left eye, right eye, nose, left and right corner of the mouth.
    """

    boxes: NDArray[np.float64]
    probabilities: NDArray[np.float64]
    landmarks: NDArray[np.float64]


@dataclass(frozen=True)
class TrackedFace:
    """One face in one frame, or one whole picture.

    Attributes:
        frame: Index in the file, from 0.
        time_s: Seconds since the first frame.
        track: Number of its track, from 0 in order of first appearance.
        box: `(4,)` x0, y0, x1, y1 in pixels of the frame; for a whole picture, the square that is kept; for a ready-made crop, all
            of it.
        probability: Probability from the face detector; 1 for a whole picture.
        landmarks: `(5, 2)` in pixels of the frame; NaN for a whole picture and for a ready-made crop.
        tile: The stored crop.
        doubt: Why its track should not affect the file's verdict (`faces.doubt`); "" if it may.
        shows: What the tile shows: a detected face, a ready-made face crop, or a whole picture.
    """

    frame: int
    time_s: float
    track: int
    box: NDArray[np.float64]
    probability: float
    landmarks: NDArray[np.float64]
    tile: FaceTile
    doubt: str = ""
    shows: Literal["face", "crop", "picture"] = "face"


@dataclass(frozen=True)
class FileFaces:
    """All faces of a file, sorted by track, then frame.

    Attributes:
        kind: "video" or "image"; a folder of frames is a video.
        frames: Number of frames in the file; 1 for a picture.
        fps: Frames per second; NaN for a picture, 25 for a folder of frames.
        width_px, height_px: Size of a frame; of the first one if those in a folder differ.
        detections: The faces, at least one.
        notice: Warnings about the file (`media.read_picture`), and about faces that were not searched for; "" if there are none.
    """

    kind: Literal["video", "image"]
    frames: int
    fps: float
    width_px: int
    height_px: int
    detections: list[TrackedFace]
    notice: str = ""


class NoFaceError(MediaError):
    """Raised for a readable file without faces; it still knows the file's size.

    Attributes:
        file: The file, with an empty list of detections.
    """

    def __init__(self, message: str, file: FileFaces) -> None:
        super().__init__(message, "no_face")
        self.file = file
