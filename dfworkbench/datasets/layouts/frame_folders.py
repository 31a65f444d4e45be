"""Frame folders: real/ and fake/, or real_train/, fake_test/ …, in which every folder with pictures is a sequence.

real/<sequence>/0001.png                          at any depth; fake/<forgery>/<sequence>/0001.png
fake_train/<video>/fake/<sequence>/0.png          WildDeepfake (Zi et al., ACM MM 2020): one archive per source video
"""

from pathlib import Path, PurePosixPath
from typing import Any

from dfworkbench.core.errors import TableError
from dfworkbench.core.names import FAKE, REAL
from dfworkbench.datasets.layouts.layout import (
    DataCard,
    Layout,
    label_in,
    nothing_found,
    outer_folder,
    split_in,
    video_row,
)
from dfworkbench.media import list_folder

_INNER = {"real": REAL, "fake": FAKE}


def read_frame_folders(root: Path, dataset: str) -> list[dict[str, Any]]:
    """Rows for every folder with pictures below folders of `root` named after a label, and possibly a split.

    Sequences of one source video of WildDeepfake form an identity group; any other sequence is its own group. The first folder
    below fake/ is the forgery, as in the layout `folders`.

    Raises:
        TableError: A folder contains both pictures and sequences, or a path names both real and fake.
        DataNotFoundError: There is no such folder.
    """
    rows = []
    for top in sorted(root.iterdir()) if root.is_dir() else []:
        label = label_in(top.name)
        if label is not None and top.is_dir():
            rows += [_row(dataset, root, top, folder, label) for folder in _sequences(top)]
    if not rows:
        raise nothing_found(
            "frame_folders", root, "real/ and fake/ (or real_train/, fake_test/ …) with folders of unpacked pictures"
        )
    paths = {PurePosixPath(row["path"]) for row in rows}
    for path in sorted(paths):
        if outer := outer_folder(path, paths):
            raise TableError(
                f"reading {root} as 'frame_folders': {outer}/ holds pictures and also the sequence {path}/. Expected "
                "pictures only in folders without further sequences: move the pictures into a folder of their own."
            )
    return rows


def _sequences(top: Path) -> list[Path]:
    return sorted({file.parent for file in list_folder(top).pictures})


def _row(dataset: str, root: Path, top: Path, folder: Path, label: int) -> dict[str, Any]:
    if folder == top:
        raise TableError(
            f"reading {root} as 'frame_folders': pictures are directly in {top.name}/. Expected one folder per sequence "
            f"such as {top.name}/0001/; for still pictures use the layout 'folders'."
        )
    between = folder.relative_to(top).parts[:-1]
    inner = [at for at, name in enumerate(between) if name.lower() in _INNER]
    if any(_INNER[between[at].lower()] != label for at in inner):
        raise TableError(
            f"reading {root} as 'frame_folders': {folder.relative_to(root)} names both real and fake. Expected one label: "
            "move or rename the folder."
        )
    source = "/".join(between[: inner[0]]) if inner else ""
    forgery = "" if label == REAL else between[0] if between and not inner else "fake"
    carrier = f"{dataset}/{top.name}/{source}" if source else ""
    return video_row(dataset, root, folder, label, forgery=forgery, carrier=carrier, split=split_in(top.name))


FRAME_FOLDERS = Layout(
    name="frame_folders",
    read=read_frame_folders,
    card=DataCard(
        title="Folders of frames, WildDeepfake",
        what="real/ and fake/ with one folder of numbered pictures per sequence. WildDeepfake: 7,314 face sequences from "
        "707 internet videos, in real_train/, real_test/, fake_train/ and fake_test/.",
        home="https://github.com/OpenTAI/wild-deepfake",
        licence="WildDeepfake: by request form, research only. Your own frames: yours.",
        traps=(
            "WildDeepfake's faces were cropped and aligned by its authors: there is little background, crops repeat the "
            "border of the picture, and sizes differ within a sequence.",
            "With crops=true such crops are used unchanged; otherwise faces are detected in them.",
            "Identities are unknown: only the sequences of one source video are kept together.",
            "WildDeepfake has no validation split: with its official splits there is none; a new draw by identity mixes its "
            "training and test videos.",
            "Times count 25 pictures a second, whatever the video had and however many frames were left out.",
        ),
    ),
)
