"""Read a shared run from a folder or a zip archive. Files are read by name; archives are never extracted."""

import contextlib
import hashlib
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Protocol

from dfworkbench.core.errors import CheckpointError, DataNotFoundError, WorkbenchError
from dfworkbench.core.workspace import explain_write
from dfworkbench.runs.layout import MANIFEST
from dfworkbench.sharing.manifest import MOST_MANIFEST_BYTES, Manifest, SharedFile, read_manifest

_BLOCK = 1 << 20


class Source(Protocol):
    """A shared run on this machine, possibly damaged."""

    @property
    def place(self) -> str:
        """Where it is, for messages."""
        ...

    def open(self, name: str) -> contextlib.AbstractContextManager[BinaryIO]:
        """Open one of its files for reading; `KeyError` or `OSError` if there is none."""
        ...


class FolderSource:
    """A folder that holds a shared run."""

    def __init__(self, folder: Path) -> None:
        self._folder, self.place = folder, str(folder)

    def open(self, name: str) -> contextlib.AbstractContextManager[BinaryIO]:
        """See `Source`."""
        return (self._folder / name).open("rb")


class ZipSource:
    """A zip archive that holds a shared run, at the top level or in one folder."""

    def __init__(self, archive: zipfile.ZipFile, path: Path) -> None:
        self._archive, self.place = archive, str(path)
        found = [name for name in archive.namelist() if name.rpartition("/")[2] == MANIFEST and name.count("/") <= 1]
        if len(found) != 1:
            raise DataNotFoundError(
                f"reading the archive {path}: it holds {len(found)} files {MANIFEST}; expected one, at its top or in a single "
                "folder, as `dfworkbench share RUN NAME.zip` writes it. Name another archive."
            )
        self._top = found[0].removesuffix(MANIFEST)

    def open(self, name: str) -> contextlib.AbstractContextManager[BinaryIO]:
        """See `Source`."""
        return self._archive.open(self._top + name)  # pyright: ignore[reportReturnType]


@contextlib.contextmanager
def open_source(path: Path) -> Iterator[Source]:
    """Open a folder or archive as a source.

    Raises:
        DataNotFoundError: There is none, or it holds no shared run.
        CheckpointError: The archive is damaged.
    """
    if path.is_dir():
        yield FolderSource(path)
        return
    if not path.is_file():
        raise DataNotFoundError(
            f"fetching a run: there is no file or folder {path}. Expected what `dfworkbench share` wrote: a folder, a .zip "
            "archive, hf:OWNER/NAME or an https address of an archive. Check the name."
        )
    with _explained(path, "its table of contents"):
        archive = zipfile.ZipFile(path)
    with archive:
        yield ZipSource(archive, path)


def manifest_of(source: Source) -> tuple[Manifest, bytes]:
    """The manifest of a source, and its bytes.

    Raises:
        DataNotFoundError: There is none: it is not a shared run.
        CheckpointError: It is damaged, or names files that no run has.
    """
    try:
        with _explained(source.place, MANIFEST), source.open(MANIFEST) as stream:
            content = stream.read(MOST_MANIFEST_BYTES + 1)
    except (KeyError, FileNotFoundError):
        raise DataNotFoundError(
            f"fetching a run from {source.place}: it holds no {MANIFEST}. Expected what `dfworkbench share` wrote; published "
            "weights are imported with `dfworkbench import` or `dfworkbench zoo import`, and a run's own folder is copied into "
            "checkpoints/."
        ) from None
    return read_manifest(content, source.place), content


def copy_file(source: Source, name: str, expected: SharedFile, target: Path) -> None:
    """Copy a file of a source and check its size and hash against the manifest; never writes more than that size.

    Raises:
        CheckpointError: It is missing, damaged or not the one listed.
        OutputError: The target cannot be written.
    """
    total, size = hashlib.sha256(), 0
    with explain_write(target, "a fetched run"):
        target.parent.mkdir(parents=True, exist_ok=True)
    try:
        with _explained(source.place, name), source.open(name) as stream:
            first = stream.read(_BLOCK)  # an unreadable source leaves no file
            with explain_write(target, "a fetched run"), target.open("xb") as out:
                block = first
                while block and size <= expected.bytes:
                    total.update(block)
                    size += len(block)
                    out.write(block)
                    block = stream.read(_BLOCK)
    except (KeyError, FileNotFoundError):
        raise CheckpointError(
            f"fetching {name} from {source.place}: it is not there, although {MANIFEST} names it. Expected {expected.bytes:,} "
            "bytes. The copy is not complete: get it again."
        ) from None
    problem = ""
    if size != expected.bytes:
        more = "more than " if size > expected.bytes else ""
        problem = f"it has {more}{min(size, expected.bytes):,} bytes, expected {expected.bytes:,}"
    elif (found := total.hexdigest()) != expected.sha256:
        problem = f"its SHA-256 is {found}, expected {expected.sha256}"
    if problem:
        raise CheckpointError(
            f"fetching {name} from {source.place}: {problem}, as {MANIFEST} says. It is damaged or another file, and no run was "
            "made: get it again."
        )


@contextlib.contextmanager
def _explained(place: Path | str, name: str) -> Iterator[None]:
    """Turn errors of a damaged or unreadable source into `CheckpointError`; errors for missing files pass through."""
    try:
        yield
    except (FileNotFoundError, KeyError, WorkbenchError):
        raise
    except Exception as error:  # zipfile and its decompressors raise many exception types for a damaged archive
        raise CheckpointError(
            f"reading {name} of {place}: {error or type(error).__name__}. Expected a folder or a zip archive that `dfworkbench "
            "share` wrote, without a password. It is damaged or cannot be read: get it again."
        ) from error
