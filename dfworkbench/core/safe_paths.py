"""Check untrusted names and paths before anything is read, written or removed below them.

A table, list or metadata file names videos, crops and masks; a person names data sets and runs. Such a name becomes part of a
path, so it is checked once, where it enters: `path_problem` for names out of files, `require_folder_name` for names that a
person gave. `require_below` is asked before writing: it follows links.
"""

import os
import re
import sys
import unicodedata
from pathlib import Path

from dfworkbench.core.errors import OutputError, ParameterError

MOST_CHARACTERS = 1000  # of a path; Linux takes 4,096 bytes with the folders above it
MOST_IN_PART = 240  # bytes between two slashes; file systems take 255, and our files add a suffix
#: Most names; spares a look at every letter.
_USUAL = re.compile(r"(?:\w[\w.+#@ -]{0,200}/)*\w[\w.+#@ -]{0,200}", re.ASCII)
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")  # the category Cc of Unicode
_DRIVE = re.compile(r"[A-Za-z]:")
_BIDI = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")  # they reorder what a reader sees


def path_problem(text: object) -> str:
    """What is wrong with a relative path that a file gives, in words that follow the path; "" if it is fine.

    A path is fine if, appended to a folder, it leads to a place below that folder on every system.
    """
    if not isinstance(text, str) or not text:
        return "is empty or no text"
    if len(text) <= MOST_CHARACTERS and _USUAL.fullmatch(text):
        return ""
    if len(text) > MOST_CHARACTERS:
        return f"has {len(text):,} characters, more than {MOST_CHARACTERS:,}"
    if any(unicodedata.category(sign) == "Cc" or sign in _BIDI for sign in text):
        return "holds control characters"
    if "\\" in text:
        return "holds a backslash"
    if text.startswith("/") or _DRIVE.match(text):
        return "is absolute"
    parts = text.split("/")
    if any(part in ("", ".", "..") for part in parts):
        return "has an empty part, '.' or '..'"
    try:
        longest = max(len(os.fsencode(part)) for part in parts)
    except UnicodeEncodeError:
        return "holds signs that no file name can hold"
    return f"has a part of {longest} bytes, more than {MOST_IN_PART}" if longest > MOST_IN_PART else ""


def key_problem(text: object) -> str:
    """What is wrong with an identifier that names a row and no file; "" if it is fine."""
    if not isinstance(text, str) or not text:
        return "is empty or no text"
    return "holds control characters" if _CONTROL.search(text) else ""


def require_folder_name(doing: str, name: str) -> str:
    """Return a name that a person gave to a data set, sweep or run, if it can be the name of one folder.

    Raises:
        ParameterError: It is empty, hidden or more than one folder.
    """
    problem = path_problem(name) or ("begins with '.'" if name.startswith(".") else "")
    if problem or "/" in name or ":" in name:
        raise ParameterError(
            f"{doing}: the name {printable(str(name))!r} {problem or 'holds a / or :'}. Expected the name of a single folder: "
            "letters, digits, - and _. Choose another."
        )
    return name


def require_below(path: Path, base: Path, doing: str) -> Path:
    """Return `path` if, with all links followed, it lies below `base`; the last links may stand for what is not there yet.

    Raises:
        OutputError: It leads elsewhere; nothing was written or removed.
    """
    reached, home = Path(path).resolve(), Path(base).resolve()
    if reached == home or not reached.is_relative_to(home):
        raise OutputError(
            f"{doing}: {printable(str(path))} leads to {printable(str(reached))}, which is not below {home}. Nothing was written "
            "or removed there. If a link leads out on purpose, replace it by a folder, or link the whole "
            f"{home.name}/ folder."
        )
    return path


def printable(text: str) -> str:
    """A text for a terminal or log: control characters, which could move the cursor or hide words, are spelled out.

    Line ends and tabs stay.
    """
    return "".join(
        sign
        if sign in "\n\t" or (unicodedata.category(sign) not in ("Cc", "Cs") and sign not in _BIDI)
        else sign.encode("unicode_escape", "surrogatepass").decode()
        for sign in text
    )


def say(text: str) -> None:
    """Print a line for a person; what it quotes from files of strangers cannot steer the terminal."""
    sys.stdout.write(printable(text) + "\n")
    sys.stdout.flush()  # long commands are watched through pipes
