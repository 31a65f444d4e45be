"""`Layout`: reader of a data set's folders and its data card, with helpers shared by readers."""

import logging
import re
from collections.abc import Callable, Container, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import pandas as pd

from dfworkbench.core.errors import DataNotFoundError, TableError
from dfworkbench.core.names import FAKE, REAL
from dfworkbench.core.safe_paths import path_problem
from dfworkbench.media import Listing, readable

_log = logging.getLogger(__name__)
_SHOWN = 3
#: Key of a row that is skipped; its value says why, such as "video(s) that nobody has labelled".
LEFT_OUT = "left_out"
_LABEL_WORDS = {"real": REAL, "fake": FAKE}
_SPLIT_WORDS = {"train": "train", "training": "train", "val": "val", "valid": "val", "validation": "val", "test": "test",
                "testing": "test"}  # fmt: skip


@dataclass(frozen=True)
class DataCard:
    """What to know before using a data set."""

    title: str
    what: str
    home: str
    licence: str
    traps: tuple[str, ...]


@dataclass(frozen=True)
class Layout:
    """A folder layout of a data set.

    Attributes:
        name: The key in `LAYOUTS`.
        card: Facts for users.
        read: `read(root, dataset, **options)` yields rows for the video table; options are specific to the layout. A row with
            the value `left_out` is skipped, and its file is reported with this reason.
        compressions: Valid values of the option `compression`; empty if the layout has none.
    """

    name: str
    card: DataCard
    read: Callable[..., list[dict[str, Any]]]
    compressions: tuple[str, ...] = ()


def video_row(dataset: str, root: Path, file: Path, label: int, **values: Any) -> dict[str, Any]:
    """A row of the video table for `file`, which must be below `root`, else `to_table` refuses it."""
    path = (file.relative_to(root) if file.is_relative_to(root) else file).as_posix()
    return {"video_id": f"{dataset}/{path}", "dataset": dataset, "path": path, "label": label, **values}


def label_in(name: str) -> int | None:
    """REAL or FAKE if one of these words is in a name such as `real_train`; None for neither or both."""
    found = {_LABEL_WORDS[word] for word in _words(name) if word in _LABEL_WORDS}
    return found.pop() if len(found) == 1 else None


def split_in(name: str) -> str:
    """The split named in a name such as `real_train` or `test_images`; "" for none or several."""
    found = {_SPLIT_WORDS[word] for word in _words(name) if word in _SPLIT_WORDS}
    return found.pop() if len(found) == 1 else ""


def _words(name: str) -> list[str]:
    return re.split("[^a-z]+", name.lower())


def listed_path(text: str, root: Path) -> PurePosixPath | None:
    """Normalise a path from a list: with `/` separators, and relative to `root` if below it.

    None for a path that is empty, contains `..` or names a drive, because crops are written and deleted below folders of the
    same name.
    """
    path = PurePosixPath(text.strip().replace("\\", "/"))
    if path.is_absolute():
        above = next((base for base in (root.absolute(), root.resolve()) if path.is_relative_to(base.as_posix())), None)
        path = path.relative_to(above.as_posix() if above else path.anchor)
    return path if path.parts and not path_problem(path.as_posix()) else None


def leading_parts(
    layout: str,
    source: Path,
    root: Path,
    paths: Sequence[PurePosixPath],
    is_there: Callable[[Path], bool] = Path.is_dir,
    what: str = "folder(s) of pictures",
) -> int:
    """Number of leading parts of listed paths to drop below `root`, because lists keep paths of the machine that wrote them.

    The smallest number for which at least one path exists, according to `is_there`. `what` names the expected files.

    Raises:
        DataNotFoundError: No path exists, whatever is dropped.
    """
    for dropped in range(max((len(path.parts) for path in paths), default=1)):
        tails = (path.parts[dropped:] for path in paths)
        if not paths or any(tail and is_there(root.joinpath(*tail)) for tail in tails):
            return dropped
    raise DataNotFoundError(
        f"reading {root} as '{layout}': {source} names {len(paths)} {what}; the first is {paths[0]}. None is below {root}, "
        "with or without its leading parts. Give the folder that holds them."
    )


def outer_folder(folder: PurePosixPath, known: Container[PurePosixPath]) -> PurePosixPath | None:
    """The known sequence that contains a folder, if any: crops of one would be deleted with those of the other."""
    return next((parent for parent in folder.parents if parent in known), None)


def nothing_found(layout: str, root: Path, looked_for: str, *listings: Listing) -> DataNotFoundError:
    """The error for a folder that does not match the layout: what was expected and what was found.

    `listings` are folders with the right names; their unread content is named.
    """
    if not root.exists():
        return DataNotFoundError(
            f"reading {root} as '{layout}': there is no such folder. Give the folder that holds {looked_for}."
        )
    if not root.is_dir():
        return DataNotFoundError(
            f"reading {root} as '{layout}': this is a file. Give the folder that holds {looked_for}."
        )
    seen = sorted(readable(entry.name) + ("/" if entry.is_dir() else "") for entry in root.iterdir())
    found = (
        ", ".join(seen[:8]) + (f" and {len(seen) - 8} more" if len(seen) > 8 else "")
        if seen
        else "nothing (it is empty)"
    )
    return DataNotFoundError(
        f"reading {root} as '{layout}': looked for {looked_for}, found {found}. "
        "Give the folder above, or choose another layout."
        + "".join(f"\n{listing}" for listing in listings if listing.left_out)
    )


def to_table(rows: list[dict[str, Any]], root: Path) -> pd.DataFrame:
    """The checked video table of a layout's rows, without rows whose names could lead out of a folder.

    One warning names such rows. Crops are written and removed below folders of these names.

    Raises:
        TableError: No row is left, or the rows violate the schema.
    """
    from dfworkbench.datasets.tables import VIDEOS

    refused = [problem for row in rows if (problem := _unsafe(row))]
    if refused:
        shown = "; ".join(refused[:_SHOWN]) + (f"; and {len(refused) - _SHOWN} more" if len(refused) > _SHOWN else "")
        words = (
            f"reading {root}: {len(refused)} of {len(rows)} rows are refused, because their names are not paths below a folder: "
            f"{shown}. Expected relative paths without '..', backslash or control characters: correct the file that "
            "names them, or rename what they name."
        )
        if len(refused) == len(rows):
            raise TableError(words)
        _log.warning(words)
    return VIDEOS.complete([row for row in rows if not _unsafe(row)] if refused else rows, root)


def _unsafe(row: dict[str, Any]) -> str:
    """The first refused name in a row of the video table, and why; "" if there is none."""
    from dfworkbench.datasets.tables.schemas import PATH_COLUMNS

    for column in reversed(PATH_COLUMNS["video"]):  # the path is more informative than the key made from it
        value = row.get(column, "")
        if (value or column in ("video_id", "dataset", "path")) and (problem := path_problem(value)):
            return f"{column} {str(value)[:200]!r} {problem}"
    return ""
