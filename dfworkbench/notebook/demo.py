"""`dfworkbench demo`: run notebooks 00 to 04 on the generated demo set, save their figures, and report the result."""

import base64
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import nbformat

from dfworkbench.core.workspace import Workspace, atomic_path, find_workspace
from dfworkbench.datasets.dataset import DataSet
from dfworkbench.evaluation.metrics.evaluate import evaluate
from dfworkbench.notebook.report.page import write_report
from dfworkbench.notebook.report.runs import read_runs, runs_on
from dfworkbench.notebook.runner import run_folders, run_notebook
from dfworkbench.runs.layout import score_file
from dfworkbench.runs.run import Run

NOTEBOOKS = ("00_start_here", "01_data_extraction", "02_train", "03_inference", "04_evaluation")


def run_demo(
    say: Callable[[str], None],
    parameters: Mapping[str, Mapping[str, Any]] | None = None,
    workspace: Workspace | None = None,
) -> Path:
    """Run the notebooks in order and report where the results are.

    Args:
        say: Called with each line of the report.
        parameters: Notebook name -> parameters that differ from its defaults.
        workspace: The workspace to write to.

    Returns:
        The folder of the report: executed notebooks, pages, figures.

    Raises:
        NotebookError: A notebook failed; finished ones are kept, and the same call continues from there.
    """
    space = workspace or find_workspace()
    run = None
    for name in NOTEBOOKS:
        start = time.perf_counter()
        executed = run_notebook(name, (parameters or {}).get(name), workspace=space)
        notebook = nbformat.read(executed, as_version=4)
        figures = save_figures(notebook, space.root / "report" / "figures", name)
        run = next(iter(run_folders(notebook, space.root)), run)
        say(f"{name}: {time.perf_counter() - start:.0f} s, {len(figures)} figures -> {executed.with_suffix('.html')}")
    if run is not None:
        say(_summary(Run(run)))
    say(f"all detectors of the demo set, compared: {write_demo_report(space)}")
    return space.root / "report"


def write_demo_report(workspace: Workspace | None = None, dataset: str = "demo") -> Path:
    """Report on all detectors trained on the demo set in this workspace: `report/index.html`.

    Nothing is rescored; runs without test scores are listed with the command that computes them.
    """
    space = workspace or find_workspace()
    report = space.root / "report"
    runs, left_out = read_runs(runs_on(dataset, space), [dataset], score=False, workspace=space)
    return write_report(
        runs,
        report / "index.html",
        left_out=left_out,
        title="dfworkbench on its demo set",
        command="dfworkbench demo",
        pages={name: report / "notebooks" / f"{name}.ipynb" for name in NOTEBOOKS},
        workspace=space,
    )


def save_figures(notebook: nbformat.NotebookNode, folder: Path, name: str) -> list[Path]:
    """Save every PNG output of an executed notebook as `folder/NAME_1.png` and so on."""
    pictures = [
        output["data"]["image/png"]
        for cell in notebook.cells
        for output in cell.get("outputs", [])
        if "image/png" in output.get("data", {})
    ]
    files = [folder / f"{name}_{number}.png" for number in range(1, len(pictures) + 1)]
    for file, picture in zip(files, pictures, strict=True):
        with atomic_path(file, "a figure") as temporary:
            temporary.write_bytes(base64.b64decode(picture))
    return files


def _summary(run: Run) -> str:
    metrics = evaluate(run.scores("test"), levels=("video",))
    row = metrics[metrics["metric"] == "auc"].iloc[0]
    space = Workspace(run.folder.parent.parent)
    data = DataSet(run.trained_on, space)
    return (
        f"\nHeld-out people: video AUC {row['value']:.3f} (95 % interval {row['low']:.3f} to {row['high']:.3f}, "
        f"{row['n']:.0f} videos, {row['n_fake']:.0f} of them fake)\n"
        f"run          {run.folder}   ({len(run.history)} epochs, {len(run.epochs)} checkpoints)\n"
        f"score table  {score_file(run.weights(), 'test', run.trained_on)}\n"
        f"tables       {data.folder}\n"
        f"face crops   {data.crops_root / data.name}\n"
        f"notebooks    {space.root / 'report' / 'notebooks'}\n"
        f"figures      {space.root / 'report' / 'figures'}"
    )
