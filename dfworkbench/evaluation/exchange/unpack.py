"""Decompress a gzipped score file into a temporary file, with a size limit."""

import contextlib
import gzip
import tempfile
import zlib
from collections.abc import Generator
from pathlib import Path

from dfworkbench.core.errors import TableError
from dfworkbench.media.foreign import MOST_EXTRA_BYTES


@contextlib.contextmanager
def unpacked(path: Path | str) -> Generator[Path]:
    """Yield the file itself or, for `.gz`, a temporary decompressed copy named without `.gz`.

    Raises:
        TableError: It is damaged, or larger than 2 GB when decompressed.
    """
    path = Path(path)
    if path.suffix != ".gz" or not path.is_file():
        yield path
        return
    with tempfile.TemporaryDirectory(prefix="dfworkbench-") as folder:
        out, seen = Path(folder) / path.stem, 0
        try:
            with gzip.open(path) as packed, out.open("wb") as plain:
                while block := packed.read(1 << 22):
                    seen += len(block)
                    if seen > MOST_EXTRA_BYTES:
                        raise TableError(
                            f"reading scores from {path}: it unpacks to more than {MOST_EXTRA_BYTES / 1e9:.0f} GB. Expected less: "
                            "split the table, or audit it with --detectors, which reads it block by block."
                        )
                    plain.write(block)
        except (OSError, EOFError, zlib.error) as error:
            raise TableError(
                f"reading scores from {path}: it is not a readable gzip file ({error}). Expected a packed CSV: get it again."
            ) from None
        yield out
