"""Uploads of `dfworkbench app` on disk: a folder for each server, in it one for each visitor, none of which outlives its owner."""

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
    """Where the folders of all servers are."""
    return space.data / "uploads" / ".visitors"


@contextlib.contextmanager
def uploads_of_server(space: Workspace) -> Iterator[Path]:
    """A folder for the uploads of one server, which is removed with all that is in it at the end of the block.

    What a server left behind that was killed is removed first: its folder is locked by nobody.

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
        ):  # or another server that starts takes this folder, not locked yet, for an orphan
            remove_orphans(space)
            stack.enter_context(held(folder, _DOING))
        folder.chmod(0o700)
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def remove_orphans(space: Workspace) -> None:
    """Remove the folders of servers that do not run any more."""
    base = visitors_folder(space)
    for folder in [path for path in base.iterdir() if path.is_dir()] if base.is_dir() else []:
        with contextlib.suppress(OutputError), held(folder, _DOING):
            shutil.rmtree(folder, ignore_errors=True)


def remove_ended(folder: Path, running: Collection[str]) -> None:
    """Remove the uploads of visitors whose kernels, named in `running` otherwise, have ended."""
    for path in folder.iterdir():
        if path.is_dir() and path.name not in running:
            shutil.rmtree(path, ignore_errors=True)
