"""Whether a kernel serves a visitor of `dfworkbench app`, and where that visitor's files are."""

import os
from pathlib import Path
from typing import NamedTuple

from dfworkbench.core.workspace import find_workspace

#: Variables that `dfworkbench app` sets for its kernels: folder of all uploads of this server, and maximum size in bytes.
UPLOADS_VARIABLE, MOST_VARIABLE = "DFWORKBENCH_APP_UPLOADS", "DFWORKBENCH_APP_MOST_BYTES"
#: Largest file accepted in JupyterLab: its user can put any file into the workspace, so this only prevents mistakes.
_MOST_IN_LAB = 8_000_000_000


class Visit(NamedTuple):
    """A visitor: their upload folder, named after their kernel, and the largest file accepted."""

    folder: Path
    most_bytes: int


def visit() -> Visit | None:
    """The visitor served by this kernel; None outside `dfworkbench app`."""
    uploads = os.environ.get(UPLOADS_VARIABLE)
    if not uploads:
        return None
    from ipykernel.connect import get_connection_file

    return Visit(Path(uploads) / kernel_of(get_connection_file()), int(os.environ[MOST_VARIABLE]))


def kernel_of(connection_file: str) -> str:
    """The id of a kernel, taken from the name of its connection file."""
    return Path(connection_file).stem.removeprefix("kernel-")


def upload_place() -> Visit:
    """Where uploads of this kernel go: the visitor's folder, or data/uploads/ of the workspace in JupyterLab."""
    return visit() or Visit(find_workspace().data / "uploads", _MOST_IN_LAB)
