"""Write a run's folder during training or import; a kill at any moment loses at most the current epoch."""

import contextlib
import json
import math
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from torch.optim.swa_utils import AveragedModel

from dfworkbench.core.errors import CheckpointError, ParameterError
from dfworkbench.core.locks import held
from dfworkbench.core.workspace import atomic_path, explain_write, leftovers
from dfworkbench.datasets.audit.leak_note import provenance_note, with_note
from dfworkbench.datasets.tables import write_csv, write_table
from dfworkbench.media.foreign import load_torch
from dfworkbench.runs.checkpoints import LoadedDetector, save_detector
from dfworkbench.runs.layout import (
    BEST,
    FETCHED,
    HISTORY,
    IMPORTED_EPOCH,
    PROVENANCE,
    RESUME,
    SCORES,
    SETTINGS,
    epoch_file,
    score_file,
)
from dfworkbench.runs.run import Run

RESUME_FORMAT = "dfworkbench-resume-1"
_INPUTS = ("tables", "splits", "dense_landmarks")


@dataclass(frozen=True)
class RunWriter:
    """Writes the folder of a run during training.

    Attributes:
        folder: `checkpoints/<name>`.
        detector: Name under which `build_detector` builds the network.
        options: Options passed to `build_detector`.
        method: Name of the training method.
        settings: The training settings, stored unchanged.
        provenance: See `dfworkbench.core.provenance`.
    """

    folder: Path
    detector: str
    options: Mapping[str, Any]
    method: str
    settings: Mapping[str, Any]
    provenance: Mapping[str, Any]

    def lock(self) -> contextlib.AbstractContextManager[None]:
        """Lock the folder for writing.

        Raises:
            OutputError: Another process holds the lock; the message says which one, since when, and what to do.
        """
        return held(self.folder, f"training the run {self.folder.name!r}")

    def resume(self) -> dict[str, Any] | None:
        """The state that `commit` stored last, or None if no epoch is finished.

        Raises:
            CheckpointError: The state is damaged.
            ParameterError: The folder holds imported weights.
        """
        fetched = (self.folder / FETCHED).is_file()
        if fetched or epoch_file(self.folder, IMPORTED_EPOCH).is_file():
            whose = "a run that was fetched, which is" if fetched else "imported weights, which are"
            raise ParameterError(
                f"training the run {self.folder.name!r}: its folder holds {whose} not overwritten. Give "
                f"this run another name; start_from = {self.folder.name!r} begins with those weights."
            )
        path = self.folder / RESUME
        if not path.is_file():
            return None
        try:
            state = load_torch(path)
        except Exception as error:  # torch raises many exception types for a damaged file
            state = str(error).splitlines()[0] if str(error) else type(error).__name__
        if not isinstance(state, dict) or state.get("format") != RESUME_FORMAT:
            seen = state if isinstance(state, str) else "it has another format"
            raise CheckpointError(
                f"continuing the run {self.folder}: {RESUME} cannot be read ({seen}). Its epoch files are not affected. Give "
                "this run another name, or delete the folder to start it again."
            )
        return state

    def require_same(self, state: Mapping[str, Any], changed: Mapping[str, tuple[Any, Any]]) -> None:
        """Refuse to continue a run with different settings or data.

        Args:
            state: What `resume` returned.
            changed: Settings that affect the result and differ from the stored ones: name -> (stored, now).

        Raises:
            ParameterError: Something differs.
        """
        if changed:
            what = "; ".join(f"{name} was {then!r}, is {now!r}" for name, (then, now) in changed.items())
            raise ParameterError(
                f"the run {self.folder.name!r} exists already with other settings: {what}. Give this run another name (or an empty "
                f"one, which makes a name from the settings), use the settings of {self.folder / SETTINGS} to continue the old "
                "one, or delete its folder."
            )
        for name in _INPUTS:
            if state["inputs"].get(name) != self.provenance.get(name):
                raise ParameterError(
                    f"the run {self.folder.name!r} was started on other data: the {name} of data set {self.settings['dataset']!r} "
                    "have changed since. Give this run another name, or restore the old tables to continue it."
                )

    def start(self, first_epoch: int) -> None:
        """Write settings and provenance; remove files that a killed process left half-written."""
        with explain_write(self.folder, "a run"):
            self.folder.mkdir(parents=True, exist_ok=True)
            for left in (*leftovers(self.folder), *leftovers(self.folder / SCORES)):
                left.unlink(missing_ok=True)
        sessions = Run(self.folder).provenance.get("sessions", []) if first_epoch > 1 else []
        started = datetime.now(UTC).isoformat(timespec="seconds")
        session = {"started": started, "first_epoch": first_epoch, "git_commit": self.provenance.get("git_commit")}
        _write_json(self.folder / SETTINGS, self.settings)
        _write_json(self.folder / PROVENANCE, {**self.provenance, "sessions": [*sessions, session]})

    def commit(
        self,
        history: list[dict[str, Any]],
        scores: pd.DataFrame | None,
        method: Any,
        optimizer: torch.optim.Optimizer,
        average: AveragedModel | None = None,
    ) -> None:
        """Write all files of the last epoch in `history`, with the weights of `average` if there is one."""
        last = history[-1]
        path = epoch_file(self.folder, last["epoch"])
        record = {"epoch": last["epoch"], "metrics": _without_nan(last["val"]), "method": self.method}
        kept: Any = average.module if average else method
        record["provenance"] = dict(self.provenance)
        save_detector(path, kept.detector, self.detector, self.options, record)
        if scores is not None:
            write_table("score", with_note(scores, provenance_note(self.provenance)), score_file(path, "val"))
        write_csv(history_table(history), self.folder / HISTORY, "the history")
        best = best_entry(history)
        _write_best(self.folder, best["epoch"], best["val"])
        state = {
            "format": RESUME_FORMAT,
            "settings": dict(self.settings),
            "inputs": {name: self.provenance.get(name) for name in _INPUTS},
            "history": history,
            "method": method.state_dict(),
            "optimizer": optimizer.state_dict(),
            **({"average": average.state_dict()} if average else {}),
        }
        with atomic_path(self.folder / RESUME, "the state of the run") as temporary:
            torch.save(state, temporary)


@contextlib.contextmanager
def new_run(folder: Path, doing: str = "importing weights") -> Iterator[Path]:
    """Yield an empty folder that becomes the run `folder` when the block ends, and is deleted if the block fails.

    Args:
        folder: Folder of the run.
        doing: What is being done, to start error messages.

    Raises:
        ParameterError: The run already exists; it is not overwritten.
        OutputError: Another process is making this run, or it cannot be written.
    """
    doing = f"{doing} as the run {folder.name!r}"
    staging = folder.parent / f".import-{folder.name}"  # hidden from lists of runs while half-written
    made = staging / folder.name
    with held(staging, doing):
        try:
            require_free(folder, doing)
            shutil.rmtree(made, ignore_errors=True)  # left by an import that was killed
            yield made
            with explain_write(folder, "imported weights"):
                made.rename(folder)  # refuses a folder that training has created in the meantime
        finally:
            shutil.rmtree(staging, ignore_errors=True)


def require_free(folder: Path, doing: str) -> None:
    """Refuse an existing folder.

    Raises:
        ParameterError: The folder exists.
    """
    if folder.exists():
        raise ParameterError(
            f"{doing}: {folder} exists already, and runs are not overwritten. Give another name (--name on the command "
            "line), or delete that folder."
        )


def write_imported(folder: Path, loaded: LoadedDetector, provenance: Mapping[str, Any]) -> None:
    """Write imported weights as the only, and therefore best, epoch of a run.

    Args:
        folder: Folder of the run.
        loaded: The detector; its record holds the options to build it.
        provenance: Where it comes from.
    """
    metadata = {"epoch": IMPORTED_EPOCH, "metrics": {}, "provenance": dict(provenance)}
    file = epoch_file(folder, IMPORTED_EPOCH)
    save_detector(file, loaded.detector, loaded.name, loaded.metadata["options"], metadata)
    _write_best(folder, IMPORTED_EPOCH, {})
    _write_json(folder / PROVENANCE, provenance)


def best_entry(history: list[dict[str, Any]]) -> dict[str, Any]:
    """The epoch with the highest video AUC on validation; ties go to the lower validation loss, then to the earlier epoch."""

    def rank(entry: dict[str, Any]) -> tuple[float, float, int]:
        auc, loss = entry["val"].get("auc_video", math.nan), entry["val"]["loss"]
        return (1.0 if math.isnan(auc) else -auc, math.inf if math.isnan(loss) else loss, entry["epoch"])

    return min(history, key=rank)


def history_table(history: list[dict[str, Any]]) -> pd.DataFrame:
    """One row per epoch: epoch, learning_rate, seconds, train_…, val_…, best (at that time)."""
    rows = []
    for entry in history:
        row = {name: entry[name] for name in ("epoch", "learning_rate", "seconds")}
        row |= {f"{part}_{name}": value for part in ("train", "val") for name, value in entry[part].items()}
        rows.append({**row, "best": entry["best"]})
    return pd.DataFrame(rows)


def _write_best(folder: Path, epoch: int, val: Mapping[str, float]) -> None:
    _write_json(folder / BEST, {"epoch": epoch, "file": epoch_file(folder, epoch).name, "val": _without_nan(val)})


def _without_nan(values: Mapping[str, float]) -> dict[str, float | None]:
    return {name: None if math.isnan(value) else value for name, value in values.items()}  # JSON has no NaN


def _write_json(path: Path, values: Mapping[str, Any]) -> None:
    with atomic_path(path, path.name) as temporary:
        temporary.write_text(json.dumps(values, indent=2, sort_keys=True) + "\n")
