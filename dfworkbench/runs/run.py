"""The folder of a run: what is written when, so that a kill at any moment loses at most the epoch it fell into.

checkpoints/<name>/
    settings.json  provenance.json      at the start
    epoch_001.safetensors …             weights with their record, one per epoch
    scores/val_epoch_001.parquet …      score table of the validation split
    history.csv  best.json              all epochs so far; the best one
    resume.pt                           written last: an epoch counts as done when this file knows it
"""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
import torch

from dfworkbench.core.errors import CheckpointError, ParameterError
from dfworkbench.core.workspace import atomic_path, explain_write, leftovers
from dfworkbench.datasets.audit.leak_note import provenance_note, with_note
from dfworkbench.datasets.tables import write_csv, write_table
from dfworkbench.media.foreign import load_torch, read_json
from dfworkbench.runs.checkpoints import epoch_file, save_detector

if TYPE_CHECKING:
    from dfworkbench.training.settings import TrainSettings

RESUME_FORMAT = "dfworkbench-resume-1"
_INPUTS = ("tables", "splits", "dense_landmarks")


@dataclass(frozen=True)
class Run:
    """A run on disk.

    Attributes:
        folder: checkpoints/<name>.
        settings: Of the run.
        options: With which the detector was built.
        record: Its provenance, see `dfworkbench.core.provenance`.
    """

    folder: Path
    settings: "TrainSettings"
    options: Mapping[str, Any]
    record: Mapping[str, Any]

    def load(self) -> dict[str, Any] | None:
        """What `commit` stored last, or None where no epoch was finished.

        Raises:
            CheckpointError: resume.pt is damaged.
            ParameterError: The run was made with other settings or other data, or the folder holds imported weights.
        """
        if epoch_file(self.folder, 0).is_file():  # trained epochs count from 1
            raise ParameterError(
                f"training the run {self.folder.name!r}: its folder holds imported weights, which are not overwritten. Give "
                f"this run another name; start_from = {self.folder.name!r} begins with those weights."
            )
        path = self.folder / "resume.pt"
        if not path.is_file():
            return None
        try:
            state = load_torch(path)
        except Exception as error:  # torch raises many kinds for a damaged file
            state = str(error).splitlines()[0] if str(error) else type(error).__name__
        if not isinstance(state, dict) or state.get("format") != RESUME_FORMAT:
            seen = state if isinstance(state, str) else "it has another format"
            raise CheckpointError(
                f"continuing the run {self.folder}: resume.pt cannot be read ({seen}). Its epoch files are not affected. Give "
                "this run another name, or delete the folder to start it again."
            )
        self._require_same(state)
        return state

    def start(self, first_epoch: int) -> None:
        """Write settings and provenance; remove what a killed process left half-written."""
        with explain_write(self.folder, "a run"):
            self.folder.mkdir(parents=True, exist_ok=True)
            for left in (*leftovers(self.folder), *leftovers(self.folder / "scores")):
                left.unlink(missing_ok=True)
        previous = self.folder / "provenance.json"
        sessions = _read_json(previous).get("sessions", []) if first_epoch > 1 else []
        started = datetime.now(UTC).isoformat(timespec="seconds")
        session = {"started": started, "first_epoch": first_epoch, "git_commit": self.record.get("git_commit")}
        _write_json(self.folder / "settings.json", self.settings.model_dump(mode="json"))
        _write_json(previous, {**self.record, "sessions": [*sessions, session]})

    def commit(
        self, history: list[dict[str, Any]], scores: pd.DataFrame | None, method: Any, optimizer: torch.optim.Optimizer
    ) -> Path:
        """Write everything of the last epoch in `history`; returns its weight file."""
        last = history[-1]
        metadata = {"epoch": last["epoch"], "metrics": _without_nan(last["val"]), "method": self.settings.method_name}
        path = save_detector(
            epoch_file(self.folder, last["epoch"]),
            method.detector,
            self.settings.detector,
            self.options,
            {**metadata, "provenance": dict(self.record)},
        )
        if scores is not None:
            told = with_note(scores, provenance_note(self.record))
            write_table("score", told, score_file(self.folder, last["epoch"]))
        write_csv(history_table(history), self.folder / "history.csv", "the history")
        chosen = best_epoch(history)
        best = next(entry for entry in history if entry["epoch"] == chosen)
        _write_json(
            self.folder / "best.json",
            {"epoch": chosen, "file": epoch_file(self.folder, chosen).name, "val": _without_nan(best["val"])},
        )
        self._write_resume(history, method, optimizer)
        return path

    def _write_resume(self, history: list[dict[str, Any]], method: Any, optimizer: torch.optim.Optimizer) -> None:
        state = {
            "format": RESUME_FORMAT,
            "settings": self.settings.model_dump(mode="json"),
            "inputs": {name: self.record.get(name) for name in _INPUTS},
            "history": history,
            "method": method.state_dict(),
            "optimizer": optimizer.state_dict(),
        }
        with atomic_path(self.folder / "resume.pt", "the state of the run") as temporary:
            torch.save(state, temporary)

    def _require_same(self, state: dict[str, Any]) -> None:
        changed = self.settings.changed_fields(state["settings"])
        if changed:
            what = "; ".join(f"{name} was {then!r}, is {now!r}" for name, (then, now) in changed.items())
            raise ParameterError(
                f"the run {self.folder.name!r} exists already with other settings: {what}. Give this run another name (or an empty "
                f"one, which makes a name from the settings), use the settings of {self.folder / 'settings.json'} to continue "
                "the old one, or delete its folder."
            )
        for name in _INPUTS:
            if state["inputs"].get(name) != self.record.get(name):
                raise ParameterError(
                    f"the run {self.folder.name!r} was begun on other data: the {name} of data set {self.settings.dataset!r} "
                    "have changed since. Give this run another name, or bring the old tables back to continue it."
                )


def score_file(folder: Path, epoch: int) -> Path:
    """Where the validation scores of an epoch lie."""
    return folder / "scores" / f"val_epoch_{epoch:03d}.parquet"


def best_epoch(history: list[dict[str, Any]]) -> int:
    """The epoch with the highest video AUC on validation; ties go to the lower validation loss, then to the earlier one."""

    def rank(entry: dict[str, Any]) -> tuple[float, float, int]:
        auc, loss = entry["val"].get("auc_video", math.nan), entry["val"]["loss"]
        return (1.0 if math.isnan(auc) else -auc, math.inf if math.isnan(loss) else loss, entry["epoch"])

    return min(history, key=rank)["epoch"]


def history_table(history: list[dict[str, Any]]) -> pd.DataFrame:
    """One row per epoch: epoch, learning_rate, seconds, train_…, val_…, best (at that time)."""
    rows = []
    for entry in history:
        row = {name: entry[name] for name in ("epoch", "learning_rate", "seconds")}
        row |= {f"{part}_{name}": value for part in ("train", "val") for name, value in entry[part].items()}
        rows.append({**row, "best": entry["best"]})
    return pd.DataFrame(rows)


def _without_nan(values: Mapping[str, float]) -> dict[str, float | None]:
    return {name: None if math.isnan(value) else value for name, value in values.items()}  # JSON has no NaN


def _write_json(path: Path, values: Mapping[str, Any]) -> None:
    with atomic_path(path, path.name) as temporary:
        temporary.write_text(json.dumps(values, indent=2, sort_keys=True) + "\n")


def _read_json(path: Path) -> dict[str, Any]:
    try:
        return read_json(path)
    except (OSError, ValueError):
        return {}
