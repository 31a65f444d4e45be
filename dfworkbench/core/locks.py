"""Folder lock: a second process that wants to write is refused at once and told who holds the lock."""

import contextlib
import json
import os
import socket
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from filelock import FileLock, Timeout

from dfworkbench.core.errors import OutputError
from dfworkbench.core.workspace import explain_write

_LOCK, _HOLDER = ".lock", ".lock.json"


@contextlib.contextmanager
def held(folder: Path, doing: str) -> Iterator[None]:
    """Lock a folder for writing until the block ends.

    The lock is released when the process ends, however it ends; a leftover lock file has no effect.

    Args:
        folder: Created if missing.
        doing: What is being done, to start error messages, such as "training the run 'a'".

    Raises:
        OutputError: Another process holds the folder, or it cannot be written.
    """
    with explain_write(folder, "a lock"):
        folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(folder / _LOCK)
        try:
            lock.acquire(timeout=0)
        except Timeout:
            raise OutputError(
                0,
                f"{doing}: {_holder(folder)} is writing {folder}. Expected no other writer: wait until it has finished, stop it, "
                "or choose another name.",
            ) from None
    try:
        mine = {"process": os.getpid(), "machine": socket.gethostname(), "since": f"{datetime.now():%Y-%m-%d %H:%M:%S}"}
        with contextlib.suppress(OSError):  # the work itself reports a full disk
            (folder / _HOLDER).write_text(json.dumps(mine))
        yield
    finally:
        (folder / _HOLDER).unlink(missing_ok=True)
        lock.release()


def _holder(folder: Path) -> str:
    try:
        seen = json.loads((folder / _HOLDER).read_text())
        return f"process {seen['process']} on {seen['machine']} (since {seen['since']})"
    except (OSError, ValueError, KeyError, TypeError):
        return "another process"
