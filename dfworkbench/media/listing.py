"""List pictures and videos below a folder, and report which files are not read and why."""

import logging
from collections import defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from dfworkbench.core.errors import DataNotFoundError
from dfworkbench.media.kinds import BESIDE, IMAGE_SUFFIXES, VIDEO_SUFFIXES, kind_by_name, kind_or_reason
from dfworkbench.media.walk import HIDDEN, is_missing, readable, walk

_log = logging.getLogger(__name__)
_SHOWN = 3
NO_UTF8 = "name(s) that are not UTF-8, which cannot be stored in a table (rename them; bytes are shown as %..)"


@dataclass(frozen=True)
class Listing:
    """Contents of a folder.

    Attributes:
        folder: The folder.
        videos, pictures: Files below it, including those behind links to folders, sorted by path. Names need not be UTF-8: see
            `walk.readable`.
        left_out: Reason -> readable paths of everything not read for this reason.
        twice: Files reached by two paths: the second path, and the first. Both are listed.
    """

    folder: Path
    videos: tuple[Path, ...]
    pictures: tuple[Path, ...]
    left_out: Mapping[str, Sequence[str]]
    twice: tuple[tuple[Path, Path], ...] = ()

    @property
    def media(self) -> list[Path]:
        """Pictures and videos, sorted by path."""
        return sorted((*self.videos, *self.pictures))

    def without(self, why_not: Callable[[str], str | None]) -> "Listing":
        """The listing with only some of the media.

        Args:
            why_not: Maps a readable path below the folder to the reason for leaving it out; "" to keep it, None to drop it
                silently, because it belongs to a kept file.
        """
        reasons = {file: why_not(readable(file.relative_to(self.folder).as_posix())) for file in self.media}
        others: defaultdict[str, list[str]] = defaultdict(list)
        for file, reason in reasons.items():
            if reason:
                others[reason].append(readable(file.relative_to(self.folder)))
        return replace(
            self,
            videos=tuple(file for file in self.videos if reasons[file] == ""),
            pictures=tuple(file for file in self.pictures if reasons[file] == ""),
            left_out={**others, **self.left_out},
            twice=tuple(pair for pair in self.twice if reasons[pair[0]] == reasons[pair[1]] == ""),
        )

    def __str__(self) -> str:
        head = f"{readable(self.folder)}: {len(self.videos)} video(s) and {len(self.pictures)} picture(s) found"
        lines = [f"  {len(names)} {reason}: {first_names(names)}" for reason, names in self.left_out.items()]
        if self.twice:
            second, first = (readable(path.relative_to(self.folder)) for path in self.twice[0])
            head += (
                f"; {len(self.twice)} of them under a second path (first: {second} is {first}), each path is one file"
            )
        return "\n".join([head + ("; not read:" if lines else ""), *lines])

    def report(self, expected: Collection[str] = ()) -> None:
        """Log the listing; as a warning if more is left out than `expected` and what commonly lies beside media."""
        matters = [
            reason for reason, names in self.left_out.items() if reason not in expected and _matters(reason, names)
        ]
        _log.log(logging.WARNING if matters or self.twice else logging.INFO, "%s", self)


def list_folder(folder: Path | str) -> Listing:
    """List everything below a folder; empty if the folder does not exist.

    Known suffixes are trusted; for any other file, its content is checked.
    """
    folder = Path(folder)
    found = walk(folder)
    kinds = {file: kind_by_name(file) or _kind_of_other(file) for file in found.files}
    media = {file: kind for file, kind in kinds.items() if kind in ("video", "image")}
    others: defaultdict[str, list[str]] = defaultdict(list)
    for file, reason in kinds.items():
        name = str(file.relative_to(folder))
        if file not in media:
            others[reason].append(readable(name))
        elif readable(name) != name:
            others[NO_UTF8].append(readable(name))
    return Listing(
        folder,
        tuple(file for file, kind in media.items() if kind == "video"),
        tuple(file for file, kind in media.items() if kind == "image"),
        {**found.left_out, **dict(sorted(others.items()))},
        _twice(media) if found.linked else (),
    )


def list_media(folder: Path | str) -> list[Path]:
    """Every picture and video below a folder, sorted by path; everything else is logged (`Listing.report`).

    Links to folders are followed; hidden files and folders are left out.

    Raises:
        DataNotFoundError: There is no such folder, or nothing in it.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise DataNotFoundError(
            f"listing pictures and videos: there is no folder {folder}. Give the path of an existing folder."
        )
    require_utf8(folder)
    listing = list_folder(folder)
    if not listing.media:
        known = ", ".join((*VIDEO_SUFFIXES, *IMAGE_SUFFIXES))
        raise DataNotFoundError(
            f"listing pictures and videos: {folder} holds none. Expected files that end in {known}. "
            f"Check the path, or generate the demo set with `dfworkbench demo-data`. {listing}"
        )
    listing.report()
    return listing.media


def require_utf8(path: Path | str) -> None:
    """Refuse a path that is not UTF-8, which tables cannot store.

    Raises:
        DataNotFoundError: The path is not UTF-8; the message has it in a readable form.
    """
    absolute = str(Path(path).absolute())
    if readable(absolute) != absolute:
        raise DataNotFoundError(
            f"reading {readable(absolute)}: the name is not UTF-8 (its bytes are shown as %..). It cannot be stored in a table: "
            "rename the folder."
        )


def first_names(names: Sequence[str]) -> str:
    """The first few of some names, and the number of further ones."""
    more = f", … and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more


def _kind_of_other(file: Path) -> str:
    """The kind, "video" or "image", or the reason under which a file with an unknown suffix is left out."""
    found = kind_or_reason(file)
    if found in ("video", "image"):
        return found
    suffix = file.suffix.lower() or "without suffix"
    return f"{suffix} ({found})" if found else suffix


def _matters(reason: str, names: Sequence[str]) -> bool:
    return any(kind_by_name(name) for name in names) if reason == HIDDEN else reason not in BESIDE


def _twice(media: Mapping[Path, str]) -> tuple[tuple[Path, Path], ...]:
    first: dict[tuple[int, int], Path] = {}
    pairs = []
    for file in media:
        if is_missing(file):  # deleted since the walk
            continue
        stat = file.stat()
        if (known := first.setdefault((stat.st_dev, stat.st_ino), file)) is not file:
            pairs.append((file, known))
    return tuple(pairs)
