"""Frame folders with an ldm.json, as written by the extraction scripts of CADDM and FST-Matching.

{"./train_images/manipulated_sequences/Deepfakes/raw/frames/035_036/frame_0": {"label": 1, "landmark": [[x, y], …],
    "source_path": "./train_images/original_sequences/youtube/raw/frames/035/frame_0"}}                       CADDM
{"./images/…/035_036/frame_0": {"det_label": 1, "source_label": "035", "target_label": "036", …}}             FST-Matching

Keys are frames without extension. In both, `source` is the carrier, whose video it is, and `target` the donor: the opposite of
FaceForensics++ terminology.
"""

import logging
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

from dfworkbench.core.errors import TableError
from dfworkbench.core.names import FAKE, REAL
from dfworkbench.datasets.layouts.faceforensics import values_of_path
from dfworkbench.datasets.layouts.layout import (
    DataCard,
    Layout,
    leading_parts,
    listed_path,
    nothing_found,
    outer_folder,
    split_in,
    video_row,
)
from dfworkbench.media.foreign import read_json

_log = logging.getLogger(__name__)
_LABELS = {"0": REAL, "1": FAKE}
_SHOWN = 5


class _Sequence(NamedTuple):
    label: int
    entry: dict[str, Any]


def read_ldm(root: Path, dataset: str) -> list[dict[str, Any]]:
    """Rows for every folder whose frames are named by an ldm.json in `root` or in a subfolder.

    Invalid entries are left out and named in a warning. The split is that of a folder such as train_images.

    Raises:
        TableError: A file is not a JSON object, or no entry of any file is valid.
        DataNotFoundError: There is no ldm.json, or none of its folders exists.
    """
    files = sorted([*root.glob("ldm.json"), *root.glob("*/ldm.json")])
    if not files:
        raise nothing_found("ldm", root, "ldm.json (or train_images/ldm.json …) beside the frames it names")
    rows: dict[PurePosixPath, dict[str, Any]] = {}
    odd: list[str] = []
    for file in files:
        sequences = _sequences(file, odd)
        dropped = leading_parts("ldm", file, file.parent, list(sequences))
        for listed, sequence in sequences.items():
            folder = file.parent.joinpath(*listed.parts[dropped:])
            path = PurePosixPath(folder.relative_to(root).as_posix())
            if len(listed.parts) <= dropped or path in rows:
                odd.append(f"{listed}: " + ("named twice" if path in rows else "not below the folder of ldm.json"))
                continue
            split = next(filter(None, map(split_in, reversed(listed.parts[max(dropped - 1, 0) : -1]))), "")
            genuine = _genuine(dataset, root, file, sequence, dropped)
            rows[path] = _row(dataset, root, folder, listed, sequence, split) | {
                "genuine_id": genuine, "landmarks_path": file.relative_to(root).as_posix()
            }  # fmt: skip
    for path in [path for path in rows if outer_folder(path, rows)]:
        odd.append(f"{path}: is inside another sequence")
        del rows[path]
    _report(root, odd, len(rows))
    return list(rows.values())


def _sequences(file: Path, odd: list[str]) -> dict[PurePosixPath, _Sequence]:
    """Folder of frames, as spelled in the keys -> label and first entry; invalid entries are added to `odd`."""
    sequences: dict[PurePosixPath, _Sequence] = {}
    mixed: set[PurePosixPath] = set()
    for key, folder, sequence in _read_entries(file, odd):
        first = sequences.setdefault(folder, sequence)
        if first.label != sequence.label and folder not in mixed:
            odd.append(f"{key}: label {sequence.label}, but {first.label} in other frames of its folder")
            mixed.add(folder)
    for folder, sequence in list(sequences.items()):
        values = values_of_path("", folder)
        if values and bool(values["forgery"]) != (sequence.label == FAKE):
            odd.append(f"{folder}: label {sequence.label} against the folders of its path")
            mixed.add(folder)
    return {folder: sequence for folder, sequence in sequences.items() if folder not in mixed}


def _read_entries(file: Path, odd: list[str]) -> Iterator[tuple[str, PurePosixPath, _Sequence]]:
    try:
        entries = read_json(file)
    except ValueError as error:
        raise TableError(
            f"reading {file}: it is not JSON ({error}). Copy it again, or extract the frames again."
        ) from error
    if not isinstance(entries, dict):
        raise TableError(
            f"reading {file}: it is a {type(entries).__name__}; expected an object of frame paths without extension. "
            "Check that it was written by CADDM or FST-Matching."
        )
    for key, entry in entries.items():
        frame = listed_path(key, file.parent)
        if frame is None or len(frame.parts) < 2:
            odd.append(f"{key!r}: no path of a frame in a folder")
        elif not isinstance(entry, dict):
            odd.append(f"{key}: {type(entry).__name__} in place of an entry")
        elif (label := _LABELS.get(str(entry.get("label", entry.get("det_label"))))) is None:
            odd.append(f"{key}: label {entry.get('label', entry.get('det_label'))!r}, not 0 (real) or 1 (fake)")
        else:
            yield key, frame.parent, _Sequence(label, entry)


def _row(
    dataset: str, root: Path, folder: Path, listed: PurePosixPath, sequence: _Sequence, split: str
) -> dict[str, Any]:
    # the folders of FaceForensics++ tell more than the entries: kinds, compression, and actors versus YouTube people
    values = values_of_path(dataset, listed) or _values_of_entry(dataset, listed, sequence)
    return video_row(dataset, root, folder, sequence.label, **values, split=split)


def _genuine(dataset: str, root: Path, file: Path, sequence: _Sequence, dropped: int) -> str:
    """The genuine sequence of a fake, from `source_path` of its first entry."""
    listed = listed_path(str(sequence.entry.get("source_path", "")), file.parent)
    if sequence.label != FAKE or listed is None or len(listed.parts) < 2:
        return ""
    folder = file.parent.joinpath(*listed.parent.parts[dropped:])
    return f"{dataset}/{folder.relative_to(root).as_posix()}"


def _values_of_entry(dataset: str, listed: PurePosixPath, sequence: _Sequence) -> dict[str, str]:
    label, entry = sequence
    source = PurePosixPath(str(entry.get("source_path", ""))).parent.name
    carrier = _identity(entry.get("source_label")) or (source if label == FAKE else listed.name)
    donor = _identity(entry.get("target_label")) if label == FAKE else ""
    names = {"carrier": carrier, "donor": donor}
    return {"forgery": "fake" if label == FAKE else "", **{k: f"{dataset}/{v}" if v else "" for k, v in names.items()}}


def _identity(value: Any) -> str:
    """FST-Matching writes 35 for an original and "035" for a fake of the same person."""
    text = "" if value is None else str(value)
    return text.zfill(3) if text.isdigit() else text


def _report(root: Path, odd: list[str], kept: int) -> None:
    shown = "; ".join(odd[:_SHOWN]) + (f"; and {len(odd) - _SHOWN} more" if len(odd) > _SHOWN else "")
    if not kept:
        raise TableError(
            f"reading {root} as 'ldm': no entry can be used: {shown or 'ldm.json is empty'}. Expected frame paths with a "
            "label: extract the frames again."
        )
    if odd:
        _log.warning(
            "reading %s as 'ldm': %d odd entries are left out, %d sequences kept. %s.", root, len(odd), kept, shown
        )


LDM = Layout(
    name="ldm",
    read=read_ldm,
    card=DataCard(
        title="Frames with ldm.json (CADDM, FST-Matching)",
        what="Frames of FaceForensics++ as the scripts of CADDM and FST-Matching extract them, with 81 landmarks each; "
        "every folder of frames is one sequence.",
        home="https://github.com/megvii-research/CADDM and https://github.com/megvii-research/FST-Matching",
        licence="That of the data set the frames come from.",
        traps=(
            "'source' there is the carrier, whose video it is; FaceForensics++ calls it the target.",
            "The scripts make no split: train_images and test_images depend on who filled them, and may share people.",
            "By default a folder holds one frame; its faces are detected again here, the stored landmarks serve the facial swap of "
            "CADDM. Pictures without an entry are read too.",
            "Times count 25 pictures a second, although the frames are spread over the whole video.",
        ),
    ),
)
