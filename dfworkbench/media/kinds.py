"""Which files are videos, which are pictures; a folder stands for its frames."""

from pathlib import Path
from typing import Literal

from dfworkbench.errors import DataNotFoundError

VIDEO_SUFFIXES = (".avi", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg", ".webm")
IMAGE_SUFFIXES = (".bmp", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp")


def media_kind(path: Path | str) -> Literal["video", "image", "frames"] | None:
    """What a file is by its name: "video", "image" or None for anything else; "frames" for a folder that is there."""
    if Path(path).is_dir():  # whatever its name: frames of 071.mp4 may lie in a folder that is called 071.mp4
        return "frames"
    suffix = Path(path).suffix.lower()
    if suffix in VIDEO_SUFFIXES:
        return "video"
    return "image" if suffix in IMAGE_SUFFIXES else None


def list_media(folder: Path | str) -> list[Path]:
    """Every picture and video below a folder, sorted by path; hidden files and folders are left out.

    Raises:
        DataNotFoundError: There is no such folder, or nothing in it.
    """
    folder = Path(folder)
    known = ", ".join((*VIDEO_SUFFIXES, *IMAGE_SUFFIXES))
    if not folder.is_dir():
        raise DataNotFoundError(
            f"listing pictures and videos: there is no folder {folder}. Give the path of an existing folder."
        )
    found = [
        path
        for path in sorted(folder.rglob("*"))
        if path.is_file() and media_kind(path) and not any(p.startswith(".") for p in path.relative_to(folder).parts)
    ]
    if not found:
        raise DataNotFoundError(
            f"listing pictures and videos: {folder} holds none. Expected files that end in {known}. "
            "Check the path, or generate the demo set with `dfworkbench demo-data`."
        )
    return found
