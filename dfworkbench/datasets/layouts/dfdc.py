"""Deepfake Detection Challenge (Dolhansky et al., 2020): the full set with metadata.json, and the preview with dataset.json.

dfdc_train_part_0/metadata.json   {"abc.mp4": {"label": "FAKE", "split": "train", "original": "xyz.mp4"}, …}
test/metadata.json                {"abc.mp4": {"is_fake": 1, "original": "xyz.mp4", …}, …}
metadata_audio_altered.csv        train_mp4,label,…,audio_altered: fakes with altered audio, as found by users
dataset.json (preview)            {"method_A/…/a.mp4": {"label": "fake", "set": "train", "target_id": 1, "swapped_id": 2}, …}
"""

import logging
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from dfworkbench.core.errors import TableError
from dfworkbench.core.names import FAKE, REAL, require_name
from dfworkbench.datasets.layouts.layout import LEFT_OUT, DataCard, Layout, nothing_found, split_in, video_row
from dfworkbench.datasets.tables import read_cells
from dfworkbench.media import walk
from dfworkbench.media.foreign import read_json

_log = logging.getLogger(__name__)
_SOUND_LIST = "metadata_audio_altered.csv"
_SOUND_RULES = ("leave_out", "fake")
_TRUE, _FALSE = ("true", "1", "yes"), ("false", "0", "no", "")
_LABELS = {"REAL": REAL, "FAKE": FAKE}
_FLAGS = {"0": REAL, "1": FAKE, "0.0": REAL, "1.0": FAKE, "false": REAL, "true": FAKE}
_SPLITS = {"train": "train", "validation": "val", "val": "val", "test": "test"}


def read_dfdc(root: Path, dataset: str, *, audio_altered: str = "leave_out") -> list[dict[str, Any]]:
    """Rows for every file named by a metadata.json or dataset.json below `root`; a named file may be missing on disk.

    The full set does not name the people, only the original of each fake: a fake and its original form one group. The preview
    names carrier and donor identity.

    Args:
        root: Folder of the data set.
        dataset: Its name.
        audio_altered: Treatment of fakes listed in a metadata_audio_altered.csv below `root`: "leave_out", because their
            pictures may be genuine and a visual detector would learn them as fakes; or "fake", as labelled by the metadata.

    Raises:
        DataNotFoundError: There is no metadata.json or dataset.json.
        TableError: A file is damaged, or does not label every entry.
        UnknownNameError: `audio_altered` is something else.
    """
    require_name("way to treat fakes whose sound was altered", audio_altered, _SOUND_RULES)
    rows, files = [], walk(root).files if root.is_dir() else []
    for file in files:
        if file.name in ("metadata.json", "dataset.json"):
            rows += [_row(dataset, root, file, name, entry) for name, entry in _entries(file).items()]
    if not rows:
        raise nothing_found("dfdc", root, "metadata.json (full set) or dataset.json (preview) at any depth")
    if audio_altered == "leave_out":
        _leave_out_sound(root, rows, (file for file in files if file.name.lower() == _SOUND_LIST))
    return rows


def _leave_out_sound(root: Path, rows: list[dict[str, Any]], lists: Iterable[Path]) -> None:
    """Mark the fakes in a list of altered audio, in any folder: names are unique over all parts of the full set."""
    for file in lists:
        names = _altered(file)
        found = [row for row in rows if row["label"] == FAKE and row["path"].rpartition("/")[2] in names]
        for row in found:
            row[LEFT_OUT] = "fake(s) whose sound was altered, and perhaps nothing else (audio_altered=fake takes them)"
        if not found:
            _log.warning("%s: none of the %d names in %s is a fake that metadata name", root, len(names), file.name)


def _altered(file: Path) -> set[str]:
    """File names in a table with the column train_mp4; rows with audio_altered False do not count."""
    cells = read_cells(file, "reading which DFDC fakes have altered sound")
    if "train_mp4" not in cells:
        raise TableError(
            f"reading which DFDC fakes have altered sound: {file} has the columns {', '.join(map(str, cells))[:200]}. Expected "
            "train_mp4 with names of files, and audio_altered: correct or remove the file."
        )
    flags = cells["audio_altered"].str.strip().str.lower() if "audio_altered" in cells else None
    if flags is None:
        return set(cells["train_mp4"].str.strip())
    if len(odd := flags[~flags.isin((*_TRUE, *_FALSE))]):
        raise TableError(
            f"reading which DFDC fakes have altered sound: line {odd.index[0]} of {file} has the value {odd.iloc[0][:80]!r} in "
            "the column audio_altered. Expected True or False: correct the line."
        )
    return set(cells.loc[flags.isin(_TRUE), "train_mp4"].str.strip())


def _entries(file: Path) -> dict[str, dict[str, Any]]:
    try:
        entries = read_json(file)
        odd = next((name for name, entry in entries.items() if _label(entry) is None), None)
        if odd is None:
            return entries
        problem = f"the label of {odd!r} is neither REAL nor FAKE, and its is_fake neither 0 nor 1"
    except (ValueError, AttributeError, TypeError) as error:
        problem = repr(error)
    raise TableError(
        f"reading DFDC labels: {file} does not map file names to entries with a label ({problem}). Download it again."
    )


def _label(entry: dict[str, Any]) -> int | None:
    """Label from "label", or "is_fake" of the test set; None if missing or contradictory."""
    found = {_LABELS.get(str(entry["label"]).upper())} if "label" in entry else set()
    if "is_fake" in entry:
        found.add(_FLAGS.get(str(entry["is_fake"]).lower()))
    return found.pop() if len(found) == 1 else None


def _split(root: Path, file: Path, entry: dict[str, Any]) -> str:
    """Split from the entry, else from the folder of the file, such as test/."""
    given = str(entry.get("set") or entry.get("split") or "")
    folders = (split_in(part) for part in reversed(file.relative_to(root).parts[:-1]))
    return _SPLITS.get(given.lower(), "") if given else next(filter(None, folders), "")


def _row(dataset: str, root: Path, file: Path, name: str, entry: dict[str, Any]) -> dict[str, Any]:
    label = _label(entry)
    assert label is not None  # already checked for the whole file
    if "target_id" in entry:  # preview
        carrier = f"{dataset}/{entry['target_id']}"
        donor = f"{dataset}/{entry['swapped_id']}" if entry.get("swapped_id") is not None else ""
        forgery = name.split("/")[0] if label == FAKE else ""
    else:
        carrier = f"{dataset}/{entry.get('original') or name}" if label == FAKE else f"{dataset}/{name}"
        donor, forgery = "", "DFDC" if label == FAKE else ""
    original = entry.get("original") if label == FAKE else None
    genuine = video_row(dataset, root, file.parent / str(original), REAL)["video_id"] if original else ""
    return video_row(
        dataset, root, file.parent / name, label,
        forgery=forgery, carrier=carrier, donor=donor, genuine_id=genuine,
        split=_split(root, file, entry),
    )  # fmt: skip


DFDC = Layout(
    name="dfdc",
    read=read_dfdc,
    card=DataCard(
        title="DFDC and DFDC preview",
        what="Full: about 119,000 ten-second clips in 50 parts. Preview: 5,214 clips, two methods.",
        home="https://ai.meta.com/datasets/dfdc/",
        licence="DFDC licence, on acceptance; research.",
        traps=(
            "The full set marks every file of the training parts 'train': draw a split by identity group.",
            "Many clips show several people of whom one is forged.",
            "Some fakes differ from their originals only in sound, and look like real videos. The metadata do not say which. "
            "With a metadata_audio_altered.csv (columns train_mp4, audio_altered) anywhere below the folder, the listed fakes "
            "are left out, although the pictures of some may be forged too; audio_altered=fake includes them.",
        ),
    ),
)
