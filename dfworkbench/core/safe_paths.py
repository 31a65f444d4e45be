"""Check untrusted names and paths before anything is read, written or removed below them.

Tables, lists and metadata files name videos, crops and masks; users name data sets and runs. Such a name becomes part of a
path, so it is checked once, on entry: by `path_problem` if it comes from a file, by `require_folder_name` if a user gave it.
`require_below`, called before writing, follows links.
"""

import os
import re
import sys
import unicodedata
from pathlib import Path

from dfworkbench.core.errors import OutputError, ParameterError

MOST_CHARACTERS = 1000  # longest path; Linux allows 4,096 bytes including the parent folders
MOST_IN_PART = 240  # bytes between two slashes; file systems allow 255, and our files add a suffix
#: Matches most names, so that not every letter has to be checked.
_USUAL = re.compile(r"(?:\w[\w.+#@ -]{0,200}/)*\w[\w.+#@ -]{0,200}", re.ASCII)
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")  # the category Cc of Unicode
_DRIVE = re.compile(r"[A-Za-z]:")
_BIDI = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")  # reorder displayed text


def path_problem(text: object) -> str:
    """What is wrong with a relative path read from a file, phrased to follow the path; "" if it is fine.

    A path is fine if, appended to a folder, it stays below that folder on every system.
    """
    if not isinstance(text, str) or not text:
        return "is empty or not text"
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
        return "holds characters that no file name can hold"
    return f"has a part of {longest} bytes, more than {MOST_IN_PART}" if longest > MOST_IN_PART else ""


def key_problem(text: object) -> str:
    """What is wrong with an identifier of a row that is not a file; "" if it is fine."""
    if not isinstance(text, str) or not text:
        return "is empty or not text"
    return "holds control characters" if _CONTROL.search(text) else ""


def require_folder_name(doing: str, name: str) -> str:
    """Return a user-given name of a data set, sweep or run if it is a valid name of a single folder.

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
    """Return `path` if it is below `base` after following all links; it need not exist yet.

    Raises:
        OutputError: It leads elsewhere. Nothing was written or removed.
    """
    reached, home = Path(path).resolve(), Path(base).resolve()
    if reached == home or not reached.is_relative_to(home):
        raise OutputError(
            f"{doing}: {printable(str(path))} leads to {printable(str(reached))}, which is not below {home}. Nothing was written "
            "or removed there. If a link leads out on purpose, replace it with a folder, or link the whole "
            f"{home.name}/ folder."
        )
    return path


def printable(text: str) -> str:
    """Escape control characters, which could move the cursor or hide words, for a terminal or log.

    Line ends and tabs are kept.
    """
    return "".join(
        sign
        if sign in "\n\t" or (unicodedata.category(sign) not in ("Cc", "Cs") and sign not in _BIDI)
        else sign.encode("unicode_escape", "surrogatepass").decode()
        for sign in text
    )


def say(text: str) -> None:
    """Print a line with control characters escaped, so that text from untrusted files cannot control the terminal."""
    sys.stdout.write(printable(text) + "\n")
    sys.stdout.flush()  # users watch long commands through pipes
