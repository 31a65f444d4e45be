"""List files with one picture per line, as used by super-resolution and re-synthesis programs.

train_real.txt, test_real.txt, test_fake_stylegan.txt …           named after a label, and optionally a split and a generator
./data/CelebA/CelebA-HQ_00000001.png                              one path per line
"""

import re
from pathlib import Path, PurePosixPath
from typing import Any

from dfworkbench.core.names import FAKE
from dfworkbench.datasets.layouts.layout import (
    DataCard,
    Layout,
    label_in,
    leading_parts,
    listed_path,
    nothing_found,
    split_in,
    video_row,
)
from dfworkbench.datasets.layouts.official import ListedLine, listed_lines, text_lists

_EXPECTED = "one path of a picture per line, each picture once"


def read_picture_lists(root: Path, dataset: str) -> list[dict[str, Any]]:
    """Rows for every listed picture; some may be missing on disk, but not all of a list.

    Lists are the .txt files in `root` whose names contain real or fake. The rest of a name, without a split, is the generator.
    Paths are relative to `root`, or absolute; paths from elsewhere are shortened until pictures are found below `root`. Blank
    lines and spaces around a path are ignored.

    Raises:
        TableError: A list is not text, a line is not a path, or a picture is repeated; the message gives file and line.
        DataNotFoundError: There is no list, or none of the listed pictures exists.
    """
    lists = [(file, label) for file in text_lists(root, label_in) if (label := label_in(file.stem)) is not None]
    rows: dict[str, dict[str, Any]] = {}
    seen: dict[str, ListedLine] = {}
    for file, label in lists:
        forgery = _generator(file.stem) if label == FAKE else ""
        lines = listed_lines(file)
        paths = [_path(line, root) for line in lines]
        dropped = leading_parts("picture_lists", file, root, paths, Path.is_file, "picture(s)")
        for line, listed in zip(lines, paths, strict=True):
            if not (parts := listed.parts[dropped:]):
                raise line.error(f"is not below the first {dropped} folder(s) of the others", _EXPECTED)
            row = video_row(dataset, root, root.joinpath(*parts), label, forgery=forgery, split=split_in(file.stem))
            if (first := seen.setdefault(row["path"], line)) is not line:
                raise line.error(f"names the same picture as line {first.number} of {first.file.name}", _EXPECTED)
            rows[row["path"]] = row
    if not rows:
        raise nothing_found("picture_lists", root, "real.txt, train_fake.txt … with a path of a picture per line")
    return list(rows.values())


def _path(line: ListedLine, root: Path) -> PurePosixPath:
    if (path := listed_path(line.text, root)) is None:
        raise line.error("is empty or climbs with '..'", _EXPECTED)
    return path


def _generator(stem: str) -> str:
    words = [word for word in re.split(r"[\s_.-]+", stem) if word and label_in(word) is None and not split_in(word)]
    return "_".join(words) or "fake"


PICTURE_LISTS = Layout(
    name="picture_lists",
    read=read_picture_lists,
    card=DataCard(
        title="Lists of pictures",
        what="real.txt, train_real.txt, test_fake_<generator>.txt … with one path of a picture per line.",
        home="https://github.com/SSAW14/BeyondtheSpectrum",
        licence="That of the pictures that are listed.",
        traps=(
            "Extract with whole=true for detectors of generated pictures; sizes that are not a multiple of 4 are cropped.",
            "Published lists have no label: name them real….txt or fake….txt. Super-resolution lists contain real pictures.",
            "The lists must be in the folder that contains the pictures.",
            "Who or what is shown is not known: pictures of one person may be in both training and test.",
        ),
    ),
)
