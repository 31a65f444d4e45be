"""Folder layouts of data sets: `read_layout` turns a folder into a checked video table."""

import inspect
from pathlib import Path
from typing import Any

import pandas as pd

from dfworkbench.core.errors import ParameterError
from dfworkbench.core.names import require_name
from dfworkbench.core.safe_paths import require_folder_name
from dfworkbench.datasets.layouts.celebdf import CELEBDF
from dfworkbench.datasets.layouts.deeperforensics import DEEPERFORENSICS
from dfworkbench.datasets.layouts.deepfakebench import DEEPFAKEBENCH
from dfworkbench.datasets.layouts.dfdc import DFDC
from dfworkbench.datasets.layouts.faceforensics import FACEFORENSICS
from dfworkbench.datasets.layouts.folders import FOLDERS
from dfworkbench.datasets.layouts.found import report_found, storable, taken
from dfworkbench.datasets.layouts.frame_folders import FRAME_FOLDERS
from dfworkbench.datasets.layouts.generated_images import GENERATED_IMAGES
from dfworkbench.datasets.layouts.landmark_files import find_landmarks
from dfworkbench.datasets.layouts.layout import DataCard, Layout, to_table
from dfworkbench.datasets.layouts.ldm import LDM
from dfworkbench.datasets.layouts.list_files import LIST_FILES
from dfworkbench.datasets.layouts.picture_lists import PICTURE_LISTS
from dfworkbench.datasets.splits import identity_groups
from dfworkbench.media import require_utf8

#: In alphabetical order.
LAYOUTS: dict[str, Layout] = {
    layout.name: layout
    for layout in (
        CELEBDF,
        DEEPERFORENSICS,
        DEEPFAKEBENCH,
        DFDC,
        FACEFORENSICS,
        FOLDERS,
        FRAME_FOLDERS,
        GENERATED_IMAGES,
        LDM,
        LIST_FILES,
        PICTURE_LISTS,
    )
}

__all__ = ["LAYOUTS", "DataCard", "Layout", "read_layout"]


def read_layout(layout: str, root: Path | str, name: str, **options: Any) -> pd.DataFrame:
    """The video table of the data set at `root`.

    Files without a row and rows without a file are logged, one line per kind. For dense landmarks see `landmark_files`.

    Args:
        layout: A key of `LAYOUTS`.
        root: The folder of the data set.
        name: Name of the data set, and first part of every video_id.
        options: `compression` ("raw", "c23", "c40") for layouts that have it; for others see the layout's reader.

    Raises:
        UnknownNameError: The layout does not exist.
        DataNotFoundError: The folder is missing or holds something else; the message says what was expected and what was found.
        ParameterError: The layout has no such option, or the name is not a valid folder name.
    """
    require_name("dataset layout", layout, LAYOUTS)
    require_folder_name("naming a data set", name)
    chosen = LAYOUTS[layout]
    if "compression" in options and not chosen.compressions:
        options = {key: value for key, value in options.items() if key != "compression"}
    known = [*inspect.signature(chosen.read).parameters][2:]
    if unknown := [option for option in options if option not in known]:
        raise ParameterError(
            f"reading {root} as {layout!r}: it has no option {unknown[0]!r}. Options: {', '.join(known) or 'none'}."
        )
    root = Path(root).expanduser()
    require_utf8(root)
    rows, left_out = taken(storable(chosen.read(root, name, **options)), root)
    videos = to_table(rows, root)
    videos["landmarks_path"] = find_landmarks(videos, root)
    report_found(chosen, root, videos, left_out)
    videos["group"] = identity_groups(videos)
    return videos
