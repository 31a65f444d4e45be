"""Change one byte of a copy of a case and verify the copy: shows a reader what the record is good for."""

import shutil
import tempfile
from pathlib import Path

from dfworkbench.core.errors import DataNotFoundError
from dfworkbench.evidence.record import PAGE
from dfworkbench.evidence.verify import Verification, verify_case


def verify_tampered_copy(folder: Path | str, name: str = PAGE, at: int | None = None) -> Verification:
    """Copy a case, flip the lowest bit of one byte in the copy, verify the copy and throw it away. The case stays as it is.

    Args:
        folder: The case.
        name: File in it to change.
        at: Place of the byte; None for the middle of the file.

    Raises:
        DataNotFoundError: There is no such file in the case, or it is empty.
    """
    folder = Path(folder)
    with tempfile.TemporaryDirectory(prefix="dfworkbench_case_") as scratch:
        copy = Path(scratch) / folder.name
        shutil.copytree(folder, copy, symlinks=True)
        target = copy / name
        content = bytearray(target.read_bytes() if target.is_file() else b"")
        if not content:
            raise DataNotFoundError(
                f"changing a byte of a copy of {folder}: it has no file {name!r} with content. Expected a file of the case: choose "
                "one of those that manifest.json lists."
            )
        content[len(content) // 2 if at is None else at] ^= 1
        target.write_bytes(content)
        return verify_case(copy)
