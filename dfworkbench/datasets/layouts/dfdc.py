"""Deepfake Detection Challenge (Dolhansky et al., 2020): the full set with metadata.json, and the preview with dataset.json.

dfdc_train_part_0/metadata.json   {"abc.mp4": {"label": "FAKE", "split": "train", "original": "xyz.mp4"}, …}
test/metadata.json                {"abc.mp4": {"is_fake": 1, "original": "xyz.mp4", …}, …}
dataset.json (preview)            {"method_A/…/a.mp4": {"label": "fake", "set": "train", "target_id": 1, "swapped_id": 2}, …}
"""

from pathlib import Path
from typing import Any

from dfworkbench.core.errors import TableError
from dfworkbench.core.names import FAKE, REAL
from dfworkbench.datasets.layouts.layout import DataCard, Layout, nothing_found, split_in, video_row
from dfworkbench.media import walk
from dfworkbench.media.foreign import read_json

_LABELS = {"REAL": REAL, "FAKE": FAKE}
_FLAGS = {"0": REAL, "1": FAKE, "0.0": REAL, "1.0": FAKE, "false": REAL, "true": FAKE}
_SPLITS = {"train": "train", "validation": "val", "val": "val", "test": "test"}


def read_dfdc(root: Path, dataset: str) -> list[dict[str, Any]]:
    """Rows for every file that a metadata.json or dataset.json below `root` names; a named file may be missing on disk.

    The full set does not say who is in a video, but which original a fake was made from: a fake and its original form
    one group. The preview names carrier and swapped-in identity.
    """
    rows = []
    for file in walk(root).files if root.is_dir() else []:
        if file.name in ("metadata.json", "dataset.json"):
            rows += [_row(dataset, root, file, name, entry) for name, entry in _entries(file).items()]
    if not rows:
        raise nothing_found("dfdc", root, "metadata.json (full set) or dataset.json (preview) at any depth")
    return rows


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
    """By "label", or by "is_fake" of the test set; None where they say nothing or contradict each other."""
    found = {_LABELS.get(str(entry["label"]).upper())} if "label" in entry else set()
    if "is_fake" in entry:
        found.add(_FLAGS.get(str(entry["is_fake"]).lower()))
    return found.pop() if len(found) == 1 else None


def _split(root: Path, file: Path, entry: dict[str, Any]) -> str:
    """As the entry says; where it says nothing, as the folder of the file does, such as test/."""
    given = str(entry.get("set") or entry.get("split") or "")
    folders = (split_in(part) for part in reversed(file.relative_to(root).parts[:-1]))
    return _SPLITS.get(given.lower(), "") if given else next(filter(None, folders), "")


def _row(dataset: str, root: Path, file: Path, name: str, entry: dict[str, Any]) -> dict[str, Any]:
    label = _label(entry)
    assert label is not None  # checked for the whole file
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
            "Many clips show several people of whom one is forged; fakes by audio only look like real videos.",
        ),
    ),
)
