"""Leakage audit of a data set: a green or red verdict, and the rows that cross splits.

Training runs it first (`training_gate`). `leaks` searches tables and files, `frame_leaks` searches pictures.

Threshold of near frames: 32 of 256 bits. Measured by `benchmarks/near_frames.py` on the demo set, whose splits share nothing:
none of 4,091,904 pairs of frames from different splits is that close (the closest are 42 bits apart), and none of 960 copies at
JPEG quality 30, at half size, with noise of 8 grey levels, or brightened by 15 % is missed (at most 18 bits). Of copies cropped
by 2 %, 72 % are missed: a green verdict says nothing about re-cropped, rotated or mirrored frames.
"""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd
from pydantic import Field

from dfworkbench.core.settings import Settings
from dfworkbench.datasets.audit.frame_leaks import equal_frames, hash_frames, like_frames
from dfworkbench.datasets.audit.leaks import (
    crossing_pairs,
    same_files,
    shared_identities,
    shared_paths,
    shared_sources,
)  # fmt: skip
from dfworkbench.datasets.tables import table_hash, write_csv

GREEN, RED = "green", "red"

#: Kind of leak -> what crosses splits.
KINDS = {
    "identity": "people and groups",
    "source": "genuine videos that fakes were made from",
    "pair": "fakes and the genuine videos of their people",
    "path": "files under two names",
    "content": "files with the same content",
    "exact_frame": "frames with the same pixels",
    "near_frame": "frames that look the same",
}
_TABLE_KINDS = ("identity", "source", "pair", "path")
_FRAME_KINDS = ("exact_frame", "near_frame")
_ORDER = ("split_a", "video_a", "split_b", "video_b", "kind", "detail")


class AuditSettings(Settings):
    """How closely pictures are compared."""

    frames_per_video: int = Field(default=4, ge=1, le=1000, description="Stored crops compared per file.")
    near_bits: int = Field(
        default=32, ge=0, le=128, description="Frames count as near copies up to this many differing bits of 256."
    )


class Finding(NamedTuple):
    """One kind of leak.

    Attributes:
        kind: A name in `KINDS`.
        count: Number of rows of this kind; None if not checked.
        looked_at: How much was compared, or why it was not checked.
    """

    kind: str
    count: int | None
    looked_at: str


@dataclass(frozen=True, eq=False)
class Audit:
    """Result of a leakage audit: what crosses splits.

    Attributes:
        findings: One per kind, in the order of `KINDS`.
        rows: split_a, video_a, split_b, video_b, kind, detail; one row per leak.
        name: The data set, for reports.
    """

    findings: tuple[Finding, ...]
    rows: pd.DataFrame
    name: str = ""

    @property
    def verdict(self) -> str:
        """Red if anything was found, else green, which covers only what was checked."""
        return RED if len(self.rows) else GREEN

    @property
    def counts(self) -> dict[str, int]:
        """Kind -> number of rows, for the kinds that were checked."""
        return {finding.kind: finding.count for finding in self.findings if finding.count is not None}

    @property
    def saw_pictures(self) -> bool:
        """Whether frames were compared."""
        return all(kind in self.counts for kind in _FRAME_KINDS)

    def record(self) -> dict[str, Any]:
        """Plain values for the provenance of a run."""
        return {"verdict": self.verdict, "counts": self.counts, "pictures": self.saw_pictures}

    def to_csv(self, path: Path | str) -> Path:
        """Write the leaking rows."""
        write_csv(self.rows, path, "the rows of an audit")
        return Path(path)

    def __repr__(self) -> str:
        lines = [f"{self.name or 'audit'}: {self.verdict}"]
        for kind, count, looked_at in self.findings:
            lines.append(f"  {'not looked at' if count is None else count:>13}  {KINDS[kind]} ({looked_at})")
        return "\n".join([*lines, *(f"  {row}" for row in self.first_rows())])

    def first_rows(self, most: int = 5) -> list[str]:
        """The first leaks of the table as sentences."""
        rows = [f"{r.kind}: {r.video_a} / {r.video_b}; {r.detail}" for r in self.rows.head(most).itertuples()]
        more = len(self.rows) - most
        return rows + ([f"… and {more} more, see .rows"] if more > 0 else [])

    def _repr_html_(self) -> str:
        from dfworkbench.datasets.audit.html import audit_html

        return audit_html(self)


def audit(
    videos: pd.DataFrame,
    faces: pd.DataFrame | None = None,
    extracted: Path | str | None = None,
    *,
    root: Path | str | None = None,
    settings: AuditSettings | None = None,
    name: str = "",
    progress: bool = False,
) -> Audit:
    """Find what crosses splits.

    Args:
        videos: Video table with splits; files without a split are skipped.
        faces: Face table; without it, frames are not compared.
        extracted: Folder that its `crop_path` is relative to.
        root: Folder of the data set; without it, file contents are not compared.
        settings: How closely pictures are compared.
        name: The data set, for reports.
        progress: Whether to show a progress bar while frames are read.

    Returns:
        The audit, red if anything was found. Kinds that were not checked have no count.

    Raises:
        TableError: A stored crop cannot be read.
    """
    settings = settings or AuditSettings()
    files = f"{int((videos['split'] != '').sum())} files"
    tables = {
        "identity": shared_identities(videos), "source": shared_sources(videos), "pair": crossing_pairs(videos),
        "path": shared_paths(videos),
    }  # fmt: skip
    looked: dict[str, str] = {kind: files for kind in _TABLE_KINDS}
    if root is not None:
        tables["content"], looked["content"] = same_files(videos, Path(root)), files
    if faces is not None and extracted is not None:
        hashes = hash_frames(videos, faces, Path(extracted), settings.frames_per_video, progress=progress)
        flat = f", {int(hashes.flat.sum())} of them too flat to tell" if hashes.flat.any() else ""
        tables["exact_frame"] = equal_frames(hashes)
        tables["near_frame"] = like_frames(hashes, settings.near_bits)
        looked["exact_frame"] = f"{len(hashes.frames)} frames{flat}"
        looked["near_frame"] = f"{looked['exact_frame']}, up to {settings.near_bits} of 256 bits"
    return _result(tables, looked, name)


def _result(tables: dict[str, pd.DataFrame], looked: dict[str, str], name: str) -> Audit:
    absent = {"content": "the folder of the data set is not there"}
    findings = tuple(
        Finding(
            kind, len(tables[kind]) if kind in tables else None, looked.get(kind, absent.get(kind, "no pictures given"))
        )
        for kind in KINDS
    )
    parts = [tables[kind] for kind in KINDS if kind in tables]
    return Audit(findings, pd.concat(parts, ignore_index=True)[list(_ORDER)], name)


def audit_tables(videos: pd.DataFrame, kept: Audit | None = None, name: str = "") -> Audit:
    """Audit the tables only, and add what an earlier audit found in files and pictures."""
    found = audit(videos, name=name)
    if kept is None:
        return found
    findings = tuple(
        of if of.kind in _TABLE_KINDS else before for of, before in zip(found.findings, kept.findings, strict=True)
    )
    rows = kept.rows[~kept.rows["kind"].isin(_TABLE_KINDS)]
    return Audit(findings, pd.concat([found.rows, rows], ignore_index=True), name)


def to_record(found: Audit, videos: pd.DataFrame, faces: pd.DataFrame, settings: AuditSettings) -> dict[str, Any]:
    """An audit as plain values, with a hash of the audited tables."""
    return {
        "tables": _key(videos, faces), "settings": settings.model_dump(mode="json"), **found.record(),
        "findings": [list(finding) for finding in found.findings], "rows": found.rows.to_dict("records"),
    }  # fmt: skip


def from_record(
    record: Any, videos: pd.DataFrame, faces: pd.DataFrame, settings: AuditSettings | None, name: str
) -> Audit | None:
    """Read an audit stored by `to_record`; None if the tables or settings differ (None: any settings) or it is unreadable."""
    try:
        same = settings is None or record["settings"] == settings.model_dump(mode="json")
        if record["tables"] != _key(videos, faces) or not same:
            return None
        findings = tuple(Finding(*values) for values in record["findings"])
        rows = pd.DataFrame(record["rows"], columns=list(_ORDER), dtype="str")
    except (ValueError, KeyError, TypeError):
        return None
    return Audit(findings, rows, name) if [f.kind for f in findings] == list(KINDS) else None


def _key(videos: pd.DataFrame, faces: pd.DataFrame) -> str:
    """Hash of everything that the result depends on, independent of row order."""
    known = ["video_id", "dataset", "path", "label", "carrier", "donor", "genuine_id", "group", "split"]
    parts = (
        videos[known].sort_values("video_id"),
        faces[["face_id", "crop_path", "crop_x0", "crop_y0", "crop_side"]].sort_values("face_id"),
    )
    return hashlib.sha256("".join(map(table_hash, parts)).encode()).hexdigest()
