"""Walk through folders: follow links, and report what cannot be listed."""

import os
import re
from collections import Counter, defaultdict, deque
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

#: A folder reached by several links is read under each of these paths. Links to folders of links could make billions.
_MOST_PATHS = 16

HIDDEN = "hidden file(s) or folder(s)"
_BROKEN = "link(s) that point nowhere"
_CIRCLE = "link(s) back to a folder above"
_OFTEN = f"link(s) to a folder that is read under {_MOST_PATHS} other paths"
_SPECIAL = "pipe(s), socket(s) or device(s)"


class Walk(NamedTuple):
    """Contents of a folder.

    Attributes:
        files: Regular files, including those behind links, each under every path that leads to it; sorted by path.
        left_out: Reason -> what is left out for it, as readable paths below the folder.
        linked: Whether a link was followed, so that two paths may be one file.
    """

    files: list[Path]
    left_out: Mapping[str, list[str]]
    linked: bool


def walk(top: Path) -> Walk:
    """All files below a folder, except hidden ones; none if the folder does not exist. Never raises for anything below it."""
    if not top.is_dir():
        return Walk([], {}, False)
    walker = _Walker(top)
    files = sorted(walker.files())  # must come first: the reasons are complete only then
    return Walk(files, {reason: sorted(names) for reason, names in walker.left_out.items()}, walker.linked)


def readable(path: str | Path) -> str:
    """A path as text that every table and terminal can hold: each byte of a name that is not UTF-8 becomes `%E9`.

    Such a text cannot be used to open a file; it only names what is refused.
    """
    return re.sub("[\ud800-\udfff]", _escaped, str(path))


def _escaped(found: re.Match[str]) -> str:
    code = ord(found[0])
    return f"%{code - 0xDC00 if 0xDC80 <= code <= 0xDCFF else code:02X}"  # Python keeps byte 0xE9 as U+DCE9


def is_missing(path: Path) -> bool:
    """Whether a file, folder or link target does not exist; False for one that is not accessible."""
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return True
    except (OSError, ValueError):
        return False
    return False


class _Walker:
    def __init__(self, top: Path) -> None:
        self.linked = False
        self.left_out: defaultdict[str, list[str]] = defaultdict(list)
        self._top = str(top)
        self._paths: Counter[tuple[int, int]] = Counter()

    def files(self) -> Iterator[Path]:
        folders = deque([(self._top, frozenset[tuple[int, int]]())])
        while folders:
            folder, above = folders.pop()
            try:
                identity = self._enter(folder, above)
                if identity is not None:
                    with os.scandir(folder) as entries:
                        for entry in entries:
                            kind = self._kind(entry)
                            if kind == "folder":
                                # links come last: a folder here is read under its own path in any case
                                later = folders.appendleft if entry.is_symlink() else folders.append
                                later((entry.path, above | {identity}))
                            elif kind == "file":
                                yield Path(entry.path)
            except OSError as error:
                self._leave_out(f"folder(s) that cannot be listed ({error.strerror})", folder)

    def _enter(self, folder: str, above: frozenset[tuple[int, int]]) -> tuple[int, int] | None:
        stat = Path(folder).stat()
        identity = (stat.st_dev, stat.st_ino)
        self._paths[identity] += 1
        if identity in above or self._paths[identity] > _MOST_PATHS:
            self._leave_out(_CIRCLE if identity in above else _OFTEN, folder)
            return None
        return identity

    def _kind(self, entry: os.DirEntry[str]) -> str:
        """Either "file" or "folder"; "" for what is left out."""
        reason = HIDDEN if entry.name.startswith(".") else ""
        if not reason:
            linked = entry.is_symlink()
            self.linked |= linked
            try:
                if entry.is_dir():
                    return "folder"
                if entry.is_file():
                    return "file"
                reason = _BROKEN if linked else _SPECIAL
            except OSError:  # a link to itself, or through an inaccessible folder
                reason = _BROKEN
        self._leave_out(reason, entry.path)
        return ""

    def _leave_out(self, reason: str, path: str) -> None:
        self.left_out[reason].append(readable(os.path.relpath(path, self._top)))
