"""What a folder layout is: a card for people and a reader that makes a video table."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from dfworkbench.errors import DataNotFoundError


@dataclass(frozen=True)
class DataCard:
    """What a person must know before using a data set."""

    title: str
    what: str
    home: str
    licence: str
    traps: tuple[str, ...]


@dataclass(frozen=True)
class Layout:
    """One way in which a data set lies on disk.

    Attributes:
        name: The key in `LAYOUTS`.
        card: For people.
        read: `read(root, dataset, **options)` gives rows for the video table; options are the layout's own.
        compressions: Values of the option `compression` that the layout knows; empty if it has none.
    """

    name: str
    card: DataCard
    read: Callable[..., list[dict[str, Any]]]
    compressions: tuple[str, ...] = ()


def video_row(dataset: str, root: Path, file: Path, label: int, **values: Any) -> dict[str, Any]:
    """A row of the video table for `file`, which lies below `root`."""
    path = file.relative_to(root).as_posix()
    return {"video_id": f"{dataset}/{path}", "dataset": dataset, "path": path, "label": label, **values}


def nothing_found(layout: str, root: Path, looked_for: str) -> DataNotFoundError:
    """The error for a folder that does not hold the layout: what was looked for, and what lies there instead."""
    if not root.exists():
        return DataNotFoundError(
            f"reading {root} as '{layout}': there is no such folder. Give the folder that holds {looked_for}."
        )
    if not root.is_dir():
        return DataNotFoundError(
            f"reading {root} as '{layout}': this is a file. Give the folder that holds {looked_for}."
        )
    seen = sorted(entry.name + ("/" if entry.is_dir() else "") for entry in root.iterdir())
    found = (
        ", ".join(seen[:8]) + (f" and {len(seen) - 8} more" if len(seen) > 8 else "")
        if seen
        else "nothing (it is empty)"
    )
    return DataNotFoundError(
        f"reading {root} as '{layout}': looked for {looked_for}, found {found}. "
        "Give the folder above, or choose another layout."
    )


def to_table(rows: list[dict[str, Any]], root: Path) -> pd.DataFrame:
    """The checked video table of a layout's rows."""
    from dfworkbench.tables import VIDEOS

    return VIDEOS.complete(rows, root)
