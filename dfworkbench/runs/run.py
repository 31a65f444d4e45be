"""`Run`: read a trained or imported run (settings, history, weights, scores) from its folder."""

import contextlib
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from dfworkbench.core.errors import CheckpointError, DataNotFoundError
from dfworkbench.core.names import did_you_mean
from dfworkbench.core.workspace import Workspace, find_workspace
from dfworkbench.datasets.audit.leak_note import run_note
from dfworkbench.datasets.domain import caveat, training_data
from dfworkbench.datasets.tables import read_table
from dfworkbench.media.foreign import read_json
from dfworkbench.models.registry import HELPERS
from dfworkbench.runs.card import card_html, epoch_words
from dfworkbench.runs.layout import (
    BEST,
    FETCHED,
    HISTORY,
    NOTEBOOK,
    PROVENANCE,
    SETTINGS,
    WEIGHTS,
    epoch_file,
    score_file,
)

if TYPE_CHECKING:
    from dfworkbench.runs.checkpoints import LoadedDetector

_MOST_EPOCHS = 1_000_000


@dataclass(frozen=True)
class Run:
    """A trained or imported run. Everything is read on access, so a run can be followed while it trains.

    A stored file that is damaged raises `CheckpointError`.

    Attributes:
        folder: `checkpoints/<name>`.
    """

    folder: Path

    @classmethod
    def open(cls, name: str | Path, workspace: Workspace | None = None) -> "Run":
        """Open a run by its name in the workspace or by its folder.

        Raises:
            DataNotFoundError: There is no such run; the message names the closest one.
        """
        runs, path = (workspace or find_workspace()).checkpoints, Path(name)
        if path.name not in ("", "..") and path.name == str(name) and (runs / path).is_dir():
            return cls(runs / path)
        if str(name) and path.is_dir():
            return cls(path)
        known = sorted(f.name for f in runs.iterdir() if f.is_dir() and f.name[0] != ".") if runs.is_dir() else []
        hint = did_you_mean(name, known) or f" Runs there: {', '.join(known) or 'none; notebook 02_train makes one'}."
        raise DataNotFoundError(f"opening the run {str(name)!r}: it is not a file, a folder or a run in {runs}.{hint}")

    @classmethod
    def names(cls, workspace: Workspace | None = None) -> list[str]:
        """Names of all runs with weights, newest first; networks that are not detectors are left out."""
        folders = {file.parent for file in (workspace or find_workspace()).checkpoints.glob(f"*/*{WEIGHTS}")}
        folders = [folder for folder in folders if cls(folder).detector_name not in HELPERS]
        return [folder.name for folder in sorted(folders, key=lambda f: (-f.stat().st_mtime, f.name))]

    @classmethod
    def newest(cls, workspace: Workspace | None = None, dataset: str = "") -> "Run":
        """The most recently trained run, on `dataset` if given; imported weights do not count.

        Raises:
            DataNotFoundError: There is none.
        """
        home = (workspace or find_workspace()).checkpoints
        runs = [run for name in cls.names(workspace) if (run := cls(home / name)).is_trained]
        for run in runs:
            if dataset in ("", run.trained_on):
                return run
        names = ", ".join(run.name for run in runs)
        seen = f"no weights trained on {dataset!r} (runs there: {names})" if runs else "no weights"
        raise DataNotFoundError(f"looking for the newest run: {home} holds {seen}. Notebook 02_train makes them.")

    @property
    def name(self) -> str:
        """Name of the folder."""
        return self.folder.absolute().name

    @property
    def is_trained(self) -> bool:
        """Whether the run was trained here, rather than imported or fetched."""
        return (self.folder / SETTINGS).is_file() and not (self.folder / FETCHED).is_file()

    @property
    def settings(self) -> dict[str, Any]:
        """The training settings as they were stored; empty for imported weights."""
        return self._json(SETTINGS)

    @property
    def provenance(self) -> dict[str, Any]:
        """Code, packages, data and settings of the run (`dfworkbench.core.provenance`); empty if not stored."""
        return self._json(PROVENANCE)

    @property
    def detector_name(self) -> str:
        """Name of the network; "" if not recorded."""
        return self._stated("detector")

    @property
    def trained_on(self) -> str:
        """Data set that the run was trained on; "" if not recorded, as for imported weights."""
        return self._stated("dataset")

    @property
    def caveats(self) -> list[str]:
        """Warnings that accompany every result: leaky splits, unknown training data, generated data only."""
        metadata = {"provenance": self.provenance}
        return [text for text in (run_note(metadata), caveat(metadata)) if text]

    @property
    def fetched(self) -> dict[str, Any]:
        """Where the run was fetched from ("source", "date", "sha256" of its list of files, "manifest"); empty if it was not."""
        return self._json(FETCHED)

    @property
    def history(self) -> pd.DataFrame:
        """One row per finished epoch: epoch, learning_rate, seconds, `train_…`, `val_…`, best; empty for imported weights."""
        path = self.folder / HISTORY
        return pd.read_csv(path) if path.is_file() else pd.DataFrame({"epoch": []}, dtype="int64")

    @property
    def epochs(self) -> list[int]:
        """Epochs with weights; 0 means imported weights."""
        found = (re.fullmatch(r"epoch_(\d+)", file.stem) for file in self.folder.glob(f"epoch_*{WEIGHTS}"))
        return sorted(int(match[1]) for match in found if match)

    @property
    def best(self) -> int:
        """The best epoch on validation, 0 for imported weights; `CheckpointError` if no epoch is finished."""
        path = self.folder / BEST
        if not path.is_file():
            raise CheckpointError(
                f"looking for the best epoch of {self.folder}: there is no {BEST}, so no epoch was finished here. Train it with "
                "notebook 02_train, or name a weight file."
            )
        try:
            epoch = int(read_json(path)["epoch"])
            if not 0 <= epoch < _MOST_EPOCHS:
                raise ValueError(f"its epoch is {epoch}")
        except (OSError, ValueError, KeyError, TypeError, OverflowError) as error:
            raise CheckpointError(
                f"looking for the best epoch of {self.folder}: {BEST} is damaged ({error}). Pass epoch=."
            ) from None
        return epoch

    @property
    def notebook(self) -> Path:
        """Path of the executed notebook that trained the run."""
        return self.folder / NOTEBOOK

    def weights(self, epoch: int | None = None) -> Path:
        """Weight file of an epoch, by default the best one; `CheckpointError` if there is none."""
        number = self.best if epoch is None else epoch
        path = epoch_file(self.folder, number)
        if not path.is_file():
            there = ", ".join(epoch_file(self.folder, known).name for known in self.epochs)
            raise CheckpointError(
                f"loading epoch {number} of {self.folder}: there is no {path.name}. There: {there or 'none'}."
            )
        return path

    def detector(self, epoch: int | None = None, device: str = "cpu") -> "LoadedDetector":
        """The detector with the weights of an epoch, by default the best one; see `load_detector`."""
        from dfworkbench.runs.checkpoints import load_detector  # torch is only needed here

        return load_detector(self.weights(epoch), device)

    def scores(self, split: str, epoch: int | None = None, dataset: str = "") -> pd.DataFrame:
        """The stored score table of a split.

        Args:
            split: "val" or "test".
            epoch: By default the best one.
            dataset: Extracted data set. By default the one the run was trained on; its "val" is what training validated on.

        Raises:
            DataNotFoundError: There is no such table.
        """
        home = dataset or ("" if split == "val" else self.trained_on)
        path = score_file(epoch_file(self.folder, self.best if epoch is None else epoch), split, home)
        if not path.is_file():
            raise DataNotFoundError(
                f"reading {split} scores of the run {self.name!r}: there is no {path.name} in its scores. Training writes those "
                f"of val after each epoch; score_split(run.detector(), {home or 'dataset'!r}, {split!r}) makes the others."
            )
        return read_table("score", path)

    def title(self, weights: Path) -> str:
        """Display name of weights in this folder: the run, with the epoch unless it is the best; or the file outside a run."""
        if not (self.folder / BEST).is_file():
            return weights.stem
        with contextlib.suppress(CheckpointError):
            if epoch_file(self.folder, self.best).name == weights.name:
                return self.name
        return f"{self.name}/{weights.stem}"

    def _json(self, file: str) -> dict[str, Any]:
        try:
            values = read_json(self.folder / file)
        except FileNotFoundError:
            return {}
        except (OSError, ValueError) as error:
            values = error
        if not isinstance(values, dict):
            seen = str(values) if isinstance(values, Exception) else f"it holds a {type(values).__name__}"
            raise CheckpointError(
                f"reading the run {self.folder}: {file} is damaged ({seen}); expected an object of names and values. Restore "
                "the file, or train the run again under another name."
            )
        return values

    def _stated(self, key: str) -> str:
        with contextlib.suppress(CheckpointError):
            if key in (settings := self.settings):
                return str(settings[key])
        with contextlib.suppress(CheckpointError):
            record = self.provenance
            inner = record.get("settings")
            return str({**(inner if isinstance(inner, dict) else {}), **record}.get(key, ""))
        return ""

    def _repr_html_(self) -> str:
        history, source = self.history, self.provenance.get("source")
        data = training_data({"provenance": self.provenance}) or self.trained_on
        facts = {"detector": self.detector_name or "not known", "trained on": data or "not known"}
        if isinstance(source, dict):
            facts["imported from"] = f"{source.get('file', 'not known')} ({source.get('kind', 'not known')})"
        if fetched := self.fetched:
            facts["fetched from"] = f"{fetched.get('source', 'not known')} ({fetched.get('date', 'not known')})"
        if self.settings:
            facts["epochs"] = f"{len(history)} of {self.settings.get('epochs', 'not known')}"
        best = self.best if (self.folder / BEST).is_file() else -1
        for _, row in history[history["epoch"] == best].iterrows():
            facts["best epoch"] = epoch_words(row)
        return card_html(self.name, facts | {"folder": str(self.folder)}, self.caveats, history, best)


def find_checkpoint(source: Path | str, *, epoch: int | None = None, workspace: Workspace | None = None) -> Path:
    """Resolve a path, a run folder or a run name to a weight file."""
    path = Path(source)
    return path if path.is_file() else Run.open(source, workspace).weights(epoch)
