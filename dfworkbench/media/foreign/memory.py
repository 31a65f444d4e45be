"""Memory limits for reading untrusted files, and JSON parsing within them.

A file of a few bytes can ask for gigabytes. `read_json` and `require_cells` estimate the size of the result before parsing.
`bounded_memory` limits the whole process, for libraries that allocate what a header says (HDF5, Parquet, pictures).
"""

import contextlib
import json
import threading
from collections.abc import Generator
from pathlib import Path
from typing import Any

from dfworkbench.core.errors import WorkbenchError

#: Memory that reading may use beyond the size of the file.
MOST_EXTRA_BYTES = 2 * 10**9
#: Bytes that Python objects take per opening or separating character, measured with CPython 3.11, rounded up.
_OBJECT, _LIST, _VALUE = 200, 100, 100
_CELL = 40


def parse_json(data: bytes | str) -> Any:
    """Parse JSON whose result stays within the memory limit.

    Raises:
        ValueError: It is not JSON, is nested too deeply, or would take too much memory.
    """
    data = data.encode() if isinstance(data, str) else data
    grown = len(data) + _OBJECT * data.count(b"{") + _LIST * data.count(b"[") + _VALUE * data.count(b",")
    if grown > len(data) + MOST_EXTRA_BYTES:
        raise ValueError(f"it would take about {grown / 1e9:.1f} GB of memory")
    try:
        return json.loads(data)
    except RecursionError:
        raise ValueError("it is nested too deep") from None


def read_json(path: Path) -> Any:
    """Read a UTF-8 JSON file whose result stays within the memory limit.

    Raises:
        OSError: It cannot be read.
        ValueError: As `parse_json`; also if it is not text.
    """
    return parse_json(path.read_bytes())


def require_cells(path: Path, doing: str, error: type[WorkbenchError], most_columns: int = 10_000) -> None:
    """Refuse a text table that would take far more memory than its size.

    Raises:
        WorkbenchError: Of type `error`.
    """
    cells, first = 0, True
    with path.open("rb") as file:
        while block := file.read(1 << 24):
            if first and (wide := max(map(block.partition(b"\n")[0].count, (b",", b";", b"\t")))) > most_columns:
                raise error(f"{doing}: {path} has {wide:,} columns; expected at most {most_columns:,}. Leave some out.")
            cells += max(map(block.count, (b",", b";", b"\t"))) + block.count(b"\n")
            first = False
    if cells * _CELL > MOST_EXTRA_BYTES:
        raise error(
            f"{doing}: {path} has about {cells:,} cells, which take more than {MOST_EXTRA_BYTES / 1e9:.0f} GB. Expected at most "
            f"{MOST_EXTRA_BYTES // _CELL:,}: split the table, or write it as Parquet."
        )


@contextlib.contextmanager
def bounded_memory(path: Path, doing: str, error: type[WorkbenchError]) -> Generator[None]:
    """Limit the memory growth of this process to the file's size plus `MOST_EXTRA_BYTES` while it reads a file.

    On systems without such a limit (Windows, macOS), this does nothing. Other threads are under the same limit meanwhile.

    Raises:
        WorkbenchError: Of type `error`, if reading asked for more.
    """
    extra = MOST_EXTRA_BYTES + (path.stat().st_size if path.is_file() else 0)
    try:
        with _FENCE.within(extra):
            yield
    except MemoryError as failed:
        raise error(
            f"{doing}: {path} asks for more than {MOST_EXTRA_BYTES / 1e9:.0f} GB of memory beyond its own size. Expected a file "
            "that grows little when it is read: it is damaged or made to exhaust memory. Get it again, or leave it out."
        ) from failed


class _Fence:
    """Address-space limit of the whole process: set by the first reader, lifted by the last."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._readers = 0
        self._before: tuple[int, int] | None = None  # not a pair of -1: that means "unlimited"

    @contextlib.contextmanager
    def within(self, extra: int) -> Generator[None]:
        with self._lock:
            self._readers += 1
            self._set(extra)
        try:
            yield
        finally:
            with self._lock:
                self._readers -= 1
                self._lift()

    def _set(self, extra: int) -> None:
        if (used := _address_space()) is None:
            return
        import resource

        soft, hard = resource.getrlimit(resource.RLIMIT_AS)
        if self._readers == 1:
            self._before = soft, hard
        most = used + extra if self._readers == 1 else max(soft, used + extra)
        own = soft if self._before is None else self._before[0]
        limits = [limit for limit in (own, hard) if limit != resource.RLIM_INFINITY]
        resource.setrlimit(resource.RLIMIT_AS, (min([most, *limits]), hard))

    def _lift(self) -> None:
        if self._readers == 0 and self._before is not None:
            import resource

            resource.setrlimit(resource.RLIMIT_AS, self._before)
            self._before = None


_FENCE = _Fence()


def _address_space() -> int | None:
    """Bytes of address space used by this process; None if Linux's /proc does not tell."""
    with contextlib.suppress(OSError, ValueError):
        import resource

        return int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    return None
