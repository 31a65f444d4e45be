"""Hash-chained log: one canonical JSON object per line, each with the SHA-256 of the line before it.

A line has the fields n, time, event, data, previous and hash; `hash` is the SHA-256 of the line without it, and the first
`previous` is 64 zeros. `check_chain` finds any later change to a line. It cannot detect a complete new chain, which anyone with
the file can write, so keep the last hash (the head) elsewhere. The canonical form follows RFC 8785 (sorted keys, no blanks,
UTF-8, no NaN), except that floating-point numbers are strings made by `repr`, so that programs cannot differ in how they write
them.
"""

import errno
import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from dfworkbench.core.errors import ParameterError
from dfworkbench.core.workspace import explain_write

FIRST_PREVIOUS = "0" * 64
CLOSED = "closed"
INTERRUPTED = "interrupted"
_FIELDS = {"n", "time", "event", "data", "previous", "hash"}


def canonical(value: Any) -> bytes:
    """Canonical JSON of a value: sorted keys, no blanks, UTF-8. Floats must already be strings (`plain`).

    Raises:
        ValueError: NaN or infinity.
        TypeError: A type that JSON does not have.
    """
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode("utf-8")


def plain(value: Any) -> Any:
    """Convert a value for `canonical`: floats to their `repr`, tuples to lists, keys and paths to strings.

    numpy scalars count as Python numbers. NaN becomes None. Lone surrogates, which stand for undecodable bytes of file names
    and do not exist in UTF-8, are escaped.
    """
    if isinstance(value, Mapping):
        return {_text(str(key)): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, str):
        return _text(value)
    if value is None or isinstance(value, bool | int):
        return value
    if hasattr(value, "tolist"):  # numpy arrays and scalars
        return plain(value.tolist())
    if isinstance(value, float):
        return None if value != value else repr(value)
    return _text(str(value))


def utc_now() -> str:
    """Current UTC time to the second, as ISO 8601; SOURCE_DATE_EPOCH overrides it, so that runs can be repeated.

    Raises:
        ParameterError: SOURCE_DATE_EPOCH is not a number of seconds.
    """
    given = os.environ.get("SOURCE_DATE_EPOCH", "")
    try:
        moment = datetime.fromtimestamp(int(given), UTC) if given else datetime.now(UTC)
    except (ValueError, OverflowError, OSError) as error:
        raise ParameterError(
            f"reading the time: the variable SOURCE_DATE_EPOCH is {given!r}, expected seconds since 1970 as a whole number. "
            "Correct it, or unset it."
        ) from error
    return moment.isoformat(timespec="seconds")


@dataclass(frozen=True)
class Entry:
    """One line of a log.

    Attributes:
        n: Number of the line, from 0.
        time: UTC, to the second.
        event: What happened, one word.
        data: Details of the event: plain values, floats as strings.
        previous: Hash of the entry before.
        hash: SHA-256 of this entry.
    """

    n: int
    time: str
    event: str
    data: dict[str, Any]
    previous: str
    hash: str

    @property
    def line(self) -> bytes:
        """The entry as written in the file, without the line end."""
        return canonical(vars(self))


class HashChain:
    """A log being written; every entry reaches the disk before work continues.

    Args:
        path: The file; it must not exist, because a log is never appended to another run's.

    Raises:
        OutputError: The file exists or cannot be written.
    """

    def __init__(self, path: Path) -> None:
        self.path = Path(path)
        self.entries: list[Entry] = []
        with explain_write(self.path, "the log"):
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._file = self.path.open("xb", buffering=0)  # so that an interrupt leaves no line in a buffer

    @property
    def head(self) -> str:
        """Hash of the last entry; 64 zeros before the first."""
        return self.entries[-1].hash if self.entries else FIRST_PREVIOUS

    @property
    def is_open(self) -> bool:
        """Whether entries can be added."""
        return not self._file.closed

    def add(self, event: str, **data: Any) -> str:
        """Append an entry.

        Args:
            event: What happened, one word.
            **data: Details to record, converted by `plain`.

        Returns:
            The new head.

        Raises:
            OutputError: The disk is full; the entry is not part of the log.
            ValueError: The log is closed.
        """
        if not self.is_open:
            raise ValueError(f"adding {event!r} to the log {self.path}: it is closed, and never appended to")
        fields = {"n": len(self.entries), "time": utc_now(), "event": event, "data": plain(data), "previous": self.head}
        entry = Entry(**fields, hash=hashlib.sha256(canonical(fields)).hexdigest())
        with explain_write(self.path, "the log"):
            self._write(entry.line + b"\n")
            self.entries.append(entry)
            os.fsync(self._file.fileno())
        return self.head

    def _write(self, line: bytes) -> None:
        """Write a whole line or nothing."""
        start = self._file.tell()
        try:
            if self._file.write(line) < len(line):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        except OSError:
            self._file.truncate(start)
            self._file.seek(start)
            raise

    def close(self, event: str = CLOSED, **data: Any) -> str:
        """Add the last entry, "closed" or "interrupted", and return the closing head."""
        head = self.add(event, **data)
        self._file.close()
        return head

    def release(self) -> None:
        """Close the file without a last entry, for example on a full disk; `check_chain` then reports that the log ends early."""
        self._file.close()


@dataclass(frozen=True)
class Checked:
    """Result of checking a log.

    Attributes:
        entries: Its entries up to the first bad line.
        bad_line: Number of the first bad line, from 0; None for an intact log. A log that ends early is bad after its last line.
        why: What is wrong, in words; "" for an intact log.
    """

    entries: tuple[Entry, ...]
    bad_line: int | None = None
    why: str = ""

    @property
    def holds(self) -> bool:
        """Whether the log is intact and closed."""
        return self.bad_line is None

    @property
    def head(self) -> str:
        """Hash of the last good entry."""
        return self.entries[-1].hash if self.entries else FIRST_PREVIOUS


def check_chain(content: bytes) -> Checked:
    """Check a log: lines are canonical, numbered in order and match their hashes, and the last event is "closed".

    Args:
        content: The file's bytes.
    """
    if not content.endswith(b"\n"):
        return Checked((), 0, "the log does not end with a line feed: it is cut off or empty")
    entries: list[Entry] = []
    previous = FIRST_PREVIOUS
    for n, line in enumerate(content[:-1].split(b"\n")):
        entry, why = _read_line(line)
        if entry is None:
            return Checked(tuple(entries), n, why)
        if type(entry.n) is not int or entry.n != n or entry.previous != previous:
            return Checked(tuple(entries), n, "the line is not the successor of the line before")
        unhashed = {name: value for name, value in vars(entry).items() if name != "hash"}
        if hashlib.sha256(canonical(unhashed)).hexdigest() != entry.hash:
            return Checked(tuple(entries), n, "the hash does not fit the content of the line")
        entries.append(entry)
        previous = entry.hash
    if entries[-1].event != CLOSED:
        return Checked(
            tuple(entries), len(entries), f"the log ends early, with {entries[-1].event!r} and not {CLOSED!r}"
        )
    return Checked(tuple(entries))


def _read_line(line: bytes) -> tuple[Entry | None, str]:
    try:
        fields = json.loads(line.decode("utf-8"))
        if not isinstance(fields, dict) or set(fields) != _FIELDS or not isinstance(fields["data"], dict):
            return None, "the line has other fields than a log's"
        if canonical(fields) != line:
            return None, "the line is not in canonical form"
    except (ValueError, RecursionError):  # not UTF-8, not JSON, NaN, lone surrogates
        return None, "the line is not JSON"
    return Entry(**fields), ""


def _text(text: str) -> str:
    return text.encode("utf-8", "backslashreplace").decode("utf-8")
