"""The same face crops from several compressions of a file, cut at identical places so that only the compression differs."""

from collections.abc import Sequence
from pathlib import Path, PurePosixPath

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from dfworkbench.core.errors import DataNotFoundError, TableError
from dfworkbench.core.input_spec import InputSpec
from dfworkbench.datasets.recut import cut_again
from dfworkbench.media import open_source


def compressed_crops(
    root: Path | str, videos: pd.DataFrame, faces: pd.DataFrame, spec: InputSpec, compressions: Sequence[str]
) -> dict[str, NDArray[np.uint8]]:
    """Face crops as they appear in each compression.

    Face boxes and landmarks are those of the face table for all compressions: if detected in each file, they would differ by a
    pixel or two, and the shift of the crops would be measured instead.

    Args:
        root: Folder of the data set.
        videos: Video table; `path` has the compression as one of its folders, as in FaceForensics++.
        faces: Rows of the face table.
        spec: InputSpec of the detector.
        compressions: Compressions, such as raw, c23, c40.

    Returns:
        Compression -> `(len(faces), S, S, 3)` uint8 RGB.

    Raises:
        TableError: The path of a file does not contain its compression.
        DataNotFoundError: A file, or a frame of it, is missing in a compression.
        MediaError: A file cannot be read.
    """
    known = videos.set_index("video_id")
    faces = faces.reset_index(drop=True)
    shape = (len(faces), spec.size_px, spec.size_px, 3)
    crops = {compression: np.zeros(shape, np.uint8) for compression in compressions}
    for video, rows in faces.groupby("video_id", sort=False).indices.items():
        wanted = {int(frame) for frame in faces["frame"].to_numpy()[rows]}
        for compression, images in crops.items():
            path = Path(root) / _path_in(known.loc[str(video)], compression)
            if not path.exists():
                raise DataNotFoundError(
                    f"comparing compressions of {video!r}: there is no {path}. Expected the same files in "
                    f"{', '.join(compressions)}; get them (FaceForensics++ offers all three), or compare fewer compressions."
                )
            frames = {frame.index: frame.rgb for frame in open_source(path).iterate(sorted(wanted))}
            for row in rows:
                number = int(faces["frame"].iloc[row])
                if number not in frames:
                    raise DataNotFoundError(
                        f"comparing compressions of {video!r}: {path} has no frame {number}, which other compressions have. "
                        "Expected the same frames in each; compress the file again, or leave it out."
                    )
                images[row] = cut_again(frames[number], faces.iloc[row], spec)
    return crops


def _path_in(video: pd.Series, compression: str) -> PurePosixPath:
    parts = PurePosixPath(video["path"]).parts
    own = video["compression"]
    if not own or parts.count(own) != 1:
        raise TableError(
            f"looking for {video.name!r} in the compression {compression}: its own compression {own!r} is not a folder of its path "
            f"{video['path']!r}, so the other files cannot be found. Expected a tree like that of FaceForensics++: …/c23/videos/…"
        )
    return PurePosixPath(*(compression if part == own else part for part in parts))
