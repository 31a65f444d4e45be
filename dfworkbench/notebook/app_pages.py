"""Pages of `dfworkbench app`: notebooks made from the cells tagged "app", written anew at each start."""

from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any, NamedTuple

import nbformat

from dfworkbench.core.errors import NotebookError
from dfworkbench.core.html import STYLE, Link
from dfworkbench.core.workspace import Workspace
from dfworkbench.notebook.parameters import check_parameters, find_notebook, read_notebook, read_parameters

TAG = "app"


class Page(NamedTuple):
    """A page: its source notebook, title and purpose."""

    notebook: str
    title: str
    purpose: str


PAGES = (
    Page("03_inference", "Score a file", "What a detector says about each person in a picture or video, over time."),
    Page(
        "10_evidence_report",
        "Case file",
        "How much more probable the findings are if a face was manipulated than if it was not, measured against a reference set.",
    ),
)


def write_pages(
    folder: Path, space: Workspace, parameters: Mapping[str, Any], pages: Sequence[Page] = PAGES
) -> list[Path]:
    """Write the pages as notebooks; returns their paths, the start page first.

    Args:
        folder: Target folder; everything in it is served, so it must hold nothing else.
        space: Workspace whose notebooks are used, see `shipped.known_notebooks`.
        parameters: Parameters for the first page's notebook.
        pages: Pages to write.

    Raises:
        ParameterError: The notebook has no such parameter, or the value is of another type.
        NotebookError: A notebook has no cell tagged "app".
    """
    written = []
    for number, page in enumerate(pages):
        path = folder / f"{page.notebook}.ipynb"
        nbformat.write(_page(page, pages, space, parameters if number == 0 else {}), path)
        written.append(path)
    return written


def _page(page: Page, pages: Sequence[Page], space: Workspace, parameters: Mapping[str, Any]) -> nbformat.NotebookNode:
    source = find_notebook(page.notebook, space)
    notebook = read_notebook(source)
    known = read_parameters(notebook, source.name)
    values = check_parameters(parameters, known, page.notebook)
    chosen = [cell for cell in notebook.cells if TAG in cell.metadata.get("tags", [])]
    if not chosen:
        raise NotebookError(
            f'serving {source.name} as an application: none of its cells has the tag "{TAG}". Expected the notebook of this '
            f"version: rename {source}, and start again."
        )
    settings = "\n".join(f"{name} = {values.get(name, item.default)!r}" for name, item in known.items())
    show = f"from IPython.display import HTML\n\nHTML({_head(page, pages)!r})"
    cells = [nbformat.v4.new_code_cell(text) for text in (show, settings)]
    cells += [nbformat.v4.new_code_cell(cell.source) for cell in chosen if cell.cell_type == "code"]
    made = nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": notebook.metadata["kernelspec"]})
    made.metadata["title"] = f"{page.title} · dfworkbench"
    return made


def _head(page: Page, pages: Sequence[Page]) -> str:
    links = [
        f"<b>{escape(other.title)}</b>" if other == page else Link(f"{other.notebook}.ipynb", other.title).html()
        for other in pages
    ]
    navigation = f'<nav class="dfw-hint">{" · ".join(links)}</nav>' if len(pages) > 1 else ""
    centred = "<style>#rendered_cells > div {max-width: 1020px; margin: 0 auto}</style>"
    return (
        f'{STYLE}{centred}<div class="dfw"><h1 style="font-size:22px;margin:4px 0">{escape(page.title)}</h1>{navigation}'
        f"<p>{escape(page.purpose)}</p></div>"
    )
