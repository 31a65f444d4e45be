"""A sweep over a notebook that takes a second: what is finished is kept, what fails or is killed costs its own cell only."""

import json

import nbformat
import pytest

from dfworkbench.core.errors import ParameterError
from dfworkbench.core.workspace import Workspace
from dfworkbench.notebook.sweep import (
    DONE,
    FAILED,
    NOT_RUN,
    expand_grid,
    run_sweep,
    short_reason,
    status_table,
    sweep_cells,
)

PARAMETERS = """\
word: str = "good"  # what happens
seed: int = 0  # a number
scale: float = 1.0  # another"""
BODY = """\
import os
import signal
from dfworkbench.notebook.runner import record_run
from dfworkbench.core.workspace import find_workspace
run = find_workspace().root / "checkpoints" / f"{word}_{seed}"
run.mkdir(parents=True, exist_ok=True)
with (run / "log.txt").open("a") as file:
    file.write(f"{os.environ['OMP_NUM_THREADS']}\\n")
if word == "kill":
    os.kill(os.getppid(), signal.SIGKILL)  # the Dask worker
    signal.pause()
assert word != "bad", f"seed {seed} is unlucky"
record_run(run)"""


@pytest.fixture(scope="module")
def space(tmp_path_factory):
    root = tmp_path_factory.mktemp("sweep")
    nodes = [nbformat.v4.new_code_cell(PARAMETERS, metadata={"tags": ["parameters"]}), nbformat.v4.new_code_cell(BODY)]
    (root / "notebooks").mkdir()
    nbformat.write(nbformat.v4.new_notebook(cells=nodes), root / "notebooks" / "77_toy.ipynb")
    return Workspace(root)


def sweep(space, grid, **options):
    return run_sweep("toy", grid, "77_toy", workspace=space, progress=False, **options)


def logged(space, run):
    return (space.checkpoints / run / "log.txt").read_text().split()


def test_a_grid_is_the_product_of_its_lists_the_first_slowest():
    assert expand_grid({"a": ["x", "y"], "b": 3, "c": (0, 1)}) == [
        {"a": "x", "b": 3, "c": 0}, {"a": "x", "b": 3, "c": 1}, {"a": "y", "b": 3, "c": 0}, {"a": "y", "b": 3, "c": 1},
    ]  # fmt: skip
    for wrong in ({"a": []}, {"a": ["x", "x"]}):
        with pytest.raises(ParameterError, match="each once"):
            expand_grid(wrong)


def test_cells_are_named_after_notebook_and_parameters(space):
    first, second = sweep_cells("toy", {"word": ["good", "bad"], "seed": 4}, "77_toy", space)
    assert first.name.startswith("77_toy_seed4_")
    assert first.command == "dfworkbench run 77_toy -p seed 4"
    assert second.command == "dfworkbench run 77_toy -p word bad -p seed 4"
    # a default that is spelled out is the same cell; another value is another one
    same = sweep_cells("toy", {"word": ["good", "bad"], "seed": 4, "scale": 1}, "77_toy", space)[0]
    assert same.output == first.output
    assert sweep_cells("toy", {"word": ["good", "bad"], "seed": 5}, "77_toy", space)[0].output != first.output


def test_what_cannot_be_run_is_refused_before_anything_starts(space):
    with pytest.raises(ParameterError, match="Did you mean 'seed'"):
        sweep(space, {"sead": [1]})
    with pytest.raises(ParameterError, match="Expected the name of a single folder"):
        run_sweep("../out", {"seed": [1]}, "77_toy", workspace=space)


@pytest.fixture(scope="module")
def swept(space):
    """The table of a sweep whose first cell fails and whose second one kills its worker."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OMP_NUM_THREADS", "2")
        return sweep(space, {"word": ["bad", "kill", "good"], "seed": [1]}, workers=2)


@pytest.mark.slow
def test_a_failing_and_a_killed_cell_cost_themselves_only(space, swept):
    table = swept.set_index("word")
    assert table["status"].to_dict() == {"bad": FAILED, "kill": FAILED, "good": DONE}
    assert "seed 1 is unlucky" in table.loc["bad", "reason"]
    short = short_reason(table.loc["bad", "reason"])
    assert short.startswith("77_toy.ipynb stopped in cell ")
    assert "\n" not in short
    assert "record_run" not in short  # the source of the cell
    assert short.endswith("AssertionError: seed 1 is unlucky")
    assert "killed twice" in table.loc["kill", "reason"]
    assert table.loc["good", "reason"] == ""
    assert table.loc["good", "runs"] == "checkpoints/good_1"
    assert (space.root / table.loc["good", "notebook"]).with_suffix(".html").is_file()
    assert "unlucky" in (space.root / table.loc["bad", "notebook"]).read_text()  # the lab record of a failure is kept
    assert set(logged(space, "good_1")) == {"1"}  # two workers share two threads
    kept = json.loads(next((space.root / "report/sweeps/toy/cells").glob("77_toy_bad_seed1_*.json")).read_text())
    assert kept["command"] == "dfworkbench run 77_toy -p word bad -p seed 1"


@pytest.mark.slow
@pytest.mark.usefixtures("swept")
def test_started_again_it_does_what_is_missing_and_failures_if_asked(space):
    larger = {"word": ["bad", "good"], "seed": [1, 2]}
    assert status_table(sweep_cells("toy", larger, "77_toy", space))["status"].tolist() == [
        FAILED,
        NOT_RUN,
        DONE,
        NOT_RUN,
    ]
    assert sweep(space, larger, workers=1)["status"].tolist() == [FAILED, FAILED, DONE, DONE]
    assert [len(logged(space, run)) for run in ("bad_1", "bad_2", "good_1", "good_2")] == [1, 1, 1, 1]
    grid = {"word": ["bad", "good"], "seed": [1]}
    assert sweep(space, grid, workers=1, retry=True)["status"].tolist() == [FAILED, DONE]
    assert [len(logged(space, run)) for run in ("bad_1", "good_1")] == [2, 1]
