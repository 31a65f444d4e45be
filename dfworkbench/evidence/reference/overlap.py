"""Overlap between evidence, reference set and training data: equal files, (near-)equal frames, shared people (R3, R6).

Only files of equal size are hashed, so a large data set costs one stat call per file. Frames are compared by the pixels of
stored face crops and by the perceptual hash of the leakage audit, at its threshold (`datasets.audit.audit`).
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from dfworkbench.core.errors import WorkbenchError
from dfworkbench.core.provenance import file_hash
from dfworkbench.core.workspace import atomic_path
from dfworkbench.datasets.audit.audit import AuditSettings
from dfworkbench.datasets.audit.frame_leaks import FrameHashes, hash_frames
from dfworkbench.datasets.dataset import DataSet
from dfworkbench.datasets.tables import table_hash
from dfworkbench.datasets.tables.store import read_parquet
from dfworkbench.media.pictures.perceptual_hash import BITS, WORDS, near_pairs
from dfworkbench.runs.checkpoints import LoadedDetector

_log = logging.getLogger(__name__)
_WORDS = [f"word_{number}" for number in range(WORDS)]
_SHOWN = 3


@dataclass(frozen=True)
class KnownData:
    """A data set that the evidence must not be part of.

    Attributes:
        role: "reference set" or "training data".
        data: The data set.
    """

    role: str
    data: DataSet

    @property
    def title(self) -> str:
        """Its name in sentences."""
        return f"{self.role} {self.data.name}"

    def file(self, path: str) -> Path | None:
        """Path of a file in the set; None if its folder is missing."""
        return self.data.root / path if self.data.root is not None else None


def known_data(loaded: LoadedDetector, reference: DataSet) -> tuple[list[KnownData], tuple[str, ...]]:
    """The reference set and, if available and different, the detector's training data.

    Returns:
        The sets, and sentences on what cannot be compared.
    """
    sets, notes = [KnownData("reference set", reference)], []
    if loaded.trained_on and loaded.trained_on != reference.name:
        try:
            sets.append(KnownData("training data", DataSet.open(loaded.trained_on, reference.workspace)))
        except WorkbenchError:
            notes.append(
                f"The training data {loaded.trained_on} are not at hand here, so nothing was compared with them."
            )
    elif not loaded.trained_on:
        notes.append("The training data of the detector are not on record, so nothing was compared with them.")
    for known in sets:
        if known.data.root is None:
            notes.append(f"The files of the {known.title} are not at hand, so only stored face crops were compared.")
    return sets, tuple(notes)


def same_file(path: Path, sha256: str, sets: Sequence[KnownData]) -> list[str]:
    """Data sets that contain the evidence or a byte-identical copy, in words."""
    found, size, where = [], path.stat().st_size, path.resolve()
    for known in sets:
        root = known.data.root
        if root is None:
            continue
        if where.is_relative_to(root.resolve()):
            found.append(f"it is in the folder of the {known.title}")
        for row in known.data.videos.itertuples():
            other = root / str(row.path)
            if other.is_file() and other.stat().st_size == size and file_hash(other) == sha256:
                found.append(f"it has the same bytes as {row.path} of the {known.title}")
    return found


def same_frames(hashes: FrameHashes, known: KnownData, of: FrameHashes) -> dict[str, list[str]]:
    """For each evidence file, frames that also occur in a data set, in words; files without any are left out.

    Args:
        hashes: Frame hashes of the evidence.
        known: The data set.
        of: Its frame hashes.
    """
    found: dict[str, list[str]] = {}
    mine, theirs = np.flatnonzero(~hashes.flat), np.flatnonzero(~of.flat)
    bits = AuditSettings().near_bits
    best: dict[tuple[str, str], tuple[int, int, int]] = {}
    pixels, other_pixels = hashes.frames["pixels"].to_numpy(), of.frames["pixels"].to_numpy()
    video, other = hashes.frames["video_id"].to_numpy(), of.frames["video_id"].to_numpy()
    frame, other_frame = hashes.frames["frame"].to_numpy(), of.frames["frame"].to_numpy()
    for i, j, distance in near_pairs(hashes.likeness[mine], of.likeness[theirs], bits):
        for a, b, d in zip(mine[i], theirs[j], distance, strict=True):
            apart = -1 if pixels[a] == other_pixels[b] else int(d)  # equal pixels come first
            pair = str(video[a]), str(other[b])
            best[pair] = min(best.get(pair, (BITS, 0, 0)), (apart, int(frame[a]), int(other_frame[b])))
    for (mine_id, theirs_id), (apart, at, there) in sorted(best.items(), key=lambda item: (item[1], item[0])):
        how = (
            "has the same pixels as" if apart < 0 else f"differs in {apart} of {BITS} bits of its perceptual hash from"
        )
        found.setdefault(mine_id, []).append(f"its frame {at} {how} frame {there} of {theirs_id} ({known.role})")
    return {name: [*words[:_SHOWN], *_more(len(words) - _SHOWN)] for name, words in found.items()}


def stored_frames(known: KnownData, folder: Path, told: Callable[[str], None] | None = None) -> FrameHashes:
    """Hashes of a set's stored face crops, computed once per run and cached in its folder while the tables are unchanged."""
    data, settings = known.data, AuditSettings()
    videos = data.videos.assign(split=data.videos["split"].where(data.videos["split"] != "", "none"))
    key = f"{table_hash(videos)[:12]}{table_hash(data.faces)[:12]}"
    file = folder / f"frames_{data.name}_{key}.parquet"
    try:
        table = read_parquet(file, "reading hashes of frames") if file.is_file() else None
    except WorkbenchError:
        table = None
    if table is None or not {*_WORDS, "pixels", "flat"} <= set(table):
        if told:
            told(f"hashing frames of {data.name}")
        made = hash_frames(videos, data.faces, data.crops_root, settings.frames_per_video)
        table = made.frames.assign(flat=made.flat, **dict(zip(_WORDS, made.likeness.T.view(np.int64), strict=True)))
        with atomic_path(file, "hashes of frames") as temporary:
            table.to_parquet(temporary, index=False)
    likeness = np.ascontiguousarray(table[_WORDS].to_numpy(np.int64)).view(np.uint64)
    return FrameHashes(table[["video_id", "frame", "split", "pixels"]], likeness, table["flat"].to_numpy(bool))


def trained_on_reference(
    loaded: LoadedDetector, videos: pd.DataFrame, sets: Sequence[KnownData], split: str
) -> tuple[list[str], tuple[str, ...]]:
    """People and files of the reference rows used in training the detector, and sentences on what was compared.

    Args:
        loaded: The detector.
        videos: Reference files.
        sets: From `known_data`.
        split: Split of the reference set.
    """
    reference = sets[0]
    groups = set(videos["group"]) - {""}
    people = set(videos["carrier"]) | set(videos["donor"]) - {""}
    if loaded.trained_on == reference.data.name:
        seen = loaded.provenance.get("splits")
        if seen not in (None, "", reference.data.splits_hash):
            return ["all of them may be: the splits were changed after the training"], ()
        training = reference.data.videos[reference.data.videos["split"] == "train"]
        shared = _people(training) & (groups | people) - {""}
        words = (
            f"The people of the split {split} were compared with those of the split train: {len(shared)} are in both."
        )
        return sorted(shared), (words,)
    training = [known for known in sets if known.role == "training data"]
    if not training:
        return [], ()
    used = training[0].data.videos
    shared = sorted(_people(used) & (groups | people) - {""})
    copies = _copies(videos, reference, training[0])
    words = (
        f"People and files of the reference set were compared with those of the {training[0].title}: {len(shared)} names and "
        f"{len(copies)} files are in both. (People of different sets count as different unless they are named alike.)"
    )
    return [*shared, *copies], (words,)


def _people(videos: pd.DataFrame) -> set[str]:
    return {*videos["group"], *videos["carrier"], *videos["donor"]} - {""}


def _copies(videos: pd.DataFrame, reference: KnownData, training: KnownData) -> list[str]:
    """Reference files with a byte-identical copy in the training data."""
    if reference.data.root is None or training.data.root is None:
        return []
    by_size: dict[int, list[Path]] = {}
    for path in training.data.videos["path"]:
        file = training.data.root / path
        if file.is_file():
            by_size.setdefault(file.stat().st_size, []).append(file)
    found = []
    for path in videos["path"]:
        file = reference.data.root / path
        others = by_size.get(file.stat().st_size, []) if file.is_file() else []
        if others and file_hash(file) in {file_hash(other) for other in others}:
            found.append(str(path))
    return found


def _more(count: int) -> list[str]:
    return [f"and {count} more"] if count > 0 else []
