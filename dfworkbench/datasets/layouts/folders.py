"""Generic folders: real/ and fake/ with videos or pictures at any depth."""

from pathlib import Path
from typing import Any

from dfworkbench.datasets.layouts.layout import DataCard, Layout, nothing_found, video_row
from dfworkbench.media.kinds import IMAGE_SUFFIXES, VIDEO_SUFFIXES
from dfworkbench.names import FAKE, REAL


def read_folders(root: Path, dataset: str) -> list[dict[str, Any]]:
    """Rows for every video and picture below `root/real` and `root/fake` (upper or lower case).

    The first folder below fake/ is the forgery method. Nothing says who is in a file, so each file is its own identity
    group; where the same person is in several files, write the identity into the column `carrier` of the video table.
    """
    rows = []
    for entry in sorted(root.iterdir()) if root.is_dir() else []:
        label = {"real": REAL, "fake": FAKE}.get(entry.name.lower())
        if label is None or not entry.is_dir():
            continue
        for file in sorted(entry.rglob("*")):
            if file.suffix.lower() in (*VIDEO_SUFFIXES, *IMAGE_SUFFIXES):
                below = file.relative_to(entry).parts
                method = (below[0] if len(below) > 1 else "fake") if label == FAKE else ""
                rows.append(video_row(dataset, root, file, label, method=method))
    if not rows:
        raise nothing_found("folders", root, "real/ and fake/ with videos or pictures")
    return rows


FOLDERS = Layout(
    name="folders",
    read=read_folders,
    card=DataCard(
        title="Your own folders",
        what="real/ and fake/ with .mp4, .avi, .mov, .mkv, .jpg, .png … at any depth.",
        home="",
        licence="Yours.",
        traps=("Identities are not known: the same person may stand in training and test unless you say who is who.",),
    ),
)
