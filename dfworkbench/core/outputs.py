"""Overwrite protection: an output replaces only files that dfworkbench wrote."""

import csv
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from dfworkbench.core.errors import OutputError

_MARK = '<meta name="generator" content="dfworkbench">'
_HEAD = 100_000  # bytes searched for the mark; nbconvert's head is long, but the mark is its first entry
_OLD_REPORT = ":root {--ink: #1f2933; --soft: #5b6673"  # reports of earlier versions had no mark


@dataclass(frozen=True)
class OutputKind:
    """A kind of output: its name, its suffixes, and how a file written by dfworkbench is recognised."""

    words: str
    suffixes: tuple[str, ...]  # any, where there is none
    is_ours: Callable[[Path], bool]


def mark_page(page: str) -> str:
    """Add the mark by which dfworkbench recognises its own HTML pages."""
    head, tag, rest = page.partition("<head>")
    if not tag:
        head, tag, rest = page.partition('<meta charset="utf-8">')
    return f"{head}{tag}{_MARK}{rest}"


def require_replaceable(path: Path, kind: OutputKind) -> None:
    """Raise unless an output may be written to `path`: right suffix, and no file there that dfworkbench did not write.

    Links are followed. An empty file may be replaced.

    Raises:
        OutputError: Wrong suffix, a folder, a device, or a file that dfworkbench did not write.
    """
    if kind.suffixes and path.suffix not in kind.suffixes:
        raise OutputError(
            f"writing {kind.words} to {path}: its name ends in {path.suffix or 'no suffix'!r}, expected "
            f"{' or '.join(kind.suffixes)}. Nothing was written: choose another name."
        )
    if path.is_dir():
        raise OutputError(f"writing {kind.words} to {path}: that is a folder, expected a file. Name a file in it.")
    if path.exists() and not _may_go(path, kind):
        raise OutputError(
            f"writing {kind.words} to {path}: there is already a file that dfworkbench did not write as {kind.words}. It was left "
            "as it is: choose another name, or move it away."
        )


def require_other(path: Path, source: Path, kind: OutputKind) -> None:
    """Raise `OutputError` if an output would overwrite its own source file, directly or through a link."""
    if path.exists() and source.exists() and path.samefile(source):
        raise OutputError(
            f"writing {kind.words} to {path}: that is the file being read, {source}. Nothing was written: choose another name."
        )


def _may_go(path: Path, kind: OutputKind) -> bool:
    try:
        return path.is_file() and (not path.stat().st_size or kind.is_ours(path))
    except (OSError, ValueError):  # unreadable, or not of the type that its suffix says
        return False


def _is_executed_notebook(path: Path) -> bool:
    content = json.loads(path.read_text(encoding="utf-8"))
    return isinstance(content, dict) and "cells" in content and "papermill" in content.get("metadata", {})


def _is_page(path: Path) -> bool:
    with path.open("rb") as stream:
        head = stream.read(_HEAD).decode("utf-8", errors="replace")
    return _MARK in head or _OLD_REPORT in head


def _is_score_table(path: Path) -> bool:
    if path.suffix == ".parquet":
        from pyarrow.parquet import read_schema  # ArrowInvalid is a ValueError

        names = set(read_schema(path).names)
    else:
        names = _headers(path)
    return "label" in names and not names.isdisjoint(("score", "fake_probability"))


def _headers(path: Path) -> set[str]:
    with path.open(encoding="utf-8-sig", newline="") as stream:
        return {name.lower() for name in next(csv.reader([stream.readline(_HEAD)]), [])}


NOTEBOOK = OutputKind("an executed notebook", (".ipynb",), _is_executed_notebook)
PAGE = OutputKind("a page", (".html",), _is_page)
SCORE_TABLE = OutputKind("a score table", (".csv", ".parquet"), _is_score_table)
SCORE_CSV = OutputKind("a score file", (".csv",), _is_score_table)
LEADERBOARD = OutputKind("a leaderboard", (), lambda path: {"name", "protocol", "metric"} <= _headers(path))
ANNOTATED = OutputKind("an annotated copy", (), lambda path: path.stem.endswith("_annotated"))
