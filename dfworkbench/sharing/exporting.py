"""`export`: write the history of a run for TensorBoard or MLflow.

Exports read the files that training has written, so a run can be exported while it trains; exporting again updates it.
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
        epochs: Number of epochs exported so far.
        look: The command that displays it.
    """

    target: str
    epochs: int
    look: str


def export(run: Run | str, to: str, output: str = "", workspace: Workspace | None = None) -> Exported:
    """Export the history, the settings and the model card of a run.

    Args:
        run: A run or its name; a run that is still training is exported up to its last finished epoch.
        to: "tensorboard" or "mlflow".
        output: A folder; for MLflow also the URL of a tracking server. Empty: report/tensorboard or report/mlflow.
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
