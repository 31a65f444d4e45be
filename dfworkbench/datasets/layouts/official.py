"""Read official split files and other lists of a data set, and check them against its folders."""

import codecs
import logging
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

from dfworkbench.core.errors import DataNotFoundError, TableError
from dfworkbench.core.names import SPLITS
from dfworkbench.media import first_names, readable

_log = logging.getLogger(__name__)
_CURE = (
    "Get the list that belongs to this data set, or correct it. Without it splits would be drawn at random, official test videos "
    "among the training ones."
)


def read_lines(file: Path) -> list[str]:
    """The lines of a list in UTF-8, with or without byte order mark, or in UTF-16 as saved by Windows; without line ends.

    Raises:
        TableError: It has another encoding.
    """
    data = file.read_bytes()
    utf16 = data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    try:
        return data.decode("utf-16" if utf16 else "utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise TableError(f"reading the list {file}: it is not UTF-8 text ({error}). Save it as UTF-8.") from error


class ListedLine(NamedTuple):
    """A non-empty line of a list, with its position for messages."""

    file: Path
    number: int
    text: str

    def error(self, problem: str, expected: str) -> TableError:
        """The error that names file and line."""
        return TableError(
            f"reading the list {self.file}: line {self.number}, {self.text!r}, {problem}. Expected {expected}. Correct or remove "
            "the line."
        )


def listed_lines(file: Path) -> list[ListedLine]:
    """The non-empty, stripped lines of a list; raises the errors of `read_lines`."""
    return [ListedLine(file, number, text.strip()) for number, text in enumerate(read_lines(file), 1) if text.strip()]


def text_lists(root: Path, read: Callable[[str], object]) -> list[Path]:
    """The .txt files in a folder whose names identify them as lists; others are logged.

    Args:
        root: The folder.
        read: Parses a name without suffix; returns None or "" for a file that is not a list.
    """
    texts = [file for file in sorted(root.iterdir()) if file.suffix.lower() == ".txt"] if root.is_dir() else []
    lists = [file for file in texts if read(file.stem) not in (None, "")]
    if lists and len(lists) < len(texts):
        others = [readable(file.name) for file in texts if file not in lists]
        _log.warning("%s: by their names these are not lists, and are not read: %s", root, first_names(others))
    return lists


def split_of_each(root: Path, named: Mapping[str, Iterable[str]]) -> dict[str, str]:
    """Name -> split, from the names listed for each split.

    Raises:
        TableError: A name is in two splits.
    """
    split_of: dict[str, str] = {}
    for split, names in named.items():
        for name in names:
            if split_of.setdefault(name, split) != split:
                raise TableError(
                    f"reading the official splits of {root}: {name} is in {split_of[name]} and in {split}. Expected each "
                    f"name in one split. {_CURE}"
                )
    return split_of


def official_splits(
    root: Path, pattern: str, names_in: Callable[[Path], Iterable[str]], there: Mapping[str, str]
) -> dict[str, str]:
    """Name -> split, from one file per split (`pattern` with {} for the split); empty, with a warning, if there are none.

    Args:
        root: Folder of the data set.
        pattern: Path of the files below it.
        names_in: Reads one file.
        there: Content of the data set: name -> display name.

    Raises:
        DataNotFoundError: None of the names exists.
        TableError: A name is in two splits.
    """
    files = {split: root / pattern.format(split) for split in SPLITS}
    named = {split: names_in(file) for split, file in files.items() if file.is_file()}
    if not named:
        no_list(root, pattern.format("test"))
        return {}
    split_of = split_of_each(root, named)
    compare(root, pattern.format("*"), {name: name for name in split_of}, there)
    return split_of


def compare(root: Path, source: str, named: Mapping[str, str], there: Mapping[str, str]) -> None:
    """Warn if part of an official list is missing; refuse a list if everything is missing.

    Args:
        root: Folder of the data set.
        source: Name of the list.
        named: Its entries: key -> as written.
        there: Content of the data set: key -> as written.

    Raises:
        DataNotFoundError: Nothing of it exists: the list belongs to other data or uses other names, and splits drawn without it
            would train on its test files.
    """
    lost = [text for key, text in named.items() if key not in there]
    if len(lost) == len(named):
        what = f"{len(named)} ({first_names(lost)})" if named else "nothing"
        raise DataNotFoundError(
            f"comparing {source} with {root}: the list names {what}, and none of it is there. The data set holds "
            f"{first_names(sorted(there.values()))}. {_CURE}"
        )
    if lost:
        found = len(named) - len(lost)
        _log.warning(
            "%s: %d of the %d names in %s are there; missing: %s", root, found, len(named), source, first_names(lost)
        )


def no_list(root: Path, wanted: str) -> None:
    """Warn that a data set lacks its official list."""
    _log.warning(
        "%s: there is no %s. Splits will be drawn at random by identity and may train on official test videos; with the list "
        "beside the videos it is used.", root, wanted,
    )  # fmt: skip
