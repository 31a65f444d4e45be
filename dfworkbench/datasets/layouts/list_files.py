"""List files of frame folders, as used by Exposing the Deception (MI-Net; Ba et al., AAAI 2024).

train_real.txt, train_fake.txt, val_real.txt, …      or train.txt, val.txt, test.txt: any .txt named after a split
1,FF++/manipulated_sequences/Deepfakes/c23/frames/071_054.mp4,92      label (0 real, 1 fake), folder of frames, count
"""

import logging
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

from dfworkbench.core.errors import TableError
from dfworkbench.core.names import FAKE, REAL, SPLITS, require_name
from dfworkbench.datasets.layouts.faceforensics import values_of_path
from dfworkbench.datasets.layouts.layout import (
    DataCard,
    Layout,
    label_in,
    leading_parts,
    listed_path,
    nothing_found,
    outer_folder,
    split_in,
    video_row,
)
from dfworkbench.datasets.layouts.official import ListedLine, listed_lines, text_lists
from dfworkbench.media import list_frames

_log = logging.getLogger(__name__)

#: The misspelt FaceSwap folder in the published test_fake.txt, and its correct name.
_DAMAGED, _REPAIRED = "manipulated_sequenceswap/", "manipulated_sequences/FaceSwap/"
_LABELS = {"0": REAL, "1": FAKE}


_EXPECTED = "'label,path,count' with 0 for real and 1 for fake, a folder of frames, and their number"


class _Entry(NamedTuple):
    line: ListedLine
    label: int
    path: PurePosixPath
    count: int

    def error(self, problem: str) -> TableError:
        return self.line.error(problem, _EXPECTED)


def read_list_files(
    root: Path, dataset: str, *, lists: Mapping[str, str] | None = None, check_counts: bool = False
) -> list[dict[str, Any]]:
    """Rows for every listed folder of frames; some folders may be missing on disk, but not all of a list.

    Paths are relative to `root`, or absolute. Paths from another machine are shortened until folders are found below `root`.
    Method, compression and identities are known if paths contain the folders of FaceForensics++; the damaged paths of the
    published test_fake.txt are repaired, with a warning. The split follows only from the name of the list.

    Args:
        root: Folder that holds the lists and the frames.
        dataset: Its name.
        lists: Split -> pattern of list files below `root`, such as `{"test": "lists/celeb*.txt"}`; by default all .txt files in
            `root` itself whose names contain a split.
        check_counts: Whether existing folders must contain as many pictures as listed.

    Raises:
        TableError: A line is not `label,path,count`, contradicts a name or a folder, or repeats a folder; the message gives
            file and line.
        DataNotFoundError: There is no list, or none of the listed folders exists.
    """
    found = _find_lists(root, lists)
    if not found:
        wanted = ", ".join((lists or {}).values()) or "train.txt, val.txt or test.txt (also train_real.txt …)"
        raise nothing_found("list_files", root, f"{wanted} with lines 'label,path,count', and the folders they name")
    rows: list[dict[str, Any]] = []
    seen: dict[PurePosixPath, _Entry] = {}
    for file, split in found:
        entries = list(_entries(file, root))
        dropped = leading_parts("list_files", file, root, [entry.path for entry in entries])
        for entry in entries:
            path = PurePosixPath(*entry.path.parts[dropped:])
            if not path.parts:
                raise entry.error(f"names {root} itself or a folder above it")
            if path in seen:
                first = seen[path].line
                raise entry.error(f"names the same folder as line {first.number} of {first.file.name}")
            seen[path] = entry
            if check_counts and (root / path).is_dir() and (held := len(list_frames(root / path))) != entry.count:
                raise entry.error(f"has the count {entry.count}, but the folder holds {held} pictures")
            rows.append(_row(dataset, root, path, entry, split))
    if not rows:
        names = ", ".join(file.name for file, _ in found)
        raise TableError(
            f"reading {root} as 'list_files': {names} name(s) no folder. Expected lines 'label,path,count': write the lists "
            "again."
        )
    for path, entry in seen.items():
        if outer := outer_folder(path, seen):
            raise entry.error(f"names a folder inside {outer}, which is a sequence itself")
    return rows


def _find_lists(root: Path, lists: Mapping[str, str] | None) -> list[tuple[Path, str]]:
    if lists is None:
        return [(file, split_in(file.stem)) for file in text_lists(root, split_in)]
    return [
        (file, require_name("split", split, SPLITS))
        for split, pattern in lists.items()
        for file in sorted(root.glob(pattern))
    ]


def _entries(file: Path, root: Path) -> Iterator[_Entry]:
    lines = listed_lines(file)
    expected = label_in(file.stem)
    damaged = sum(_DAMAGED in line.text for line in lines)
    if damaged:
        _log.warning("%s: %d path(s) with %r are read as %r", file.name, damaged, _DAMAGED, _REPAIRED)
    for line in lines:
        label, _, rest = line.text.partition(",")
        folder, _, count = rest.rpartition(",")  # a path may contain a comma
        path = listed_path(folder.replace(_DAMAGED, _REPAIRED), root)
        known = _LABELS.get(label.strip())
        if known is None:
            raise line.error(f"has the label {label.strip()!r}", _EXPECTED)
        if not count.strip().isdigit():
            raise line.error(f"has the count {count.strip()!r}", _EXPECTED)
        if path is None:
            raise line.error(f"has the path {folder.strip()!r}, which is empty or climbs with '..'", _EXPECTED)
        if expected is not None and known != expected:
            raise line.error(f"has the label {known}, against the name of the file", _EXPECTED)
        yield _Entry(line, known, path, int(count))


def _row(dataset: str, root: Path, path: PurePosixPath, entry: _Entry, split: str) -> dict[str, Any]:
    values = values_of_path(dataset, entry.path)
    if values and bool(values["forgery"]) != (entry.label == FAKE):
        raise entry.error(f"has the label {entry.label}, against the folders of its path")
    forgery = "fake" if entry.label == FAKE else ""
    return video_row(dataset, root, root / path, entry.label, **{"forgery": forgery, **values, "split": split})


LIST_FILES = Layout(
    name="list_files",
    read=read_list_files,
    card=DataCard(
        title="Lists of frame folders (Exposing the Deception)",
        what="train*.txt, val*.txt and test*.txt with lines 'label,path,count': 0 real, 1 fake; a folder of frames; their "
        "number. The published lists name FaceForensics++ c23: 720, 140 and 140 real videos and four fakes of each.",
        home="https://github.com/QingyuLiu/Exposing-the-Deception",
        licence="That of the data set that is listed. The lists come with the code; the frames do not.",
        traps=(
            "The lists must be in the folder that contains the frames.",
            "All pictures of a folder are read, in numerical order; the count is checked if requested "
            "(check_counts), but never by the authors' code.",
            "Published paths are absolute, from another machine: they are matched by their ends. In its test_fake.txt the "
            "FaceSwap rows read 'manipulated_sequenceswap': they are repaired, with a warning.",
            "Lists of other data sets do not come with the code. To test on one, list all its videos in test_real.txt and "
            "test_fake.txt; the authors drew 30 frames of each. They listed real training videos four to six times, for which "
            "training here has balance='repeat'.",
            "The authors' folders hold face crops; here, faces are detected in the pictures, whatever they show, "
            "unless crops=true uses them unchanged; 16 per folder are kept unless frames is set.",
            "About every fifth frame was kept: times assume 25 pictures a second and are too short.",
        ),
    ),
)
