"""Case record: folder, log of all steps, hashes of all inputs and outputs, and the seal.

The log is a hash chain (`core.hash_chain`). Its last hash cannot be part of a report whose own hash is in the log, so there are
two heads. The *examination head* is the hash of the entry `examined`, after the last result and before any output, and is
printed in the report. The *closing head* is in head.txt, and must be sent to the other party or time-stamped, because anyone
with the folder could write a new chain.
"""

import errno
import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from dfworkbench.core.errors import MediaError, OutputError
from dfworkbench.core.hash_chain import FIRST_PREVIOUS, INTERRUPTED, HashChain, check_chain, utc_now
from dfworkbench.core.provenance import file_hash
from dfworkbench.core.workspace import Workspace, atomic_path, explain_write
from dfworkbench.media.container import require_regular
from dfworkbench.media.walk import readable

#: Format version of the record: its files, events and their fields. `verify_case` refuses newer ones.
FORMAT = 1
LOG, HEAD, MANIFEST = "log.jsonl", "head.txt", "manifest.json"
PAGE, CASE = "report.html", "case.json"

OPENED, INPUT, EXAMINED, OUTPUT = "opened", "input", "examined", "output"
#: Roles of inputs; further roles are named by their readers ("weights", "settings", "videos.csv").
EVIDENCE, EVIDENCE_AFTER = "evidence", "evidence, afterwards"
_MOST_FOLDERS = 10_000


@dataclass(frozen=True)
class InputHash:
    """Hash of an input file.

    Attributes:
        path: Path as given.
        bytes: Number of bytes hashed.
        sha256: SHA-256 of its content, following links.
        target: Target of a link; None if it is not a link.
    """

    path: Path
    bytes: int
    sha256: str
    target: Path | None = None


def cases_folder(workspace: Workspace) -> Path:
    """Folder of all cases, report/cases/."""
    return workspace.root / "report" / "cases"


def place_of(path: Path | str, root: Path) -> str:
    """A path as written in a case, which others will read: relative to the workspace, or only the name if elsewhere.

    Paths given relative to another folder are kept as given.
    """
    given = Path(path)
    if not given.is_absolute():
        return str(path)
    return str(given.relative_to(root)) if given.is_relative_to(root) else given.name


def hash_input(path: Path) -> InputHash:
    """Hash a file in chunks; it is opened read-only.

    Raises:
        MediaError: It is missing, not a regular file, or unreadable.
    """
    path = Path(path)
    require_regular(path)
    try:
        with path.open("rb") as stream:
            sha256 = hashlib.file_digest(stream, "sha256").hexdigest()
            size = stream.tell()
    except OSError as error:
        raise MediaError(
            f"hashing {path}: {error.strerror or error}. Expected a file that can be read to its end: check the disk and the "
            "permissions."
        ) from error
    return InputHash(path, size, sha256, path.resolve() if path.is_symlink() else None)


class Record:
    """A case during examination: its own folder with a log.

    Use it as a context manager. If the work is stopped or fails, the log ends with the event "interrupted", and finished files
    are kept.

    Args:
        folder: A folder that does not exist yet (see `Record.create`).
        root: Folder of the workspace, to which input paths are relative (see `place_of`); None: as given.
        **opened: Content of the first log entry: command, settings, examiner.

    Raises:
        OutputError: The folder exists or cannot be created.
    """

    def __init__(self, folder: Path, root: Path | None = None, **opened: Any) -> None:
        utc_now()  # refuse an invalid SOURCE_DATE_EPOCH before creating a folder
        self.folder, self._root = folder, root
        self._examination_head = ""
        with explain_write(folder, "a case"):
            folder.mkdir(parents=True)
        self.log = HashChain(folder / LOG)
        self.add(OPENED, format=FORMAT, **opened)

    @classmethod
    def create(cls, cases: Path, case: str, root: Path | None = None, **opened: Any) -> Self:
        """Open a record in a new folder: `case`, or `case-2` and so on if taken. Nothing is ever overwritten.

        The first entry names the head of the preceding case.

        Args:
            cases: Folder of all cases.
            case: Name of the case, a valid folder name (`core.safe_paths.require_folder_name`).
            root: As in `Record`.
            **opened: Further content of the first entry.
        """
        earlier: dict[str, str] = {}
        for number in range(1, _MOST_FOLDERS):
            folder = cases / (case if number == 1 else f"{case}-{number}")
            try:
                return cls(folder, root, case=case, **({"earlier": earlier} if earlier else {}), **opened)
            except OutputError as error:
                if error.errno != errno.EEXIST:
                    raise
                earlier = {"folder": folder.name, "head": _head_of(folder)}
        raise OutputError(
            f"making a folder for the case {case!r} in {cases}: {_MOST_FOLDERS:,} already exist. Choose another name."
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if not self.log.is_open:
            return
        try:
            if error is not None and not isinstance(error, KeyboardInterrupt):
                self.add("error", kind=type(error).__name__, message=str(error))
            self.log.close(INTERRUPTED, reason="stopped" if isinstance(error, KeyboardInterrupt) else "not sealed")
        except OutputError:  # full disk: the log ends with the last entry written
            self.log.release()

    def add(self, event: str, **data: Any) -> str:
        """Record an event, and return the new head of the log."""
        return self.log.add(event, **data)

    def add_input(self, path: Path, role: str) -> InputHash:
        """Hash an input file and record it.

        Raises:
            MediaError: It is missing, not a regular file, or unreadable; nothing was recorded.
        """
        found = hash_input(path)
        target = {} if found.target is None else {"target": self._place(found.target)}
        self.add(INPUT, path=self._place(found.path), bytes=found.bytes, sha256=found.sha256, role=role, **target)
        return found

    def _place(self, path: Path) -> str:
        return readable(path if self._root is None else place_of(path, self._root))

    def examined(self, **data: Any) -> str:
        """Record that the last result is in, and return the examination head, which the outputs written afterwards show."""
        self._examination_head = self.add(EXAMINED, **data)
        return self._examination_head

    def seal(self) -> str:
        """Hash all files of the folder, write the manifest, close the log, write head.txt, and return the closing head.

        Raises:
            OutputError: A file cannot be written, or read back.
        """
        files = {path.relative_to(self.folder).as_posix(): path for path in files_of(self.folder)}
        with explain_write(self.folder, "a case"):
            hashes = {name: file_hash(path) for name, path in files.items() if name not in (LOG, HEAD, MANIFEST)}
        for name, sha256 in hashes.items():
            self.add(OUTPUT, path=name, sha256=sha256)
        with atomic_path(self.folder / MANIFEST, "the manifest") as temporary:
            temporary.write_text(
                json.dumps(hashes, indent=1, sort_keys=True, ensure_ascii=False) + "\n", encoding="utf-8"
            )
        self.add(OUTPUT, path=MANIFEST, sha256=file_hash(self.folder / MANIFEST))
        closing_head = self.log.close(entries=len(self.log.entries) + 1)
        with atomic_path(self.folder / HEAD, "the closing head") as temporary:
            temporary.write_text(head_text(self._examination_head, closing_head), encoding="utf-8")
        return closing_head


def head_text(examination_head: str, closing_head: str) -> str:
    """Content of head.txt."""
    return (
        f"closing head: {closing_head}\n"
        f"examination head: {examination_head or 'none'}\n"
        "\n"
        "The closing head is the SHA-256 of the last entry of log.jsonl, which holds the hash of every file of this case.\n"
        "Send this to the other side, or have it time-stamped: a folder can be rewritten by whoever holds it, a hash that\n"
        "somebody else has cannot.\n"
    )


def files_of(folder: Path) -> Iterator[Path]:
    """All files and links below a folder, sorted by path."""
    yield from sorted(path for path in folder.rglob("*") if path.is_symlink() or not path.is_dir())


def _head_of(folder: Path) -> str:
    """Head of the intact part of the log in a folder; 64 zeros if there is none."""
    try:
        return check_chain((folder / LOG).read_bytes()).head
    except OSError:
        return FIRST_PREVIOUS
