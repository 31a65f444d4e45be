"""Generic folders: real/ and fake/ with videos or still pictures at any depth."""

from pathlib import Path
from typing import Any

from dfworkbench.core.names import FAKE, REAL
from dfworkbench.datasets.layouts.layout import DataCard, Layout, nothing_found, video_row
from dfworkbench.media import list_folder


def read_folders(root: Path, dataset: str) -> list[dict[str, Any]]:
    """Rows for every video and picture below `root/real` and `root/fake` (upper or lower case).

    The first folder below fake/ names the forgery. Pictures of one further folder are taken for one source (a person,
    or the frames of a video) and form an identity group, together with those of an equally named folder of the other class.
    Nothing else says who is in a file, so any other file is a group of its own; where the same person is in several, write
    the identity into the column `carrier` of the video table.
    """
    rows, listings = [], []
    for entry in sorted(root.iterdir()) if root.is_dir() else []:
        label = {"real": REAL, "fake": FAKE}.get(entry.name.lower())
        if label is None or not entry.is_dir():
            continue
        listings.append(found := list_folder(entry))
        pictures = set(found.pictures)
        for file in found.media:
            folders = file.relative_to(entry).parts[:-1]
            forgery = (folders[0] if folders else "fake") if label == FAKE else ""
            source = "/".join(folders[1:] if label == FAKE else folders) if file in pictures else ""
            carrier = f"{dataset}/{source}" if source else ""
            rows.append(video_row(dataset, root, file, label, forgery=forgery, carrier=carrier))
    if not rows:
        raise nothing_found("folders", root, "real/ and fake/ with videos or pictures", *listings)
    return rows


FOLDERS = Layout(
    name="folders",
    read=read_folders,
    card=DataCard(
        title="Your own folders",
        what="real/ and fake/ with .mp4, .avi, .mov, .mkv, .jpg, .png … at any depth; one row per video or still picture.",
        home="",
        licence="Yours.",
        traps=(
            "Identities are not known: the same person may stand in training and test unless you say who is who.",
            "Pictures of one folder stay in one split: real/<person>/1.png, fake/<forgery>/<person>/1.png. A single folder "
            "real/<source>/ with all real pictures would put them all into one split: put them into real/ itself.",
            "Folders with the frames of one video each are read as sequences by the layout frame_folders.",
            "Face crops that somebody else cut are taken as they are with crops=true; otherwise faces are looked for in them.",
        ),
    ),
)
