"""Remove absolute paths from executed notebooks, so that they can be shared and opened on other machines.

Paths in the workspace become relative to it, as the notebook's own cells see them. In paths to other folders (environment, package,
home folder, temporary files), the part that identifies the machine or the user is removed. Paths outside all of these, given as
parameters, stay.
"""

import copy
from collections.abc import Mapping
from typing import Any

import nbformat

from dfworkbench.core.local_paths import Places

_BINARY = ("image/png", "image/jpeg", "application/pdf", "audio/", "video/")


def without_paths(notebook: nbformat.NotebookNode, places: Mapping[str, str]) -> nbformat.NotebookNode:
    """Copy an executed notebook so that no path in its outputs and metadata begins with one of `places`.

    Pictures and cell sources are not changed.
    """
    clean = copy.deepcopy(notebook)
    found = Places(places)
    clean.metadata = _replaced(clean.metadata, found)
    for cell in clean.cells:
        if "injected-parameters" in cell.metadata.get("tags", []):
            cell.source = _replaced(cell.source, found)  # written by the runner, with absolute paths
        for output in cell.get("outputs", []):
            output.update({key: _replaced(value, found) for key, value in output.items() if key != "output_type"})
    return clean


def _replaced(value: Any, places: Places) -> Any:
    """`value` with the replacement applied to every string in it; keys of mappings stay."""
    if isinstance(value, str):
        return places.replace(value)
    if isinstance(value, list):
        return [_replaced(item, places) for item in value]
    if isinstance(value, dict):
        kept = {key: item if str(key).startswith(_BINARY) else _replaced(item, places) for key, item in value.items()}
        return type(value)(kept)
    return value
