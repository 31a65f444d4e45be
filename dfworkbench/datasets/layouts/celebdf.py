"""Celeb-DF v1 and v2 (Li et al., CVPR 2020).

Celeb-real/id0_0000.mp4, YouTube-real/00000.mp4, Celeb-synthesis/id0_id1_0000.mp4 (carrier first, donor second),
List_of_testing_videos.txt with lines "1 YouTube-real/00170.mp4". Some redistributions insert a folder level `videos/`.
"""

import logging
import re
from collections.abc import Container, Iterator
from pathlib import Path, PurePosixPath
from typing import Any

from dfworkbench.core.names import FAKE, REAL
from dfworkbench.datasets.layouts.layout import DataCard, Layout, nothing_found, video_row
from dfworkbench.datasets.layouts.official import compare, no_list, read_lines
from dfworkbench.media import list_folder

_log = logging.getLogger(__name__)
_FOLDERS = {"Celeb-real": REAL, "YouTube-real": REAL, "Celeb-synthesis": FAKE}
_SPELLED = {folder.casefold(): folder for folder in _FOLDERS}
_TEST_LIST = "List_of_testing_videos.txt"


def read_celebdf(root: Path, dataset: str) -> list[dict[str, Any]]:
    """Rows for the three folders. Videos of the official list are `test`; the others have no split.

    The label comes from the folder, never from the flag in the official list, where 1 means *real*.

    Raises:
        DataNotFoundError: There is no such folder, or the official list names none of its videos.
    """
    listings = {folder: list_folder(below) for folder, below in _folders(root)}
    videos = [(folder, file) for folder, listing in listings.items() for file in listing.videos]
    if not videos:
        looked_for = "Celeb-real/, YouTube-real/ and Celeb-synthesis/ with .mp4 files"
        raise nothing_found("celebdf", root, looked_for, *listings.values())
    if absent := [folder for folder in _FOLDERS if folder not in dict(videos)]:
        _log.warning(
            "%s: no video of %s is there: the classes are not those that papers report", root, ", ".join(absent)
        )
    test_names = _official_test_list(
        root, {_key(folder, file.stem): file.relative_to(root).as_posix() for folder, file in videos}
    )
    originals = {file.stem: file.relative_to(root).as_posix() for folder, file in videos if folder == "Celeb-real"}
    rows = []
    for folder, file in videos:
        label = _FOLDERS[folder]
        carrier, donor = identities_of_name(dataset, folder, file.stem)
        rows.append(
            video_row(
                dataset, root, file, label,
                forgery=folder if label == FAKE else "", carrier=carrier, donor=donor,
                genuine_id=f"{dataset}/{_genuine(file.stem, originals)}" if label == FAKE else "",
                split="test" if _key(folder, file.stem) in test_names else "",
            )
        )  # fmt: skip
    return rows


def _folders(root: Path) -> Iterator[tuple[str, Path]]:
    """Folders by official name, matched case-insensitively."""
    found = {_SPELLED.get(entry.name.casefold()): entry for entry in sorted(root.iterdir())} if root.is_dir() else {}
    return ((folder, found[folder]) for folder in _FOLDERS if folder in found)


def _genuine(stem: str, originals: dict[str, str]) -> str:
    """For a fake id0_id1_0000, the path of id0_0000; if not downloaded, the path it would have."""
    parts = stem.split("_")
    name = f"{parts[0]}_{parts[-1]}"
    return originals.get(name, f"Celeb-real/{name}.mp4")


def identities_of_name(dataset: str, folder: str, stem: str) -> tuple[str, str]:
    """Carrier and donor ("" for none) of a video in one of the three folders, from its name."""
    parts = stem.split("_")
    if folder == "YouTube-real":  # one unnamed person per clip
        return f"{dataset}/youtube{stem}", ""
    donor = f"{dataset}/{parts[1]}" if folder == "Celeb-synthesis" and len(parts) > 2 else ""
    return f"{dataset}/{parts[0]}", donor


def _official_test_list(root: Path, there: dict[str, str]) -> dict[str, str]:
    """The videos in the official list, by key; empty if there is no list."""
    entries = sorted(root.iterdir())
    file = next((entry for entry in entries if entry.name.casefold() == _TEST_LIST.casefold()), None)
    if file is None:
        no_list(root, _TEST_LIST)
        return {}
    named = dict(_listed(line, there) for line in read_lines(file) if line.strip())
    compare(root, file.name, named, there)
    return named


def _listed(line: str, there: Container[str]) -> tuple[str, str]:
    """Key and path of a line such as "1 YouTube-real/00170.mp4": with a flag before or after, and any folders around."""
    text = re.sub(r"^[01][\s,]+|[\s,]+[01]$", "", line.strip().strip("\"'"))
    path = PurePosixPath(text.replace("\\", "/"))
    folder = next((part for part in path.parts if part.casefold() in _SPELLED), None)
    if folder is not None:
        return _key(folder, path.stem), text
    # a bare name: ids are unique across folders, including the numbers of YouTube-real
    return next((key for name in _FOLDERS if (key := _key(name, path.stem)) in there), text), text


def _key(folder: str, stem: str) -> str:
    """Key for comparing videos: without suffix, since they may have been converted, and in lower case."""
    return f"{folder}/{stem}".casefold()


CELEBDF = Layout(
    name="celebdf",
    read=read_celebdf,
    card=DataCard(
        title="Celeb-DF v1 and v2",
        what="v2: 590 + 300 real clips in two folders, 5,639 improved face swaps of 59 celebrities; 518 test videos.",
        home="https://github.com/yuezunli/celeb-deepfakeforensics",
        licence="Terms of use by request form; research only.",
        traps=(
            "There are two real folders; with only one, the real class differs from that of published results.",
            "In the official test list 1 means real. Labels here come from the folders.",
            "Nearly all identities are linked through swaps; the official list is meant for testing across sets.",
        ),
    ),
)
