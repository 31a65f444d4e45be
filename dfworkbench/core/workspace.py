"""Workspace paths and atomic file writes."""

import contextlib
import errno
import os
import tempfile
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path

from dfworkbench.core.errors import OutputError

HOME_VARIABLE = "DFWORKBENCH_HOME"
#: Prefix of temporary files. The final name is not used, because it may already be as long as a file system allows.
_TEMPORARY = ".dfworkbench-"


@dataclass(frozen=True)
class Workspace:
    """The folder that holds notebooks/, data/, extracted/, labels/ and checkpoints/."""

    root: Path

    @property
    def notebooks(self) -> Path:
        """The user's notebooks: copies of those that ship with dfworkbench, and their own."""
        return self.root / "notebooks"

    @property
    def data(self) -> Path:
        """Generated or linked data sets, one folder each."""
        return self.root / "data"

    @property
    def extracted(self) -> Path:
        """Face crops, one folder per data set."""
        return self.root / "extracted"

    @property
    def labels(self) -> Path:
        """Tables, one folder per data set: videos.csv, faces.parquet, splits.csv."""
        return self.root / "labels"

    @property
    def checkpoints(self) -> Path:
        """Runs, one folder per model name."""
        return self.root / "checkpoints"

    def make(self) -> None:
        """Create missing folders; `find_workspace` recognises a workspace by them."""
        for folder in (self.notebooks, self.data, self.extracted, self.labels, self.checkpoints):
            with explain_write(folder, "a folder of the workspace"):
                folder.mkdir(parents=True, exist_ok=True)


def find_workspace(start: Path | None = None) -> Workspace:
    """The workspace named by DFWORKBENCH_HOME, else the nearest parent with labels/ and checkpoints/, else the current folder."""
    named = os.environ.get(HOME_VARIABLE)
    if named:
        return Workspace(Path(named).expanduser().resolve())
    here = (start or Path.cwd()).resolve()
    for folder in (here, *here.parents):
        if (folder / "labels").is_dir() and (folder / "checkpoints").is_dir():
            return Workspace(folder)
    return Workspace(here)


@contextlib.contextmanager
def explain_write(path: Path, what: str = "a result") -> Generator[None]:
    """Turn an OSError while writing `path` into an `OutputError` that says what to do."""
    try:
        yield
    except OSError as error:
        if isinstance(error, OutputError):
            raise
        if error.errno == errno.ENOSPC:
            cure = "The disk is full: free some space and start again; work that is already done is kept."
        elif error.errno in (errno.EROFS, errno.EACCES, errno.EPERM):
            cure = (
                f"The folder is read-only: choose another with {HOME_VARIABLE}=/some/folder or change its permissions."
            )
        else:
            cure = "Check the path and start again; work that is already done is kept."
        raise OutputError(
            error.errno or 0, f"cannot write {what} to {path} ({error.strerror or error}). {cure}"
        ) from error


def leftovers(folder: Path) -> list[Path]:
    """Temporary files that `atomic_path` left in a folder when its process was killed."""
    return [path for path in folder.glob(f"{_TEMPORARY}*") if not path.is_dir()]


def require_writable(folder: Path, what: str) -> None:
    """Create a folder and raise `OutputError` before the work starts if it is not writable."""
    with explain_write(folder, what):
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass


@contextlib.contextmanager
def atomic_path(path: Path, what: str = "a result") -> Generator[Path]:
    """Yield a temporary path in the same folder; it replaces `path` atomically on success and is deleted on failure.

    A reader, or a run that is killed and restarted, sees either the old file or the new one, never half of one.
    """
    path = Path(path)
    with explain_write(path, what):
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=_TEMPORARY, suffix=path.suffix, dir=path.parent)
        os.close(handle)
        temporary = Path(name)
        try:
            yield temporary
            # mkstemp creates private files; results follow the umask like any other file
            umask = os.umask(0)
            os.umask(umask)
            temporary.chmod(0o666 & ~umask)
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)
