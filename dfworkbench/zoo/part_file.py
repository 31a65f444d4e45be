"""The `.part` file of a download: what came so far, hashed while it is written, and what is needed to continue it."""

import contextlib
import hashlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import BinaryIO

from dfworkbench.core.workspace import atomic_path, explain_write

_BLOCK = 1 << 20


class PartFile:
    """What came of a file so far. A killed download leaves it behind, and the next one continues.

    Beside FILE.part lies FILE.part.json with the address that it came from and the mark by which that server tells one version
    of the file from another (ETag, else Last-Modified). Another address, such as that of a mirror, continues the file only where
    the hash of the whole is known.

    Attributes:
        path: FILE.part.
        size: Bytes that are there.
        validator: Mark of the version; "" if the server gave none.
    """

    def __init__(self, target: Path, address: str, *, unmarked: bool) -> None:
        """Take up what an earlier download of `target` from `address` left.

        Args:
            target: What the part becomes.
            address: Where it comes from.
            unmarked: Whether a part without mark may be continued, because the whole file's hash is known.
        """
        self.path = target.with_name(f"{target.name}.part")
        self._note, self._address, self._stream = target.with_name(f"{target.name}.part.json"), address, None
        self.size, self.validator, self._hash = 0, "", hashlib.sha256()
        if self.path.is_symlink():  # of somebody who shares the folder: what it points to would be overwritten
            self.path.unlink()
        note = self._read_note()
        if note.get("address") == address:
            self.validator = str(note.get("validator", ""))
        if (self.validator or unmarked) and self.path.is_file():
            self._hash_what_is_there()
        else:
            self.restart()

    @property
    def sha256(self) -> str:
        """SHA-256 of the bytes that are there."""
        return self._hash.hexdigest()

    @property
    def range_headers(self) -> dict[str, str]:
        """The headers that ask for the rest, and for the whole if it is another version by now; none at the beginning."""
        if not self.size:
            return {}
        marked = {"If-Range": self.validator} if self.validator else {}
        return {"Range": f"bytes={self.size}-", **marked}

    def restart(self) -> None:
        """Forget what came so far."""
        self.size, self.validator, self._hash = 0, "", hashlib.sha256()
        if self._stream is not None:
            self._stream.seek(0)
            self._stream.truncate()
        else:
            self.path.unlink(missing_ok=True)
        self._note.unlink(missing_ok=True)

    def mark(self, headers: Mapping[str, str]) -> None:
        """Note the version of which the next bytes are, from the headers of the answer; written before any of them."""
        self.validator = _mark_in(headers)
        with atomic_path(self._note, "the state of a download") as temporary:
            temporary.write_text(json.dumps({"address": self._address, "validator": self.validator}))

    def is_of_another(self, headers: Mapping[str, str]) -> bool:
        """Whether an answer with the rest says that it is of another version: not all servers heed `If-Range`."""
        return bool(self.validator and (mark := _mark_in(headers)) and mark != self.validator)

    @contextlib.contextmanager
    def writing(self) -> Iterator[None]:
        """Open the part for `append` until the block ends.

        Raises:
            OutputError: It cannot be written, or the disk is full; what came is kept.
        """
        with explain_write(self.path, "a download"):
            self._stream = stream = self._open()
            try:
                yield
            finally:
                self._stream = None
                stream.close()

    def append(self, block: bytes) -> None:
        """Write the next bytes."""
        assert self._stream is not None
        self._stream.write(block)
        self._hash.update(block)
        self.size += len(block)

    def become(self, target: Path) -> None:
        """Put the finished file in its place, in one step."""
        with explain_write(target, "a download"):
            self.path.replace(target)
            self._note.unlink(missing_ok=True)

    def _open(self) -> BinaryIO:
        stream = self.path.open("r+b" if self.size else "wb")
        stream.seek(self.size)
        return stream

    def _read_note(self) -> dict[str, str]:
        try:
            note = json.loads(self._note.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return note if isinstance(note, dict) else {}

    def _hash_what_is_there(self) -> None:
        with self.path.open("rb") as stream:
            while block := stream.read(_BLOCK):
                self._hash.update(block)
                self.size += len(block)


def _mark_in(headers: Mapping[str, str]) -> str:
    """By what a server tells one version of a file from another, "" if by nothing."""
    tag = headers.get("ETag", "")
    # a weak tag says "means the same", not "has the same bytes": it cannot continue a file (RFC 9110, 13.1.5)
    return headers.get("Last-Modified", "") if not tag or tag.startswith("W/") else tag
