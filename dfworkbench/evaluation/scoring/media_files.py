"""Find the media files to score, and their keys (video_id) in the score table."""

import os
from collections.abc import Sequence
from pathlib import Path

from dfworkbench.core.errors import DataNotFoundError
from dfworkbench.media.listing import list_media
from dfworkbench.media.walk import readable


def as_paths(path: Path | str | Sequence[Path | str]) -> list[Path]:
    """One path or several, as a list."""
    return [Path(p) for p in ([path] if isinstance(path, str | Path) else path)]


def find_files(path: Path | str | Sequence[Path | str]) -> dict[str, Path]:
    """Media files by video_id, which is the path below, and including, the folder that contains them all."""
    given = as_paths(path)
    missing = [p for p in given if not p.exists()]
    if missing or not given:
        raise DataNotFoundError(
            f"scoring {len(given)} path(s): {f'there is no {missing[0]}' if missing else 'none was given'}. "
            "Expected a picture, a video or a folder with some: check the path."
        )
    files = [file for p in given for file in (list_media(p) if p.is_dir() else [p])]
    # absolute but not resolved: two links to one file are two files, and files below a link keep the path through the link
    root = Path(os.path.commonpath([os.path.normpath((p if p.is_dir() else p.parent).absolute()) for p in given]))
    names = ((root.name / Path(os.path.relpath(file, root))).as_posix() for file in files)
    # a file with an unstorable name is searched under a readable one, and so gets a row without a score
    return {readable(name): Path(readable(file)) for name, file in zip(names, files, strict=True)}
