"""Find dense landmark files of any layout, in a folder landmarks/ that mirrors the video paths.

landmarks/<path of the video without its suffix>.npz   or .npy, or a folder with one .npy per frame
…/landmarks/<name>.npz                                 the same beside …/videos/<name>.mp4, or …/frames/<name>/
"""

from functools import cache
from pathlib import Path, PurePosixPath

import pandas as pd

_FOLDER = "landmarks"
_PARALLEL = ("videos", "frames")
_SUFFIXES = (".npz", ".npy", "")


def find_landmarks(videos: pd.DataFrame, root: Path) -> pd.Series:
    """`landmarks_path` of every row: the given one, else an existing file or folder at an expected path, else ""."""

    @cache
    def inside(folder: PurePosixPath) -> frozenset[str]:
        try:
            return frozenset(file.name for file in (root / folder).iterdir())
        except OSError:
            return frozenset()

    def look(path: str) -> str:
        for place in _places(PurePosixPath(path)):
            for name in (place.name, place.stem):
                for suffix in _SUFFIXES:
                    if name + suffix in inside(place.parent):
                        return (place.parent / (name + suffix)).as_posix()
        return ""

    known = videos["landmarks_path"]
    return known.where(known != "", videos["path"].map(look)).astype(known.dtype)


def _places(path: PurePosixPath) -> list[PurePosixPath]:
    """Expected landmark paths of a video path (with suffix)."""
    places = [PurePosixPath(_FOLDER) / path]
    parts = list(path.parts)
    for at in reversed(range(len(parts) - 1)):
        if parts[at] in _PARALLEL:
            places.append(PurePosixPath(*parts[:at], _FOLDER, *parts[at + 1 :]))
            break
    return places
