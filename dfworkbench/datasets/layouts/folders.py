"""Generic layout: folders real/ and fake/ with videos or pictures at any depth, also below train/, val/ and test/.

real/a.mp4                fake/<forgery>/b.mp4
train/real/a.jpg          train/fake/<forgery>/b.jpg          val/ (valid, validation), test/: splits are kept
training_real/a.jpg       training_fake/b.jpg                 split and label in one folder name
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from dfworkbench.core.errors import ParameterError
from dfworkbench.core.names import FAKE, REAL
from dfworkbench.datasets.layouts.layout import DataCard, Layout, label_in, nothing_found, split_in, video_row
from dfworkbench.media import list_folder

_LABELS = {"real": REAL, "fake": FAKE}


class _Class(NamedTuple):
    """A folder of one class, with its split ("" for none)."""

    folder: Path
    label: int
    split: str


def read_folders(root: Path, dataset: str, *, folder_groups: bool = True) -> list[dict[str, Any]]:
    """Rows for every video and picture below `real` and `fake` (upper or lower case), in `root` or in folders of splits.

    The first folder below fake/ names the forgery. Pictures in one subfolder count as one source (a person, or the frames of a
    video) and form an identity group, together with those of an equally named folder of the other class or split. Nothing else
    identifies people, so any other file is its own group; if a person is in several files, write the identity into the column
    `carrier` of the video table.

    Args:
        root: Folder of the data set. If it contains real/ or fake/, split folders beside them are not read.
        dataset: Its name.
        folder_groups: False: subfolders do not identify people, and every picture is its own group.

    Raises:
        DataNotFoundError: There are no such folders.
        ParameterError: `folder_groups` is neither true nor false.
    """
    if not isinstance(folder_groups, bool):
        raise ParameterError(
            f"reading {root} as 'folders': folder_groups is {folder_groups!r}; expected true or false."
        )
    rows, listings = [], []
    for folder, label, split in _classes(root):
        listings.append(found := list_folder(folder))
        pictures = set(found.pictures) if folder_groups else set()
        for file in found.media:
            folders = file.relative_to(folder).parts[:-1]
            forgery = (folders[0] if folders else "fake") if label == FAKE else ""
            source = "/".join(folders[1:] if label == FAKE else folders) if file in pictures else ""
            carrier = f"{dataset}/{source}" if source else ""
            rows.append(video_row(dataset, root, file, label, forgery=forgery, carrier=carrier, split=split))
    if not rows:
        wanted = "real/ and fake/ with videos or pictures, or these in train/, val/ and test/"
        raise nothing_found("folders", root, wanted, *listings)
    return rows


def _classes(root: Path) -> list[_Class]:
    if plain := list(_labelled(root, "")):
        return plain
    found = []
    for entry in _folders_in(root):
        split, label = split_in(entry.name), label_in(entry.name)
        if split and label is None:
            found += _labelled(entry, split)
        elif split and label is not None:
            found.append(_Class(entry, label, split))
    return found


def _labelled(folder: Path, split: str) -> Iterator[_Class]:
    for entry in _folders_in(folder):
        if (label := _LABELS.get(entry.name.lower())) is not None:
            yield _Class(entry, label, split)


def _folders_in(folder: Path) -> list[Path]:
    return [entry for entry in sorted(folder.iterdir()) if entry.is_dir()] if folder.is_dir() else []


FOLDERS = Layout(
    name="folders",
    read=read_folders,
    card=DataCard(
        title="Your own folders",
        what="real/ and fake/ with .mp4, .avi, .mov, .mkv, .jpg, .png … at any depth, also below train/, val/ and test/; one "
        "row per video or still picture. The first folder below fake/ names the forgery.",
        home="",
        licence="Yours, or that of the data set.",
        traps=(
            "Identities are unknown: the same person may be in training and test unless you name them.",
            "Splits from folders train/, val/ and test/ are kept. In published sets of face pictures, crops of one "
            "photograph may be in several splits, and in both classes: results on such a test split are too good. The "
            "leakage audit finds equal and near-equal crops, but not the same person in another photograph.",
            "Real and fake pictures often come from different sources: compare size, file type, JPEG quality and bytes per pixel "
            "of both classes, and test on another set, before you believe a figure.",
            "Pictures of one folder stay in one split: real/<person>/1.png, fake/<forgery>/<person>/1.png. A single folder "
            "real/<source>/ with all real pictures would put them all into one split: put them into real/ itself, or set the "
            "layout option folder_groups=false, with which no folder counts as a person.",
            "Folders with the frames of one video each are read as sequences by the layout frame_folders.",
            "Face crops that somebody else cut are taken as they are with crops=true; otherwise faces are looked for in them, "
            "and tight crops, in which a face fills the picture, may be missed.",
        ),
    ),
)
