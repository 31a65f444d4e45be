"""Export a run to a TensorBoard event file: scalars with training timestamps, hyperparameters, and the model card as text."""

import contextlib
import shlex
import shutil
from pathlib import Path

from dfworkbench.core.errors import MissingDependencyError, OutputError
from dfworkbench.core.local_paths import map_texts, without_machine
from dfworkbench.core.locks import held
from dfworkbench.core.workspace import Workspace, explain_write
from dfworkbench.runs.run import Run
from dfworkbench.sharing.history import EpochFigures, figures_per_epoch, flat_settings
from dfworkbench.sharing.model_card import card_text

_EVENTS = "events.out.tfevents."


def write_events(run: Run, output: str, space: Workspace) -> tuple[str, int, str]:
    """Write `<output>/<run>/events.out.tfevents.…`; an earlier export is replaced atomically.

    Returns:
        Folder of the run, number of epochs, command that shows it.

    Raises:
        MissingDependencyError: TensorBoard is not installed.
        DataNotFoundError: The run has no history.
        OutputError: The folder holds other files, or cannot be written.
    """
    figures = figures_per_epoch(run)
    home = Path(output).expanduser() if output else space.root / "report" / "tensorboard"
    folder, doing = home / run.name, f"exporting the run {run.name!r} to TensorBoard"
    _require_ours(folder, doing)
    staging = home / f".export-{run.name}"
    with held(staging, doing):
        try:
            shutil.rmtree(staging / "new", ignore_errors=True)  # left by an export that was killed
            with explain_write(staging, "an event file"):
                _write(run, figures, staging / "new", space)
                if folder.exists():
                    folder.rename(staging / "old")
                (staging / "new").rename(folder)
        finally:
            shutil.rmtree(staging, ignore_errors=True)
    return str(folder), len(figures), f"tensorboard --logdir {shlex.quote(str(home))}"


def _write(run: Run, figures: list[EpochFigures], folder: Path, space: Workspace) -> None:
    try:
        from torch.utils.tensorboard import SummaryWriter
        from torch.utils.tensorboard.summary import hparams
    except ImportError as error:
        raise MissingDependencyError(
            f"exporting the run {run.name!r} to TensorBoard: it is not installed ({error}). Expected the extra [tensorboard]: pip "
            "install 'dfworkbench[tensorboard]'."
        ) from None
    clean = without_machine(space.root)
    begun, ended = figures[0].time_s, figures[-1].time_s
    with contextlib.closing(SummaryWriter(str(folder))) as writer:
        for epoch in figures:
            for name, value in epoch.values.items():
                writer.add_scalar(name, value, epoch.epoch, epoch.time_s)
        best = next((epoch for epoch in figures if epoch.epoch == run.best), figures[-1])
        chosen = {name: value for name, value in best.values.items() if name.endswith("/val")}
        for summary in hparams(map_texts(flat_settings(run), clean), chosen):
            writer._get_file_writer().add_summary(summary, walltime=begun)
        writer.add_text("model card", clean(card_text(run)), best.epoch, ended)
    for file in folder.glob(f"{_EVENTS}*"):  # the file name ends with the machine's name
        file.rename(folder / f"{_EVENTS}{int(begun):010d}.{run.name}")


def _require_ours(folder: Path, doing: str) -> None:
    others = [path.name for path in folder.iterdir() if not path.name.startswith(_EVENTS)] if folder.is_dir() else []
    if others or folder.is_file():
        raise OutputError(
            f"{doing}: {folder} already exists and {'holds ' + others[0] if others else 'is a file'}; expected a folder of event "
            "files alone. It was left as it was: choose another --output."
        )
