"""Running the cells of a notebook in this process, and counting the pictures that a notebook shows."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import nbformat
import pytest
from IPython.core.displayhook import DisplayHook
from IPython.core.interactiveshell import InteractiveShell
from IPython.core.pylabtools import select_figure_formats
from IPython.display import display
from IPython.utils.capture import capture_output
from papermill.iorw import load_notebook_node
from papermill.parameterize import parameterize_notebook
from traitlets.config import Config

from dfworkbench.core.workspace import HOME_VARIABLE, Workspace
from dfworkbench.notebook.parameters import find_notebook


class _Shown(DisplayHook):
    """Displays the value of a cell's last line, as a kernel does; a terminal would print it."""

    def __call__(self, result: Any = None) -> None:
        if result is not None and not self.quiet():
            display(result)


def run_cells(name: str, values: Mapping[str, Any], space: Workspace, scratch: Path) -> tuple[str, int]:
    """What the cells of a notebook print and show as text, and how many pictures they show.

    The cells get the parameters that the strict runner would give them and run in the folder of the workspace. A kernel takes
    ten seconds to start and to import everything; here that was done before. A cell that fails raises.
    """
    stored = load_notebook_node(str(find_notebook(name, space)))
    notebook = parameterize_notebook(stored, dict(values), kernel_name="python3", language="python")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(space.root)
        patch.setenv(HOME_VARIABLE, str(space.root))
        patch.setenv("IPYTHONDIR", str(scratch))
        shell = InteractiveShell.instance(
            displayhook_class=_Shown, config=Config({"HistoryManager": {"enabled": False}})
        )
        select_figure_formats(shell, {"png"})
        try:
            words, shown = [], 0
            for cell in notebook.cells:
                if cell.cell_type == "code":
                    with capture_output() as captured:
                        result = shell.run_cell(cell.source)
                    result.raise_error()
                    words += [captured.stdout, *(str(output.data) for output in captured.outputs)]
                    shown += count_pictures(output.data for output in captured.outputs)
            return "".join(words), shown
        finally:
            InteractiveShell.clear_instance()


def count_pictures(shown: Iterable[Mapping[str, Any]]) -> int:
    """Pictures among outputs, each a mapping of MIME types: those of figures, and outputs that hold pictures in HTML."""
    return sum("image/png" in data or "data:image/" in str(data.get("text/html", "")) for data in shown)


def pictures(path: Path) -> int:
    """How many pictures an executed notebook shows."""
    cells = nbformat.read(path, as_version=4).cells
    return count_pictures(output.get("data", {}) for cell in cells for output in cell.get("outputs", []))
