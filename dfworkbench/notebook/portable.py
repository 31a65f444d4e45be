"""Executed notebooks without absolute paths: they are shown to others, and opened on other machines.

Paths in the workspace become relative to it, as the notebook's own cells see them. Of other folders of the machine (the
environment, the package, the home folder, temporary files), what names the machine or the person is left out. Paths that a person
gave as parameters, outside of all these, stay.
"""

import copy
from collections.abc import Mapping
from typing import Any

import nbformat

from dfworkbench.core.local_paths import Places

_BINARY = ("image/png", "image/jpeg", "application/pdf", "audio/", "video/")


def without_paths(notebook: nbformat.NotebookNode, places: Mapping[str, str]) -> nbformat.NotebookNode:
    """A copy of an executed notebook in whose outputs and metadata no path begins with one of `places`.

    Pictures and the sources of cells are left as they are.
    """
    clean = copy.deepcopy(notebook)
    found = Places(places)
    clean.metadata = _replaced(clean.metadata, found)
    for cell in clean.cells:
        if "injected-parameters" in cell.metadata.get("tags", []):
            cell.source = _replaced(cell.source, found)  # written by the runner, with paths made absolute
        for output in cell.get("outputs", []):
            output.update({key: _replaced(value, found) for key, value in output.items() if key != "output_type"})
    return clean


def _replaced(value: Any, places: Places) -> Any:
    """`value` with every text in it replaced; keys of mappings stay."""
    if isinstance(value, str):
        return places.replace(value)
    if isinstance(value, list):
        return [_replaced(item, places) for item in value]
    if isinstance(value, dict):
        kept = {key: item if str(key).startswith(_BINARY) else _replaced(item, places) for key, item in value.items()}
        return type(value)(kept)
    return value
