"""Manifest of a shared run: its files with their hashes, and how an untrusted manifest is read.

Only files that a run can have are allowed, so no name leads out of a folder, and nothing that would have to be unpickled or
executed is accepted.
"""

import json
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

import dfworkbench
from dfworkbench.core.errors import CheckpointError
from dfworkbench.core.provenance import file_hash
from dfworkbench.core.safe_paths import path_problem
from dfworkbench.media.foreign import parse_json
from dfworkbench.runs.layout import BEST, CARD, DELTA, HISTORY, MANIFEST, PROVENANCE, SCORES, SETTINGS, parse_weights

FORMAT = "dfworkbench-share-1"
MOST_BYTES = 20 * 10**9  # limit for a shared run, same as for a published file
MOST_MANIFEST_BYTES = 4_000_000
_MOST_FILES = 10_000
_PLAIN = (CARD, SETTINGS, PROVENANCE, HISTORY, BEST)


class SharedFile(BaseModel):
    """Size and SHA-256 of a file."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    bytes: int = Field(ge=0, le=MOST_BYTES)
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")


class Base(BaseModel):
    """The run that provides the tensors missing from a shared run.

    Attributes:
        run: Its name on the sharer's machine.
        file: Name of the weight file.
        content: See `weight_delta.content_hash`.
        bytes: Size of that file.
        card: Zoo card of the published detector that it was imported from, or "".
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    run: str
    file: str
    content: str = Field(pattern=r"^[0-9a-f]{64}$")
    bytes: int = Field(ge=0)
    card: str = ""


class Manifest(BaseModel):
    """Contents of a shared run."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    format: Literal["dfworkbench-share-1"] = FORMAT
    run: str
    dfworkbench: str
    base: Base | None = None
    files: dict[str, SharedFile] = Field(min_length=1, max_length=_MOST_FILES)

    @field_validator("files")
    @classmethod
    def _are_of_a_run(cls, files: dict[str, SharedFile]) -> dict[str, SharedFile]:
        for name in files:
            if not may_be_shared(name):
                raise ValueError(f"{name[:80]!r} is not a file of a shared run")
        if (total := sum(file.bytes for file in files.values())) > MOST_BYTES:
            raise ValueError(f"its files have {total:,} bytes, more than {MOST_BYTES:,}")
        epochs = [found[0] for found in map(parse_weights, files) if found]
        if not epochs or BEST not in files:
            raise ValueError(f"it names no weights or no {BEST}")
        if len(set(epochs)) < len(epochs):
            raise ValueError("it names the weights of an epoch twice")
        return files

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(file.bytes for file in self.files.values())

    @property
    def deltas(self) -> dict[str, int]:
        """Name of each weight file that needs the base -> its epoch."""
        found = {name: parse_weights(name) for name in self.files}
        return {name: of[0] for name, of in found.items() if of and of[1] == DELTA}

    def to_bytes(self) -> bytes:
        """The manifest as the bytes of its file."""
        return (json.dumps(self.model_dump(mode="json"), indent=1, sort_keys=True) + "\n").encode()


def may_be_shared(name: str) -> bool:
    """Whether a relative path names a file that a shared run can have."""
    if name in _PLAIN or parse_weights(name):
        return True
    folder, _, table = name.partition("/")
    return folder == SCORES and "/" not in table and table.endswith(".parquet") and not path_problem(name)


def list_files(folder: Path, run: str, base: Base | None) -> Manifest:
    """Make the manifest of a folder that holds a shared run and nothing else."""
    files = {
        path.relative_to(folder).as_posix(): SharedFile(bytes=path.stat().st_size, sha256=file_hash(path))
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != MANIFEST
    }
    return Manifest(run=run, dfworkbench=dfworkbench.__version__, base=base, files=files)


def read_manifest(content: bytes, source: str) -> Manifest:
    """Parse a manifest.

    Args:
        content: The bytes.
        source: Where they come from, for messages.

    Raises:
        CheckpointError: It is damaged, was written by a newer dfworkbench, or names files that no run has.
    """
    try:
        if len(content) > MOST_MANIFEST_BYTES:
            raise ValueError(f"it has {len(content):,} bytes or more")
        return Manifest.model_validate(parse_json(content))
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))[:80]
        problem = f"{where}: {first['msg']}" if where else first["msg"]
    except ValueError as error:
        problem = str(error)
    raise CheckpointError(
        f"reading {MANIFEST} of {source}: {problem}. Expected the list of files that `dfworkbench share` writes ({FORMAT}), with "
        "names of a run, sizes and hashes. Nothing was taken: get it again, or update dfworkbench."
    )
