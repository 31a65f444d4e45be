"""Normalise notebooks for storage: no outputs, no execution counts, stable cell ids, nothing about the machine.

JupyterLab changes all of these when it saves. `python -m dfworkbench.notebook.tidy notebooks/*.ipynb` restores them.
"""

import json
import re
import sys
from pathlib import Path
from typing import Any

import nbformat

from dfworkbench.core.workspace import atomic_path
from dfworkbench.notebook.parameters import read_notebook

_KERNEL = {"display_name": "Python 3", "language": "python", "name": "python3"}
_OWN = "dfworkbench"  # {"settings": ["module:Class", …]}: classes whose fields are the parameters


def tidy_text(notebook: nbformat.NotebookNode) -> str:
    """The file's text as it should be stored."""
    taken = {cell.id for cell in notebook.cells if _is_ours(cell.get("id", ""))}
    cells = [_tidy_cell(cell, number, taken) for number, cell in enumerate(notebook.cells, start=1)]
    metadata: dict[str, Any] = {"kernelspec": _KERNEL, "language_info": {"name": "python"}}
    if _OWN in notebook.metadata:
        metadata[_OWN] = notebook.metadata[_OWN]
    record = {"cells": cells, "metadata": dict(sorted(metadata.items())), "nbformat": 4, "nbformat_minor": 5}
    return json.dumps(record, indent=1, ensure_ascii=False, sort_keys=True) + "\n"


def tidy_file(path: Path) -> bool:
    """Tidy a notebook in place; returns whether it changed."""
    text = tidy_text(read_notebook(path))
    if path.read_text(encoding="utf-8") == text:
        return False
    with atomic_path(path, "a notebook") as temporary:
        temporary.write_text(text, encoding="utf-8")
    return True


def _tidy_cell(cell: nbformat.NotebookNode, number: int, taken: set[str]) -> dict[str, Any]:
    tags = [tag for tag in cell.metadata.get("tags", []) if tag != "injected-parameters"]
    kept = {
        "cell_type": cell.cell_type,
        "id": cell.get("id") if _is_ours(cell.get("id", "")) else _new_id(cell.source, number, taken),
        "metadata": {"tags": tags} if tags else {},
        "source": cell.source.rstrip().splitlines(keepends=True),
    }
    return kept | ({"execution_count": None, "outputs": []} if cell.cell_type == "code" else {})


def _new_id(source: str, number: int, taken: set[str]) -> str:
    """An id that describes the cell and stays the same when cells are moved."""
    while (name := f"{_slug(source)}-{number:02d}") in taken:
        number += 1
    taken.add(name)
    return name


def _is_ours(identifier: str) -> bool:
    return re.fullmatch(r"[a-z0-9-]+-\d\d", identifier) is not None


def _slug(source: str) -> str:
    words = re.findall(r"[a-z0-9]+", source.lower())[:3]
    return "-".join(words)[:40] or "cell"


if __name__ == "__main__":
    for name in sys.argv[1:]:
        if tidy_file(Path(name)):
            sys.stdout.write(f"tidied {name}\n")
