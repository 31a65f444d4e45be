"""Export a run to MLflow: parameters, metrics per epoch with training timestamps, tags, and the model card as an artifact.

The store is a database file in the workspace or a tracking server; MLflow's plain file store is closed to new users.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from dfworkbench.core.errors import MissingDependencyError, OutputError
from dfworkbench.core.local_paths import map_texts, without_machine
from dfworkbench.core.workspace import Workspace, explain_write
from dfworkbench.runs.run import Run
from dfworkbench.sharing.history import EpochFigures, figures_per_epoch, flat_settings
from dfworkbench.sharing.model_card import card_text

EXPERIMENT = "dfworkbench"
#: Tags that identify a run from an earlier export.
_NAME, _BEGUN = "dfworkbench.run", "dfworkbench.begun"
_MOST_AT_ONCE = 500  # metrics per request; MLflow accepts 1,000


def log_run(run: Run, output: str, space: Workspace) -> tuple[str, int, str]:
    """Log a run, or the epochs that an earlier export did not include.

    Args:
        run: The run.
        output: A folder in which mlflow.db and artifacts/ are written, or the URL of a tracking server.
        space: The workspace.

    Returns:
        Where it went, number of epochs, command that shows it.

    Raises:
        MissingDependencyError: MLflow is not installed.
        DataNotFoundError: The run has no history.
        OutputError: MLflow refused it, or the folder cannot be written.
    """
    figures = figures_per_epoch(run)
    client_of = _client(run)
    clean = without_machine(space.root)
    if urlsplit(output).scheme in ("http", "https"):
        store, artifacts, look = output, None, f"open {output}"
    else:
        folder = Path(output).expanduser().absolute() if output else space.root / "report" / "mlflow"
        with explain_write(folder, "a database of MLflow"):
            folder.mkdir(parents=True, exist_ok=True)
        store, artifacts = f"sqlite:///{folder / 'mlflow.db'}", (folder / "artifacts").as_uri()
        look = f"mlflow ui --backend-store-uri {store}"
    with _explained(run, output or store):
        client = client_of(tracking_uri=store)
        found = client.get_experiment_by_name(EXPERIMENT)
        experiment = found.experiment_id if found else client.create_experiment(EXPERIMENT, artifacts)
        number = _run_id(client, experiment, run, figures, map_texts(flat_settings(run), clean))
        known = {metric.step for metric in client.get_metric_history(number, "learning_rate")}
        _log_metrics(client, number, [epoch for epoch in figures if epoch.epoch not in known])
        client.log_text(number, clean(card_text(run)), "README.md")
        client.set_tag(number, "dfworkbench.best_epoch", str(run.best))
        client.set_terminated(number, "FINISHED", int(figures[-1].time_s * 1000))
    return output or str(folder), len(figures), look


def _client(run: Run) -> Any:
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")  # disables MLflow's usage tracking
    try:
        from mlflow import MlflowClient  # pyright: ignore[reportMissingImports]

        return MlflowClient
    except ImportError as error:
        raise MissingDependencyError(
            f"exporting the run {run.name!r} to MLflow: its client is not installed ({error}). Expected the extra [mlflow]: pip "
            "install 'dfworkbench[mlflow]'."
        ) from None


def _run_id(client: Any, experiment: str, run: Run, figures: list[EpochFigures], settings: dict[str, Any]) -> str:
    """The id of this run in MLflow, created if missing."""
    begun = str(int(figures[0].time_s * 1000))
    query = f"tags.`{_NAME}` = '{run.name}' and tags.`{_BEGUN}` = '{begun}'"
    if there := client.search_runs([experiment], query, max_results=1):
        return there[0].info.run_id
    tags = {_NAME: run.name, _BEGUN: begun, "dfworkbench.splits": str(run.provenance.get("splits", ""))}
    made = client.create_run(experiment, int(begun), {name: text for name, text in tags.items() if text}, run.name)
    for name, value in settings.items():
        client.log_param(made.info.run_id, name, value)
    return made.info.run_id


def _log_metrics(client: Any, number: str, figures: list[EpochFigures]) -> None:
    from mlflow.entities import Metric  # pyright: ignore[reportMissingImports]

    all_of_them = [
        Metric(name, value, int(epoch.time_s * 1000), epoch.epoch)
        for epoch in figures
        for name, value in epoch.values.items()
    ]
    for begin in range(0, len(all_of_them), _MOST_AT_ONCE):
        client.log_batch(number, metrics=all_of_them[begin : begin + _MOST_AT_ONCE])


@contextmanager
def _explained(run: Run, store: str) -> Iterator[None]:
    try:
        yield
    except Exception as error:  # its own exceptions, those of its database and of its connections
        first = (str(error).splitlines() or [""])[0] or type(error).__name__
        raise OutputError(
            f"exporting the run {run.name!r} to MLflow at {store}: {first}. Expected a folder that can be written, or the address "
            "of a server that takes runs. Check it; exporting again continues."
        ) from error
