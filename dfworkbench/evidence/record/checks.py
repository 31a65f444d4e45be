"""Verify a case folder against its log: output files, heads, results, evidence and other inputs."""

import hashlib
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dfworkbench.core.errors import MediaError
from dfworkbench.core.hash_chain import Checked, Entry
from dfworkbench.core.safe_paths import path_problem, printable
from dfworkbench.evidence.case_json import hash_results
from dfworkbench.evidence.record.folder import (
    CASE,
    EVIDENCE,
    EVIDENCE_AFTER,
    EXAMINED,
    HEAD,
    INPUT,
    LOG,
    MANIFEST,
    OUTPUT,
    PAGE,
    files_of,
    hash_input,
    head_text,
)
from dfworkbench.media.foreign import parse_json
from dfworkbench.media.walk import walk

SAME, CHANGED, MISSING, UNKNOWN, ELSEWHERE = "same", "changed", "missing", "unknown", "not here"
_NETWORK_PATH = re.compile(r"[\\/]{2}")  # an untrusted log must not make this machine contact another one


@dataclass(frozen=True)
class Finding:
    """Result of verifying one file or one statement of the record.

    Attributes:
        name: Path in the case folder, path of an input, or what was compared.
        status: "same", "changed", "missing", "unknown" (not recorded), or "not here" (an input that is elsewhere).
        why: What differs; "" if nothing does.
    """

    name: str
    status: str
    why: str = ""

    @property
    def differs(self) -> bool:
        """Whether it differs from the record. An input that is elsewhere does not count as different."""
        return self.status in (CHANGED, MISSING, UNKNOWN)

    def __str__(self) -> str:
        return f"{self.status:8}  {printable(self.name)}" + (f": {printable(self.why)}" if self.why else "")


def check_outputs(folder: Path, log: Checked) -> Iterator[Finding]:
    """One finding per file in the folder, and per missing file."""
    yield _equal(LOG, log.holds, f"line {log.bad_line}: {log.why}")
    heads = hashlib.sha256(head_text(examination_head(log), log.head).encode()).hexdigest()
    yield _compare(folder, HEAD, heads, "its heads are not those of the log")
    expected = _outputs_by_log(log) or _outputs_by_manifest(folder)
    for name, sha256 in sorted(expected.items()):
        if problem := path_problem(name):  # such a path may lead out of the folder
            yield Finding(name, CHANGED, f"the record names a path that {problem}")
        else:
            yield _compare(folder, name, sha256, "it is not the file that was written")
    for path in files_of(folder):
        name = path.relative_to(folder).as_posix()
        if name not in expected and name not in (LOG, HEAD):
            why = (
                "the log, which records its hash, is not intact" if name == MANIFEST else "the record does not name it"
            )
            yield Finding(name, UNKNOWN, why)


def check_heads(folder: Path, log: Checked, closing_head: str) -> Iterator[Finding]:
    """Whether page, case.json and a separately kept closing head ("" for none) agree with the log."""
    if closing_head:
        yield _equal("closing head", closing_head == log.head, f"the log has {log.head}, given was {closing_head}")
    head = examination_head(log)
    page, case = _read(folder / PAGE), _read(folder / CASE)
    if page is not None:
        told = bool(head) and head.encode() in page
        yield _equal(f"examination head in {PAGE}", told, f"the log has {head or 'none'}")
    if case is not None:
        values = _parse(case)
        told = str(values.get("examination_head"))
        yield _equal(f"examination head in {CASE}", told == head, f"the log has {head or 'none'}")
        yield _check_results(values, _examined(log))


def check_inputs(log: Checked, evidence: Sequence[Path], root: Path) -> Iterator[Finding]:
    """One finding per file of evidence, and per input that a rerun would need.

    Args:
        log: The log of the case.
        evidence: Files, or folders of files, claimed to be the evidence. Other inputs are searched for at their recorded paths.
        root: Folder of the workspace, which relative paths in the log refer to.
    """
    inputs = [entry.data for entry in log.entries if entry.event == INPUT and entry.data.get("role") != EVIDENCE_AFTER]
    examined = {str(data.get("sha256")): str(data.get("path")) for data in inputs if data.get("role") == EVIDENCE}
    names = {Path(path).name for path in examined.values()}
    seen: set[str] = set()
    for path in (file for one in evidence for file in _files_named(one, names)):
        try:
            found = hash_input(path).sha256
        except MediaError as error:
            yield Finding(str(path), MISSING, str(error))
        else:
            yield _equal(str(path), found in examined, "not the file that was examined")
            seen |= {found, str(path)}
    for data in inputs:
        given = data.get("role") == EVIDENCE and not seen.isdisjoint((str(data.get("sha256")), str(data.get("path"))))
        if not given:
            yield _check_input(data, root)


def _files_named(path: Path, names: Collection[str]) -> list[Path]:
    """The file itself or, for a folder, its files that have one of the names."""
    return [file for file in walk(path).files if file.name in names] or [path]


def examination_head(log: Checked) -> str:
    """Hash of the entry `examined`; "" if there is none."""
    entry = _examined(log)
    return entry.hash if entry else ""


def _examined(log: Checked) -> Entry | None:
    return next((entry for entry in log.entries if entry.event == EXAMINED), None)


def _equal(name: str, same: bool, why: str) -> Finding:
    return Finding(name, SAME) if same else Finding(name, CHANGED, why)


def _compare(folder: Path, name: str, sha256: str, why: str) -> Finding:
    path = folder / name
    if path.is_symlink():
        return Finding(name, CHANGED, "a link is there instead of a file")
    if not path.exists():
        return Finding(name, MISSING)
    try:
        return _equal(name, hash_input(path).sha256 == sha256, why)
    except MediaError as error:
        return Finding(name, CHANGED, str(error))


def _outputs_by_log(log: Checked) -> dict[str, str]:
    """Path -> SHA-256 of all outputs; empty if the log is not intact."""
    if not log.holds:
        return {}
    return {str(e.data.get("path")): str(e.data.get("sha256")) for e in log.entries if e.event == OUTPUT}


def _outputs_by_manifest(folder: Path) -> dict[str, str]:
    """The same from the manifest, for a log that is not intact, to report changed files as far as possible."""
    found = _parse(_read(folder / MANIFEST) or b"")
    return {str(name): str(sha256) for name, sha256 in found.items() if name not in (LOG, HEAD, MANIFEST)}


def _check_results(case: Mapping[str, Any], examined: Entry | None) -> Finding:
    name = f"results in {CASE}"
    try:
        found = hash_results(case["results"])
    except (KeyError, TypeError, ValueError):
        return Finding(name, CHANGED, "there are none that could be hashed")
    recorded = {str(case.get("results_sha256"))}
    if examined is not None and "results_sha256" in examined.data:
        recorded.add(str(examined.data["results_sha256"]))
    return _equal(name, recorded == {found}, f"their hash is {found}, recorded was {', '.join(sorted(recorded))}")


def _check_input(data: Mapping[str, Any], root: Path) -> Finding:
    path, role = str(data.get("path")), str(data.get("role"))
    name = f"{path} ({role})"
    try:
        if _NETWORK_PATH.match(path):
            raise MediaError("it was read from another machine")
        below = root / path  # earlier records: absolute paths, or relative to the working folder
        found = hash_input(below if below.exists() else Path(path)).sha256
    except (MediaError, OSError, ValueError):  # ValueError: a path with a zero byte
        why = "name it with --evidence PATH" if role == EVIDENCE else "the run cannot be reproduced from here"
        return Finding(name, ELSEWHERE, why)
    why = "not the file that was examined" if role == EVIDENCE else "the run cannot be reproduced from here"
    return _equal(name, found == data.get("sha256"), why)


def _read(path: Path) -> bytes | None:
    """Content of a file; None if missing or unreadable, which another finding reports."""
    try:
        return path.read_bytes() if path.is_file() else None
    except OSError:
        return None


def _parse(content: bytes) -> dict[str, Any]:
    try:
        found = parse_json(content)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
