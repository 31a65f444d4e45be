"""Remove paths of this machine from texts and records that are shown to others or opened elsewhere.

Paths in the workspace become relative to it. Of other known folders (the environment, the package, the home folder, temporary
files), what names the machine or the person is left out; `without_machine` shortens all other absolute paths to the file's name.
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

#: What stands for a part of a path that is left out.
LEFT_OUT = "…"
#: A picture in HTML: nothing in it is a path, and it is long.
_EMBEDDED = re.compile(r"(data:[\w/+.-]+;base64,[A-Za-z0-9+/=]+)")
_PART = r"[^\\/\s'\"<>|,;:)]+"
#: Two parts at least, so that "/" and "/s" are none; what follows a word, a dot or a colon is part of an address or a fraction.
_ABSOLUTE = re.compile(rf"(?<![\w.:/\\~…-])(?:file://)?(?:[A-Za-z]:[\\/]|\\\\|/|~/)(?:{_PART}[\\/]+)+({_PART})?")
#: The beginning of a path that leads out of the workspace.
_BEGINNING = re.compile(r"(?:^|(?<=[\s'\"(=]))(?:file://)?(?:[A-Za-z]:[\\/]|\\\\|/|~/|\.\.[\\/])")


def places_of(root: Path) -> dict[str, str]:
    """Folder -> what stands for it, for a workspace and this machine."""
    environment, package = Path(sys.prefix), Path(dfworkbench.__file__).parents[1]
    places = {folder: LEFT_OUT for folder in (Path(tempfile.gettempdir()), environment, package)}
    places |= {Path.home(): "~", root: "."}
    # the same folder by another name, where there are links
    places |= {folder.resolve(): words for folder, words in places.items() if folder != root}
    return {str(folder): words for folder, words in places.items() if folder != Path(folder.anchor)}


class Places:
    """Finds folders in text, whether it is plain, HTML or part of an address, and puts words for them."""

    def __init__(self, places: Mapping[str, str]) -> None:
        forms = {form: words for place, words in places.items() for form in (place, html.escape(place), quote(place))}
        # the longest first: the workspace may lie in the home folder; and a name that only begins alike is another folder
        either = "|".join(re.escape(form) for form in sorted(forms, key=len, reverse=True))
        self._words, self._found = (
            forms,
            re.compile(rf"(?:(?<=://)|(?<![\w./~…-]))({either})(?:(/)(?=[\w.~%-])|(?![\w-]|\.\w))"),
        )

    def replace(self, text: str) -> str:
        """The text with words for the folders; embedded pictures stay as they are."""
        parts = _EMBEDDED.split(text) if "base64," in text else [text]
        return "".join(part if number % 2 else self._found.sub(self._put, part) for number, part in enumerate(parts))

    def _put(self, found: re.Match[str]) -> str:
        words, below = self._words[found[1]], found[2]
        if not below:
            return words
        return "" if words == "." else f"{words}/"


def map_texts(value: Any, change: Callable[[str], str]) -> Any:
    """A plain value (texts, numbers, lists, mappings) with every text in it changed; keys of mappings stay."""
    if isinstance(value, str):
        return change(value)
    if isinstance(value, list):
        return [map_texts(item, change) for item in value]
    if isinstance(value, dict):
        return type(value)({key: map_texts(item, change) for key, item in value.items()})
    return value


def without_machine(root: Path) -> Callable[[str], str]:
    """A function that takes a text and gives it without any path of this machine.

    Paths in the workspace `root` become relative to it. Of any other absolute path the name alone stays, because it tells
    nobody else more: "/mnt/data/ann/weights.pth" becomes "weights.pth".
    """
    places = Places({place: words for place, words in places_of(root).items() if words == "."})

    def clean(text: str) -> str:
        text = places.replace(text)
        if (found := _BEGINNING.match(text)) and len(_BEGINNING.findall(text)) == 1:  # a path, which may hold blanks
            return re.split(r"[\\/]", text[found.end() :].rstrip("\\/"))[-1] or text
        return _ABSOLUTE.sub(lambda found: found[1] or LEFT_OUT, text)

    return clean
