"""Report files that a layout did not take, and rows without a file."""

import logging
from pathlib import Path
from typing import Any

import pandas as pd

from dfworkbench.core.errors import DataNotFoundError
from dfworkbench.core.names import GENERATED_MARKER
from dfworkbench.datasets.layouts.layout import Layout
from dfworkbench.media import NO_UTF8, Listing, first_names, is_missing, list_folder, readable

_log = logging.getLogger(__name__)
_OTHER = "picture(s) or video(s) of another compression"


def storable(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The rows with names that tables can hold. A name that is not UTF-8 is made readable; its file then counts as missing."""
    return [
        {column: readable(value) if isinstance(value, str) else value for column, value in row.items()} for row in rows
    ]


def report_found(layout: Layout, root: Path, videos: pd.DataFrame) -> None:
    """Log which rows have no file, and which files have no row and why.

    A walk through all of `root`; known suffixes are believed, so only strange files are opened.

    Raises:
        DataNotFoundError: Not one file of the table is there.
    """
    listing = list_folder(root)
    _report_missing(layout.name, root, videos, listing)
    rows = set(videos["path"])
    beside = {path for column in ("mask_path", "landmarks_path") for path in videos[column] if path}
    not_taken = f"picture(s) or video(s) that are no part of the layout '{layout.name}'"
    own = (root / GENERATED_MARKER).is_file()  # what else a generator wrote is known to it

    def why_not(path: str) -> str | None:
        folder = path.rpartition("/")[0]  # of the frames of a row
        if path in rows or folder in rows:
            return ""
        if path in beside or folder in beside:
            return None
        return _OTHER if any(f"/{name}/" in path for name in layout.compressions) else not_taken

    listing.without(why_not).report(expected=(_OTHER, not_taken) if own else (_OTHER,))


def _report_missing(layout: str, root: Path, videos: pd.DataFrame, listing: Listing) -> None:
    named = set(listing.left_out.get(NO_UTF8, ()))  # these are there, and reported with the reason
    missing = [path for path in videos["path"] if path not in named and is_missing(root / path)]
    if len(missing) == len(videos):
        held = first_names([readable(file.relative_to(root)) for file in listing.media]) or "no picture and no video"
        raise DataNotFoundError(
            f"reading {root} as '{layout}': {len(missing)} file(s) or folder(s) are named ({first_names(missing)}), and none is "
            f"there. The folder holds {held}. Give the folder below which they lie, or get the list that belongs to it."
        )
    if missing:
        _log.warning(
            "%s: %d of %d listed files or folders are not there: %s",
            root,
            len(missing),
            len(videos),
            first_names(missing),
        )
