"""Remove local paths from text and records before they are shared or opened elsewhere.

Paths in the workspace become relative to it. For other known folders (the environment, the package, the home folder, temporary
files), the part that names the machine or the person is left out; `without_machine` shortens all other absolute paths to the
file name.
"""

import html
import re
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

import dfworkbench

#: Replaces the part of a path that is left out.
LEFT_OUT = "…"
#: A picture embedded in HTML: long, and holds no path.
_EMBEDDED = re.compile(r"(data:[\w/+.-]+;base64,[A-Za-z0-9+/=]+)")
_PART = r"[^\\/\s'\"<>|,;:)]+"
#: At least two parts, so that "/" and "/s" do not match; what follows a word, a dot or a colon is part of an address or a fraction.
_ABSOLUTE = re.compile(rf"(?<![\w.:/\\~…-])(?:file://)?(?:[A-Za-z]:[\\/]|\\\\|/|~/)(?:{_PART}[\\/]+)+({_PART})?")
#: Start of a path that leads out of the workspace.
_BEGINNING = re.compile(r"(?:^|(?<=[\s'\"(=]))(?:file://)?(?:[A-Za-z]:[\\/]|\\\\|/|~/|\.\.[\\/])")


def places_of(root: Path) -> dict[str, str]:
    """Folder -> its replacement, for a workspace and this machine."""
    environment, package = Path(sys.prefix), Path(dfworkbench.__file__).parents[1]
    places = {folder: LEFT_OUT for folder in (Path(tempfile.gettempdir()), environment, package)}
    places |= {Path.home(): "~", root: "."}
    # the same folder under another name, if links are involved
    places |= {folder.resolve(): words for folder, words in places.items() if folder != root}
    return {str(folder): words for folder, words in places.items() if folder != Path(folder.anchor)}


class Places:
    """Find folders in plain text, HTML or addresses and replace them with words."""

    def __init__(self, places: Mapping[str, str]) -> None:
        forms = {form: words for place, words in places.items() for form in (place, html.escape(place), quote(place))}
        # longest first, since the workspace may be in the home folder; a folder whose name merely starts the same is not matched
        either = "|".join(re.escape(form) for form in sorted(forms, key=len, reverse=True))
        self._words, self._found = (
            forms,
            re.compile(rf"(?:(?<=://)|(?<![\w./~…-]))({either})(?:(/)(?=[\w.~%-])|(?![\w-]|\.\w))"),
        )

    def replace(self, text: str) -> str:
        """Replace the folders in a text; embedded pictures are left untouched."""
        parts = _EMBEDDED.split(text) if "base64," in text else [text]
        return "".join(part if number % 2 else self._found.sub(self._put, part) for number, part in enumerate(parts))

    def _put(self, found: re.Match[str]) -> str:
        words, below = self._words[found[1]], found[2]
        if not below:
            return words
        return "" if words == "." else f"{words}/"


def map_texts(value: Any, change: Callable[[str], str]) -> Any:
    """Apply `change` to every string in a plain value (strings, numbers, lists, mappings); keys are kept."""
    if isinstance(value, str):
        return change(value)
    if isinstance(value, list):
        return [map_texts(item, change) for item in value]
    if isinstance(value, dict):
        return type(value)({key: map_texts(item, change) for key, item in value.items()})
    return value


def without_machine(root: Path) -> Callable[[str], str]:
    """Return a function that removes every local path from a text.

    Paths in the workspace `root` become relative to it. Any other absolute path is reduced to its file name:
    "/mnt/data/ann/weights.pth" becomes "weights.pth".
    """
    places = Places({place: words for place, words in places_of(root).items() if words == "."})

    def clean(text: str) -> str:
        text = places.replace(text)
        if (found := _BEGINNING.match(text)) and len(_BEGINNING.findall(text)) == 1:  # a path, possibly with blanks
            return re.split(r"[\\/]", text[found.end() :].rstrip("\\/"))[-1] or text
        return _ABSOLUTE.sub(lambda found: found[1] or LEFT_OUT, text)

    return clean
