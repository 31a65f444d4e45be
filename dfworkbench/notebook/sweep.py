"""Sweeps: run a notebook over a grid of parameters with Dask, one process per grid cell.

A failed cell records its reason and does not stop the others. Finished cells are on disk, named after the notebook and its
parameters, so a stopped or enlarged sweep runs only what is missing.
"""

import hashlib
import itertools
import json
import logging
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import nbformat
import pandas as pd
from tqdm.auto import tqdm

from dfworkbench.core.cores import available_cores
from dfworkbench.core.dask_workers import run_on_workers
from dfworkbench.core.errors import ParameterError, WorkbenchError
from dfworkbench.core.safe_paths import require_folder_name
from dfworkbench.core.workspace import Workspace, atomic_path, find_workspace
from dfworkbench.datasets.tables import write_csv
from dfworkbench.notebook.commands import run_command
from dfworkbench.notebook.parameters import check_parameters, find_notebook, read_notebook, read_parameters
from dfworkbench.notebook.runner import run_folders, run_notebook

DONE, FAILED, NOT_RUN = "done", "failed", "not run"
_CORES_PER_RUN = 4  # a small network does not train faster on more
_LOST = "its process was killed twice (out of memory?)"
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class SweepCell:
    """One cell of a grid.

    Attributes:
        name: Notebook, changed parameters, and a hash of the notebook with all its parameters.
        notebook: The notebook file.
        parameters: Parameters passed to it.
        output: Path of the executed notebook.
        command: The equivalent terminal command.
        root: Root of the workspace.
    """

    name: str
    notebook: Path
    parameters: dict[str, Any]
    output: Path
    command: str
    root: Path

    @property
    def record(self) -> Path:
        """The file that records the outcome."""
        return self.output.with_suffix(".json")


@dataclass(frozen=True)
class CellResult:
    """Outcome of a cell.

    Attributes:
        status: "done", "failed" or "not run".
        reason: Why it failed, else "".
        seconds: Wall time of the run; None if unknown.
        runs: Folders of the runs that the notebook made, below the workspace.
    """

    status: str
    reason: str = ""
    seconds: float | None = None
    runs: tuple[str, ...] = ()


def expand_grid(grid: Mapping[str, Any]) -> list[dict[str, Any]]:
    """All combinations of the values: lists and tuples vary, the first one slowest; other values are fixed.

    Raises:
        ParameterError: A list is empty, or contains a value twice.
    """
    axes = {name: list(values) if isinstance(values, (list, tuple)) else [values] for name, values in grid.items()}
    for name, values in axes.items():
        if not values or any(value in values[:at] for at, value in enumerate(values)):
            raise ParameterError(
                f"expanding a grid: {name} = {values!r}. Expected at least one value, each once: give what is to be compared."
            )
    return [dict(zip(axes, values, strict=True)) for values in itertools.product(*axes.values())]


def sweep_cells(
    name: str, grid: Mapping[str, Any], notebook: str | Path = "02_train", workspace: Workspace | None = None
) -> list[SweepCell]:
    """The cells of a grid, in order.

    Args:
        name: Name of the sweep; its folder is `report/sweeps/NAME` in the workspace.
        grid: Parameter -> value, or list of values (see `expand_grid`).
        notebook: A name such as "02_train", or a path.
        workspace: The workspace of data and runs.

    Raises:
        DataNotFoundError: There is no such notebook.
        ParameterError: It has no such parameter, a value is of a wrong type, or the name is not a valid folder name.
    """
    space = workspace or find_workspace()
    path = find_notebook(notebook, space)
    stored = read_notebook(path)
    known = read_parameters(stored, path.name)
    defaults = {key: parameter.default for key, parameter in known.items()}
    source = [cell.source for cell in stored.cells if cell.cell_type == "code" and "parameters" not in _tags(cell)]
    folder = sweep_folder(name, space)
    shown = path.stem if Path(notebook).suffix != ".ipynb" else str(notebook)
    cells = []
    for values in expand_grid(grid):
        checked = check_parameters(values, known, path.stem)
        key = _hash([path.stem, source, {**defaults, **checked}])
        changed = [name for name in known if name in checked and checked[name] != defaults[name]]
        title = "_".join([path.stem, *(_word(name, checked[name]) for name in changed), key])  # the same in every grid
        command = run_command(shown, checked, defaults)
        cells.append(SweepCell(title, path, checked, folder / "cells" / f"{title}.ipynb", command, space.root))
    return cells


def run_sweep(
    name: str,
    grid: Mapping[str, Any],
    notebook: str | Path = "02_train",
    *,
    workers: int = 0,
    scheduler: str = "",
    retry: bool = False,
    workspace: Workspace | None = None,
    progress: bool = True,
) -> pd.DataFrame:
    """Run the missing cells of a grid, and return the status of all cells.

    Args:
        name: Name of the sweep; name, grid, notebook and workspace as in `sweep_cells`.
        grid: Parameter -> value, or list of values.
        notebook: A name or a path.
        workers: Number of simultaneous runs on this machine, which share its cores; 0 for one per four cores, at least one.
        scheduler: Address of a Dask scheduler to use instead; its workers need this package and the workspace folder.
        retry: Whether to run failed cells again.
        workspace: The workspace of data and runs.
        progress: Whether to show a bar with the time left.

    Returns:
        One row per cell, in the order of the grid: cell, the parameters, status, reason, seconds, runs (folders below the
        workspace), notebook (executed; path below the workspace), command. Also kept as `status.csv` in the sweep's folder.

    Raises:
        ParameterError: As `sweep_cells`.
        WorkbenchError: The scheduler has no workers.
    """
    space = workspace or find_workspace()
    cells = sweep_cells(name, grid, notebook, space)
    before = [read_result(cell) for cell in cells]
    todo = [
        cell
        for cell, old in zip(cells, before, strict=True)
        if old.status == NOT_RUN or (retry and old.status == FAILED)
    ]
    for cell in todo:
        cell.record.unlink(missing_ok=True)
    with tqdm(
        total=len(cells), initial=len(cells) - len(todo), unit="run", desc=f"Sweep {name}", disable=not progress
    ) as bar:
        for number, result in _run_cells(todo, workers, scheduler) if todo else ():
            _write_result(todo[number], result)  # also for a cell whose process died
            log.info("%s: %s %s", todo[number].name, result.status, result.reason)
            bar.update()
    table = status_table(cells)
    write_csv(table, sweep_folder(name, space) / "status.csv", "the status of a sweep")
    return table


def run_cell(cell: SweepCell) -> CellResult:
    """Run one cell in this process and record the outcome; any failure becomes its reason."""
    old = read_result(cell)
    if old.status != NOT_RUN:  # a worker that dies loses its just-finished result too, and Dask asks for it again
        return old
    result = _attempt(cell)
    _write_result(cell, result)
    return result


def _attempt(cell: SweepCell) -> CellResult:
    start = time.perf_counter()
    space = Workspace(cell.root)
    try:
        executed = run_notebook(cell.notebook, cell.parameters, cell.output, workspace=space, progress=False)
        runs = run_folders(nbformat.read(executed, as_version=4), cell.root)
    except WorkbenchError as error:
        return CellResult(FAILED, str(error), round(time.perf_counter() - start, 1))
    except Exception as error:  # a cell must not stop the others, whatever fails in it
        return CellResult(FAILED, f"{type(error).__name__}: {error}", round(time.perf_counter() - start, 1))
    below = tuple(os.path.relpath(run, cell.root) for run in runs)
    return CellResult(DONE, "", round(time.perf_counter() - start, 1), below)


def read_result(cell: SweepCell) -> CellResult:
    """The recorded outcome of a cell; "not run" also if its notebook or runs have been removed since."""
    try:
        kept = json.loads(cell.record.read_text())["result"]
        result = CellResult(**{**kept, "runs": tuple(kept["runs"])})
    except (OSError, ValueError, KeyError, TypeError):  # no record yet
        return CellResult(NOT_RUN)
    there = cell.output.is_file() and all((cell.root / run).is_dir() for run in result.runs)
    return result if result.status != DONE or there else CellResult(NOT_RUN)


def short_reason(reason: str) -> str:
    """A reason in a line or two, without the source of the cell and the path of a notebook that is linked anyway."""
    lines = [line.strip() for line in reason.splitlines() if not line.startswith("    ")]
    return " ".join(line for line in lines if line and not line.startswith("The notebook as far as it ran"))


def status_table(cells: Sequence[SweepCell]) -> pd.DataFrame:
    """Status of these cells, see `run_sweep`."""
    rows = []
    for cell in cells:
        result = read_result(cell)
        executed = os.path.relpath(cell.output, cell.root) if cell.output.is_file() else ""
        rows.append(
            {"cell": cell.name, **cell.parameters, "status": result.status, "reason": result.reason,
             "seconds": result.seconds, "runs": " ".join(result.runs), "notebook": executed, "command": cell.command}
        )  # fmt: skip
    return pd.DataFrame(rows)


def sweep_folder(name: str, workspace: Workspace | None = None) -> Path:
    """Folder of a sweep.

    Raises:
        ParameterError: The name is not a valid folder name.
    """
    require_folder_name("naming a sweep", name)
    return (workspace or find_workspace()).root / "report" / "sweeps" / name


def _run_cells(cells: Sequence[SweepCell], workers: int, scheduler: str) -> Iterator[tuple[int, CellResult]]:
    cores = available_cores()
    given = os.environ.get("OMP_NUM_THREADS", "")
    cores = min(cores, int(given)) if given.isdigit() and int(given) else cores
    count = min(workers or max(1, cores // _CORES_PER_RUN), len(cells))
    environment = {"OMP_NUM_THREADS": str(max(1, cores // count))}
    lost = CellResult(FAILED, _LOST)
    yield from run_on_workers(run_cell, cells, count, scheduler, lost=lost, task="the sweep", environment=environment)


def _write_result(cell: SweepCell, result: CellResult) -> None:
    record = {"command": cell.command, "parameters": cell.parameters, "result": asdict(result)}
    with atomic_path(cell.record, "the result of a sweep's cell") as temporary:
        temporary.write_text(json.dumps(record, indent=2) + "\n")


def _hash(values: list[Any]) -> str:
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()[:8]


def _word(name: str, value: Any) -> str:
    """A short word for a parameter: `seed`, 0 -> "seed0"; text values stand alone."""
    text = str(value) if isinstance(value, str) else f"{name}{value}"
    return "".join(letter if letter.isalnum() or letter in "-_." else "-" for letter in text)[:40]


def _tags(cell: Any) -> list[str]:
    return cell.metadata.get("tags", [])
