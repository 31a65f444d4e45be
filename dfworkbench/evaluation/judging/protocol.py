"""Evaluation protocol: which files are scored and how they are evaluated, locked by a hash.

The same detector has been published with AUC 0.80 to 0.94 on one data set, because results on frames and videos, with different
crops or different lists of files, were compared. Two results are comparable if they were computed under one protocol, that is,
if the hashes are equal.
"""

import hashlib
import json
from pathlib import Path
from typing import Any, Literal, Self

import pandas as pd
from pydantic import Field, field_validator

from dfworkbench.core.errors import DataNotFoundError, ParameterError
from dfworkbench.core.input_spec import InputSpec
from dfworkbench.core.names import require_name
from dfworkbench.core.safe_paths import require_below
from dfworkbench.core.workspace import Workspace, atomic_path, find_workspace
from dfworkbench.datasets.dataset import DataSet
from dfworkbench.datasets.tables import table_hash
from dfworkbench.evaluation.metrics.curve_metrics import METRICS
from dfworkbench.evaluation.metrics.interval import Judging, Missing
from dfworkbench.media.foreign import read_json

ANY_CROP = "any"
_CUSTOMARY = 0.95
_IDENTIFYING = ("video_id", "split", "label", "group", "forgery")


class Protocol(Judging):
    """A `Judging` together with the files it applies to; every field is part of the hash.

    By default a file without a score counts as chance, so that a detector cannot win by scoring easy files only.
    """

    dataset: str = Field(default=..., min_length=1, description="Data set: a folder in labels/.")
    split: str = Field(default="test", min_length=1, description="Split whose files are scored.")
    split_hash: str = Field(
        default=...,
        pattern="^[0-9a-f]{64}$",
        description="SHA-256 over the files of the split with labels, groups and kinds.",
    )
    videos: int = Field(default=..., ge=1, description="Number of files.")
    crop: str = Field(
        default=ANY_CROP,
        min_length=1,
        description="How faces are cut, such as 'box x1.3'; any: as each detector requires.",
    )
    frames_per_video: int = Field(
        default=0, ge=0, description="Maximum scored faces or clips per person; 0: all extracted."
    )
    missing: Missing = Field(default="as_chance", description="What a file without a score counts as.")
    selection: Literal["validation", "last"] = Field(
        default="validation", description="Which epoch of a run is evaluated: the best on validation, or the last."
    )
    metrics: tuple[str, ...] = Field(
        default=("auc", "eer"), min_length=1, description="Metrics; the first one orders leaderboards."
    )

    @field_validator("metrics")
    @classmethod
    def _are_known(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        for name in names:
            require_name("metric", name, METRICS)
        return names

    @classmethod
    def of(cls, dataset: str, split: str = "test", *, workspace: Workspace | None = None, **fields: Any) -> Self:
        """The protocol of a split in its current state.

        Args:
            dataset: An extracted data set.
            split: Should be "test" unless you have a reason.
            workspace: Workspace of its tables.
            **fields: Any other field.

        Raises:
            DataNotFoundError: The data set was not extracted, or has no splits.
            TableError: The split is empty.
        """
        videos = split_videos(dataset, split, workspace)
        return cls(dataset=dataset, split=split, split_hash=split_hash(videos), videos=len(videos), **fields)

    @property
    def sha256(self) -> str:
        """SHA-256 of the canonical JSON of all fields; a `confidence` of 95 % is left out, because older protocols lack it."""
        text = json.dumps(self._record(), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()

    @property
    def id(self) -> str:
        """The first ten hex digits of the hash, shown beside results."""
        return self.sha256[:10]

    def differences(self, other: "Protocol") -> dict[str, tuple[Any, Any]]:
        """Fields that differ: name -> (here, there)."""
        mine, theirs = self.model_dump(), other.model_dump()
        return {name: (mine[name], theirs[name]) for name in mine if mine[name] != theirs[name]}

    def save(self, workspace: Workspace | None = None) -> Path:
        """Write `labels/<data set>/protocols/<id>.json`."""
        space = workspace or find_workspace()
        path = DataSet(self.dataset, space).folder / "protocols" / f"{self.id}.json"
        require_below(path, space.labels, "saving a protocol")  # the name may come from an untrusted file
        record = {"sha256": self.sha256, "protocol": self._record()}
        with atomic_path(path, "a protocol") as temporary:
            temporary.write_text(json.dumps(record, indent=2) + "\n")
        return path

    @classmethod
    def load(cls, path: Path | str) -> Self:
        """Read a protocol file.

        Raises:
            DataNotFoundError: There is no such file.
            ParameterError: It is not a protocol, or was changed after it was locked.
        """
        path = Path(path)
        if not path.is_file():
            raise DataNotFoundError(
                f"loading a protocol: there is no file {path}. Make one with Protocol.of(…).save()."
            )
        try:
            record = read_json(path)
            found, stated = cls(**record["protocol"]), record["sha256"]
        except (ValueError, KeyError, TypeError) as error:
            raise ParameterError(
                f"loading the protocol {path}: it cannot be used ({error}). Expected a file that Protocol.save wrote."
            ) from None
        if found.sha256 != stated:
            raise ParameterError(
                f"loading the protocol {path}: its fields hash to {found.sha256[:10]}, and it says {str(stated)[:10]}. It was "
                "changed after it was locked, so it is another protocol: make that one with Protocol(…).save()."
            )
        return found

    def _record(self) -> dict[str, Any]:
        return self.model_dump(mode="json", exclude={"confidence"} if self.confidence == _CUSTOMARY else set())

    def __str__(self) -> str:
        crop = "" if self.crop == ANY_CROP else f", crops {self.crop}"
        frames = f", at most {self.frames_per_video} frames" if self.frames_per_video else ""
        return (
            f"protocol {self.id}: {self.videos} files of {self.dataset}/{self.split}, {self.level} level by {self.rule}{crop}"
            f"{frames}, missing {self.missing}, epoch by {self.selection}, intervals by {self.unit}"
        )


def split_videos(dataset: str, split: str, workspace: Workspace | None = None) -> pd.DataFrame:
    """The video table of a split, according to splits.csv.

    Raises:
        DataNotFoundError: The data set was not extracted, or has no splits.
        TableError: The split is empty.
    """
    return DataSet.open(dataset, workspace).split(split)


def split_hash(videos: pd.DataFrame) -> str:
    """SHA-256 of files, labels, groups and kinds, independent of the order of rows and columns."""
    return table_hash(videos[list(_IDENTIFYING)].sort_values("video_id", ignore_index=True))


def crop_profile(spec: InputSpec) -> str:
    """How a detector's faces are cut, in words, such as "box x1.3"; the input size is not included."""
    if spec.alignment == "whole":
        return spec.alignment
    if spec.alignment == "whole_resized":
        return f"{spec.alignment} {spec.fit}"
    special = [spec.region] * (spec.region != "square") + [f"border {spec.border}"] * (spec.border != "repeat")
    if spec.margins is not None:
        special += ["margins", *(f"{share:.3g}" for share in spec.margins), f"of {spec.margin_of}"]
        special += ["squared"] * spec.square_after_margins
    if spec.template is not None:
        special += ["template", *(f"{x:.3g},{y:.3g}" for x, y in spec.template)]
    return " ".join([f"{spec.alignment} x{spec.crop_scale:g}", *special, *["exact"] * spec.exact])
