"""Executed notebooks without absolute paths: they are shown to others, and opened on other machines.

Paths in the workspace become relative to it, as the notebook's own cells see them. Of other folders of the machine (the
environment, the package, the home folder, temporary files), what names the machine or the person is left out. Paths that a person
gave as parameters, outside of all these, stay.
"""

import copy
import html
import re
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

import nbformat

import dfworkbench

#: What stands for a part of a path that is left out.
LEFT_OUT = "…"
_BINARY = ("image/png", "image/jpeg", "application/pdf", "audio/", "video/")
#: A picture in HTML: nothing in it is a path, and it is long.
_EMBEDDED = re.compile(r"(data:[\w/+.-]+;base64,[A-Za-z0-9+/=]+)")


def places_of(root: Path) -> dict[str, str]:
    """Folder -> what stands for it, for a workspace and this machine."""
    environment, package = Path(sys.prefix), Path(dfworkbench.__file__).parents[1]
    places = {folder: LEFT_OUT for folder in (Path(tempfile.gettempdir()), environment, package)}
    places |= {Path.home(): "~", root: "."}
    # the same folder by another name, where there are links
    places |= {folder.resolve(): words for folder, words in places.items() if folder != root}
    return {str(folder): words for folder, words in places.items() if folder != Path(folder.anchor)}


def without_paths(notebook: nbformat.NotebookNode, places: Mapping[str, str]) -> nbformat.NotebookNode:
    """A copy of an executed notebook in whose outputs and metadata no path begins with one of `places`.

    Pictures and the sources of cells are left as they are.
    """
    clean = copy.deepcopy(notebook)
    found = _Places(places)
    clean.metadata = _replaced(clean.metadata, found)
    for cell in clean.cells:
        if "injected-parameters" in cell.metadata.get("tags", []):
            cell.source = _replaced(cell.source, found)  # written by the runner, with paths made absolute
        for output in cell.get("outputs", []):
            output.update({key: _replaced(value, found) for key, value in output.items() if key != "output_type"})
    return clean


def text_without_paths(text: str, places: Mapping[str, str]) -> str:
    """A text, plain or HTML, in which no path begins with one of `places`; pictures in it are left as they are."""
    return _replaced(text, _Places(places))


class _Places:
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
        return self._found.sub(self._put, text)

    def _put(self, found: re.Match[str]) -> str:
        words, below = self._words[found[1]], found[2]
        if not below:
            return words
        return "" if words == "." else f"{words}/"


def _replaced(value: Any, places: _Places) -> Any:
    """`value` with every text in it replaced; keys of mappings stay."""
    if isinstance(value, str):
        parts = _EMBEDDED.split(value) if "base64," in value else [value]
        return "".join(part if number % 2 else places.replace(part) for number, part in enumerate(parts))
    if isinstance(value, list):
        return [_replaced(item, places) for item in value]
    if isinstance(value, dict):
        kept = {key: item if str(key).startswith(_BINARY) else _replaced(item, places) for key, item in value.items()}
        return type(value)(kept)
    return value
