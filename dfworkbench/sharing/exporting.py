"""`export`: the history of a run for TensorBoard or MLflow.

Both read what training has written, so a run that is still trained can be exported, and exporting again brings it up to date.
"""

from dataclasses import dataclass

from dfworkbench.core.names import require_name
from dfworkbench.core.workspace import Workspace, find_workspace
from dfworkbench.runs.run import Run

TOOLS = ("tensorboard", "mlflow")


@dataclass(frozen=True)
class Exported:
    """What was exported.

    Attributes:
        target: Where it went.
        epochs: How many epochs are there now.
        look: The command that shows it.
    """

    target: str
    epochs: int
    look: str


def export(run: Run | str, to: str, output: str = "", workspace: Workspace | None = None) -> Exported:
    """Export the history, the settings and the model card of a run.

    Args:
        run: A run or its name; one that is still trained is exported as far as it has come.
        to: "tensorboard" or "mlflow".
        output: A folder; for MLflow also the address of a tracking server. Empty: report/tensorboard or report/mlflow.
        workspace: The workspace.

    Raises:
        UnknownNameError: There is no such tool.
        DataNotFoundError: There is no such run, or it has no history.
        MissingDependencyError: The client of the tool is not installed.
        OutputError: The target cannot be written.
    """
    require_name("tool to export to", to, TOOLS)
    space = workspace or find_workspace()
    found = run if isinstance(run, Run) else Run.open(run, space)
    if to == "tensorboard":
        from dfworkbench.sharing.tensorboard_export import write_events

        return Exported(*write_events(found, output, space))
    from dfworkbench.sharing.mlflow_export import log_run

    return Exported(*log_run(found, output, space))
