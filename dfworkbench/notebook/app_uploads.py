"""Upload folders of `dfworkbench app`: one per server, with one per visitor in it; each is deleted with its owner."""

import contextlib
import secrets
import shutil
from collections.abc import Collection, Iterator
from pathlib import Path

from filelock import FileLock

from dfworkbench.core.errors import OutputError
from dfworkbench.core.locks import held
from dfworkbench.core.workspace import Workspace, explain_write

_DOING, _STARTING = "serving the application", ".starting.lock"


def visitors_folder(space: Workspace) -> Path:
    """Parent folder of all servers' upload folders."""
    return space.data / "uploads" / ".visitors"


@contextlib.contextmanager
def uploads_of_server(space: Workspace) -> Iterator[Path]:
    """Create an upload folder for one server; it is removed with its contents when the block ends.

    Folders left behind by killed servers, which hold no lock any more, are removed first.

    Raises:
        OutputError: The folder cannot be written.
    """
    base = visitors_folder(space)
    folder = base / secrets.token_hex(8)
    with explain_write(base, "uploads"):
        base.mkdir(parents=True, exist_ok=True)
    with contextlib.ExitStack() as stack:
        with FileLock(
            base / _STARTING
        ):  # otherwise a server starting now would take this folder, not yet locked, for an orphan
            remove_orphans(space)
            stack.enter_context(held(folder, _DOING))
        folder.chmod(0o700)
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def remove_orphans(space: Workspace) -> None:
    """Remove the folders of servers that are no longer running."""
    base = visitors_folder(space)
    for folder in [path for path in base.iterdir() if path.is_dir()] if base.is_dir() else []:
        with contextlib.suppress(OutputError), held(folder, _DOING):
            shutil.rmtree(folder, ignore_errors=True)


def remove_ended(folder: Path, running: Collection[str]) -> None:
    """Remove the uploads of visitors whose kernels have ended; `running` lists the live ones."""
    for path in folder.iterdir():
        if path.is_dir() and path.name not in running:
            shutil.rmtree(path, ignore_errors=True)
