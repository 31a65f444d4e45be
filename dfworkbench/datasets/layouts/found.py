"""Report files that a layout ignored, and rows without a file."""

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from dfworkbench.core.errors import DataNotFoundError, TableError
from dfworkbench.core.names import GENERATED_MARKER
from dfworkbench.datasets.layouts.layout import LEFT_OUT, Layout
from dfworkbench.media import NO_UTF8, Listing, first_names, is_missing, list_folder, readable

_log = logging.getLogger(__name__)
_OTHER = "picture(s) or video(s) of another compression"


def storable(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Rows with storable names. Names that are not UTF-8 are made readable; such a file then counts as missing."""
    return [
        {column: readable(value) if isinstance(value, str) else value for column, value in row.items()} for row in rows
    ]


def taken(rows: list[dict[str, Any]], root: Path) -> tuple[list[dict[str, Any]], dict[str, str]]:
    """The accepted rows, and for the others path -> reason.

    Raises:
        TableError: No row is accepted.
    """
    left = {row["path"]: row[LEFT_OUT] for row in rows if row.get(LEFT_OUT)}
    kept = [{key: value for key, value in row.items() if key != LEFT_OUT} for row in rows if not row.get(LEFT_OUT)]
    if left and not kept:
        reasons = "; ".join(sorted(set(left.values())))
        raise TableError(
            f"reading {root}: all {len(left)} file(s) that are named are left out: {reasons}. Expected some that are taken: check "
            "the lists, or the options of the layout."
        )
    return kept, left


def report_found(layout: Layout, root: Path, videos: pd.DataFrame, left_out: Mapping[str, str] | None = None) -> None:
    """Log which rows have no file, and which files have no row and why.

    Walks through all of `root`; known suffixes are trusted, so only unknown files are opened. `left_out` holds the reasons for
    files that the layout deliberately skips, by path.

    Raises:
        DataNotFoundError: No file of the table exists.
    """
    listing = list_folder(root)
    _report_missing(layout.name, root, videos, listing)
    rows = set(videos["path"])
    beside = {path for column in ("mask_path", "landmarks_path") for path in videos[column] if path}
    not_taken = f"picture(s) or video(s) that are not part of the layout '{layout.name}'"
    reasons = left_out or {}
    own = (root / GENERATED_MARKER).is_file()  # other files written by a generator are expected

    def why_not(path: str) -> str | None:
        folder = path.rpartition("/")[0]  # frames of a row
        if path in rows or folder in rows:
            return ""
        if path in beside or folder in beside:
            return None
        if reason := reasons.get(path) or reasons.get(folder):
            return reason
        return _OTHER if any(f"/{name}/" in path for name in layout.compressions) else not_taken

    listing.without(why_not).report(expected=(_OTHER, not_taken) if own else (_OTHER,))


def _report_missing(layout: str, root: Path, videos: pd.DataFrame, listing: Listing) -> None:
    named = set(listing.left_out.get(NO_UTF8, ()))  # these exist and are reported with their reason
    missing = [path for path in videos["path"] if path not in named and is_missing(root / path)]
    if len(missing) == len(videos):
        held = first_names([readable(file.relative_to(root)) for file in listing.media]) or "no picture and no video"
        raise DataNotFoundError(
            f"reading {root} as '{layout}': {len(missing)} file(s) or folder(s) are named ({first_names(missing)}), and none is "
            f"there. The folder holds {held}. Give the folder that contains them, or get the list that belongs to it."
        )
    if missing:
        _log.warning(
            "%s: %d of %d listed files or folders are not there: %s",
            root,
            len(missing),
            len(videos),
            first_names(missing),
        )
