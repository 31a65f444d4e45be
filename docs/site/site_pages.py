"""Sphinx extension: where a page of the site differs from its file in the repository.

Notebooks are stored without results. Their pages take the results of the notebook that was executed last in the workspace
(`report/notebooks/`), if its code is that of the stored one. A link to a folder leads to its README, as on GitHub.
"""

import re
from pathlib import Path

import nbformat
from nbformat import NotebookNode
from sphinx.application import Sphinx
from sphinx.util import logging

from dfworkbench.core.workspace import find_workspace

#: Page -> what the site alone adds at its end: lists of pages, which are its navigation.
ADDED = {
    "README": "\n```{include} /docs/site/contents.md\n```\n",
    "docs/README": "\n```{toctree}\n:hidden:\n\n/docs/guides/README\n```\n",
    "docs/data_sets": "\n```{toctree}\n:hidden:\n\n/labels/README\n```\n",
    "docs/decisions/README": "\n```{toctree}\n:glob:\n\n/docs/decisions/0*\n```\n",
}
_FOLDER_LINK = re.compile(r"(\]\([\w./-]+/)\)")
_log = logging.getLogger(__name__)
_INJECTED = "injected-parameters"


def setup(app: Sphinx) -> dict[str, bool]:
    """Called by Sphinx."""
    app.connect("source-read", _change_source)
    return {"parallel_read_safe": True}


def _change_source(app: Sphinx, page: str, source: list[str]) -> None:
    if page.startswith("notebooks/"):
        name = page.removeprefix("notebooks/")
        file = find_workspace().root / "report" / "notebooks" / f"{Path(name).name}.ipynb"
        app.env.note_dependency(str(file))
        source[0] = nbformat.writes(notebook_page(nbformat.reads(source[0], as_version=4), read_executed(file), name))
    else:
        source[0] = _FOLDER_LINK.sub(r"\1README.md)", source[0]) + ADDED.get(page, "")
    if page == "docs/guides/README":  # its list is no navigation: that has the guides themselves
        guides = sorted(name for name in app.env.found_docs if name.startswith("docs/guides/") and name != page)
        source[0] += "\n" + "".join(f"- [](/{guide}.md)\n" for guide in guides)


def read_executed(file: Path) -> NotebookNode | None:
    """An executed notebook; None if there is none, or it is damaged, which is a warning."""
    try:
        return nbformat.read(file, as_version=4) if file.is_file() else None
    except (OSError, ValueError, nbformat.ValidationError) as error:
        _log.warning("reading %s: %.80s; expected a notebook. Execute it again.", file, error)
        return None


def notebook_page(stored: NotebookNode, executed: NotebookNode | None, name: str) -> NotebookNode:
    """A stored notebook with the results of an executed one, and a line below its title that says where they come from.

    Args:
        stored: Without outputs; changed in place.
        executed: As `dfworkbench run` writes it; None if there is none.
        name: Of the notebook for `dfworkbench run`, such as "02_train".
    """
    reason = "was not executed" if executed is None else _mismatch(stored, executed)
    if executed is None or reason:
        origin = (
            f":::{{note}}\nThis page has no results: the notebook {reason} in the workspace of this site. "
            f"`dfworkbench run {name}` executes it, and `make docs` then shows what it found.\n:::\n\n"
        )
    else:
        origin = _take_results(stored, executed)
    origin += f"{{download}}`Download the notebook <{Path(name).name}.ipynb>`"
    stored.cells.insert(1, nbformat.v4.new_markdown_cell(origin))
    return stored


def _mismatch(stored: NotebookNode, executed: NotebookNode) -> str:
    """Why the results of `executed` are not those of `stored`; "" if they are."""
    cells = _code(executed)
    if [cell.source for cell in cells] != [cell.source for cell in _code(stored)]:
        return "was executed in another version"
    failed = any(output.output_type == "error" for cell in cells for output in cell.outputs)
    if failed or not all(cell.execution_count for cell in cells if cell.source):
        return "was not executed to its end"
    return ""


def _take_results(stored: NotebookNode, executed: NotebookNode) -> str:
    """Copy outputs, and the cell of parameters that were given; returns a line on when and how it ran."""
    for cell, result in zip(_code(stored), _code(executed), strict=True):
        cell.outputs, cell.execution_count = result.outputs, result.execution_count
    given = [cell for cell in executed.cells if _INJECTED in cell.metadata.get("tags", [])]
    place = next((i for i, cell in enumerate(stored.cells) if "parameters" in cell.metadata.get("tags", [])), 0)
    stored.cells[place + 1 : place + 1] = given
    record = executed.metadata.get("papermill", {})
    when = f" on {record['start_time'][:10]}" if record.get("start_time") else ""
    how_long = f" in {record['duration'] / 60:.1f} minutes" if record.get("duration") else ""
    return f"Executed{when}{how_long}, {'with parameters that are given below' if given else 'with its defaults'}.\n"


def _code(notebook: NotebookNode) -> list[NotebookNode]:
    """Code cells, without the one that papermill adds."""
    return [
        cell for cell in notebook.cells if cell.cell_type == "code" and _INJECTED not in cell.metadata.get("tags", [])
    ]
