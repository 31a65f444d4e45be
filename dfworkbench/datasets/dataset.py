"""DataSet: read an extracted data set (tables, splits, masks, samples, audit)."""

import contextlib
import json
import logging
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from dfworkbench.core.errors import DataNotFoundError, TableError
from dfworkbench.core.input_spec import InputSpec
from dfworkbench.core.locks import held
from dfworkbench.core.names import FAKE, REAL, SPLITS, STATUS_OK
from dfworkbench.core.provenance import file_hash
from dfworkbench.core.safe_paths import require_below, require_folder_name
from dfworkbench.core.workspace import Workspace, atomic_path, find_workspace, require_writable
from dfworkbench.datasets.audit.audit import Audit, AuditSettings, audit, audit_tables, from_record, to_record
from dfworkbench.datasets.dataset_files import AUDIT, FACE_SETTINGS, FACES, SOURCE, SPLITS_TABLE, VIDEOS
from dfworkbench.datasets.dataset_writer import DataSetWriter
from dfworkbench.datasets.domain import DOMAIN_KEY, UNKNOWN
from dfworkbench.datasets.layouts import LAYOUTS, DataCard
from dfworkbench.datasets.masks import mask_crops
from dfworkbench.datasets.splits import with_splits
from dfworkbench.datasets.tables import read_table, table_hash
from dfworkbench.faces.settings import FaceSettings
from dfworkbench.media.foreign import read_json

if TYPE_CHECKING:  # needs torch, which takes seconds to import
    from dfworkbench.datasets.face_dataset import FaceDataset
    from dfworkbench.datasets.sample import Transform

_log = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False, repr=False)
class DataSet:
    """An extracted data set: its tables, splits, masks and samples.

    Usually opened with `DataSet.open(name)`; the constructor does not check the disk, so it can also represent a set that is
    yet to be extracted. Tables are read on first use and cached. File names are defined in `dataset_files`; `dataset_writer`
    writes the files.

    Args:
        name: The folder below labels/ and extracted/.
        workspace: The workspace of both; by default found from the current folder.
    """

    name: str
    workspace: Workspace = field(default_factory=find_workspace)

    @classmethod
    def open(cls, name: str, workspace: Workspace | None = None) -> "DataSet":
        """Open an extracted data set.

        Raises:
            ParameterError: The name is not a valid name of a single folder.
            DataNotFoundError: It was not extracted.
        """
        data = cls(require_folder_name("opening a data set", name), workspace or find_workspace())
        if not data.is_extracted:
            raise DataNotFoundError(
                f"opening the data set {name!r}: there is no file {data.folder / VIDEOS}. Extracted data sets: "
                f"{', '.join(cls.names(data.workspace)) or 'none'}. Choose one of them, or run 01_data_extraction, which makes it."
            )
        return data

    @staticmethod
    def names(workspace: Workspace | None = None) -> list[str]:
        """Names of all extracted data sets, in alphabetical order."""
        return sorted(file.parent.name for file in (workspace or find_workspace()).labels.glob(f"*/{VIDEOS}"))

    @property
    def folder(self) -> Path:
        """Folder of the tables: labels/<name>/."""
        return self.workspace.labels / self.name

    @property
    def crops_root(self) -> Path:
        """The folder extracted/, which `crop_path` of the face table is relative to; the crops of this set are in <name>/."""
        return self.workspace.extracted

    @property
    def is_extracted(self) -> bool:
        """Whether there is a video table."""
        return (self.folder / VIDEOS).is_file()

    # -- tables --------------------------------------------------------------------------------------------------------

    @cached_property
    def videos(self) -> pd.DataFrame:
        """The video table; `group` and `split` come from splits.csv if it exists."""
        return with_splits(self._videos, self.folder / SPLITS_TABLE) if self.has_splits else self._videos

    @cached_property
    def faces(self) -> pd.DataFrame:
        """The face table."""
        return read_table("face", self.folder / FACES)

    @cached_property
    def _videos(self) -> pd.DataFrame:
        return read_table("video", self.folder / VIDEOS)

    @property
    def hashes(self) -> dict[str, str]:
        """SHA-256 of both tables as extracted, for the provenance of a run."""
        return {"videos": table_hash(self._videos), "faces": table_hash(self.faces)}

    @property
    def faces_time_ns(self) -> int:
        """When the face table was written, in nanoseconds since 1970; -1 if missing."""
        with contextlib.suppress(OSError):
            return (self.folder / FACES).stat().st_mtime_ns
        return -1

    def with_tables(self, videos: pd.DataFrame | None = None, faces: pd.DataFrame | None = None) -> "DataSet":
        """A copy with other tables in memory, such as a subset of its faces; nothing is written."""
        other = DataSet(self.name, self.workspace)
        other.__dict__["videos"] = self.videos if videos is None else videos
        other.__dict__["faces"] = self.faces if faces is None else faces
        return other

    def faces_of(self, rows: pd.DataFrame) -> pd.DataFrame:
        """Rows of the face table, in the order of `FaceDataset.rows`."""
        return self.faces.set_index("face_id").loc[rows["row_id"]].reset_index()

    def counts(self) -> pd.DataFrame:
        """One row per split: identity groups, readable videos of each forgery, and faces."""
        videos = self.videos[self.videos["status"] == STATUS_OK]
        kind = videos["forgery"].where(videos["label"] == FAKE, "real").where(videos["label"] != -1, "not labelled")
        counts = pd.crosstab(videos["split"], kind.replace("", "fake"))
        table = counts[sorted(counts.columns, key=lambda name: (name != "real", name))].astype("int64")
        table.insert(0, "identity groups", videos.groupby("split")["group"].nunique())
        table["faces"] = videos.groupby("split")["faces"].sum()
        rows = [split for split in (*SPLITS, "") if split in table.index]
        return table.loc[rows].rename(index={"": "none"}).rename_axis("split")

    # -- splits --------------------------------------------------------------------------------------------------------

    @property
    def has_splits(self) -> bool:
        """Whether there is a splits.csv."""
        return (self.folder / SPLITS_TABLE).is_file()

    @property
    def splits(self) -> pd.DataFrame:
        """video_id, group and split of every video.

        Raises:
            DataNotFoundError: There is no splits.csv.
        """
        self.require_splits()
        return self.videos[["video_id", "group", "split"]]

    @property
    def splits_hash(self) -> str:
        """SHA-256 of splits.csv, for the provenance of a run; "" if there is none."""
        return file_hash(self.folder / SPLITS_TABLE) if self.has_splits else ""

    def require_splits(self) -> None:
        """Raise `DataNotFoundError` if there is no splits.csv."""
        if not self.has_splits:
            raise DataNotFoundError(
                f"reading splits: there is no {self.folder / SPLITS_TABLE}. Run 01_data_extraction, which writes it."
            )

    def split(self, name: str) -> pd.DataFrame:
        """The video table of one split, numbered from 0.

        Raises:
            DataNotFoundError: There is no splits.csv.
            TableError: The split is empty.
        """
        self.require_splits()
        chosen = self.videos[self.videos["split"] == name]
        if chosen.empty:
            seen = ", ".join(f"{split or 'none'}: {n}" for split, n in self.videos["split"].value_counts().items())
            raise TableError(
                f"reading the {name} split of {self.name!r}: it has no videos. Splits in the table: {seen}. Choose one of them, or "
                "split again in 01_data_extraction."
            )
        return chosen.reset_index(drop=True)

    # -- pixels --------------------------------------------------------------------------------------------------------

    def samples(
        self,
        spec: InputSpec,
        split: str | pd.DataFrame,
        frames_per_video: int | None = None,
        *,
        tracks: Literal["main", "all"] = "main",
        transform: "Transform | None" = None,
        cache_mb: int = 0,
    ) -> "FaceDataset":
        """Samples for a detector.

        Args:
            spec: How faces are cut for the detector.
            split: Name of a split, or rows of `videos`.
            frames_per_video: Samples per person, evenly over the video; None for all.
            tracks: "main" for the main person of each file, "all" for everyone; see `FaceDataset`.
            transform: Random transform, or None.
            cache_mb: Memory for crops that are read more than once, in megabytes.
        """
        from dfworkbench.datasets.face_dataset import FaceDataset

        videos = self.split(split) if isinstance(split, str) else split
        return FaceDataset(
            self.faces, videos, spec, self.crops_root, transform=transform, frames_per_video=frames_per_video,
            tracks=tracks, root=self.root, cache_mb=cache_mb,
        )  # fmt: skip

    def masks(self, spec: InputSpec, rows: pd.DataFrame) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """Ground-truth forgery masks of samples, `(N, S, S)`, cut like the detector's crops, and which rows have one, `(N,)`.

        Args:
            spec: How faces are cut for the detector.
            rows: Rows of `FaceDataset.rows`.
        """
        if self.root is None:
            _log.warning(
                "%s has no ground-truth masks to read: the folder it was extracted from is not there", self.name
            )
            return np.zeros((len(rows), spec.size_px, spec.size_px), bool), np.zeros(len(rows), bool)
        return mask_crops(self.root, self.videos, self.faces_of(rows), spec)

    # -- source and audit ----------------------------------------------------------------------------------------------

    @property
    def root(self) -> Path | None:
        """The folder that the set was extracted from; None if it is gone or not known."""
        root = self._source("root")
        return Path(root) if root and Path(root).is_dir() else None

    @property
    def domain(self) -> str:
        """`domain.GENERATED` for synthetic faces (no real people), else `domain.UNKNOWN`."""
        return self._source(DOMAIN_KEY) or UNKNOWN

    @property
    def card(self) -> DataCard | None:
        """Card with the essential facts about data sets of this layout; None if the layout is not on record."""
        layout = LAYOUTS.get(self._source("layout"))
        return layout.card if layout else None

    @property
    def face_settings(self) -> FaceSettings | None:
        """Settings that its faces were found with; None for sets extracted before these were recorded (`extraction.made_with`)."""
        try:
            return FaceSettings(**read_json(self.folder / SOURCE)[FACE_SETTINGS])
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def _source(self, key: str) -> str:
        try:
            return str(read_json(self.folder / SOURCE)[key])
        except (OSError, ValueError, KeyError, TypeError):
            return ""

    @property
    def audit(self) -> Audit:
        """The leakage audit of the current tables, and of files and pictures as far as `run_audit` has checked them."""
        return audit_tables(self.videos, self._kept_audit(None), self.name)

    def run_audit(self, settings: AuditSettings | None = None, *, progress: bool = True) -> Audit:
        """Audit tables, files and pictures and store the result, which is reused while tables and settings are unchanged.

        Args:
            settings: How closely pictures are compared.
            progress: Whether to show a progress bar.

        Raises:
            DataNotFoundError: There is no splits.csv.
            TableError: A stored crop cannot be read.
        """
        self.require_splits()
        settings = settings or AuditSettings()
        if kept := self._kept_audit(settings):
            return audit_tables(self.videos, kept, self.name)
        found = audit(
            self.videos,
            self.faces,
            self.crops_root,
            root=self.root,
            settings=settings,
            name=self.name,
            progress=progress,
        )
        record = to_record(found, self.videos, self.faces, settings)
        with atomic_path(self.folder / AUDIT, "the audit") as temporary:
            temporary.write_text(json.dumps(record, indent=1) + "\n")
        return found

    def _kept_audit(self, settings: AuditSettings | None) -> Audit | None:
        try:
            record = read_json(self.folder / AUDIT)
        except (OSError, ValueError):
            return None
        return from_record(record, self.videos, self.faces, settings, self.name)

    # -- writing -------------------------------------------------------------------------------------------------------

    @contextlib.contextmanager
    def writing(self, doing: str) -> Iterator[DataSetWriter]:
        """Lock the set for writing until the block ends.

        Args:
            doing: What is being done, to start error messages, such as "extracting the data set 'demo'".

        Raises:
            OutputError: Another process holds the lock (the message says which one, and since when), or the folder cannot be
                written.
        """
        require_folder_name(doing, self.name)
        require_below(self.folder, self.workspace.labels, doing)
        require_writable(self.folder, "a data set")
        with held(self.folder, doing):
            try:
                yield DataSetWriter(self.folder)
            finally:
                for read in ("videos", "faces", "_videos"):
                    self.__dict__.pop(read, None)

    def __repr__(self) -> str:
        if not self.is_extracted:
            return f"DataSet({self.name!r}, not extracted)"
        real, fake = (int((self.videos["label"] == label).sum()) for label in (REAL, FAKE))
        return f"DataSet({self.name!r}, {real} real and {fake} fake videos, {len(self.faces)} faces)"

    def _repr_html_(self) -> str:
        from dfworkbench.datasets.dataset_card import dataset_html

        return dataset_html(self)
