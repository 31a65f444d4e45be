"""Folders of numbered pictures, read like videos; `open_source` opens either."""

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from dfworkbench.core.errors import MediaError, ParameterError
from dfworkbench.media.kinds import IMAGE_SUFFIXES, kind_by_name, kind_or_reason
from dfworkbench.media.pictures.images import Picture, read_picture
from dfworkbench.media.video.display import Frame
from dfworkbench.media.video.source import VideoSource, is_cut_off


@dataclass(frozen=True)
class FolderFrame:
    """One picture of a folder.

    Attributes:
        index: Its position among the pictures of the folder, from 0; not the number in its name.
        time_s: `index / fps`.
        rgb: `(H, W, 3)` uint8, RGB.
    """

    index: int
    time_s: float
    rgb: NDArray[np.uint8]


#: What a video or a folder yields: both have `index`, `time_s` and `rgb`.
AnyFrame = Frame | FolderFrame


class FrameSource(Protocol):
    """Anything that yields frames repeatedly: `VideoSource` and `FrameFolder`."""

    path: Path
    fps: float
    width_px: int
    height_px: int
    frames_expected: int

    @property
    def notice(self) -> str:
        """Warnings about the file, in words; "" if there are none."""
        ...

    def iterate(self, wanted: Sequence[int] | None = None, threads: int = 1) -> Iterator[AnyFrame]:
        """The wanted frames in order; None for all."""
        ...


class FrameFolder:
    """A folder of pictures, one per frame, that can be read any number of times.

    Attributes:
        path: The folder.
        frames_expected: Number of pictures in it.
        fps: Frames per second, as given: a folder does not say.
        width_px, height_px: Size of the first readable picture; the others may differ (data sets of face crops).
        notice: The notice of `read_picture` for the first readable picture; "" if there is none.

    Raises:
        MediaError: On opening, with status "missing" or "unreadable".
        ParameterError: `fps` is not above 0.
    """

    def __init__(self, path: Path | str, fps: float = 25.0) -> None:
        if not 0 < fps < math.inf:
            raise ParameterError(f"reading the frame folder {path}: frames per second must be above 0; got {fps}.")
        self.path, self.fps = Path(path), float(fps)
        self._pictures = list_frames(self.path)
        self.frames_expected = len(self._pictures)
        if not self._pictures:
            raise MediaError(
                f"opening the frame folder {self.path}: it holds no picture. Expected numbered files that end in "
                f"{', '.join(IMAGE_SUFFIXES)}: check the path, or extract the frames again."
            )
        first, notice = self._first_readable()
        self.notice = f"its first picture: {notice}" if notice else ""
        self.height_px, self.width_px = first.shape[:2]

    def iterate(self, wanted: Sequence[int] | None = None, threads: int = 1) -> Iterator[FolderFrame]:
        """Read and yield the wanted frames; unreadable pictures are skipped.

        Args:
            wanted: Frame indices, in any order; None for all frames. Indices not in the folder are ignored.
            threads: Ignored: one picture is read at a time. For compatibility with `VideoSource.iterate`.

        Yields:
            Frames in order.

        Raises:
            MediaError: "truncated" if more than a few pictures cannot be read, "unreadable" if none can.
        """
        count = len(self._pictures)
        indices = range(count) if wanted is None else sorted(i for i in set(wanted) if 0 <= i < count)
        seen, problem = 0, ""
        for index in indices:
            try:
                rgb = read_picture(self._pictures[index]).rgb
            except MediaError as error:
                problem = problem or str(error)
                continue
            seen += 1
            yield FolderFrame(index, index / self.fps, rgb)
        self._check_end(seen, len(indices), problem)

    def _first_readable(self) -> Picture:
        problem = ""
        for picture in self._pictures:
            try:
                return read_picture(picture)
            except MediaError as error:
                problem = problem or str(error)
        raise self._none_readable(len(self._pictures), problem)

    def _check_end(self, found: int, expected: int, problem: str) -> None:
        if found == 0 and expected:
            raise self._none_readable(expected, problem)
        if is_cut_off(found, expected):
            raise MediaError(
                f"reading the frame folder {self.path}: only {found} of {expected} pictures can be read; the first that "
                f"cannot: {problem} Copy or extract the folder again.",
                "truncated",
            )

    def _none_readable(self, expected: int, problem: str) -> MediaError:
        return MediaError(
            f"reading the frame folder {self.path}: not one of its {expected} pictures can be read; the first: {problem} "
            "Copy or extract the folder again."
        )


def list_frames(folder: Path | str) -> list[Path]:
    """The pictures directly in a folder, in the order of the numbers in their names, without hidden files.

    Raises:
        MediaError: The folder does not exist ("missing") or cannot be listed ("unreadable").
    """
    folder = Path(folder)
    if not folder.is_dir():
        found = "this is a file" if folder.exists() else "there is no such folder"
        raise MediaError(f"opening the frame folder {folder}: {found}. Check the path.", "missing")
    try:
        found = [
            file
            for file in folder.iterdir()
            if not file.name.startswith(".")
            and (kind_by_name(file) or kind_or_reason(file)) == "image"
            and file.is_file()
        ]
    except OSError as error:
        raise MediaError(f"opening the frame folder {folder}: {error.strerror}. Check its permissions.") from error
    return sorted(found, key=_natural)


def open_source(path: Path | str) -> FrameSource:
    """Open a video file, or a folder of pictures at 25 frames per second.

    Raises:
        MediaError: See `VideoSource` and `FrameFolder`.
    """
    return FrameFolder(path) if Path(path).is_dir() else VideoSource(path)


def _natural(file: Path) -> tuple[list[str | int], str]:
    """Natural sort key: frame_9 before frame_10; parts alternate between text and number, so like is compared with like."""
    parts = re.split("([0-9]+)", file.name)
    return [int(part) if at % 2 else part for at, part in enumerate(parts)], file.name
