"""Read data set files of DeepfakeBench (Yan et al., NeurIPS 2023), as its preprocessing/rearrange.py writes them.

{"FaceForensics++": {"FF-real": {"train": {"c23": {"000": {"label": "FF-real", "frames": ["…/000/000.png", …]}, …}}}, …}}
{"Celeb-DF-v2": {"CelebDFv2_real": {"test": {"id0_0000": {"label": "CelebDFv2_real", "frames": […]}, …}}, …}}
"""

import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

from dfworkbench.core.errors import TableError
from dfworkbench.core.names import COMPRESSIONS, FAKE, REAL, SPLITS
from dfworkbench.datasets.layouts.layout import listed_path
from dfworkbench.media.foreign import read_json

#: Labels of DeepfakeBench that mean fake without saying so. FF-SH is another name for FF-FH.
_FAKES = ("ff-df", "ff-f2f", "ff-fs", "ff-nt", "ff-fh", "ff-sh")
_DRIVE = re.compile(r"^[A-Za-z]:")


class BenchVideo(NamedTuple):
    """An entry of a data set file.

    Attributes:
        name: Name of the video.
        kind: The label as written, such as "FF-DF".
        label: REAL or FAKE.
        split: train, val or test.
        compression: "" if the file has no compression levels.
        path: Path as listed, with forward slashes: the folder of the frames, or a single file.
    """

    name: str
    kind: str
    label: int
    split: str
    compression: str
    path: PurePosixPath

    @property
    def family(self) -> str:
        """The data set that the label belongs to, such as "FF" or "CelebDFv2"; one may be spread over several files."""
        return re.split("[-_]", self.kind)[0]


class BenchFile:
    """Entries of a data set file, and problems found in it.

    Attributes:
        videos: Its entries at the requested compression; a video may be in several splits.
        odd: Problem of entries that are left out -> their names.
        compressions: All compression levels in the file.
    """

    def __init__(self, file: Path, compression: str) -> None:
        self.odd: defaultdict[str, list[str]] = defaultdict(list)
        self.compressions: set[str] = set()
        self.videos = list(self._videos(_content(file), file.parent, compression))

    def _videos(self, content: dict[str, Any], root: Path, compression: str) -> Iterator[BenchVideo]:
        for group, split, level in self._splits(content):
            levels = {"": level}
            if level and set(level) <= set(COMPRESSIONS):
                self.compressions |= set(level)
                levels = {compression: level[compression]} if compression in level else {}
            for known, entries in levels.items():
                for name, entry in entries.items() if isinstance(entries, dict) else ():
                    if video := self._video(f"{group}/{split}/{name}", entry, root):
                        yield video._replace(name=name, split=split, compression=known)

    def _splits(self, content: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
        for groups in content.values():
            for group, splits in groups.items() if isinstance(groups, dict) else ():
                for split, level in splits.items() if isinstance(splits, dict) else ():
                    if split in SPLITS and isinstance(level, dict):
                        yield group, split, level

    def _video(self, place: str, entry: Any, root: Path) -> BenchVideo | None:
        """Parse an entry; None, with a note, if it is invalid."""
        kind = entry.get("label") if isinstance(entry, dict) else None
        if not isinstance(kind, str):
            self.odd["no label"].append(place)
        elif (label := _label(kind)) is None:
            self.odd["a label that is neither real nor fake"].append(f"{place} ({kind[:40]!r})")
        elif isinstance(found := _path(entry.get("frames"), root), str):
            self.odd[found].append(place)
        else:
            return BenchVideo("", kind, label, "", "", found)
        return None


def _content(file: Path) -> dict[str, Any]:
    try:
        content = read_json(file)
    except ValueError as error:
        raise TableError(
            f"reading {file}: it is not JSON ({error}). Expected a data set file of DeepfakeBench: get it again, or name another "
            "with the layout option file."
        ) from error
    return content if isinstance(content, dict) else {}


def _label(kind: str) -> int | None:
    name = kind.lower()
    if name in _FAKES or re.search("(^|[_-])fake", name):
        return FAKE
    return REAL if re.search("(^|[_-])real$", name) else None


def _path(frames: Any, root: Path) -> PurePosixPath | str:
    """The common folder of all frames, or the only file; else a text that says why there is none."""
    names = [frames] if isinstance(frames, str) else frames
    if not isinstance(names, list) or not names or not all(isinstance(name, str) for name in names):
        return "no frames"
    plain = [name.replace("\\", "/") for name in names]
    wanted = plain[0]
    if len(plain) > 1:
        wanted = plain[0].rpartition("/")[0]
        if any(name.rpartition("/")[0] != wanted for name in plain):
            return "frames in several folders"
    path = listed_path(_DRIVE.sub("", wanted), root)
    return "a path that is empty or climbs with '..'" if path is None else path
