"""The `.part` file of a download: bytes received so far, hashed as they are written, and what is needed to resume."""

import contextlib
import hashlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import BinaryIO

from dfworkbench.core.workspace import atomic_path, explain_write

_BLOCK = 1 << 20


class PartFile:
    """The bytes of a file received so far. An aborted download leaves it behind, and the next one continues.

    Beside FILE.part is FILE.part.json with its address and the validator by which the server distinguishes versions of the file
    (ETag, else Last-Modified). From another address, such as a mirror, a download continues only if the hash of the whole file is
    known.

    Attributes:
        path: FILE.part.
        size: Number of bytes received.
        validator: Validator of the version; "" if the server gave none.
    """

    def __init__(self, target: Path, address: str, *, unmarked: bool) -> None:
        """Pick up what an earlier download of `target` from `address` left.

        Args:
            target: Final path of the file.
            address: Where it is downloaded from.
            unmarked: Whether a part without validator may be continued, because the whole file's hash is known.
        """
        self.path = target.with_name(f"{target.name}.part")
        self._note, self._address, self._stream = target.with_name(f"{target.name}.part.json"), address, None
        self.size, self.validator, self._hash = 0, "", hashlib.sha256()
        if self.path.is_symlink():  # made by someone else with access to the folder: its target would be overwritten
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
        """SHA-256 of the bytes received so far."""
        return self._hash.hexdigest()

    @property
    def range_headers(self) -> dict[str, str]:
        """Headers that request the rest, or the whole file if it has changed since; none at the beginning."""
        if not self.size:
            return {}
        marked = {"If-Range": self.validator} if self.validator else {}
        return {"Range": f"bytes={self.size}-", **marked}

    def restart(self) -> None:
        """Discard what was received so far."""
        self.size, self.validator, self._hash = 0, "", hashlib.sha256()
        if self._stream is not None:
            self._stream.seek(0)
            self._stream.truncate()
        else:
            self.path.unlink(missing_ok=True)
        self._note.unlink(missing_ok=True)

    def mark(self, headers: Mapping[str, str]) -> None:
        """Record the version of the next bytes, from the response headers; written before any of the bytes."""
        self.validator = _mark_in(headers)
        with atomic_path(self._note, "the state of a download") as temporary:
            temporary.write_text(json.dumps({"address": self._address, "validator": self.validator}))

    def is_of_another(self, headers: Mapping[str, str]) -> bool:
        """Whether a partial response belongs to another version: not all servers respect `If-Range`."""
        return bool(self.validator and (mark := _mark_in(headers)) and mark != self.validator)

    @contextlib.contextmanager
    def writing(self) -> Iterator[None]:
        """Context manager: open the part for `append`.

        Raises:
            OutputError: It cannot be written, or the disk is full; received bytes are kept.
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
        """Move the finished file into place, in one step."""
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
    """Validator by which a server distinguishes versions of a file, "" if there is none."""
    tag = headers.get("ETag", "")
    # a weak tag means equivalent content, not equal bytes: it cannot continue a file (RFC 9110, 13.1.5)
    return headers.get("Last-Modified", "") if not tag or tag.startswith("W/") else tag
