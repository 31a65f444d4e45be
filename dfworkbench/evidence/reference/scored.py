"""Scored reference set of a case: its tracks, scored once by a run and stored with it, and how they were scored."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

import dfworkbench
from dfworkbench.core.errors import DataNotFoundError, InputError, OutputError, WorkbenchError
from dfworkbench.core.names import FAKE, REAL, STATUS_OK
from dfworkbench.core.provenance import file_hash
from dfworkbench.core.settings import hash_values
from dfworkbench.core.workspace import atomic_path
from dfworkbench.datasets.dataset import DataSet
from dfworkbench.datasets.domain import GENERATED
from dfworkbench.datasets.tables import read_table, table_hash, write_table
from dfworkbench.datasets.tables.store import read_parquet
from dfworkbench.evidence.case import Reference
from dfworkbench.evidence.reference.tracks import Tracks, measure
from dfworkbench.extraction.made_with import made_with
from dfworkbench.faces.settings import FaceSettings
from dfworkbench.media.foreign import read_json
from dfworkbench.runs.checkpoints import LoadedDetector
from dfworkbench.runs.layout import reference_file

FORMAT = 1  # format version of stored scores
NOT_ON_RECORD = "not on record"


@dataclass(frozen=True)
class ScoredReference:
    """Reference tracks with their provenance.

    Attributes:
        data: The data set.
        split: Split of the data set.
        videos: Its readable, labelled files of this split.
        tracks: The scored tracks.
        stored: How they were scored, as text by name.
        now: How they would be scored now, as text by name.
        rescored: Whether they were scored anew for this case.
        faces: Face settings of the set; None if not on record.
        files: Stored files, by name.
    """

    data: DataSet
    split: str
    videos: pd.DataFrame
    tracks: Tracks
    stored: Mapping[str, str]
    now: Mapping[str, str]
    rescored: bool
    faces: FaceSettings | None
    files: Mapping[str, Path]

    @property
    def named(self) -> bool:
        """Whether the set names its people."""
        return bool((self.videos["group"] != "").all())

    def people(self, label: int) -> int:
        """Groups with scored tracks of a class."""
        rows = self.tracks.table
        return int(rows.loc[(rows["label"] == label) & rows["score"].notna(), "group"].nunique())


def reference_videos(data: DataSet, split: str) -> pd.DataFrame:
    """Readable, labelled files of a split.

    Raises:
        DataNotFoundError: There is no such split, or no splits; the message names the splits.
        InputError: Its files have only one label.
    """
    data.require_splits()
    counts = data.videos["split"].value_counts()
    videos = data.videos[(data.videos["split"] == split) & data.videos["label"].isin((REAL, FAKE))]
    videos = videos[videos["status"] == STATUS_OK].reset_index(drop=True)
    seen = ", ".join(f"{name or 'none'}: {count} files" for name, count in counts.items())
    if videos.empty:
        raise DataNotFoundError(
            f"reading the reference set {data.name!r}: its split {split!r} has no readable, labelled files. Splits there: {seen}. "
            "Choose val or test of a set that has one, or split the set again in 01_data_extraction."
        )
    labels = {name: int((videos["label"] == label).sum()) for name, label in (("genuine", REAL), ("manipulated", FAKE))}
    if not all(labels.values()):
        raise InputError(
            f"reading the reference set {data.name!r}: its split {split!r} has {labels['genuine']} genuine and "
            f"{labels['manipulated']} manipulated files; expected both. Choose another reference set."
        )
    return videos


def count_people(videos: pd.DataFrame) -> dict[str, int]:
    """Number of groups per class in the table, before scoring; a file without a group is its own."""
    groups = videos["group"].where(videos["group"] != "", videos["video_id"])
    return {
        name: int(groups[videos["label"] == label].nunique())
        for name, label in (("genuine", REAL), ("manipulated", FAKE))
    }


def processing(
    loaded: LoadedDetector, data: DataSet, videos: pd.DataFrame, faces: FaceSettings | None
) -> dict[str, str]:
    """Processing details, as text by name, which must not differ between reference and evidence (rule R8)."""
    of = data.faces["video_id"].isin(videos["video_id"])
    return {
        "weights": file_hash(loaded.path),
        "input": hash_values(loaded.input_spec.to_dict()),
        "frames": str(faces.frames) if faces else NOT_ON_RECORD,
        "face settings": faces.crops_hash() if faces else NOT_ON_RECORD,
        "version": dfworkbench.__version__,
        "files": table_hash(videos),
        "faces": table_hash(data.faces[of]),
    }


def score_reference(
    loaded: LoadedDetector,
    data: DataSet,
    split: str,
    *,
    rescore: bool = True,
    told: Callable[[int, int], None] | None = None,
) -> ScoredReference:
    """The scored tracks of a split, read from the run's stored scores if available.

    Args:
        loaded: The detector.
        data: The reference set.
        split: Split of the data set.
        rescore: Whether to score again if the stored tracks were processed differently; otherwise they are used as they are,
            and rule R8 applies.
        told: Called with the number of finished and of all tracks.

    Raises:
        DataNotFoundError: See `reference_videos`.
        InputError: See `reference_videos`; or no track could be scored.
    """
    videos = reference_videos(data, split)
    faces = made_with(data)
    now = processing(loaded, data, videos, faces)
    files = {kind: reference_file(loaded.path, split, data.name, suffix) for kind, suffix in _SUFFIXES.items()}
    stored = _read(files)
    if stored is not None and (stored[1] == now or not rescore):
        tracks, made = stored
        if told:
            told(len(tracks.table), len(tracks.table))
        return ScoredReference(data, split, videos, tracks, made, now, False, faces, files)
    dataset = data.samples(loaded.input_spec, videos)
    tracks = measure(loaded, dataset, videos, data.root, told)
    if tracks.table.empty or tracks.table["score"].isna().all():
        raise InputError(
            f"scoring the reference set {data.name!r}: none of the tracks of its split {split!r} got a score; expected some of "
            "each class. Look at its face table, and at the detector's weights."
        )
    _write(files, tracks, now)
    return ScoredReference(data, split, videos, tracks, now, now, True, faces, files)


_SUFFIXES = {"frames": "_frames.parquet", "tracks": "_tracks.parquet", "made": "_made.json"}


def _write(files: Mapping[str, Path], tracks: Tracks, now: Mapping[str, str]) -> None:
    write_table("score", tracks.frames, files["frames"])
    with atomic_path(files["tracks"], "the reference tracks") as temporary:
        tracks.table.to_parquet(temporary, index=False)
    hashes = {kind: file_hash(files[kind]) for kind in ("frames", "tracks")}
    with atomic_path(
        files["made"], "how reference tracks were made"
    ) as temporary:  # written last: marks the others as complete
        temporary.write_text(json.dumps({"format": FORMAT, "made": dict(now), "sha256": hashes}, indent=1) + "\n")


def _read(files: Mapping[str, Path]) -> tuple[Tracks, dict[str, str]] | None:
    """Stored tracks; None if missing, damaged or of another format, so that they are made again."""
    try:
        record: Any = read_json(files["made"])
        if record["format"] != FORMAT or any(
            record["sha256"][kind] != file_hash(files[kind]) for kind in ("frames", "tracks")
        ):
            return None
        frames = read_table("score", files["frames"])
        table = read_parquet(files["tracks"], "reading reference tracks")
        return Tracks(frames, table), {str(name): str(value) for name, value in record["made"].items()}
    except (OSError, ValueError, KeyError, TypeError) as error:
        if isinstance(error, OutputError):
            raise
        return None
    except WorkbenchError:
        return None


def describe(scored: ScoredReference, overlap: tuple[str, ...]) -> Reference:
    """The reference set as described in the case file."""
    rows, videos = scored.tracks.table, scored.videos
    genuine, fakes = videos[videos["label"] == REAL], videos[videos["label"] == FAKE]
    kinds = fakes["forgery"].replace("", "manipulated").value_counts().sort_index()
    folders = sorted({path.rpartition("/")[0] or "." for path in genuine["path"]})
    return Reference(
        name=scored.data.name,
        split=scored.split,
        people={"genuine": scored.people(REAL), "manipulated": scored.people(FAKE)},
        files={"genuine": len(genuine), "manipulated": len(fakes)},
        kinds={str(kind): int(count) for kind, count in kinds.items()},
        sources=tuple(folders),
        domain=GENERATED if scored.data.domain == GENERATED else "real",
        hashes={
            "files of this split and their labels": scored.now["files"],
            "face table (this split)": scored.now["faces"],
            "table of splits": scored.data.splits_hash,
            "scored tracks": table_hash(rows[["video_id", "track", "group", "label", "kind", "score"]]),
        },
        overlap=overlap,
        rows=rows[["video_id", "track", "group", "label", "kind", "source", "frames", "score"]].reset_index(drop=True),
        named=scored.named,
    )
