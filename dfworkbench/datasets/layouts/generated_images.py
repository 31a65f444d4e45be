"""Real and generated pictures in folders named after a label or generator (CNN-generated images, GenImage).

real/a.png                            fake/<generator>/b.png                      or below train/, val/ and test/
train/<generator>/<class>/0_real/     train/<generator>/<class>/1_fake/           as for CNN-generated images (Wang et al., 2020)
<generator>/…/train/nature/           <generator>/…/train/ai/                     GenImage (Zhu et al., 2023)
groups.csv                            path,group (optional): pictures that must stay in one split
"""

import re
from pathlib import Path
from typing import Any

from dfworkbench.core.errors import TableError
from dfworkbench.core.names import FAKE, REAL
from dfworkbench.datasets.layouts.layout import DataCard, Layout, nothing_found, split_in, video_row
from dfworkbench.datasets.layouts.official import compare
from dfworkbench.datasets.tables import read_csv
from dfworkbench.media import list_folder

_LABELS = {"real": REAL, "pos": REAL, "nature": REAL, "fake": FAKE, "neg": FAKE, "ai": FAKE}
_GROUPS = "groups.csv"


def read_generated_images(root: Path, dataset: str) -> list[dict[str, Any]]:
    """Rows for every picture below a folder named after a label; hidden files and anything else are left out.

    Labels are real, pos, nature and fake, neg, ai, also as 0_real, 1_fake …; the topmost one in a path counts. The split comes
    from a folder above it, such as train. The generator is the first folder below the label, or else the topmost one above it
    that is not a split.

    Raises:
        TableError: groups.csv has other columns, or names none of the pictures.
        DataNotFoundError: There is no such picture.
    """
    listing = list_folder(root)
    labelled = [(path, *place) for path in listing.pictures if (place := _place(path.relative_to(root).parts[:-1]))]
    if not labelled:
        raise nothing_found(
            "generated_images", root, "real/ and fake/<generator>/ with pictures, or these in train/, …", listing
        )
    groups, rows = _read_groups(root), []
    for path, label, forgery, split in labelled:
        group = groups.get(path.relative_to(root).as_posix(), "")
        carrier = f"{dataset}/{group}" if group else ""
        rows.append(video_row(dataset, root, path, label, forgery=forgery, carrier=carrier, split=split))
    if groups and not any(row["carrier"] for row in rows):
        raise TableError(
            f"reading {root / _GROUPS}: not one of its {len(groups)} paths (first: {next(iter(groups))}) is that of a picture. "
            f"Expected paths below {root} with '/' between folders: write it again, or remove it."
        )
    if groups:
        compare(root, _GROUPS, {path: path for path in groups}, {row["path"]: row["path"] for row in rows})
    return rows


def _place(folders: tuple[str, ...]) -> tuple[int, str, str] | None:
    """Label, forgery and split of a picture in these folders; None if none is named after a label."""
    labels = [_LABELS.get(re.sub("^[01]_", "", folder.lower())) for folder in folders]
    at = next((at for at, label in enumerate(labels) if label is not None), None)
    if at is None:
        return None
    label, splits = labels[at], [split_in(folder) for folder in folders[:at]]
    above = [folder for folder, split in zip(folders, splits, strict=False) if not split]
    forgery = next(iter([*folders[at + 1 :], *above]), "fake") if label == FAKE else ""
    return int(label == FAKE), forgery, next(filter(None, splits), "")


def _read_groups(root: Path) -> dict[str, str]:
    """Path below `root` -> group; empty without a groups.csv."""
    file = root / _GROUPS
    if not file.is_file():
        return {}
    table = read_csv(file, "reading groups of pictures", dtype=str, keep_default_na=False)
    if not {"path", "group"} <= set(table.columns):
        raise TableError(
            f"reading {file}: its columns are {', '.join(map(str, table.columns))}. Expected path,group: a picture below "
            f"{root}, and what it must share a split with. Correct or remove the file."
        )
    return dict(zip(table["path"].str.replace("\\", "/"), table["group"], strict=True))


GENERATED_IMAGES = Layout(
    name="generated_images",
    read=read_generated_images,
    card=DataCard(
        title="Generated and real pictures",
        what="real/ and fake/<generator>/ with pictures at any depth, also below train/, val/ and test/; one row per picture. "
        "0_real/ and 1_fake/ (CNN-generated images), nature/ and ai/ (GenImage), pos/ and neg/ (re-synthesis) are read too.",
        home="",
        licence="Yours, or that of the data set.",
        traps=(
            "Extract with whole=true: otherwise only pictures with detected faces are used.",
            "Pictures are not resized: the largest central square is kept whose side is a multiple of 4 and at "
            "most context_max_px (512). A picture of 66 x 64 px gives 64 x 64.",
            "If real pictures are JPEG and generated ones PNG, or sizes differ, a detector learns only that.",
            "pos/ is real and neg/ is fake, as the authors of re-synthesis call them.",
            "Who or what is shown is not known unless groups.csv (path,group) says so: without it, pictures of one person may "
            "be in both training and test.",
        ),
    ),
)
