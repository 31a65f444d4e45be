"""Strict papermill runner: executes a notebook in batch, after checking its parameters."""

import contextlib
import logging
import os
import re
import shutil
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import nbformat

from dfworkbench.core.errors import NotebookError, OutputError
from dfworkbench.core.local_paths import places_of
from dfworkbench.core.outputs import NOTEBOOK, PAGE, mark_page, require_other, require_replaceable
from dfworkbench.core.safe_paths import require_below
from dfworkbench.core.workspace import HOME_VARIABLE, Workspace, atomic_path, explain_write, find_workspace
from dfworkbench.notebook.freeze import freeze_widgets, to_html
from dfworkbench.notebook.parameters import (
    check_parameters,
    find_notebook,
    place_paths,
    read_notebook,
    read_parameters,
)
from dfworkbench.notebook.portable import without_paths

log = logging.getLogger(__name__)
#: Metadata key of an output that names the folder of the run that a notebook made (see `record_run`).
RUN_KEY = "dfworkbench_run"
_KERNEL = "python3"
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")


def run_notebook(
    notebook: str | Path,
    parameters: Mapping[str, Any] | None = None,
    output: Path | str | None = None,
    *,
    workspace: Workspace | None = None,
    progress: bool | None = None,
) -> Path:
    """Execute a notebook with parameters; keeps the executed notebook and an HTML page beside it.

    Both can be shared: widgets become tables or pictures, and paths are relative to the workspace. The kernel runs in the workspace
    folder; relative paths among the parameters are relative to the current folder. If the notebook made a run, the executed
    notebook is also stored in the run's folder, as its lab record.

    Args:
        notebook: A name such as "02_train", or a path.
        parameters: Values for its parameters cell; text is converted to the types given there.
        output: The executed notebook, an .ipynb; `report/notebooks/NAME.ipynb` in the workspace by default. An existing notebook or
            page is replaced only if this function wrote it.
        workspace: Workspace with data and runs; found by `find_workspace` by default.
        progress: Whether to show a progress bar over cells; by default if standard error is a terminal.

    Returns:
        The path of the executed notebook.

    Raises:
        DataNotFoundError: There is no such notebook.
        ParameterError: An unknown parameter, with the closest name, or a value of the wrong type.
        OutputError: `output` is not an .ipynb, is the notebook itself, or another file is there.
        NotebookError: A cell failed; the message says which one, and where the partly executed notebook is.
    """
    space = workspace or find_workspace()
    path = find_notebook(notebook, space)
    known = read_parameters(read_notebook(path), path.name)
    values = place_paths(check_parameters(parameters or {}, known, path.stem), known, Path.cwd(), space.root)
    target = Path(output).expanduser().absolute() if output else space.root / "report" / "notebooks" / path.name
    require_other(target, path, NOTEBOOK)
    if output:
        require_replaceable(target, NOTEBOOK)
        require_replaceable(target.with_suffix(".html"), PAGE)
    with explain_write(target, "the executed notebook"):
        target.parent.mkdir(parents=True, exist_ok=True)
        target.unlink(missing_ok=True)  # an old result must not stand in for a run that failed early
    try:
        _execute(path, target, values, space, progress)
    finally:
        if target.is_file():
            folders = _publish(target, path, space)
    for folder in folders:
        _keep_record(target, folder, space)
    return target


def _keep_record(executed: Path, folder: Path, space: Workspace) -> None:
    """Copy an executed notebook into its run's folder; a folder outside the workspace's checkpoints is refused with a warning."""
    from dfworkbench.runs.run import Run  # imports pandas and all tables; kernels import this module to name their runs

    try:
        require_below(folder, space.checkpoints, "keeping the record of a run")
    except OutputError as error:
        log.warning("%s", error)
        return
    if folder.is_dir():
        with atomic_path(Run(folder).notebook, "the record of a run") as temporary:
            shutil.copy2(executed, temporary)


def record_run(folder: Path) -> None:
    """Called by a notebook after it made a run: names the run's folder, so that the runner stores the record there."""
    from IPython.display import display

    text = f"run folder: {folder}"
    display({"text/plain": text}, raw=True, metadata={RUN_KEY: str(folder)})


def _execute(path: Path, target: Path, values: dict[str, Any], space: Workspace, progress: bool | None) -> None:
    import papermill
    from papermill.exceptions import PapermillExecutionError
    from papermill.iorw import load_notebook_node
    from papermill.parameterize import parameterize_notebook

    logging.getLogger("papermill").setLevel(logging.WARNING)
    bar = sys.stderr.isatty() if progress is None else progress
    # parameters are inserted here: papermill would read the cell line by line, and warn of what it cannot parse
    notebook = load_notebook_node(str(path))
    if values:
        notebook = parameterize_notebook(notebook, values, kernel_name=_KERNEL, language="python")
    literal = str(target).replace("{", "{{").replace("}", "}}")  # papermill takes paths for format strings
    try:
        with kernel_surroundings(space.root), explain_write(target, "the executed notebook"):
            nbformat.write(notebook, target)
            papermill.execute_notebook(
                literal,
                literal,
                kernel_name=_KERNEL,
                language="python",
                cwd=space.root,
                progress_bar=bar,
                start_timeout=180,
            )
    except PapermillExecutionError as error:
        raise NotebookError(_explain(error, path, target)) from None
    except RuntimeError as error:  # nbclient's DeadKernelError: killed from outside, or out of memory
        if "kernel" not in str(error).lower():
            raise
        raise NotebookError(
            f"{path.name}: its kernel died ({error}); most often memory ran out. So far: {target}"
        ) from error


@contextlib.contextmanager
def kernel_surroundings(root: Path) -> Iterator[None]:
    """Environment that a kernel needs: the same workspace, and this Python for the kernel's name.

    Otherwise a kernel "python3" of another environment, found in JUPYTER_PATH or the user's folder, might be used.
    """
    from ipykernel.kernelspec import write_kernel_spec

    root.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="dfworkbench-kernel-") as folder:
        # it warns of unencrypted traffic within this machine, and reports its own shutdown as an error
        write_kernel_spec(Path(folder) / "kernels" / _KERNEL, extra_arguments=["--IPKernelApp.log_level=50"])
        paths = [folder, *filter(None, [os.environ.get("JUPYTER_PATH")])]
        with set_variables({HOME_VARIABLE: str(root), "JUPYTER_PATH": os.pathsep.join(paths)}):
            yield


@contextlib.contextmanager
def set_variables(values: Mapping[str, str]) -> Iterator[None]:
    """Set environment variables, inherited by child processes, and restore the former values afterwards."""
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def _publish(target: Path, source: Path, space: Workspace) -> list[Path]:
    """Replace widgets by static output and absolute paths by relative ones, and write the page beside the notebook.

    Returns:
        Folders of the runs that the notebook made.
    """
    executed = nbformat.read(target, as_version=4)
    folders = run_folders(executed, space.root)  # as named by the kernel
    executed = without_paths(freeze_widgets(executed), places_of(space.root))
    executed.metadata["papermill"] |= {"input_path": source.name, "output_path": target.name}
    with explain_write(target, "the executed notebook"):
        nbformat.write(executed, target)
        page = target.with_suffix(".html")
        page.unlink(missing_ok=True)  # a link is replaced, not followed
        page.write_text(mark_page(to_html(executed, target.stem)), encoding="utf-8")
    return folders


def run_folders(notebook: nbformat.NotebookNode, root: Path) -> list[Path]:
    """Folders in the workspace at `root` of the runs that an executed notebook recorded with `record_run`."""
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    # notebooks of earlier versions have absolute paths
    return [root / output["metadata"][RUN_KEY] for output in outputs if RUN_KEY in output.get("metadata", {})]


def _explain(error: Any, path: Path, target: Path) -> str:
    total = len(read_notebook(path).cells)
    source = "\n".join(f"    {line}" for line in error.source.strip().splitlines())
    last = _COLOUR.sub("", f"{error.ename}: {error.evalue}").strip()
    return (
        f"{path.name} stopped in cell {error.cell_index + 1} (In [{error.exec_count}], {total} cells in all):\n"
        f"{source}\n{last}\nThe notebook as far as it ran, with the full traceback: {target}"
    )
